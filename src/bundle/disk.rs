//! The file layer of the writers: every operation whose order decides what survives a crash goes
//! through it, so that tests can write the order down and stop it anywhere.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt as _, OpenOptionsExt as _};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::OFlags;
#[cfg(target_os = "linux")]
use rustix::io::ReadWriteFlags;

use super::space;

/// An open file, read and written at positions, by several threads at once.
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes from `offset` on; 0 is the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Reads as [`read_at`](Self::read_at) what needs no waiting for the disk, and gives how much
    /// that was; 0 as well when there is no telling.
    fn read_cached_at(&self, _offset: u64, _buffer: &mut [u8]) -> usize {
        0
    }
    /// Makes the file so long; what is new reads as zeros and takes no room yet where the file
    /// system has sparse files.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Returns when all bytes written so far are on the disk, and what is needed to find them.
    fn sync_data(&self) -> io::Result<()>;
    /// As [`sync_data`](Self::sync_data), with all that the file system knows about the file.
    fn sync_all(&self) -> io::Result<()>;
}

/// Files and folders by path. The last name of a path is never followed when it is a link: a bundle
/// may have been carried here by anyone, and its names must not reach other files of this machine.
pub trait Disk: Send + Sync + 'static {
    /// Opens a new, empty file to read and write, in place of what has the name.
    fn create(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is there, to read and write.
    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is there, to read only.
    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>>;
    /// The length of a regular file; `None` when there is none of that name. A link is an error.
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
        // Whatever has the name goes first, so that nothing is written through it.
        self.remove(path)?;
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        Ok(Arc::new(open_plain(path, &mut options)?))
    }

    fn open(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = open_plain(path, File::options().read(true).write(true))?;
        Ok(Arc::new(file))
    }

    fn open_read(&self, path: &Utf8Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(open_plain(path, File::options().read(true))?))
    }

    fn size(&self, path: &Utf8Path) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => Err(is_link(path)),
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn allocated(&self, path: &Utf8Path) -> u64 {
        // In units of 512 bytes, whatever the file system's blocks are (stat(2)).
        fs::symlink_metadata(path).map_or(0, |found| found.blocks().saturating_mul(512))
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

    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        read_cached(self, buffer, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        File::sync_all(self)
    }
}

/// Opens a file whose name is no link, without waiting for whoever is to fill a pipe.
pub(super) fn open_plain(path: &Utf8Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).map_err(io::Error::other)?;
    options.custom_flags(flags).open(path).map_err(|error| {
        if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
            is_link(path)
        } else {
            error
        }
    })
}

pub(super) fn is_link(path: &Utf8Path) -> io::Error {
    let name = path.file_name().unwrap_or(path.as_str());
    io::Error::other(format!(
        "{name} is a link, and links in a bundle are not followed; copy the bundle with its links \
         resolved (`cp -rL`) if you trust them"
    ))
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

/// Reads what the system has in memory of a file from `offset` on; gives how much, and 0 as well
/// where the file system cannot tell (tmpfs and most network file systems).
pub(super) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> usize {
    #[cfg(target_os = "linux")]
    {
        let into = &mut [io::IoSliceMut::new(buffer)];
        rustix::io::preadv2(file, into, offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, buffer, offset);
        0
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_is_read_or_written_through() {
        let root = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(root.path()).expect("UTF-8");
        let (victim, link) = (root.join("victim"), root.join("z.tar.partial"));
        fs::write(&victim, "secret").expect("written");
        symlink(&victim, &link).expect("a link");
        let disk = RealDisk;
        for refused in [
            disk.open(&link).map(|_| ()),
            disk.open_read(&link).map(|_| ()),
            disk.size(&link).map(|_| ()),
        ] {
            let told = refused.expect_err("a link").to_string();
            assert!(told.contains("z.tar.partial is a link"), "{told}");
        }
        let file = disk.create(&link).expect("in its place");
        file.write_at(0, b"ours").expect("written");
        assert_eq!(fs::read(&victim).expect("a file"), b"secret");
        assert_eq!(fs::read(&link).expect("a file"), b"ours");
        assert!(!link.is_symlink());
        // What is there is replaced by an empty file, and who has it open keeps it.
        let again = disk.create(&link).expect("in its place");
        assert_eq!(disk.size(&link).expect("a file"), Some(0));
        again.write_at(0, b"new").expect("written");
        let mut old = [0; 4];
        assert_eq!(file.read_at(0, &mut old).expect("open"), 4);
        assert_eq!(&old, b"ours");
    }
}
