//! Settings of `airbuoy verify`.

use camino::Utf8PathBuf;

use super::bundle_path::names_bundle;
use super::expected::{Expected, expected};
use super::out_dir::{new_file, report_file};
use super::placement::{Placement, target};
use super::{Access, Environment, SettingsError};
use crate::cli::{Format, FormatArgs, OutputArgs, SourceMirrorArgs, VerifyArgs};
use crate::relocate::TargetPrefix;

/// What is checked, and how.
#[derive(Debug, Clone)]
pub enum VerifySettings {
    /// A registry.
    Registry(Box<VerifyRegistry>),
    /// A bundle.
    Bundle(Box<VerifyBundle>),
}

/// Resolved settings for a registry.
#[derive(Debug, Clone)]
pub struct VerifyRegistry {
    /// Which images, and their names.
    pub placement: Placement,
    /// The private registry.
    pub target: TargetPrefix,
    /// How it is reached.
    pub access: Access,
    /// Read and hash every blob.
    pub deep: bool,
    /// What an earlier run reported.
    pub expected: Option<Expected>,
    /// Where the list of its blobs goes.
    pub inventory: Option<Utf8PathBuf>,
    /// Form of the answer.
    pub output: Format,
    /// Where the JSON report goes.
    pub report: Option<Utf8PathBuf>,
}

/// Resolved settings for a bundle.
#[derive(Debug, Clone)]
pub struct VerifyBundle {
    /// Where it lies.
    pub bundle: Utf8PathBuf,
    /// Fetch what is damaged again.
    pub repair: bool,
    /// How sources are reached, for that.
    pub access: Access,
    /// Form of the answer.
    pub output: Format,
    /// Where the JSON report goes.
    pub report: Option<Utf8PathBuf>,
}

impl VerifySettings {
    /// Takes the flags apart and reads the report to compare with. A flag that makes no sense for
    /// what is checked is refused rather than ignored; the filters and names of a registry's
    /// images may come from variables that were set for other verbs, and do not hurt.
    pub fn resolve(args: &VerifyArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let VerifyArgs {
            target: to,
            deep,
            against,
            inventory,
            repair,
            kubernetes_version,
            catalog,
            selection,
            naming,
            source: SourceMirrorArgs { source_mirror },
            access,
            format:
                FormatArgs {
                    output: OutputArgs { output },
                    report,
                },
        } = args;
        let access = Access::resolve(access, source_mirror, environment)?;
        if names_bundle(to) {
            for (flag, file) in [("--against", against), ("--inventory", inventory)] {
                if let Some(file) = file {
                    let reason = format!("it is about a registry, and {to} is a bundle");
                    return Err(SettingsError::value(flag, file.as_str(), reason));
                }
            }
            return Ok(Self::Bundle(Box::new(VerifyBundle {
                bundle: to.into(),
                repair: *repair,
                access,
                output: *output,
                report: report_file(report.as_deref())?,
            })));
        }
        let target = target(to).map_err(|error| match error {
            SettingsError::Target(invalid) => SettingsError::NoSubject(invalid),
            error => error,
        })?;
        if *repair {
            let reason = format!("{to} is a registry: mirror, or push, brings back what it lacks");
            return Err(SettingsError::value("--repair", "", reason));
        }
        if kubernetes_version.is_empty() {
            return Err(SettingsError::NoVersion {
                target: to.to_owned(),
            });
        }
        Ok(Self::Registry(Box::new(VerifyRegistry {
            placement: Placement::resolve(kubernetes_version, catalog, selection, naming)?,
            target,
            access,
            deep: *deep,
            expected: against.as_deref().map(expected).transpose()?,
            inventory: new_file("--inventory", inventory.as_deref())?,
            output: *output,
            report: report_file(report.as_deref())?,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn resolve(line: &str) -> Result<VerifySettings, String> {
        let words = ["airbuoy", "verify"].into_iter().chain(line.split(' '));
        let Command::Verify(args) = Cli::try_parse_from(words).expect("flags").command else {
            panic!("another verb")
        };
        VerifySettings::resolve(&args, &Environment::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_is_a_bundle_and_needs_no_version() {
        let settings = resolve("k8s.tar --repair").expect("a bundle");
        assert!(matches!(settings, VerifySettings::Bundle(b) if b.repair));
        let settings = resolve("r.io/k8s --kubernetes-version 1.36").expect("a registry");
        assert!(matches!(settings, VerifySettings::Registry(_)));
        for (line, part) in [
            ("r.io/k8s", "--kubernetes-version"),
            ("r.io/k8s --kubernetes-version 1.36 --repair", "mirror"),
            ("k8s.tar --inventory i.json", "k8s.tar is a bundle"),
            ("k8s.tar --against r.json", "--against r.json"),
        ] {
            let error = resolve(line).expect_err(line);
            assert!(error.contains(part), "{error}");
        }
    }
}
