//! The steps between files under way and a whole bundle, and what becomes of those that are in
//! the way. A bundle that is whole is only ever replaced, by renames, when the new one is durable.

use std::collections::HashMap;
use std::sync::Arc;

use camino::Utf8Path;

use super::laid::{Laid, Salvage};
use super::medium::Medium;
use super::names::{self, Part};
use super::older;
use super::options::Finished;
use super::state::State;
use super::tar::TarWriter;
use crate::bundle::BundleError;
use crate::bundle::disk::{Disk, folder_of, replace};
use crate::bundle::volumes::VolumeList;

/// Syncs a complete tar and gives it its name.
pub(super) fn commit(
    writer: &TarWriter,
    laid: &Laid,
    split: Option<u64>,
) -> Result<Finished, BundleError> {
    let (disk, path) = (&*writer.disk, &*writer.path);
    laid.sync_all()?;
    if split.is_some() {
        // Several renames are not one step: from here on the next run finishes them.
        let state = names::state(path);
        laid.journal()
            .commit()
            .map_err(|e| BundleError::io(&state, "write", e))?;
    }
    let total = laid.map.total();
    let whole = names::whole(path, total, split)?;
    let list = split.map(|split| VolumeList::cut(path, total, split));
    publish(disk, path, &whole, list.as_ref())?;
    Ok(writer.finished(&whole, total))
}

/// Finishes the renames of a run that died among them.
pub(super) fn recover(disk: &dyn Disk, path: &Utf8Path) -> Result<(), BundleError> {
    let Some(state) = State::read(disk, &names::state(path)) else {
        return Ok(());
    };
    if !state.committing {
        return Ok(());
    }
    let (total, split) = (state.head.total, state.head.split);
    let whole = names::whole(path, total, split)?;
    let list = split.map(|split| VolumeList::cut(path, total, split));
    publish(disk, path, &whole, list.as_ref())
}

/// Renames the partial files, writes the list of volumes last, and removes what they replace.
fn publish(
    disk: &dyn Disk,
    path: &Utf8Path,
    whole: &[Part],
    list: Option<&VolumeList>,
) -> Result<(), BundleError> {
    let folder = folder_of(path);
    let sync = || {
        disk.sync_dir(folder)
            .map_err(|e| BundleError::io(folder, "sync", e))
    };
    let replaced = older::volumes(disk, path);
    let listed = names::list(path);
    if list.is_some() && replaced.is_some() {
        // It would speak of volumes that are no longer its own.
        remove(disk, &listed)?;
        sync()?;
    }
    for ((partial, _), (name, _)) in names::partial(whole).iter().zip(whole) {
        let there = disk.size(partial);
        if there
            .map_err(|e| BundleError::io(partial, "look at", e))?
            .is_some()
        {
            disk.rename(partial, name)
                .map_err(|e| BundleError::io(name, "rename to", e))?;
        }
    }
    sync()?;
    if let Some(list) = list {
        replace(disk, &listed, &list.to_bytes())
            .map_err(|e| BundleError::io(&listed, "write", e))?;
        sync()?;
        remove(disk, path)?;
    } else if replaced.is_some() {
        remove(disk, &listed)?;
    }
    let kept = list.iter().flat_map(|list| &list.volumes);
    let kept: Vec<&str> = kept.map(|volume| volume.name.as_str()).collect();
    for old in replaced.into_iter().flat_map(|list| list.volumes) {
        if !kept.contains(&old.name.as_str()) {
            remove(disk, &folder.join(&old.name))?;
        }
    }
    remove_set_aside(disk, path)?;
    remove(disk, &names::state(path))
}

/// Moves partial files of another plan out of the way. Of two such, the one that holds more is
/// kept.
pub(super) fn set_aside(disk: &dyn Disk, path: &Utf8Path) -> Result<(), BundleError> {
    let state_path = names::state(path);
    let Some(state) = State::read(disk, &state_path) else {
        return remove(disk, &state_path);
    };
    let whole = names::whole(path, state.head.total, state.head.split)?;
    let older = State::read(disk, &names::old_state(path));
    if older.is_some_and(|older| older.kept() >= state.kept()) {
        for (partial, _) in names::partial(&whole) {
            remove(disk, &partial)?;
        }
        return remove(disk, &state_path);
    }
    remove_set_aside(disk, path)?;
    let rename = |from: &Utf8Path, to: &Utf8Path| {
        let there = disk.size(from);
        if there
            .map_err(|e| BundleError::io(from, "look at", e))?
            .is_none()
        {
            return Ok(());
        }
        disk.rename(from, to)
            .map_err(|e| BundleError::io(to, "rename to", e))
    };
    let moves = names::partial(&whole)
        .into_iter()
        .zip(names::set_aside(&whole));
    for ((from, _), (to, _)) in moves {
        rename(&from, &to)?;
    }
    rename(&state_path, &names::old_state(path))
}

/// What the files hold that were moved out of the way.
pub(super) fn set_aside_salvage(disk: &dyn Disk, path: &Utf8Path) -> Option<Salvage> {
    let state = State::read(disk, &names::old_state(path))?;
    let whole = names::whole(path, state.head.total, state.head.split).ok()?;
    let medium = Medium::open(disk, &names::set_aside(&whole), false).ok()??;
    let mut held = HashMap::new();
    for member in state.head.members {
        if let Some(bytes) = state.durable.get(&member.digest) {
            held.insert(member.digest, (member.offset, *bytes));
        }
    }
    let medium = Arc::new(medium);
    Some(Salvage { medium, held })
}

fn remove_set_aside(disk: &dyn Disk, path: &Utf8Path) -> Result<(), BundleError> {
    let state_path = names::old_state(path);
    if let Some(state) = State::read(disk, &state_path) {
        let whole = names::whole(path, state.head.total, state.head.split)?;
        for (old, _) in names::set_aside(&whole) {
            remove(disk, &old)?;
        }
    }
    remove(disk, &state_path)
}

/// Removes what runs have left beside a bundle that is as it should be.
pub(super) fn sweep(disk: &dyn Disk, path: &Utf8Path) -> Result<(), BundleError> {
    if let Some(state) = State::read(disk, &names::state(path)) {
        discard(disk, path, state.head.total, state.head.split);
    }
    remove_set_aside(disk, path)
}

/// Removes files under way that hold nothing.
pub(super) fn discard(disk: &dyn Disk, path: &Utf8Path, total: u64, split: Option<u64>) {
    let whole = names::whole(path, total, split).unwrap_or_default();
    for (partial, _) in names::partial(&whole) {
        let _ = disk.remove(&partial);
    }
    let _ = disk.remove(&names::state(path));
}

fn remove(disk: &dyn Disk, path: &Utf8Path) -> Result<(), BundleError> {
    disk.remove(path)
        .map_err(|e| BundleError::io(path, "remove", e))
}
