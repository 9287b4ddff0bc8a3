//! Settings of `airbuoy pull`.

use camino::Utf8PathBuf;

use super::byte_size::byte_size;
use super::out_dir::report_file;
use super::placement::Placement;
use super::{Access, Environment, SettingsError};
use crate::cli::{
    Format, FormatArgs, NamingArgs, OutputArgs, PullArgs, ReleaseArgs, SourceMirrorArgs,
};

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct PullSettings {
    /// Where the bundle goes.
    pub bundle: Utf8PathBuf,
    /// Which images.
    pub placement: Placement,
    /// Bundles and inventories whose blobs are left out.
    pub base: Vec<Utf8PathBuf>,
    /// Bytes of one volume.
    pub split: Option<u64>,
    /// Finish without what cannot be fetched.
    pub keep_going: bool,
    /// How sources are reached.
    pub access: Access,
    /// Plan only.
    pub dry_run: bool,
    /// Form of the answer.
    pub output: Format,
    /// Where the JSON report goes.
    pub report: Option<Utf8PathBuf>,
}

impl PullSettings {
    /// Takes the flags apart; only a tar can be cut into volumes.
    pub fn resolve(args: &PullArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let PullArgs {
            bundle,
            base,
            split_size,
            keep_going,
            release: ReleaseArgs { kubernetes_version },
            catalog,
            selection,
            source_mirror: SourceMirrorArgs { source_mirror },
            access,
            dry_run,
            format:
                FormatArgs {
                    output: OutputArgs { output },
                    report,
                },
        } = args;
        // Inside a bundle names keep their paths: where they go is decided by push.
        let naming = NamingArgs {
            flat: false,
            e2e_repo_config: None,
        };
        let split = split_size
            .as_deref()
            .map(|text| {
                let size = byte_size(text);
                size.map_err(|reason| SettingsError::value("--split-size", text, reason))
            })
            .transpose()?;
        if bundle.as_str().is_empty() {
            return Err(SettingsError::value("BUNDLE", "''", "it is empty"));
        }
        if split.is_some() && !bundle.as_str().ends_with(".tar") {
            return Err(SettingsError::value(
                "--split-size",
                split_size.as_deref().unwrap_or_default(),
                format!("only a tar is cut into volumes: write {bundle}.tar"),
            ));
        }
        Ok(Self {
            bundle: bundle.clone(),
            placement: Placement::resolve(kubernetes_version, catalog, selection, &naming)?,
            base: base.clone(),
            split,
            keep_going: *keep_going,
            access: Access::of_source(access, source_mirror, environment)?,
            dry_run: *dry_run,
            output: *output,
            report: report_file(report.as_deref())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn resolve(line: &str) -> Result<PullSettings, SettingsError> {
        let words = ["airbuoy", "pull"].into_iter().chain(line.split(' '));
        let Command::Pull(args) = Cli::try_parse_from(words).expect("flags").command else {
            panic!("another verb")
        };
        PullSettings::resolve(&args, &Environment::default())
    }

    #[test]
    fn volumes_are_cut_from_a_tar_alone() {
        let settings = resolve("k8s.tar --kubernetes-version 1.36 --split-size 4G").expect("fine");
        assert_eq!(settings.split, Some(4_000_000_000));
        let error = resolve("k8s --kubernetes-version 1.36 --split-size 4G").expect_err("a folder");
        assert!(error.to_string().contains("k8s.tar"), "{error}");
        let error = resolve("k8s.tar --kubernetes-version 1.36 --split-size 4X").expect_err("4X");
        assert!(
            error.to_string().starts_with("--split-size 4X: "),
            "{error}"
        );
    }
}
