//! Which images, and what they are called at each target.

use std::fs;

use camino::Utf8Path;
use globset::Glob;

use super::images_file::images_file;
use super::{Release, SettingsError};
use crate::catalog::ImageSet;
use crate::cli::{CatalogArgs, NamingArgs, SelectionArgs};
use crate::oci::PlatformSelection;
use crate::relocate::{Filters, Layout, Relocation, RepoConfig, TargetPrefix};

/// Resolved image, platform and naming flags.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Versions and their lists.
    pub release: Release,
    /// Which platforms of each image.
    pub platforms: PlatformSelection,
    /// How names are laid out.
    pub layout: Layout,
    /// Which images.
    pub filters: Filters,
}

impl Placement {
    /// Takes the flags apart and reads the files they name.
    pub fn resolve(
        versions: &[String],
        catalog: &CatalogArgs,
        selection: &SelectionArgs,
        naming: &NamingArgs,
    ) -> Result<Self, SettingsError> {
        let SelectionArgs {
            platform,
            conformance_only,
            include,
            exclude,
            image,
            images_file: file,
        } = selection;
        let release = Release::resolve(versions, catalog)?;
        let layout = layout(naming, &release.sets)?;
        let mut extra = image.clone();
        if let Some(path) = file {
            extra.extend(images_file(path)?);
        }
        Ok(Self {
            release,
            platforms: platform.clone(),
            layout,
            filters: Filters {
                conformance_only: *conformance_only,
                include: globs("--include", include)?,
                exclude: globs("--exclude", exclude)?,
                extra,
            },
        })
    }

    /// Where everything goes under `target`; without one only the list.
    pub fn relocation(&self, target: Option<&TargetPrefix>) -> Result<Relocation, SettingsError> {
        let Release {
            sets,
            unread,
            sonobuoy,
        } = &self.release;
        if let Some(&index) = unread.first() {
            let version = sets[index].version.to_string();
            return Err(SettingsError::Unread { version });
        }
        Ok(Relocation::new(
            sets,
            sonobuoy,
            target,
            &self.layout,
            &self.filters,
        )?)
    }
}

/// TARGET as typed after `flag`, or as the positional argument.
pub(super) fn target(text: &str) -> Result<TargetPrefix, SettingsError> {
    let path = Utf8Path::new(text);
    if !text.contains([':', '/']) && (path.extension() == Some("tar") || path.is_file()) {
        let reason = "that is a file, and TARGET is a registry, HOST[:PORT][/PREFIX]; bundles are \
                      written by `airbuoy pull BUNDLE` and read by `airbuoy push BUNDLE TARGET`";
        return Err(SettingsError::value("TARGET", text, reason));
    }
    Ok(text.parse::<TargetPrefix>()?)
}

/// The TARGETs of `--also`: none twice, none the first one again.
pub(super) fn others(
    also: &[String],
    first: &TargetPrefix,
) -> Result<Vec<TargetPrefix>, SettingsError> {
    let mut others: Vec<TargetPrefix> = Vec::with_capacity(also.len());
    for text in also {
        let other = target(text)?;
        if other == *first || others.contains(&other) {
            return Err(SettingsError::value("--also", text, "it is named twice"));
        }
        others.push(other);
    }
    Ok(others)
}

pub(super) fn layout(args: &NamingArgs, sets: &[ImageSet]) -> Result<Layout, SettingsError> {
    let NamingArgs {
        flat,
        e2e_repo_config,
    } = args;
    match e2e_repo_config {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
                flag: "--e2e-repo-config",
                path: path.clone(),
                source,
            })?;
            let config = RepoConfig::parse(path.as_str(), &text, sets)?;
            Ok(Layout::Custom(config))
        }
        None if *flat => Ok(Layout::Flat),
        None => Ok(Layout::KeepPath),
    }
}

pub(super) fn globs(flag: &'static str, texts: &[String]) -> Result<Vec<Glob>, SettingsError> {
    let parse = |text: &String| {
        Glob::new(text).map_err(|e| SettingsError::value(flag, text, e.kind().to_string()))
    };
    texts.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        catalog: CatalogArgs,
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        naming: NamingArgs,
    }

    fn resolve(flags: &[&str]) -> Result<Placement, SettingsError> {
        let line = Line::try_parse_from(["airbuoy"].iter().chain(flags)).expect("flags");
        let versions = ["v1.36.1".to_owned()];
        Placement::resolve(&versions, &line.catalog, &line.selection, &line.naming)
    }

    #[test]
    fn filters_and_platforms_are_taken_over() {
        let placement = resolve(&[
            "--platform",
            "linux/amd64,linux/arm64",
            "--conformance-only",
            "--include",
            "*{agnhost,pause}*",
            "--exclude",
            "*windows*",
            "--image",
            "nginx",
        ])
        .expect("settings");
        assert_eq!(placement.platforms.to_string(), "linux/amd64,linux/arm64");
        assert_eq!(placement.filters.include.len(), 1, "a brace holds commas");
        assert_eq!(placement.filters.exclude.len(), 1);
        assert!(placement.filters.conformance_only);
        assert_eq!(
            placement.filters.extra[0].to_string(),
            "docker.io/library/nginx:latest"
        );
        assert_eq!(placement.layout, Layout::KeepPath);
        assert_eq!(resolve(&["--flat"]).expect("flat").layout, Layout::Flat);
    }

    #[test]
    fn mistakes_name_their_flag_or_file() {
        let error = resolve(&["--include", "a[b"])
            .expect_err("no glob")
            .to_string();
        assert!(error.starts_with("--include a[b: "), "{error}");

        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("repos.yaml");
        let path = path.to_str().expect("UTF-8");
        fs::write(path, "promoterE2eRegistry: [1\n").expect("written");
        let error = resolve(&["--e2e-repo-config", path]).expect_err("no YAML");
        assert!(error.to_string().contains("repos.yaml"), "{error}");
        assert!(!error.is_local());
        let error = resolve(&["--e2e-repo-config", "/nonexistent.yaml"]).expect_err("missing");
        assert!(
            error
                .to_string()
                .starts_with("--e2e-repo-config /nonexistent.yaml: "),
            "{error}"
        );
    }
}
