//! The folder of a submission: where it lies and what lies in it, read from disk or about to be
//! written. Links are seen and not followed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::SubmissionError;
use crate::kube_version::KubeVersion;

/// The files of a submission; no other may be there.
pub const FILES: [&str; 4] = ["README.md", "PRODUCT.yaml", "e2e.log", "junit_01.xml"];

/// Largest file that is read, as in a tarball of results.
const LARGEST: u64 = 256 << 20;

/// Files that are listed at most; a submission has four.
const LISTED: usize = 1000;

/// Folders below the submission's that are looked into.
const DEPTH: usize = 4;

/// A submission's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub(super) place: Place,
    /// By path below the folder.
    pub(super) files: BTreeMap<String, Content>,
}

/// Where the folder lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `vX.Y/PRODUCT`.
    At {
        release: KubeVersion,
        product: String,
    },
    /// Somewhere else: how it is wrong.
    Wrong(String),
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// One that does not belong there, unread.
    Foreign,
    /// One that cannot be part of a submission, and why.
    Unusable(&'static str),
}

impl Folder {
    /// A folder that is about to be written.
    pub(super) fn new(release: &KubeVersion, product: &str, files: [(&str, Vec<u8>); 4]) -> Self {
        Self {
            place: Place::At {
                release: KubeVersion::minor_release(release.major(), release.minor()),
                product: product.to_owned(),
            },
            files: files
                .into_iter()
                .map(|(name, bytes)| (name.to_owned(), Content::Bytes(bytes)))
                .collect(),
        }
    }

    /// Reads a folder. Blocks.
    pub fn read(path: &Utf8Path) -> Result<Self, SubmissionError> {
        let io = |source| SubmissionError::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        };
        if !std::fs::metadata(path).map_err(io)?.is_dir() {
            return Err(SubmissionError::NotAFolder {
                path: path.to_owned(),
            });
        }
        let absolute = std::path::absolute(path).map_err(io)?;
        let mut files = BTreeMap::new();
        list(path.as_std_path(), "", 0, &mut files).map_err(io)?;
        Ok(Self {
            place: place(&absolute),
            files,
        })
    }

    /// `v1.36/turbo`, when it lies where it must.
    pub(super) fn path(&self) -> Option<Utf8PathBuf> {
        match &self.place {
            Place::At { release, product } => {
                Some(Utf8PathBuf::from(release.to_string()).join(product))
            }
            Place::Wrong(_) => None,
        }
    }

    /// A file's bytes; its name compared without case, as the bot looks for it.
    pub(super) fn file(&self, name: &str) -> Option<&[u8]> {
        let exact = self.files.get_key_value(name);
        let found = exact.or_else(|| {
            self.files
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
        });
        match found {
            Some((_, Content::Bytes(bytes))) => Some(bytes),
            _ => None,
        }
    }
}

fn list(
    folder: &Path,
    inside: &str,
    depth: usize,
    files: &mut BTreeMap<String, Content>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        if files.len() >= LISTED {
            break;
        }
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{inside}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if depth < DEPTH {
                list(&entry.path(), &format!("{path}/"), depth + 1, files)?;
            }
            continue;
        }
        let ours = depth == 0 && FILES.iter().any(|file| file.eq_ignore_ascii_case(&name));
        let content = if kind.is_symlink() {
            Content::Unusable("is a link")
        } else if !kind.is_file() {
            Content::Unusable("is no plain file")
        } else if !ours {
            Content::Foreign
        } else {
            read(&entry.path())?
        };
        files.insert(path, content);
    }
    Ok(())
}

fn read(path: &Path) -> std::io::Result<Content> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > LARGEST {
        Content::Unusable("is larger than 256 MiB")
    } else {
        Content::Bytes(bytes)
    })
}

/// The bot's `(v1.[0-9]{2})/(.*)`, told apart from how people get it wrong.
fn place(path: &Path) -> Place {
    let mut names = path
        .iter()
        .rev()
        .map(|name| name.to_string_lossy().into_owned());
    let product = names.next().unwrap_or_default();
    let parent = names.next().unwrap_or_default();
    if let Some(release) = release(&parent) {
        return Place::At { release, product };
    }
    if release(&product).is_some() {
        return Place::Wrong(format!(
            "the files lie right in {product}/, without the product's folder"
        ));
    }
    if let Some(above) = names.next().filter(|name| release(name).is_some()) {
        return Place::Wrong(format!(
            "{above}/{parent}/{product}/ is one folder too deep"
        ));
    }
    Place::Wrong(format!(
        "`{parent}` above `{product}` is not a release such as v1.36"
    ))
}

/// `v1.36` and nothing else.
fn release(name: &str) -> Option<KubeVersion> {
    let digits = name.strip_prefix("v1.")?;
    let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
    two.then(|| name.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        let at = |path: &str| place(Path::new(path));
        let Place::At { release, product } = at("/x/v1.36/turbo") else {
            panic!("a good place")
        };
        assert_eq!(
            (release.to_string().as_str(), product.as_str()),
            ("v1.36", "turbo")
        );
        for (path, word) in [
            ("/x/v1.36", "without the product's folder"),
            ("/x/v1.36/turbo/deep", "one folder too deep"),
            ("/x/v1.36.3/turbo", "not a release"),
            ("/x/1.36/turbo", "not a release"),
            ("/", "not a release"),
        ] {
            match at(path) {
                Place::Wrong(why) => assert!(why.contains(word), "{path}: {why}"),
                Place::At { .. } => panic!("{path} is no good place"),
            }
        }
    }
}
