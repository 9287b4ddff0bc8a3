//! What lies where `pull` is to put its bundle.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::shelf::Shelf;
use crate::bundle::{Bundle, BundleError, Entry, External, Record};
use crate::kube_version::KubeVersion;
use crate::oci::Reference;
use crate::settings::{PullSettings, SettingsError};

/// A bundle of that name, as far as there is one.
pub(super) enum Existing {
    /// Nothing, or an earlier run that was not finished.
    Nothing,
    /// A directory: what is pulled is added to it.
    Directory(Bundle),
    /// A tar or its volumes: it is written anew, or left as it is.
    File(Bundle),
}

impl Existing {
    /// Looks, and opens what is there.
    pub(super) fn open(path: &Utf8Path) -> anyhow::Result<Self> {
        let volumes = Utf8PathBuf::from(format!("{path}.volumes"));
        let opened = |result: Result<Bundle, BundleError>| {
            result.map_err(|error| {
                let broken = match error {
                    BundleError::Tar { .. } => volumes.exists() || is_tar(path),
                    BundleError::Volumes { .. } => true,
                    BundleError::Structure { .. } => volumes.exists(),
                    _ => false,
                };
                if broken {
                    damaged(path, &error).into()
                } else {
                    anyhow::Error::from(unknown(path, &error.to_string()))
                }
            })
        };
        if path.is_dir() {
            // Without an index it is a run that was not finished, or a folder to fill.
            if !path.join("index.json").exists() {
                return Ok(Self::Nothing);
            }
            return Ok(Self::Directory(opened(Bundle::open(path))?));
        }
        if !path.exists() && !volumes.exists() {
            return Ok(Self::Nothing);
        }
        Ok(Self::File(opened(Bundle::open(path))?))
    }

    fn bundle(&self) -> Option<&Bundle> {
        match self {
            Self::Nothing => None,
            Self::Directory(bundle) | Self::File(bundle) => Some(bundle),
        }
    }

    /// Its names, for a dry run.
    pub(super) fn shelf(&self) -> Shelf {
        self.bundle()
            .map_or_else(Shelf::default, |bundle| Shelf::of(bundle.entries()))
    }

    /// Whether a file may already be what the command would write: the versions, the form and the
    /// base are right, so that only the digests are left to compare. A directory needs no such
    /// look, because its writer compares by itself.
    pub(super) fn may_be_whole(
        &self,
        settings: &PullSettings,
        record: &Record,
        base: &[External],
    ) -> bool {
        let Self::File(bundle) = self else {
            return false;
        };
        let Some(old) = bundle.record() else {
            return false;
        };
        let held: HashSet<&KubeVersion> = old.versions().collect();
        let in_base: HashSet<_> = base.iter().map(|blob| &blob.digest).collect();
        let left_out = |blob: &External| in_base.contains(&blob.digest);
        is_cut_into(&settings.bundle, settings.split)
            && old.platforms == record.platforms
            && record.versions().all(|version| held.contains(version))
            && bundle.external().iter().all(left_out)
            && base
                .iter()
                .all(|blob| bundle.locate(&blob.digest).is_none())
    }

    /// Refuses to replace a file that holds what the command does not ask for.
    pub(super) fn may_be_replaced(
        &self,
        settings: &PullSettings,
        newer: &Record,
        base: &[External],
        asked: &HashSet<&Reference>,
    ) -> Result<(), SettingsError> {
        let Self::File(bundle) = self else {
            return Ok(());
        };
        let path = settings.bundle.clone();
        let Some(record) = bundle.record() else {
            let reason = "it does not say which Kubernetes versions it is for";
            return Err(unknown(&path, reason));
        };
        refuse_other_versions(settings, record)?;
        let refuse = |reason: String, hint: String| {
            let bundle = path.clone();
            Err(SettingsError::Occupied {
                bundle,
                reason,
                hint,
            })
        };
        let lost = self.lost(asked);
        if !lost.is_empty() {
            let shown: Vec<&str> = lost.iter().take(SHOWN).map(String::as_str).collect();
            let more = match lost.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return refuse(
                format!(
                    "it holds what this command does not ask for: {}{more}",
                    shown.join(", ")
                ),
                "ask for them as well, name another file, or move this one away".to_owned(),
            );
        }
        if record.platforms != newer.platforms {
            return refuse(
                format!(
                    "it holds the platforms {}, and this command would replace them by {}",
                    record.platforms, newer.platforms
                ),
                format!(
                    "ask for --platform {} as well, name another file, or move this one away",
                    record.platforms
                ),
            );
        }
        let left_out = base
            .iter()
            .filter(|blob| bundle.locate(&blob.digest).is_some());
        match left_out.count() {
            0 => Ok(()),
            count => refuse(
                format!("it carries {count} blobs that --base would leave out"),
                "name the delta differently, or move this one away".to_owned(),
            ),
        }
    }

    /// The names of a file that are not among `kept`, for people; a directory loses none.
    pub(super) fn lost(&self, kept: &HashSet<&Reference>) -> Vec<String> {
        let Self::File(bundle) = self else {
            return Vec::new();
        };
        let entries = bundle.entries().iter();
        let lost = entries.filter(|entry| {
            let reference = entry.reference();
            reference.is_none_or(|reference| !kept.contains(&reference))
        });
        lost.map(Entry::name).collect()
    }
}

/// How many of the names are told that would be lost.
const SHOWN: usize = 3;

/// Refuses to lose a Kubernetes version.
fn refuse_other_versions(settings: &PullSettings, record: &Record) -> Result<(), SettingsError> {
    let path = settings.bundle.clone();
    let sets = &settings.placement.release.sets;
    let asked: Vec<&KubeVersion> = sets.iter().map(|set| &set.version).collect();
    let lost = |held: &&KubeVersion| !asked.contains(held);
    if !record.versions().any(|held| lost(&held)) {
        return Ok(());
    }
    let list = |versions: &mut dyn Iterator<Item = &KubeVersion>| -> String {
        let versions: Vec<String> = versions.map(ToString::to_string).collect();
        versions.join(", ")
    };
    let all = record.versions().filter(lost).chain(asked.iter().copied());
    let flags = all.fold(String::new(), |flags, version| {
        format!("{flags} --kubernetes-version {version}")
    });
    let (held, asked) = (
        list(&mut record.versions()),
        list(&mut asked.iter().copied()),
    );
    Err(SettingsError::Occupied {
        bundle: path,
        reason: format!("it holds Kubernetes {held}, and this command would replace it by {asked}"),
        hint: format!(
            "name another file, or pull all of them at once:{flags}; a directory would be \
                 added to"
        ),
    })
}

/// Whether it is a tar, sound or not: the magic of its first header (POSIX ustar).
fn is_tar(path: &Utf8Path) -> bool {
    let mut head = [0; 262];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.ends_with(b"ustar")
}

/// A bundle that is cut off, changed or incomplete.
fn damaged(path: &Utf8Path, error: &BundleError) -> BundleError {
    let text = error.to_string();
    let front = format!("{path}: ");
    let reason = text.strip_prefix(&front).unwrap_or(&text);
    let away = "move it away and run this again";
    BundleError::Structure {
        bundle: path.to_owned(),
        reason: format!("what is there is damaged: {reason}"),
        hint: Some(match error.hint() {
            Some(hint) => format!("{hint}; or {away}"),
            None => away.to_owned(),
        }),
    }
}

/// Nobody can say what it is, so nobody may replace it.
fn unknown(path: &Utf8Path, reason: &str) -> SettingsError {
    SettingsError::Occupied {
        bundle: path.to_owned(),
        reason: format!("something is there that is no bundle of airbuoy: {reason}"),
        hint: "name another file, or move this one away".to_owned(),
    }
}

/// Whether the file lies there in one piece, or in volumes of `split` bytes.
fn is_cut_into(path: &Utf8Path, split: Option<u64>) -> bool {
    let Some(split) = split else {
        return path.is_file();
    };
    let length = |number: &str| Some(std::fs::metadata(format!("{path}.{number}")).ok()?.len());
    match (length("001"), length("002")) {
        (Some(first), Some(_)) => first == split,
        (Some(first), None) => first <= split,
        (None, _) => false,
    }
}
