//! The names of a directory: which directories may be written, and `index.json` and
//! `airbuoy.json` at the end.

use camino::Utf8Path;

use super::content::{self, Content, OCI_LAYOUT};
use super::directory::DirectoryWriter;
use super::options::Finished;
use crate::bundle::disk::{Disk, read_small, replace};
use crate::bundle::index::{self, Entry};
use crate::bundle::record::External;
use crate::bundle::{BundleError, bundle_reference};
use crate::oci::Reference;

impl DirectoryWriter {
    /// Writes the names of `done` and the record, when all that they need is on the disk.
    pub(super) fn finish(&self, done: &[Reference]) -> Result<Finished, BundleError> {
        let plan = std::mem::take(&mut self.state().plan);
        let content = Content::of(&plan, &self.options, Some(done));
        self.sound(&content)?;
        let folders = std::mem::take(&mut self.state().folders);
        for folder in folders.iter().chain([&self.path.join("blobs")]) {
            self.sync_dir(folder)?;
        }

        let mut entries = self.entries.clone();
        entries.retain(|old| content.entries.iter().all(|new| !same_name(old, new)));
        entries.extend(content.entries);
        let named = done.iter().filter_map(|name| {
            let is = |entry: &&Entry| entry.reference().as_ref() == Some(name);
            entries.iter().find(is).cloned()
        });
        let named: Vec<Entry> = named.collect();
        let newer = content::record(&self.options, &named, &content.external);
        let mut record = match self.record.clone() {
            Some(mut record) => {
                record.merge(newer);
                record
            }
            None => newer,
        };
        let carried = |external: &External| self.state().whole.contains_key(&external.digest);
        record.external.retain(|external| !carried(external));
        self.put("oci-layout", OCI_LAYOUT)?;
        self.put("airbuoy.json", &record.to_bytes())?;
        self.put("index.json", &index::to_bytes(&entries))?;
        self.sync_dir(&self.path)?;

        if plan.roots.iter().all(|(name, _)| done.contains(name)) {
            self.clear_partial();
        }
        Ok(Finished {
            files: vec![self.path.clone()],
            bytes: self.state().whole.values().sum(),
        })
    }

    fn sound(&self, content: &Content) -> Result<(), BundleError> {
        let state = self.state();
        if let Some(failure) = &state.broken {
            return Err(BundleError::Structure {
                bundle: self.path.clone(),
                reason: format!("it could not be written: {failure}"),
                hint: failure.hint_text().map(str::to_owned),
            });
        }
        let mut needed = content.manifests.keys().chain(content.blobs.keys());
        match needed.find(|digest| !state.whole.contains_key(*digest)) {
            None => Ok(()),
            Some(digest) => Err(BundleError::Missing {
                bundle: self.path.clone(),
                digest: digest.clone(),
            }),
        }
    }

    /// Replaces a small file, unless it says the same already.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let path = self.path.join(name);
        if let Ok(Some(there)) = read_small(&*self.disk, &path, bytes.len())
            && there == bytes
        {
            return Ok(());
        }
        replace(&*self.disk, &path, bytes).map_err(Self::io(&path, "write"))
    }

    fn sync_dir(&self, folder: &Utf8Path) -> Result<(), BundleError> {
        self.disk.sync_dir(folder).map_err(Self::io(folder, "sync"))
    }

    /// Beginnings of blobs that nothing needs any more.
    fn clear_partial(&self) {
        let folder = self.path.join(".airbuoy/partial");
        for name in self.disk.list(&folder).unwrap_or_default() {
            let _ = self.disk.remove(&folder.join(name));
        }
    }
}

/// Files of someone else are not to be mixed with a bundle's.
pub(super) fn refuse_strangers(disk: &dyn Disk, path: &Utf8Path) -> Result<(), BundleError> {
    let refuse = |reason, hint| Err(BundleError::refused(path, reason, hint));
    let size = disk.size(path);
    if size
        .map_err(|e| BundleError::io(path, "look at", e))?
        .is_some()
    {
        return refuse(
            "it is a file, and not named NAME.tar",
            "a bundle is a directory, or one file NAME.tar",
        );
    }
    let names = disk.list(path);
    let names = names.map_err(|e| BundleError::io(path, "list", e))?;
    let known = |name: &String| [".airbuoy", "oci-layout", "index.json"].contains(&name.as_str());
    if names.is_empty() || names.iter().any(known) {
        return Ok(());
    }
    refuse(
        "the directory is not empty and is no image layout",
        "name a new directory, or NAME.tar for one file",
    )
}

fn same_name(a: &Entry, b: &Entry) -> bool {
    let reference = |entry: &Entry| {
        let digest = &entry.descriptor.digest;
        bundle_reference(&entry.repository, entry.tag.as_deref(), digest)
    };
    reference(a) == reference(b)
}
