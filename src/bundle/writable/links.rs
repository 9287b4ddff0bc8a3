//! `.airbuoy/links`: what `index.json` has no place for. Blobs that a client pushed and no
//! manifest needs yet, repositories that hold nothing, and files nobody needs, each with the time
//! from which on its days are counted.
//!
//! A line a fact, appended and synced before it is answered; written anew at every start and when
//! it grew. Losing the file loses no image: only unfinished pushes would have to begin again.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use super::files::Files;
use super::repository::Moment;
use crate::bundle::disk::DiskFile;
use crate::oci::{Digest, is_repository};

/// The largest file of links that is read: some hundred thousand lines.
const LIMIT: usize = 256 << 20;

/// So many bytes above what was last needed, and twice that, are let grow.
const SLACK: u64 = 1 << 20;

/// One fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// The blob belongs to the repository, and was pushed at that time.
    Link {
        repository: &'a str,
        digest: &'a Digest,
        at: Moment,
    },
    /// It does no longer.
    Unlink {
        repository: &'a str,
        digest: &'a Digest,
    },
    /// The repository exists.
    Repository { name: &'a str },
    /// The file was of no use to anyone at that time.
    Orphan { digest: &'a Digest, at: Moment },
}

/// A [`Line`] that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Link(String, Digest, Moment),
    Unlink(String, Digest),
    Repository(String),
    Orphan(Digest, Moment),
}

impl Line<'_> {
    pub(super) fn write(&self, text: &mut String) {
        let written = match self {
            Self::Link {
                repository,
                digest,
                at,
            } => writeln!(text, "+ {at} {digest} {repository}"),
            Self::Unlink { repository, digest } => writeln!(text, "- {digest} {repository}"),
            Self::Repository { name } => writeln!(text, "= {name}"),
            Self::Orphan { digest, at } => writeln!(text, "? {at} {digest}"),
        };
        // Writing to a string does not fail.
        debug_assert!(written.is_ok());
    }
}

impl Fact {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let repository = |name: &str| is_repository(name).then(|| name.to_owned());
        let fact = match kind {
            "+" => {
                let at = words.next()?.parse().ok()?;
                let digest = words.next()?.parse().ok()?;
                Self::Link(repository(words.next()?)?, digest, at)
            }
            "-" => {
                let digest = words.next()?.parse().ok()?;
                Self::Unlink(repository(words.next()?)?, digest)
            }
            "=" => Self::Repository(repository(words.next()?)?),
            "?" => {
                let at = words.next()?.parse().ok()?;
                Self::Orphan(words.next()?.parse().ok()?, at)
            }
            _ => return None,
        };
        words.next().is_none().then_some(fact)
    }
}

/// Reads the facts in their order. A last line without an end was torn by a crash and was never
/// answered; a line that makes no sense is left out.
pub(super) fn read(files: &Files) -> io::Result<Vec<Fact>> {
    let bytes = files.read(&files.links(), LIMIT)?.unwrap_or_default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let text = String::from_utf8_lossy(&bytes[..whole.map_or(0, |end| end + 1)]);
    let facts = text.lines().filter_map(|line| {
        let fact = Fact::parse(line);
        if fact.is_none() {
            tracing::warn!(line, "a line of the links was not understood");
        }
        fact
    });
    Ok(facts.collect())
}

/// The file while the store is open.
pub(super) struct Links {
    files: Files,
    /// None before the first [`rewrite`](Self::rewrite).
    file: Option<Arc<dyn DiskFile>>,
    length: u64,
    /// Above this length it is worth writing anew.
    enough: u64,
}

impl Links {
    pub(super) fn new(files: Files) -> Self {
        Self {
            files,
            file: None,
            length: 0,
            enough: 0,
        }
    }

    /// Whether it holds mostly what no longer counts.
    pub(super) fn is_long(&self) -> bool {
        self.file.is_none() || self.length > self.enough
    }

    /// Writes the file anew.
    pub(super) fn rewrite<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> io::Result<()> {
        let mut text = String::new();
        lines.for_each(|line| line.write(&mut text));
        let path = self.files.links();
        self.file = None;
        self.files.replace(&path, text.as_bytes())?;
        self.file = Some(self.files.disk().open(&path)?);
        self.length = text.len() as u64;
        self.enough = self.length * 2 + SLACK;
        Ok(())
    }

    /// Appends whole lines; on the disk when this returns. After an error the file has to be
    /// written anew.
    pub(super) fn append(&mut self, lines: &str) -> io::Result<()> {
        let file = self.file.take().ok_or(io::ErrorKind::NotFound)?;
        file.write_at(self.length, lines.as_bytes())?;
        self.files.sync_file(&*file)?;
        self.file = Some(file);
        self.length += lines.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::MemoryDisk;
    use super::*;

    #[test]
    fn what_is_written_is_read_back_up_to_where_it_was_torn() {
        let disk = MemoryDisk::new();
        let files = disk.files();
        let digest = &Digest::of(b"a");
        let mut links = Links::new(files.clone());
        let link = Line::Link {
            repository: "a/b",
            digest,
            at: 7,
        };
        assert!(links.is_long());
        links.rewrite([link].into_iter()).expect("written");
        assert!(!links.is_long());
        let mut text = String::new();
        let repository = "a/b";
        Line::Unlink { repository, digest }.write(&mut text);
        Line::Repository { name: "c" }.write(&mut text);
        text.push_str("! nonsense\n+ x y z\n");
        Line::Orphan { digest, at: 9 }.write(&mut text);
        text.push_str("= torn");
        links.append(&text).expect("appended");
        let expected = [
            Fact::Link("a/b".into(), digest.clone(), 7),
            Fact::Unlink("a/b".into(), digest.clone()),
            Fact::Repository("c".into()),
            Fact::Orphan(digest.clone(), 9),
        ];
        assert_eq!(read(&files).expect("readable"), expected);
    }

    #[test]
    fn it_asks_to_be_written_anew_when_it_grew() {
        let disk = MemoryDisk::new();
        let mut links = Links::new(disk.files());
        links.rewrite(std::iter::empty()).expect("written");
        let lines = "= a\n".repeat(1 << 18);
        links.append(&lines).expect("appended");
        assert!(!links.is_long());
        links.append("= a\n").expect("appended");
        assert!(links.is_long());
    }
}
