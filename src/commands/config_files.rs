//! The files that make a conformance run use the mirror: `custom-repo-config.yaml` and
//! `sonobuoy-run.sh`, one pair a Kubernetes version.

use std::time::Duration;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use super::files::NewFile;
use crate::catalog::ImageSet;
use crate::relocate::Relocation;
use crate::settings::Release;
use crate::sonobuoy::shell_word;
use crate::sonobuoy::{Access, Mode, RunCommand};
use crate::ui::count;

const REPO_CONFIG: &str = "custom-repo-config.yaml";
const SCRIPT: &str = "sonobuoy-run.sh";

/// Sonobuoy's own default gives up after six hours, which a slow cluster can need.
const TIMEOUT: Duration = Duration::from_hours(12);

/// The files, and what is told about them once they are written.
#[derive(Debug)]
pub(super) struct ConfigFiles {
    files: Vec<NewFile>,
    told: Vec<String>,
}

impl ConfigFiles {
    /// The files of every version, under `out_dir`: right in it for one version, in a folder
    /// `vX.Y.Z` each for several.
    pub(super) fn new(
        release: &Release,
        relocation: &Relocation,
        out_dir: &Utf8Path,
    ) -> anyhow::Result<Self> {
        let (mut files, mut told) = (Vec::new(), Vec::new());
        let mut scripts = Vec::new();
        for set in &release.sets {
            let dir = match release.sets.len() {
                1 => out_dir.to_owned(),
                _ => out_dir.join(set.version.to_string()),
            };
            let config = relocation.repo_config(set);
            let [config_path, script_path] = [REPO_CONFIG, SCRIPT].map(|name| dir.join(name));
            told.push(format!(
                "Wrote {} ({}), {}",
                shown(&config_path),
                count(config.len(), "key"),
                shown(&script_path)
            ));
            files.push(NewFile {
                path: config_path,
                text: config.to_yaml(&header(set)),
                executable: false,
            });
            files.push(NewFile {
                path: script_path.clone(),
                text: run_command(relocation, set)?.script(),
                executable: true,
            });
            scripts.push(format!("sh {}", shell_word(shown(&script_path).as_str())));
        }
        told.push(format!("Next: {}", scripts.join(", or ")));
        Ok(Self { files, told })
    }

    /// What is to be written.
    pub(super) fn files(&self) -> &[NewFile] {
        &self.files
    }

    /// Their paths, for the report.
    pub(super) fn paths(&self) -> Vec<String> {
        self.files
            .iter()
            .map(|file| file.path.to_string())
            .collect()
    }

    /// One sentence a line: what was written, and what comes next.
    pub(super) fn told(&self) -> &[String] {
        &self.told
    }
}

/// The conformance run of one version with every image from the mirror.
pub(super) fn run_command(relocation: &Relocation, set: &ImageSet) -> anyhow::Result<RunCommand> {
    let runners = relocation
        .runner_images(set)?
        .context("the runner images have no place without a TARGET")?;
    Ok(RunCommand {
        program: "sonobuoy".to_owned(),
        config: None,
        mode: Mode::CertifiedConformance,
        sonobuoy_image: runners.sonobuoy,
        systemd_logs_image: runners.systemd_logs,
        conformance_image: runners.conformance,
        repo_config: REPO_CONFIG.into(),
        docker_config: None,
        timeout: TIMEOUT,
        namespace: None,
        namespace_exists: false,
        access: Access::default(),
        passthrough: Vec::new(),
    })
}

fn header(set: &ImageSet) -> String {
    format!(
        "Image prefixes of the Kubernetes {} end-to-end tests (KUBE_TEST_REPO_LIST).\n\
         Written by airbuoy {}; give it to sonobuoy run with --e2e-repo-config.",
        set.version,
        env!("CARGO_PKG_VERSION"),
    )
}

/// The path without a `./` in front.
fn shown(path: &Utf8Path) -> Utf8PathBuf {
    path.strip_prefix("./").unwrap_or(path).to_owned()
}
