//! Files are written whole or not at all: under another name in the same directory, then renamed.

use std::fs;
use std::io::Write as _;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use tempfile::NamedTempFile;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewFile {
    /// Where it goes.
    pub(super) path: Utf8PathBuf,
    /// What it says.
    pub(super) text: String,
    /// It is a script to run.
    pub(super) executable: bool,
}

/// Writes a file that only this user may read.
pub(super) fn write_secret(path: &Utf8Path, text: &str) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        // A temporary file is this user's alone, and stays so under its new name.
        let mut temporary = NamedTempFile::with_prefix_in(".airbuoy-", directory_of(path))?;
        temporary.write_all(text.as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {path}"))
}

fn directory_of(path: &Utf8Path) -> &Utf8Path {
    match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    }
}

/// Writes all of them, or none when one cannot be written. Directories are made.
pub(super) fn write_all(files: &[NewFile]) -> anyhow::Result<()> {
    let mut ready = Vec::with_capacity(files.len());
    for file in files {
        let prepared = prepare(file).with_context(|| format!("cannot write {}", file.path))?;
        ready.push((prepared, &file.path));
    }
    for (prepared, path) in ready {
        prepared
            .persist(path)
            .with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

/// What is written when a copy is complete. Its failure is told after the copy's own account, which
/// it does not change.
pub(super) fn write_config(files: &[NewFile]) -> anyhow::Result<()> {
    write_all(files).context("every image is in place, but not the config files")
}

fn prepare(file: &NewFile) -> anyhow::Result<NamedTempFile> {
    let directory = directory_of(&file.path);
    fs::create_dir_all(directory)?;
    let mut temporary = temporary_in(directory, file.executable)?;
    temporary.write_all(file.text.as_bytes())?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

#[cfg(unix)]
fn temporary_in(directory: &Utf8Path, executable: bool) -> std::io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    // The user's umask takes away what others should not have, as for any new file.
    let mode = if executable { 0o777 } else { 0o666 };
    tempfile::Builder::new()
        .prefix(".airbuoy-")
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(directory)
}

#[cfg(not(unix))]
fn temporary_in(directory: &Utf8Path, _executable: bool) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".airbuoy-")
        .tempfile_in(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: Utf8PathBuf, text: &str, executable: bool) -> NewFile {
        NewFile {
            path,
            text: text.to_owned(),
            executable,
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().expect("a directory");
        let root = Utf8Path::from_path(root.path()).expect("UTF-8");
        let path = root.join("key.pem");
        write_secret(&path, "secret").expect("written");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn all_files_or_none() {
        let root = tempfile::tempdir().expect("a directory");
        let root = Utf8Path::from_path(root.path()).expect("UTF-8");
        let (config, script) = (root.join("v1/a.yaml"), root.join("v1/run.sh"));
        write_all(&[
            file(config.clone(), "a: b\n", false),
            file(script.clone(), "#!/bin/sh\n", true),
        ])
        .expect("written");
        assert_eq!(fs::read_to_string(&config).expect("there"), "a: b\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o100;
            assert_eq!((mode(&config), mode(&script)), (0, 0o100));
        }

        let blocked = config.join("below-a-file");
        let error = write_all(&[
            file(config.clone(), "new", false),
            file(blocked.clone(), "x", false),
        ])
        .expect_err("no directory");
        assert!(error.to_string().contains(blocked.as_str()), "{error}");
        assert_eq!(fs::read_to_string(&config).expect("there"), "a: b\n");
        assert_eq!(fs::read_dir(root.join("v1")).expect("there").count(), 2);
    }
}
