//! Starting a run: sonobuoy's own settings file and the one command.

use std::time::Duration;

use super::command::RunCommand;
use super::program::{Output, Program, ProgramError};

/// The name cannot be one of a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag} {name}: not a name of a {kind}: lower-case letters, digits, `-`{}, at most {limit} characters", if *dots { " and `.`" } else { "" })]
pub struct InvalidName {
    flag: &'static str,
    name: String,
    kind: &'static str,
    dots: bool,
    limit: usize,
}

/// `sonobuoy.json`, for `--config`: the secret with which the aggregator's and the plugins' images
/// are pulled. Sonobuoy does not create it; it must be in the run's namespace.
pub fn sonobuoy_config(image_pull_secret: &str) -> Result<String, InvalidName> {
    if !is_name(image_pull_secret, 253, true) {
        return Err(InvalidName {
            flag: "--image-pull-secret",
            name: image_pull_secret.to_owned(),
            kind: "secret",
            dots: true,
            limit: 253,
        });
    }
    let config = serde_json::json!({ "ImagePullSecrets": image_pull_secret });
    Ok(format!("{config:#}\n"))
}

/// Whether a namespace can have this name.
pub fn check_namespace(name: &str) -> Result<(), InvalidName> {
    if is_name(name, 63, false) {
        return Ok(());
    }
    Err(InvalidName {
        flag: "--namespace",
        name: name.to_owned(),
        kind: "namespace",
        dots: false,
        limit: 63,
    })
}

/// RFC 1123 label, or labels with dots between them.
fn is_name(name: &str, limit: usize, dots: bool) -> bool {
    let label = |label: &str| {
        let edge =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        edge(label.chars().next()) && edge(label.chars().next_back()) && label.chars().all(plain)
    };
    let fine = |name: &str| {
        if dots {
            name.split('.').all(label)
        } else {
            label(name)
        }
    };
    name.len() <= limit && fine(name)
}

/// Creating some objects takes seconds; a slow API server, longer.
const LIMIT: Duration = Duration::from_mins(5);

impl Program {
    /// Starts the run and returns when its objects are created. On failure some may be there:
    /// [`ProgramError::hint`] says so.
    pub async fn launch(&self, command: &RunCommand) -> Result<Output, ProgramError> {
        self.run(&command.args(), LIMIT).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_holds_the_secret_alone() {
        assert_eq!(
            sonobuoy_config("airgap-pull").expect("a name"),
            "{\n  \"ImagePullSecrets\": \"airgap-pull\"\n}\n"
        );
        for bad in ["", "Upper", "a b", "-a", "a-", "a..b", "a\"b"] {
            assert!(sonobuoy_config(bad).is_err(), "{bad}");
        }
        assert!(check_namespace("sonobuoy-2").is_ok());
        assert!(check_namespace("sono.buoy").is_err());
    }
}
