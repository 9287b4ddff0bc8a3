//! `--live`: which lists have to be read from images, and where they are kept. Nothing is read in
//! here: `commands` does it, with [`Release::unread`](super::Release::unread).

use camino::Utf8PathBuf;

use super::out_dir::try_directory;
use super::{Environment, SettingsError};
use crate::catalog::{Catalog, CatalogError, ImageSet};
use crate::cli::{AccessArgs, LiveArgs, LiveSourceArgs};
use crate::kube_version::KubeVersion;
use crate::registry::Options;

/// `--kubernetes-version`.
const VERSION_FLAG: &str = "--kubernetes-version";

/// The set of a version, and whether it is only assumed until its list is read.
pub(super) fn image_set(
    catalog: &Catalog,
    version: &KubeVersion,
    args: &LiveArgs,
) -> Result<(ImageSet, bool), SettingsError> {
    let LiveArgs {
        live,
        conformance_image,
        cache_dir: _,
    } = args;
    let unread = *live && (conformance_image.is_some() || !catalog.knows(version));
    if !unread {
        return Ok((catalog.resolve(version)?, false));
    }
    let bad = |reason: String| SettingsError::value(VERSION_FLAG, &version.to_string(), reason);
    if version.patch().is_none() {
        return Err(bad(format!(
            "--live reads the image of one patch release: name it, such as {version}.0"
        )));
    }
    let mut set = catalog.assume(version).map_err(|error| match error {
        CatalogError::UnknownVersion { range, .. } => bad(format!(
            "it is older than all that is known ({range}), so --live cannot tell its registry keys"
        )),
        other => other.into(),
    })?;
    if let Some(image) = conformance_image {
        set.conformance_image = image.clone();
    }
    Ok((set, true))
}

/// One image has one list: with `--conformance-image` there is one version.
pub(super) fn check_image(args: &LiveArgs, sets: &[ImageSet]) -> Result<(), SettingsError> {
    match &args.conformance_image {
        Some(image) if args.live && sets.len() > 1 => Err(SettingsError::value(
            "--conformance-image",
            &image.to_string(),
            format!("it holds the list of one release: give one {VERSION_FLAG}"),
        )),
        _ => Ok(()),
    }
}

/// `--cache-dir`, else `$XDG_CACHE_HOME/airbuoy`, else `~/.cache/airbuoy`; made and tried.
pub fn cache_dir(args: &LiveArgs, environment: &Environment) -> Result<Utf8PathBuf, SettingsError> {
    let default = || Some(environment.cache_home()?.join("airbuoy"));
    let dir = args.cache_dir.clone().or_else(default);
    let dir = dir.ok_or(SettingsError::NoCacheDir)?;
    try_directory("--cache-dir", &dir)?;
    Ok(dir)
}

/// How sources are reached by a verb that has only the flags for `--live`.
pub fn live_source(
    args: &LiveSourceArgs,
    environment: &Environment,
) -> Result<Options, SettingsError> {
    let LiveSourceArgs {
        mirrors,
        authfile,
        ca_file,
    } = args;
    let access = AccessArgs {
        authfile: authfile.clone(),
        ca_file: ca_file.clone(),
        client_cert: None,
        client_key: None,
        plain_http: false,
        insecure_skip_tls_verify: false,
        // One blob after the other.
        jobs: std::num::NonZeroUsize::MIN,
    };
    let access = super::Access::resolve(&access, &mirrors.source_mirror, environment)?;
    Ok(access.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(image: Option<&str>) -> LiveArgs {
        LiveArgs {
            live: true,
            conformance_image: image.map(|i| i.parse().expect("a reference")),
            cache_dir: None,
        }
    }

    fn set(version: &str, args: &LiveArgs) -> Result<(ImageSet, bool), SettingsError> {
        let version = version.parse().expect("a version");
        image_set(&Catalog::embedded(), &version, args)
    }

    #[test]
    fn only_what_is_not_known_is_read() {
        for (version, args, unread) in [
            ("v1.36.1", live(None), false),
            ("1.36", live(None), false),
            ("v1.36.9", live(None), true),
            ("v1.99.0", live(None), true),
            ("v1.36.1", live(Some("r.io/c:1")), true),
            ("v1.36.9", LiveArgs::default(), false),
        ] {
            let (set, found) = set(version, &args).expect(version);
            assert_eq!(found, unread, "{version}");
            if let Some(image) = args.conformance_image {
                assert_eq!(set.conformance_image, image);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_before_anything_is_asked() {
        for (version, part) in [
            ("1.99", "name it, such as v1.99.0"),
            ("v1.16.3", "older than all that is known (1.17 to 1.37)"),
        ] {
            let error = set(version, &live(None)).expect_err(version);
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.is_local());
        }
        let one = set("v1.99.0", &live(Some("r.io/c:1"))).expect("a set").0;
        let two = [one.clone(), one];
        assert!(check_image(&live(Some("r.io/c:1")), &two[..1]).is_ok());
        assert!(check_image(&live(None), &two).is_ok());
        let error = check_image(&live(Some("r.io/c:1")), &two).expect_err("two versions");
        assert!(
            error
                .to_string()
                .starts_with("--conformance-image r.io/c:1: ")
        );
    }

    #[test]
    fn the_cache_has_a_place() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().to_str().expect("UTF-8");
        let of = |args: &LiveArgs, variables: &[(&str, &str)]| {
            cache_dir(args, &variables.iter().copied().collect())
        };
        let given = LiveArgs {
            cache_dir: Some(format!("{root}/given").into()),
            ..live(None)
        };
        let xdg = format!("{root}/xdg");
        let variables = [("HOME", root), ("XDG_CACHE_HOME", &xdg)];
        let found = of(&given, &variables).expect("a folder");
        assert_eq!(found, format!("{root}/given"));
        let found = of(&live(None), &variables).expect("a folder");
        assert_eq!(found, format!("{root}/xdg/airbuoy"));
        let found = of(&live(None), &variables[..1]).expect("a folder");
        assert_eq!(found, format!("{root}/.cache/airbuoy"));
        let error = of(&live(None), &[]).expect_err("no place");
        assert!(error.hint().is_some_and(|h| h.contains("--cache-dir")));
    }
}
