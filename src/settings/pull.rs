//! Settings of `airbuoy pull`.

use camino::{Utf8Path, Utf8PathBuf};

use super::byte_size::byte_size;
use super::out_dir::report_file;
use super::placement::Placement;
use super::{Access, Environment, SettingsError};
use crate::bundle::{SMALLEST_VOLUME, compressed_stem, tar_path};
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
    /// Takes the flags apart; only a tar can be cut into volumes, and nothing is its own base.
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
        let split = split_size.as_deref().map(volume_size).transpose()?;
        if bundle.as_str().is_empty() {
            return Err(SettingsError::value("BUNDLE", "''", "it is empty"));
        }
        is_no_part(bundle)?;
        if let Some(itself) = base.iter().find(|base| real(base) == real(bundle)) {
            let reason =
                format!("{bundle} cannot be its own base; name the new bundle differently");
            return Err(SettingsError::value("--base", itself.as_str(), reason));
        }
        if split.is_some() && bundle.extension() != Some("tar") {
            return Err(SettingsError::value(
                "--split-size",
                split_size.as_deref().unwrap_or_default(),
                format!(
                    "only a tar is cut into volumes: write {}.tar",
                    bundle.as_str().trim_end_matches('/')
                ),
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

/// Bytes of one volume.
fn volume_size(text: &str) -> Result<u64, SettingsError> {
    let refuse = |reason| SettingsError::value("--split-size", text, reason);
    let size = byte_size(text).map_err(refuse)?;
    if size < SMALLEST_VOLUME {
        return Err(refuse(format!(
            "a volume has at least {SMALLEST_VOLUME} bytes; 4G fits any medium that takes no \
             larger files"
        )));
    }
    Ok(size)
}

/// Refuses the name of a volume and that of a compressed tar: neither can be written.
fn is_no_part(bundle: &Utf8Path) -> Result<(), SettingsError> {
    let tar = tar_path(bundle);
    let refuse = |reason| Err(SettingsError::value("BUNDLE", bundle.as_str(), reason));
    if tar != bundle && tar.extension() == Some("tar") {
        return refuse(format!("it names a part of {tar}: write {tar}"));
    }
    if let Some(stem) = compressed_stem(bundle) {
        return refuse(format!(
            "bundles are read in place and cannot be compressed: write {stem}.tar"
        ));
    }
    Ok(())
}

/// The bundle that a path speaks of, without links; a tar in volumes is no file itself.
fn real(path: &Utf8Path) -> Utf8PathBuf {
    let path = if path.is_dir() {
        path.to_owned()
    } else {
        tar_path(path)
    };
    if let Ok(found) = path.canonicalize_utf8() {
        return found;
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder,
        _ => Utf8Path::new("."),
    };
    match (folder.canonicalize_utf8(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
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
        assert!(error.to_string().contains("write k8s.tar"), "{error}");
        let error =
            resolve("k8s/ --kubernetes-version 1.36 --split-size 4G").expect_err("a folder");
        assert!(error.to_string().contains("write k8s.tar"), "{error}");
        let error = resolve("k8s.tar --kubernetes-version 1.36 --split-size 4X").expect_err("4X");
        assert!(
            error.to_string().starts_with("--split-size 4X: "),
            "{error}"
        );
    }

    #[test]
    fn a_volume_holds_more_than_a_header() {
        for size in ["1", "512", "10K"] {
            let line = format!("k8s.tar --kubernetes-version 1.36 --split-size {size}");
            let told = resolve(&line).expect_err(size).to_string();
            assert!(told.contains("at least 10240 bytes"), "{told}");
        }
        let line = "k8s.tar --kubernetes-version 1.36 --split-size 10KiB";
        assert_eq!(resolve(line).expect("enough").split, Some(10_240));
    }

    #[test]
    fn nothing_is_its_own_base() {
        for base in ["k8s.tar", "./k8s.tar", "k8s.tar.volumes", "k8s.tar.001"] {
            let line = format!("k8s.tar --kubernetes-version 1.36 --base {base}");
            let told = resolve(&line).expect_err(base).to_string();
            assert!(told.contains("k8s.tar cannot be its own base"), "{told}");
        }
        resolve("k8s.tar --kubernetes-version 1.36 --base old/k8s.tar").expect("another folder");
    }

    #[test]
    fn parts_and_compressed_tars_are_not_written() {
        for name in [
            "v.tar.001",
            "v.tar.volumes",
            "v.tar.gz",
            "v.tgz",
            "v.TAR.zst",
        ] {
            let line = format!("{name} --kubernetes-version 1.36");
            let told = resolve(&line).expect_err(name).to_string();
            assert!(told.contains("write v.tar"), "{told}");
        }
    }
}
