//! Where files go, tried before anything is contacted: after an hour of copying is too late to
//! learn that a directory is read-only.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::SettingsError;

/// A directory in which a file can be created. It is made when it is missing.
pub(super) fn out_dir(path: &Utf8Path) -> Result<Utf8PathBuf, SettingsError> {
    try_directory("--out-dir", path)?;
    Ok(path.to_owned())
}

/// The file of `--report`.
pub(super) fn report_file(path: Option<&Utf8Path>) -> Result<Option<Utf8PathBuf>, SettingsError> {
    new_file("--report", path)
}

/// A file that can be written: a temporary one can be created beside it, to be renamed.
pub(super) fn new_file(
    flag: &'static str,
    path: Option<&Utf8Path>,
) -> Result<Option<Utf8PathBuf>, SettingsError> {
    let Some(path) = path else { return Ok(None) };
    if path.is_dir() || path.file_name().is_none() {
        let reason = "it is a directory, expected a file";
        return Err(SettingsError::value(flag, path.as_str(), reason));
    }
    // It would be replaced: as root that takes /dev/null from the whole machine.
    if is_device(path) {
        let reason = "it is a device, a pipe or a socket, expected a file";
        return Err(SettingsError::value(flag, path.as_str(), reason));
    }
    try_directory(flag, directory_of(path))?;
    Ok(Some(path.to_owned()))
}

/// A file that grows at its end; a device or a pipe will do as well.
pub(super) fn growing_file(
    flag: &'static str,
    path: &Utf8Path,
) -> Result<Utf8PathBuf, SettingsError> {
    if is_device(path) {
        return Ok(path.to_owned());
    }
    new_file(flag, Some(path))?;
    Ok(path.to_owned())
}

/// Whether what has the name, links followed, is neither a file nor a directory; so is whatever lies
/// in `/dev`, where `stdout` may lead to a file.
fn is_device(path: &Utf8Path) -> bool {
    let other = |found: fs::Metadata| !found.is_file() && !found.is_dir();
    path.starts_with("/dev") && path.is_symlink() || path.metadata().is_ok_and(other)
}

/// Makes a directory and tries whether files can be written there.
pub(super) fn try_directory(flag: &'static str, path: &Utf8Path) -> Result<(), SettingsError> {
    fs::create_dir_all(path)
        .and_then(|()| tempfile::tempfile_in(path))
        .map(drop)
        .map_err(|source| SettingsError::NotWritable {
            flag,
            path: path.to_owned(),
            source,
        })
}

/// The directory that holds `file`.
fn directory_of(file: &Utf8Path) -> &Utf8Path {
    match file.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_and_tried() {
        let root = tempfile::tempdir().expect("a directory");
        let root = Utf8Path::from_path(root.path()).expect("UTF-8");
        let dir = root.join("a/b");
        assert_eq!(out_dir(&dir).expect("writable"), dir);
        assert_eq!(fs::read_dir(&dir).expect("it is there").count(), 0);

        let file = root.join("file");
        fs::write(&file, "x").expect("written");
        let error = out_dir(&file).expect_err("not a directory");
        assert!(error.is_local() && error.hint().is_some(), "{error}");
        assert!(report_file(Some(&file.join("report.json"))).is_err());
        assert!(report_file(Some(&file)).is_ok());
        let error = report_file(Some(root)).expect_err("a directory");
        assert!(!error.is_local(), "{error}");
        for device in ["/dev/null", "/dev/stdout"] {
            let error = report_file(Some(device.into())).expect_err("a device");
            assert!(!error.is_local(), "{error}");
            assert_eq!(growing_file("--x", device.into()).expect("fine"), device);
        }
        assert!(growing_file("--x", root).is_err(), "a directory");
        assert_eq!(report_file(None).expect("nothing asked"), None);
    }
}
