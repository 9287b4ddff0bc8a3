//! An opened bundle: its names, its record, and where its bytes lie.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use camino::{Utf8Path, Utf8PathBuf};

use super::super::error::BundleError;
use super::super::index::{self, Entry, INDEX_LIMIT};
use super::super::record::{External, RECORD_LIMIT, Record};
use super::graph::Graph;
use super::region::Region;
use super::storage::{Storage, member};
use crate::oci::{Digest, Repository};

/// The largest `oci-layout` that is read; it holds a version and nothing else.
const LAYOUT_LIMIT: u64 = 4 << 10;

/// The version of image layouts (image-spec, image-layout.md, "oci-layout file").
const LAYOUT_VERSION: &str = "1.0.0";

/// A bundle, or the layout of another tool, opened to be read in place. Cloning is cheap and
/// shares the open files.
#[derive(Debug, Clone)]
pub struct Bundle {
    path: Utf8PathBuf,
    pub(super) storage: Arc<Storage>,
    entries: Arc<[Entry]>,
    record: Option<Arc<Record>>,
    external: Arc<HashMap<Digest, u64>>,
    bases: Vec<Bundle>,
    graph: Arc<OnceLock<Graph>>,
}

/// Where a blob lies, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// Its path inside the layout: `blobs/sha256/9f86…`.
    pub member: String,
    /// The volumes that hold its bytes, when there are several; else none.
    pub volumes: Vec<Utf8PathBuf>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    image_layout_version: String,
}

impl Bundle {
    /// Opens a folder, `NAME.tar`, or volumes by any of their parts. Reads the headers of a tar or
    /// the names in a folder, `oci-layout`, `index.json` and `airbuoy.json`; no blob. Blocks on
    /// the disk.
    pub fn open(path: &Utf8Path) -> Result<Self, BundleError> {
        let storage = Storage::open(path)?;
        let path = match &storage {
            Storage::Folder(folder) => folder.root().to_owned(),
            Storage::Tar(tar) => tar.path().to_owned(),
        };
        let Some(index) = storage.small("index.json", INDEX_LIMIT)? else {
            return Err(no_index(&path, &storage));
        };
        is_layout(&path, &storage)?;
        let name = path.file_name().unwrap_or("bundle");
        let stem = name.strip_suffix(".tar").unwrap_or(name);
        let entries = index::parse(&index, path.as_str(), stem)?;
        let record = match storage.small("airbuoy.json", RECORD_LIMIT)? {
            Some(bytes) => Some(Arc::new(Record::parse(&bytes, path.as_str())?)),
            None => None,
        };
        let external = record.iter().flat_map(|record| &record.external);
        let external = external.map(|e| (e.digest.clone(), e.size)).collect();
        Ok(Self {
            path,
            storage: Arc::new(storage),
            entries: entries.into(),
            record,
            external: Arc::new(external),
            bases: Vec::new(),
            graph: Arc::default(),
        })
    }

    /// The same bundle, a delta, with the bundles that hold what it leaves out.
    #[must_use]
    pub fn with_base(mut self, bases: Vec<Bundle>) -> Self {
        self.bases = bases;
        self.graph = Arc::default();
        self
    }

    /// The folder or tar; of volumes the tar that they make, `NAME.tar`.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Its names, in the order of `index.json`.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What it was made for; other tools' layouts have none.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_deref()
    }

    /// What a delta leaves out, bases or not.
    pub fn external(&self) -> &[External] {
        self.record().map_or(&[], |record| &record.external)
    }

    /// The size of what a delta leaves out.
    pub(super) fn external_size(&self, digest: &Digest) -> Option<u64> {
        self.external.get(digest).copied()
    }

    /// Where a blob or manifest lies; `None` when it is not in this bundle itself.
    pub fn locate(&self, digest: &Digest) -> Option<Place> {
        self.storage.size(digest)?;
        Some(Place {
            member: member(digest),
            volumes: self.storage.volumes_of(digest),
        })
    }

    /// The names of the images that need this blob or manifest. The first call reads all
    /// manifests.
    pub fn images_of(&self, digest: &Digest) -> Vec<String> {
        let users = self.graph().users(digest).iter();
        users.map(|at| image(&self.entries[*at])).collect()
    }

    /// Every blob that its manifests name, with the upstream repositories that hold it; foreign
    /// layers left out. The first call reads all manifests.
    pub fn inventory(&self) -> Vec<External> {
        let graph = self.graph();
        let blobs = graph.blobs().iter();
        blobs
            .filter(|(_, named)| !named.is_foreign)
            .map(|(digest, named)| External {
                digest: digest.clone(),
                size: named.size,
                repositories: self.upstream(digest),
            })
            .collect()
    }

    /// The upstream repositories of the images that need the blob, each once, sorted.
    fn upstream(&self, digest: &Digest) -> Vec<String> {
        let repositories = self.upstream_repositories(digest);
        repositories.iter().map(ToString::to_string).collect()
    }

    /// As [`upstream`](Self::upstream), to read from.
    pub(super) fn upstream_repositories(&self, digest: &Digest) -> Vec<Repository> {
        let users = self.graph().users(digest).iter();
        let mut repositories: Vec<Repository> = users
            .filter_map(|at| self.entries[*at].source.as_ref())
            .map(|source| source.repository().clone())
            .collect();
        repositories.sort();
        repositories.dedup();
        repositories
    }

    /// The size of a blob in this bundle or a base.
    pub(super) fn size(&self, digest: &Digest) -> Option<u64> {
        let bases = self.bases.iter();
        self.storage
            .size(digest)
            .or_else(|| bases.filter_map(|base| base.size(digest)).next())
    }

    /// Opens a blob of this bundle or a base. Blocks on the disk.
    pub(super) fn region(&self, digest: &Digest) -> Result<Option<Region>, BundleError> {
        if let Some(region) = self.storage.blob(digest)? {
            return Ok(Some(region));
        }
        for base in &self.bases {
            if let Some(region) = base.region(digest)? {
                return Ok(Some(region));
            }
        }
        Ok(None)
    }

    /// What the manifests say. The first call reads them; blocks on the disk.
    pub(super) fn graph(&self) -> &Graph {
        self.graph.get_or_init(|| Graph::of(self))
    }

    /// As [`graph`](Self::graph), off the runtime's threads.
    pub(super) async fn graph_there(&self) -> &Graph {
        if self.graph.get().is_none() {
            let this = self.clone();
            let built = tokio::task::spawn_blocking(move || {
                this.graph();
            });
            // When it failed, the line below does it again and tells.
            let _ = built.await;
        }
        self.graph()
    }
}

/// The name of an image for people: upstream's, or the one inside the bundle.
pub(super) fn image(entry: &Entry) -> String {
    let source = entry.source.as_ref();
    source.map_or_else(|| entry.name(), ToString::to_string)
}

fn no_index(path: &Utf8Path, storage: &Storage) -> BundleError {
    let has = |name| storage.small(name, 0).is_err() || path.join(name).exists();
    let (reason, hint) = if path.join(".airbuoy").exists() {
        (
            "it has no index.json: the pull that writes it was not finished",
            "run the same `airbuoy pull` again: it goes on where it stopped",
        )
    } else if has("manifest.json") {
        (
            "it is what `docker save` of old writes, not an OCI image layout",
            "turn it into one: `skopeo copy docker-archive:FILE oci-archive:NEW.tar:NAME`",
        )
    } else {
        (
            "it has no index.json: it is no OCI image layout",
            "a bundle is what `airbuoy pull` writes, or an OCI image layout as a folder or tar",
        )
    };
    BundleError::Structure {
        bundle: path.to_owned(),
        reason: reason.to_owned(),
        hint: Some(hint.to_owned()),
    }
}

fn is_layout(path: &Utf8Path, storage: &Storage) -> Result<(), BundleError> {
    let structure = |reason: String| BundleError::Structure {
        bundle: path.to_owned(),
        reason,
        hint: None,
    };
    let Some(bytes) = storage.small("oci-layout", LAYOUT_LIMIT)? else {
        return Err(structure(
            "it has no oci-layout file, which every OCI image layout has".to_owned(),
        ));
    };
    let layout: Layout = serde_json::from_slice(&bytes)
        .map_err(|e| structure(format!("its oci-layout cannot be read: {e}")))?;
    if layout.image_layout_version == LAYOUT_VERSION {
        return Ok(());
    }
    let version: String = layout
        .image_layout_version
        .escape_debug()
        .take(40)
        .collect();
    Err(structure(format!(
        "it is an image layout of version {version}, and only {LAYOUT_VERSION} is known"
    )))
}
