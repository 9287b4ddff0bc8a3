//! Settings of `airbuoy push`.

use camino::Utf8PathBuf;
use globset::Glob;

use super::out_dir::{out_dir, report_file};
use super::placement::{globs, others, target};
use super::{Access, Environment, SettingsError};
use crate::cli::{Format, FormatArgs, NamingArgs, OutDirArgs, OutputArgs, PushArgs};
use crate::kube_version::KubeVersion;
use crate::relocate::TargetPrefix;

/// Resolved settings; what goes where is known when the bundle is open: [`super::Carried`].
#[derive(Debug, Clone)]
pub struct PushSettings {
    /// Where the bundle lies.
    pub bundle: Utf8PathBuf,
    /// The private registry: the config files speak of it.
    pub target: TargetPrefix,
    /// More registries to fill.
    pub also: Vec<TargetPrefix>,
    /// Only these versions; all when there are none.
    pub versions: Vec<KubeVersion>,
    /// `--include`.
    pub include: Vec<Glob>,
    /// `--exclude`.
    pub exclude: Vec<Glob>,
    /// The names at the target, as typed: which keys there are, the bundle says.
    pub naming: NamingArgs,
    /// Read everything before the first request.
    pub verify_first: bool,
    /// How the targets are reached.
    pub access: Access,
    /// Where the config files go.
    pub out_dir: Utf8PathBuf,
    /// Plan only.
    pub dry_run: bool,
    /// Form of the answer.
    pub output: Format,
    /// Where the JSON report goes.
    pub report: Option<Utf8PathBuf>,
}

impl PushSettings {
    /// Takes the flags apart; what will be written must be writable, and TARGETs differ.
    pub fn resolve(args: &PushArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let PushArgs {
            bundle,
            target: to,
            verify_first,
            kubernetes_version,
            include,
            exclude,
            naming,
            also,
            access,
            out_dir: OutDirArgs { out_dir: dir },
            dry_run,
            format:
                FormatArgs {
                    output: OutputArgs { output },
                    report,
                },
        } = args;
        let first = target(to)?;
        let versions = kubernetes_version.iter().map(|text| text.trim().parse());
        Ok(Self {
            bundle: bundle.clone(),
            also: others(also, &first)?,
            target: first,
            versions: versions.collect::<Result<_, _>>()?,
            include: globs("--include", include)?,
            exclude: globs("--exclude", exclude)?,
            naming: naming.clone(),
            verify_first: *verify_first,
            access: Access::resolve(access, &[], environment)?,
            // A dry run writes no config files, so it needs no place for them.
            out_dir: if *dry_run { dir.clone() } else { out_dir(dir)? },
            dry_run: *dry_run,
            output: *output,
            report: report_file(report.as_deref())?,
        })
    }
}
