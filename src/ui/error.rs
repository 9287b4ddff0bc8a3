//! The last words of a run that fails: what, why, what to do next.

use super::style::Style;
use super::text::hanging;
use crate::bundle::BundleError;
use crate::content::Failure;
use crate::results::ResultsError;
use crate::settings::SettingsError;
use crate::sonobuoy::{DockerConfigError, ProgramError, RetrieveError};
use crate::submission::SubmissionError;

/// `error: …` with every cause on the same line, then `  hint: …` when one of them has one.
pub(super) fn render(error: &anyhow::Error, style: Style) -> String {
    let mut text = format!(
        "{} {}\n",
        style.error("error:"),
        hanging(&one_sentence(error))
    );
    if let Some(hint) = error.chain().find_map(hint) {
        text.push_str(&hint_line(&hint, style));
    }
    text
}

/// The causes, outermost first. One that the text already holds is not told again: some errors
/// show their source themselves.
pub(super) fn one_sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// `  hint: …`, ready to stand under an error.
pub(super) fn hint_line(hint: &str, style: Style) -> String {
    format!(
        "  {} {}\n",
        style.hint("hint:"),
        hanging(hint).replace('\n', "\n  ")
    )
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return failure.hint_text().map(str::to_owned);
    }
    if let Some(error) = cause.downcast_ref::<BundleError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<SettingsError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<DockerConfigError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<ProgramError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<RetrieveError>() {
        return error.hint();
    }
    #[cfg(feature = "cluster")]
    if let Some(error) = cause.downcast_ref::<crate::cluster::ClusterError>() {
        return error.hint();
    }
    #[cfg(feature = "cluster")]
    if let Some(error) = cause.downcast_ref::<crate::sonobuoy::CleanError>() {
        return error.hint();
    }
    if let Some(error) = cause.downcast_ref::<ResultsError>() {
        return error.hint().map(str::to_owned);
    }
    if let Some(error) = cause.downcast_ref::<SubmissionError>() {
        return error.hint().map(str::to_owned);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Code;
    use anyhow::Context as _;

    #[test]
    fn a_cause_is_told_once() {
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let error = SettingsError::Unreadable {
            flag: "--ca-file",
            path: "ca.pem".into(),
            source: missing,
        };
        assert_eq!(
            render(&error.into(), Style::PLAIN),
            "error: --ca-file ca.pem: no such file\n"
        );
    }

    #[test]
    fn causes_share_a_line_and_the_hint_follows() {
        let failure = Failure::new(Code::Unauthorized, "reg:5000", "401 Unauthorized\u{7}")
            .hint("log in:\ndocker login reg:5000");
        let error = Err::<(), _>(failure)
            .context("the target cannot be used")
            .expect_err("an error");
        insta::assert_snapshot!(render(&error, Style::PLAIN), @r"
        error: the target cannot be used: reg:5000: 401 Unauthorized�
          hint: log in:
            docker login reg:5000
        ");
    }
}
