//! README.md: how anybody reproduces the results, with the steps written out rather than linked.

use std::fmt::Write as _;

use super::error::SubmissionError;
use super::masking::{Masking, PLACE};
use super::product::Product;
use crate::kube_version::KubeVersion;
use crate::results::{Results, RunMode};

/// The README's parts that people give.
#[derive(Debug, Default)]
pub(super) struct Words<'a> {
    /// Commands that were run; without them, the one that the tarball tells.
    pub(super) commands: Option<&'a str>,
    /// How the product is installed, as Markdown.
    pub(super) install: Option<&'a str>,
}

/// Writes it.
pub(super) fn readme(
    results: &Results,
    product: &Product,
    release: &KubeVersion,
    words: &Words<'_>,
    masking: &Masking,
) -> Result<String, SubmissionError> {
    let command = match words.commands {
        Some(commands) => commands.trim().to_owned(),
        None => command(results).ok_or(SubmissionError::NoCommands)?,
    };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "# Conformance results: {} {} on Kubernetes v{}\n\n{}\n\n{}\n\n## Install {}\n\n{}\n\n## Run the tests\n\n",
        product.name,
        product.version,
        release.minor_name(),
        product.description,
        ran_with(results),
        product.name,
        install(product, words),
    );
    if masking.is_needed() {
        let _ = write!(
            text,
            "The cluster has no way to the internet: every image came from a private registry, called \
             `{PLACE}` below. Its content is that of the registries upstream, copied under the names shown.\n\n"
        );
    }
    if let Some((name, config)) = results.definition().and_then(|d| d.repo_config()) {
        let _ = write!(
            text,
            "`{name}` tells the tests where their images are:\n\n```yaml\n{}\n```\n\n",
            masking.apply(config).trim_end()
        );
    }
    let _ = write!(
        text,
        "The command that was run:\n\n```sh\n{}\n```\n\n{}",
        masking.apply(&command),
        afterwards(results, words),
    );
    Ok(text)
}

fn ran_with(results: &Results) -> String {
    let server = results.server_version.as_deref();
    let mut text = match server {
        Some(server) => format!("The cluster ran Kubernetes {server}"),
        None => "The cluster's version is in the folder's name".to_owned(),
    };
    if let Some(sonobuoy) = &results.sonobuoy_version {
        let _ = write!(
            text,
            "; the tests were run by [sonobuoy](https://github.com/vmware-tanzu/sonobuoy) {sonobuoy}"
        );
    }
    text.push('.');
    text
}

fn install(product: &Product, words: &Words<'_>) -> String {
    words.install.map_or_else(
        || {
            format!(
                "Install {} {} as described at {}.",
                product.name, product.version, product.documentation_url
            )
        },
        |install| install.trim().to_owned(),
    )
}

fn afterwards(results: &Results, words: &Words<'_>) -> String {
    const FILES: &str = "`e2e.log` and `junit_01.xml` are the files in `plugins/e2e/results/global` of the \
                         tarball, unchanged.\n";
    match (&results.sonobuoy_version, words.commands) {
        (None, _) => {
            "`e2e.log` and `junit_01.xml` are the files that it wrote, unchanged.\n".to_owned()
        }
        (Some(_), Some(_)) => FILES.to_owned(),
        (Some(_), None) => format!(
            "It returns at once. When `sonobuoy status` says `complete`, the results are fetched:\n\n\
             ```sh\nsonobuoy retrieve\n```\n\n{FILES}"
        ),
    }
}

/// The command that gives what the tarball shows (sonobuoy v0.57.5): the definitions hold the images
/// and the environment that really ran. None without them.
fn command(results: &Results) -> Option<String> {
    let e2e = results.definition()?;
    let mut lines = vec!["sonobuoy run".to_owned()];
    match results.mode()? {
        RunMode::Custom => {
            let (focus, skip) = results.selection()?;
            lines.push(format!("--e2e-focus {}", quoted(&focus)));
            lines.push(format!("--e2e-skip {}", quoted(&skip)));
        }
        mode => lines.push(format!("--mode={}", mode.as_str())),
    }
    if let Some(image) = &e2e.sonobuoy_image {
        lines.push(format!("--sonobuoy-image {}", quoted(image)));
    }
    let others: Vec<_> = results
        .plugins
        .iter()
        .filter(|plugin| *plugin != "e2e")
        .collect();
    if others.is_empty() {
        lines.push("--plugin e2e".to_owned());
    }
    for plugin in others {
        if let Some(image) = results
            .definitions
            .get(plugin)
            .and_then(|d| d.image.as_ref())
        {
            let image = quoted(image);
            lines.push(match plugin.as_str() {
                "systemd-logs" => format!("--systemd-logs-image {image}"),
                other => format!("--plugin-image {other}:{image}"),
            });
        }
    }
    lines.push(format!(
        "--kube-conformance-image {}",
        quoted(e2e.image.as_ref()?)
    ));
    if let Some((name, _)) = e2e.repo_config() {
        lines.push(format!("--e2e-repo-config {}", quoted(name)));
    }
    if let Some(arguments) = e2e.variable("E2E_EXTRA_ARGS")
        && let Some((_, path)) = arguments.split_once("--e2e-docker-config-file=")
    {
        let path = path.split_whitespace().next().unwrap_or(path);
        let name = path.rsplit('/').next().unwrap_or(path);
        lines.push(format!("--e2e-docker-config-file {}", quoted(name)));
    }
    if let Some(timeout) = results.timeout {
        lines.push(format!("--timeout={timeout}"));
    }
    Some(lines.join(" \\\n  "))
}

/// One word of a POSIX shell (XCU 2.2.2: nothing is special between single quotes).
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
