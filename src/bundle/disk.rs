//! The file layer of the writers: every operation whose order decides what survives a crash goes
//! through it, so that tests can write the order down and stop it anywhere.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::space;

/// An open file, read and written at positions, by several threads at once.
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes from `offset` on; 0 is the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Makes the file so long; what is new reads as zeros and takes no room yet where the file
    /// system has sparse files.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Returns when all bytes written so far are on the disk, and what is needed to find them.
    fn sync_data(&self) -> io::Result<()>;
    /// As [`sync_data`](Self::sync_data), with all that the file system knows about the file.
    fn sync_all(&self) -> io::Result<()>;
}

/// Files and folders by path.
pub trait Disk: Send + Sync + 'static {
    /// Opens an empty file to read and write, in place of what has the name.
    fn create(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is there, to read and write.
    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is there, to read only.
    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>>;
    /// The length of a regular file; `None` when there is nothing of that name.
    fn size(&self, path: &Utf8Path) -> io::Result<Option<u64>>;
    /// Bytes of the disk that a file takes up: fewer than its length while it has holes.
    fn allocated(&self, path: &Utf8Path) -> u64;
    /// The names in a folder, sorted; none when there is no such folder.
    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<String>>;
    /// Makes a folder and those above it.
    fn create_dir_all(&self, folder: &Utf8Path) -> io::Result<()>;
    /// Renames a file over what has the other name, in one step.
    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()>;
    /// Removes a file; nothing to remove is no error.
    fn remove(&self, path: &Utf8Path) -> io::Result<()>;
    /// Returns when the names in the folder are on the disk.
    fn sync_dir(&self, folder: &Utf8Path) -> io::Result<()>;
    /// Bytes that this user may still write in the folder; `None` when it cannot be told.
    fn available(&self, folder: &Utf8Path) -> Option<u64>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Arc::new(options.open(path)?))
    }

    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::options().read(true).write(true).open(path)?))
    }

    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(File::open(path)?))
    }

    fn size(&self, path: &Utf8Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(found) => Ok(found.is_file().then(|| found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn allocated(&self, path: &Utf8Path) -> u64 {
        // In units of 512 bytes, whatever the file system's blocks are (stat(2)).
        fs::metadata(path).map_or(0, |found| found.blocks().saturating_mul(512))
    }

    fn list(&self, folder: &Utf8Path) -> io::Result<Vec<String>> {
        let entries = match folder.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = entries
            .map(|entry| Ok(entry?.file_name().to_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn create_dir_all(&self, folder: &Utf8Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Utf8Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn sync_dir(&self, folder: &Utf8Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn available(&self, folder: &Utf8Path) -> Option<u64> {
        space::available(folder)
    }
}

impl DiskFile for File {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        File::sync_all(self)
    }
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Utf8Path) -> &Utf8Path {
    match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    }
}

/// `path` with `suffix` behind its name.
pub(super) fn with_suffix(path: &Utf8Path, suffix: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}{suffix}"))
}

/// A whole file of at most `limit` bytes; `None` when it is not there.
pub(super) fn read_small(
    disk: &dyn Disk,
    path: &Utf8Path,
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let Some(size) = disk.size(path)? else {
        return Ok(None);
    };
    let size = usize::try_from(size).ok().filter(|size| *size <= limit);
    let size = size.ok_or(io::ErrorKind::FileTooLarge)?;
    let file = disk.open_read(path)?;
    let mut bytes = vec![0; size];
    let read = read_full(&*file, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Fills `buffer` from `offset` on, as far as the file goes.
pub(super) fn read_full(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(offset + done as u64, &mut buffer[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes a small file whole or not at all: under `NAME.new`, synced, then renamed.
pub(super) fn replace(disk: &dyn Disk, path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
    let new = with_suffix(path, ".new");
    let file = disk.create(&new)?;
    file.write_at(0, bytes)?;
    file.sync_all()?;
    drop(file);
    disk.rename(&new, path)
}
