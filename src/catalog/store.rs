//! The catalogue as a whole: embedded, or read from a folder.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use camino::Utf8Path;

use super::embedded;
use super::error::CatalogError;
use super::file::{MinorFile, PatchList};
use super::sonobuoy::{SonobuoyFile, SonobuoyImages};
use crate::kube_version::KubeVersion;

/// Every Kubernetes minor that is known.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// By (major, minor); never empty.
    pub(super) minors: BTreeMap<(u64, u64), Minor>,
    sonobuoy: SonobuoyFile,
}

/// One minor and where its text came from.
#[derive(Debug, Clone)]
pub(super) struct Minor {
    path: String,
    /// Parsed when it is first asked for: reading all that is compiled in would take longer than
    /// most commands that want one minor.
    file: OnceLock<MinorFile>,
    compiled_in: Option<(&'static str, &'static str)>,
}

/// The oldest and the newest minor that is known; shown as `1.17 to 1.37`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Without a patch.
    pub oldest: KubeVersion,
    /// Without a patch.
    pub newest: KubeVersion,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (oldest, newest) = (self.oldest.minor_name(), self.newest.minor_name());
        if oldest == newest {
            f.write_str(&newest)
        } else {
            write!(f, "{oldest} to {newest}")
        }
    }
}

impl Catalog {
    /// What was compiled in.
    ///
    /// # Panics
    /// When a compiled-in file is malformed, which the tests rule out.
    pub fn embedded() -> Self {
        let minor = |&(name, text): &(&'static str, &'static str)| {
            let version = minor_version(name).expect("a compiled-in name is a minor");
            let minor = Minor {
                path: format!("registries/{name}.yaml"),
                file: OnceLock::new(),
                compiled_in: Some((name, text)),
            };
            ((version.major(), version.minor()), minor)
        };
        Self {
            minors: embedded::MINORS.iter().map(minor).collect(),
            sonobuoy: embedded_sonobuoy(),
        }
    }

    /// `--catalog DIR`: the folder's `<minor>.yaml` files instead of what was compiled in. Without
    /// a `sonobuoy.yaml` there, the compiled-in one counts. Other than `.yaml` files are ignored.
    pub fn from_dir(dir: &Utf8Path) -> Result<Self, CatalogError> {
        let unreadable = |path: &Utf8Path, source| CatalogError::Unreadable {
            path: path.to_string(),
            source,
        };
        let mut minors = BTreeMap::new();
        let mut sonobuoy = None;
        for entry in dir.read_dir_utf8().map_err(|e| unreadable(dir, e))? {
            let entry = entry.map_err(|e| unreadable(dir, e))?;
            let path = entry.path();
            let Some(name) = entry.file_name().strip_suffix(".yaml") else {
                continue;
            };
            if name == "conformance-tests" {
                // The submission's list; it lies beside the catalogue in `registries/`.
                continue;
            }
            let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
            if name == "sonobuoy" {
                sonobuoy = Some(SonobuoyFile::parse(path.as_str(), &text)?);
            } else {
                insert(&mut minors, path.as_str(), name, &text)?;
            }
        }
        if minors.is_empty() {
            return Err(CatalogError::Empty {
                path: dir.to_string(),
            });
        }
        let catalog = Self {
            minors,
            sonobuoy: sonobuoy.unwrap_or_else(embedded_sonobuoy),
        };
        catalog.check_lists()?;
        Ok(catalog)
    }

    /// The day on which the facts about the newest minor were read.
    pub fn facts_date(&self) -> jiff::civil::Date {
        let newest = self.minors.values().next_back();
        newest.map_or_else(Default::default, |minor| minor.file().facts_date)
    }

    /// Which minors are known.
    pub fn range(&self) -> Range {
        let minor = |key: Option<&(u64, u64)>| {
            let (major, minor) = key.copied().unwrap_or_default();
            KubeVersion::minor_release(major, minor)
        };
        Range {
            oldest: minor(self.minors.keys().next()),
            newest: minor(self.minors.keys().next_back()),
        }
    }

    /// The newest patch release that is known.
    pub fn newest(&self) -> KubeVersion {
        self.minors
            .values()
            .next_back()
            .and_then(|minor| minor.file().read_in_full.last().cloned())
            .unwrap_or_else(|| self.range().newest)
    }

    /// Every patch release whose complete list is known, ascending.
    pub fn read_in_full(&self) -> impl Iterator<Item = &KubeVersion> {
        self.minors.values().flat_map(|m| &m.file().read_in_full)
    }

    /// The images of a sonobuoy release, `v0.57.5` or `0.57.5`; of the default one for `None`.
    /// Releases that cannot certify are refused; one newer than the catalogue knows is accepted
    /// with a notice.
    pub fn sonobuoy(&self, release: Option<&str>) -> Result<SonobuoyImages, CatalogError> {
        self.sonobuoy.images(release)
    }

    /// A list that does not hang together is found when the folder is read, not at some later run.
    fn check_lists(&self) -> Result<(), CatalogError> {
        for minor in self.minors.values() {
            for patch in &minor.file().read_in_full {
                minor.list_of(patch)?;
            }
        }
        Ok(())
    }
}

impl Minor {
    /// The file's content.
    pub(super) fn file(&self) -> &MinorFile {
        self.file.get_or_init(|| {
            let (name, text) = self.compiled_in.expect("other files are parsed when read");
            MinorFile::parse(&self.path, name, text).expect("a compiled-in file is well-formed")
        })
    }

    /// The list of one of the patches in the file's `read_in_full`.
    pub(super) fn list_of(&self, patch: &KubeVersion) -> Result<PatchList, CatalogError> {
        self.file()
            .list_of(patch)
            .map_err(|message| CatalogError::Malformed {
                file: self.path.clone(),
                message,
            })
    }
}

/// `1.36` as a version; none for other names.
fn minor_version(name: &str) -> Option<KubeVersion> {
    let version: KubeVersion = name.parse().ok()?;
    (version.patch().is_none() && version.minor_name() == name).then_some(version)
}

fn insert(
    minors: &mut BTreeMap<(u64, u64), Minor>,
    path: &str,
    name: &str,
    text: &str,
) -> Result<(), CatalogError> {
    let version = minor_version(name).ok_or_else(|| CatalogError::Malformed {
        file: path.to_owned(),
        message: "expected a file name such as 1.36.yaml, or sonobuoy.yaml".to_owned(),
    })?;
    let minor = Minor {
        path: path.to_owned(),
        file: MinorFile::parse(path, name, text)?.into(),
        compiled_in: None,
    };
    minors.insert((version.major(), version.minor()), minor);
    Ok(())
}

fn embedded_sonobuoy() -> SonobuoyFile {
    SonobuoyFile::parse("registries/sonobuoy.yaml", embedded::SONOBUOY)
        .expect("the compiled-in file is well-formed")
}
