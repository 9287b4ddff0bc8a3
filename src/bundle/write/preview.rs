//! What a writer would refuse, found out by reading alone: for a dry run.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::content::Content;
use super::options::WriteOptions;
use super::state::{Head, State};
use super::writer::{Kind, check_space};
use super::{directory, directory_names, names, tar};
use crate::bundle::BundleError;
use crate::bundle::disk::{Disk, folder_of};
use crate::bundle::tar_map::TarMap;
use crate::content::Plan;

/// A bundle that is only planned.
///
/// Who holds the lock is not asked: that changes from one moment to the next.
pub struct Preview {
    path: Utf8PathBuf,
    options: WriteOptions,
    disk: Arc<dyn Disk>,
    kind: Kind,
}

impl Preview {
    /// Refuses the paths that [`Writer::open`](super::Writer::open) refuses. Blocks on the disk.
    pub fn open(
        path: &Utf8Path,
        options: WriteOptions,
        disk: impl Disk,
    ) -> Result<Self, BundleError> {
        let kind = Kind::of(path, &options)?;
        if kind == Kind::Directory {
            directory_names::refuse_strangers(&disk, path)?;
            directory::refuse_own_links(path)?;
        }
        Ok(Self {
            path: path.to_owned(),
            options,
            disk: Arc::new(disk),
            kind,
        })
    }

    /// Refuses the plans that the writer refuses: too many volumes, too little space. Blocks on the
    /// disk.
    pub fn takes(&self, plan: &Plan) -> Result<(), BundleError> {
        let content = Content::of(plan, &self.options, None);
        let (folder, needed) = match self.kind {
            Kind::Directory => (
                &*self.path,
                directory::needed(&*self.disk, &self.path, &content)?,
            ),
            Kind::Tar => {
                let map = tar::map(&content, &self.options);
                (folder_of(&self.path), self.needed(&map)?)
            }
        };
        // What is not there yet will lie on the disk of the first folder that is.
        let there = folder.ancestors().find(|folder| folder.is_dir());
        check_space(&*self.disk, there.unwrap_or(Utf8Path::new(".")), needed)
    }

    /// Bytes that the tar still needs: an earlier run of the same plan has taken some.
    fn needed(&self, map: &TarMap) -> Result<u64, BundleError> {
        let split = self.options.split;
        let whole = names::whole(&self.path, map.total(), split)?;
        let state = State::read(&*self.disk, &names::state(&self.path));
        if state.is_none_or(|state| state.head != Head::of(map, split)) {
            return Ok(map.total());
        }
        let partial = names::partial(&whole);
        let taken = partial.iter().map(|(path, _)| self.disk.allocated(path));
        Ok(map.total().saturating_sub(taken.sum()))
    }
}
