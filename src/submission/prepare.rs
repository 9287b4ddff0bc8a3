//! From results and a product to the folder that is submitted.

use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::SubmissionError;
use super::folder::{Content, FILES, Folder};
use super::masking::Masking;
use super::product::Product;
use super::readme::{Words, readme};
use crate::kube_version::KubeVersion;
use crate::results::Results;

/// What people decide about the folder.
#[derive(Debug, Default)]
pub struct PrepareOptions<'a> {
    /// The folder's name; else made of the product's name.
    pub directory: Option<&'a str>,
    /// The release that was tested, where the results do not say it.
    pub release: Option<&'a KubeVersion>,
    /// Leave the private registry's name in the README.
    pub show_registry: bool,
    /// The commands that were run, for the README; else the one that the tarball tells.
    pub commands: Option<&'a str>,
    /// How the product is installed, as Markdown, for the README.
    pub install: Option<&'a str>,
}

/// A folder that is ready to be checked and written.
#[derive(Debug)]
pub struct Prepared {
    /// Its place and its files.
    pub folder: Folder,
    /// What people should know before they publish it.
    pub notes: Vec<String>,
}

/// Makes the folder. Whether the bot takes it, [`super::check`] says: tests that failed are no error
/// here.
pub fn prepare(
    results: &Results,
    product: &Product,
    options: &PrepareOptions<'_>,
) -> Result<Prepared, SubmissionError> {
    let (log, junit) = evidence(results)?;
    let found = results.kubernetes();
    let release = options
        .release
        .or(found.as_ref())
        .ok_or(SubmissionError::NoRelease)?;
    let directory = match options.directory {
        Some(name) => name.to_owned(),
        None => directory_name(&product.name),
    };
    if !is_directory_name(&directory) {
        return Err(SubmissionError::DirectoryName { name: directory });
    }
    let private = Masking::of(results);
    let none = Masking::none();
    let masking = if options.show_registry {
        &none
    } else {
        &private
    };
    let words = Words {
        commands: options.commands,
        install: options.install,
    };
    let text = readme(results, product, release, &words, masking)?;
    let mut notes = Vec::new();
    if options.install.is_none() {
        notes.push(
            "README.md only points at your documentation for the installation: people ask for the steps \
             written out"
                .to_owned(),
        );
    }
    if masking.is_found_in(log) || masking.is_found_in(junit) {
        notes.push(
            "the private registry is named in e2e.log or junit_01.xml, which must be submitted unchanged"
                .to_owned(),
        );
    }
    let folder = Folder::new(
        release,
        &directory,
        [
            (FILES[0], text.into_bytes()),
            (FILES[1], product.to_yaml().into_bytes()),
            (FILES[2], log.to_vec()),
            (FILES[3], junit.to_vec()),
        ],
    );
    Ok(Prepared { folder, notes })
}

/// e2e.log and the one `JUnit` file.
fn evidence(results: &Results) -> Result<(&[u8], &[u8]), SubmissionError> {
    let nothing = |reason: String| SubmissionError::NothingToSubmit { reason };
    match (&results.log, &results.junit[..]) {
        (Some(log), [junit]) => Ok((log, &junit.bytes)),
        (_, [_, _, ..]) => {
            let files: Vec<&str> = results.junit.iter().map(|f| f.path.as_str()).collect();
            let files = files.join(", ");
            Err(nothing(format!(
                "the bot takes one JUnit file, and the run left {files}"
            )))
        }
        _ => {
            let ruling = results.ruling();
            let reason = ruling.reason.unwrap_or_else(|| "a file is missing".into());
            Err(nothing(format!("{}: {reason}", ruling.verdict.as_str())))
        }
    }
}

/// A folder's name out of a product's: lower-case letters and digits, dashes for the rest.
pub fn directory_name(product: &str) -> String {
    let mut name = String::new();
    for c in product.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() || "._".contains(c) {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_matches(['-', '.', '_']).to_owned()
}

fn is_directory_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !name.is_empty() && name.chars().all(plain) && !name.starts_with(['.', '-'])
}

impl Prepared {
    /// The title of the pull request.
    pub fn title(&self) -> String {
        let path = self.folder.path().unwrap_or_default();
        format!("Conformance results for {path}")
    }

    /// Writes `vX.Y/PRODUCT/` below `root`, each file atomically, and gives back its path. What an
    /// earlier call wrote is replaced; a folder with anything else in it is refused.
    pub fn write(&self, root: &Utf8Path) -> Result<Utf8PathBuf, SubmissionError> {
        let path = root.join(self.folder.path().unwrap_or_default());
        let failed = |doing, path: &Utf8Path, source| SubmissionError::Io {
            doing,
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(&path).map_err(|e| failed("create", &path, e))?;
        let entries = std::fs::read_dir(&path).map_err(|e| failed("read", &path, e))?;
        for entry in entries {
            let entry = entry.map_err(|e| failed("read", &path, e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let plain = entry.file_type().is_ok_and(|kind| kind.is_file());
            if !plain || !FILES.contains(&name.as_str()) {
                return Err(SubmissionError::Occupied { path, found: name });
            }
        }
        for (name, content) in &self.folder.files {
            if let Content::Bytes(bytes) = content {
                let file = path.join(name);
                write_atomically(&path, &file, bytes).map_err(|e| failed("write", &file, e))?;
            }
        }
        Ok(path)
    }
}

fn write_atomically(folder: &Utf8Path, file: &Utf8Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A file for everybody, as any editor makes it; the umask still counts.
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    let mut temporary = builder.tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}
