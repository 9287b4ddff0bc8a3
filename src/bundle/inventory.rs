//! What the far side has already: the base of a delta, out of a bundle or out of a list that
//! `airbuoy verify --inventory` wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::error::BundleError;
use super::read::Bundle;
use super::record::{External, FORMAT};
use crate::oci::Digest;

/// The largest list that is read: half a million blobs.
const LIMIT: u64 = 128 << 20;

/// The blobs that a delta need not carry.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// Sorted by digest, each once.
    pub blobs: Vec<External>,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    target: &'a str,
    blobs: &'a [External],
}

#[derive(Deserialize)]
struct Read {
    format: u32,
    blobs: Vec<External>,
}

impl Base {
    /// Reads `path`: a bundle of any kind, or a list (it begins with `{`). A bundle counts with
    /// what it leaves out itself: who has its base has that too. Blocks on the disk.
    ///
    /// A bundle is not hashed here; a structural fault in it is an error, since a delta would
    /// rely on what is not there.
    pub fn read(path: &Utf8Path) -> Result<Self, BundleError> {
        match list(path).map_err(|e| BundleError::io(path, "read", e))? {
            Some(bytes) => Self::parse(&bytes, path),
            None => Self::of(&Bundle::open(path)?),
        }
    }

    fn parse(bytes: &[u8], path: &Utf8Path) -> Result<Self, BundleError> {
        let invalid = |reason: String| BundleError::Structure {
            bundle: path.to_owned(),
            reason: format!("the inventory cannot be used: {reason}"),
            hint: Some("write it with `airbuoy verify --inventory FILE TARGET`".to_owned()),
        };
        let read: Read = serde_json::from_slice(bytes).map_err(|e| invalid(e.to_string()))?;
        if read.format != FORMAT {
            let format = read.format;
            return Err(invalid(format!(
                "it has format {format} and this version of airbuoy reads format {FORMAT}"
            )));
        }
        let mut all = Blobs::default();
        for blob in read.blobs {
            if !all.add(&blob.digest, blob.size, blob.repositories) {
                return Err(invalid(format!("it gives {} two sizes", blob.digest)));
            }
        }
        Ok(all.into_base())
    }

    fn of(bundle: &Bundle) -> Result<Self, BundleError> {
        if let Some(fault) = bundle.check().into_iter().next() {
            return Err(BundleError::Structure {
                bundle: bundle.path().to_owned(),
                reason: format!("it cannot be a base: {fault}"),
                hint: Some(format!("see `airbuoy verify {}`", bundle.path())),
            });
        }
        let mut all = Blobs::default();
        for blob in bundle
            .inventory()
            .into_iter()
            .chain(bundle.external().iter().cloned())
        {
            all.add(&blob.digest, blob.size, blob.repositories);
        }
        Ok(all.into_base())
    }
}

/// Blobs by digest, those of several places joined.
#[derive(Default)]
struct Blobs(BTreeMap<Digest, (u64, BTreeSet<String>)>);

impl Blobs {
    /// Whether the size fits what is known.
    fn add(
        &mut self,
        digest: &Digest,
        size: u64,
        repositories: impl IntoIterator<Item = String>,
    ) -> bool {
        let known = self.0.entry(digest.clone());
        let (known_size, known) = known.or_insert_with(|| (size, BTreeSet::new()));
        known.extend(repositories);
        *known_size == size
    }

    fn into_base(self) -> Base {
        let blobs = self.0.into_iter();
        let blobs = blobs.map(|(digest, (size, repositories))| External {
            digest,
            size,
            repositories: repositories.into_iter().collect(),
        });
        Base {
            blobs: blobs.collect(),
        }
    }
}

/// The text of an inventory of `target`. `blobs` are sorted and joined here.
pub fn inventory_text(target: &str, blobs: impl IntoIterator<Item = External>) -> String {
    let mut all = Blobs::default();
    for blob in blobs {
        all.add(&blob.digest, blob.size, blob.repositories);
    }
    let written = Written {
        format: FORMAT,
        target,
        blobs: &all.into_base().blobs,
    };
    let mut text = serde_json::to_string_pretty(&written).unwrap_or_default();
    text.push('\n');
    text
}

/// The bytes of a file that begins like JSON; `None` for a folder, a tar and what is not there.
fn list(path: &Utf8Path) -> io::Result<Option<Vec<u8>>> {
    if !path.is_file() || super::volumes::tar_path(path) != path {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(64).read_to_end(&mut start)?;
    if start.trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    file.take(LIMIT).read_to_end(&mut start)?;
    if start.len() as u64 > LIMIT {
        return Err(io::Error::other("it is too large for an inventory"));
    }
    Ok(Some(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn blob(content: &[u8], repositories: &[&str]) -> External {
        External {
            digest: Digest::of(content),
            size: content.len() as u64,
            repositories: repositories.iter().map(|r| (*r).to_owned()).collect(),
        }
    }

    fn read(text: &str) -> Result<Base, BundleError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("have.json");
        std::fs::write(&path, text).expect("written");
        Base::read(Utf8Path::from_path(&path).expect("UTF-8"))
    }

    #[test]
    fn an_inventory_is_read_back_joined_and_sorted() {
        let rows = [
            blob(b"one", &["registry.k8s.io/pause"]),
            blob(b"two", &["registry.k8s.io/b"]),
            blob(b"two", &["registry.k8s.io/a", "registry.k8s.io/b"]),
        ];
        let text = inventory_text("registry.corp:5000/k8s", rows);
        assert!(
            text.contains("\"target\": \"registry.corp:5000/k8s\""),
            "{text}"
        );
        let base = read(&text).expect("an inventory");
        let mut expected = vec![
            blob(b"one", &["registry.k8s.io/pause"]),
            blob(b"two", &["registry.k8s.io/a", "registry.k8s.io/b"]),
        ];
        expected.sort_by(|a, b| a.digest.cmp(&b.digest));
        assert_eq!(base.blobs, expected);
    }

    #[test]
    fn a_list_that_cannot_be_trusted_is_refused() {
        let digest = Digest::of(b"x");
        for (text, word) in [
            ("{".to_owned(), "cannot be used"),
            (r#"{"format":2,"blobs":[]}"#.to_owned(), "format 2"),
            (
                format!(
                    r#"{{"format":1,"blobs":[{{"digest":"{digest}","size":1,"repositories":[]}},
                    {{"digest":"{digest}","size":2,"repositories":[]}}]}}"#
                ),
                "two sizes",
            ),
            (
                r#"{"format":1,"blobs":[{"digest":"sha256:12","size":1,"repositories":[]}]}"#
                    .to_owned(),
                "sha256:12",
            ),
            ("no list".to_owned(), "it is no tar"),
        ] {
            let error = read(&text).expect_err(word).to_string();
            assert!(
                error.contains(word) && error.contains("have.json"),
                "{error}"
            );
        }
    }
}
