//! `NAME.tar.partial.state`: the map of a tar under way and how much of each blob is on the disk.
//!
//! One line of JSON, then a journal of lines `DIGEST BYTES`, the last of a digest counting. A
//! line is written when its bytes are durable and never before. What it says is a promise to be
//! checked, not a fact: bytes are hashed again before they count.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::bundle::BundleError;
use crate::bundle::disk::{Disk, DiskFile, read_small, replace};
use crate::bundle::tar_map::TarMap;
use crate::oci::Digest;

/// The version of the format.
const FORMAT: u32 = 1;

/// The largest state that is read: days of journal lines.
const LIMIT: usize = 256 << 20;

/// The line that says: all bytes are durable, what is left is to give the files their names.
const COMMIT: &str = "commit";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: u32,
    /// The hash of the map.
    pub(super) plan: Digest,
    /// Bytes of a volume.
    pub(super) split: Option<u64>,
    /// Bytes of the tar.
    pub(super) total: u64,
    /// The blobs of the map.
    pub(super) members: Vec<Member>,
}

/// One blob of the map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) offset: u64,
}

/// What an earlier run left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) head: Head,
    /// Durable bytes of each blob, at most its size.
    pub(super) durable: HashMap<Digest, u64>,
    /// It was complete and only its names were missing.
    pub(super) committing: bool,
}

impl Head {
    pub(super) fn of(map: &TarMap, split: Option<u64>) -> Self {
        let member = |slot: &crate::bundle::tar_map::Slot| Member {
            digest: slot.digest.clone(),
            size: slot.size,
            offset: slot.offset,
        };
        Self {
            format: FORMAT,
            plan: map.hash(),
            split,
            total: map.total(),
            members: map.slots().iter().map(member).collect(),
        }
    }
}

impl State {
    /// Reads a state; `None` when there is none, or none that makes sense.
    pub(super) fn read(disk: &dyn Disk, path: &Utf8Path) -> Option<Self> {
        Self::parse(&read_small(disk, path, LIMIT).ok()??)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let head: Head = serde_json::from_slice(lines.next()?.strip_suffix(b"\n")?).ok()?;
        let fits = |m: &Member| {
            m.offset
                .checked_add(m.size)
                .is_some_and(|end| end <= head.total)
        };
        if head.format != FORMAT || !head.members.iter().all(fits) || head.split == Some(0) {
            return None;
        }
        let sizes: HashMap<&str, (&Digest, u64)> = head
            .members
            .iter()
            .map(|m| (m.digest.as_str(), (&m.digest, m.size)))
            .collect();
        let mut durable = HashMap::new();
        let mut committing = false;
        for line in lines {
            // A line without its end was torn by a crash.
            let Some(line) = line.strip_suffix(b"\n") else {
                break;
            };
            let Ok(line) = std::str::from_utf8(line) else {
                continue;
            };
            committing |= line == COMMIT;
            let Some((digest, count)) = line.split_once(' ') else {
                continue;
            };
            let known = sizes.get(digest).zip(count.parse::<u64>().ok());
            if let Some(((digest, size), count)) = known
                && count <= *size
            {
                durable.insert((*digest).clone(), count);
            }
        }
        Some(Self {
            head,
            durable,
            committing,
        })
    }

    /// Durable bytes in all.
    pub(super) fn kept(&self) -> u64 {
        self.durable.values().sum()
    }
}

/// The journal of a state, open at its end.
pub(super) struct Journal {
    file: Arc<dyn DiskFile>,
    end: u64,
}

impl Journal {
    /// Writes a new state in place of the old one, and opens its journal.
    pub(super) fn begin<'a>(
        disk: &dyn Disk,
        path: &Utf8Path,
        head: &Head,
        durable: impl IntoIterator<Item = (&'a Digest, u64)>,
    ) -> Result<Self, BundleError> {
        let failed = |action| move |e| BundleError::io(path, action, e);
        let mut text = serde_json::to_string(head).unwrap_or_default();
        text.push('\n');
        text.push_str(&lines(durable));
        replace(disk, path, text.as_bytes()).map_err(failed("write"))?;
        Ok(Self {
            file: disk.open(path).map_err(failed("open"))?,
            end: text.len() as u64,
        })
    }

    /// Adds what has become durable.
    pub(super) fn append<'a>(
        &mut self,
        durable: impl IntoIterator<Item = (&'a Digest, u64)>,
    ) -> std::io::Result<()> {
        self.write(&lines(durable))
    }

    /// Adds that everything is durable, durably.
    pub(super) fn commit(&mut self) -> std::io::Result<()> {
        self.write(&format!("{COMMIT}\n"))?;
        self.file.sync_data()
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.write_at(self.end, text.as_bytes())?;
        self.end += text.len() as u64;
        Ok(())
    }
}

fn lines<'a>(durable: impl IntoIterator<Item = (&'a Digest, u64)>) -> String {
    let mut text = String::new();
    for (digest, bytes) in durable {
        let _ = writeln!(text, "{digest} {bytes}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state() -> (Digest, Digest, String) {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let map = TarMap::lay([], [(&a, 100), (&b, 200)]);
        let head = serde_json::to_string(&Head::of(&map, Some(512))).expect("JSON");
        (a, b, head + "\n")
    }

    #[test]
    fn the_last_whole_line_counts() {
        let (a, b, head) = state();
        let text = format!("{head}{a} 10\n{b} 200\n{a} 90\nnonsense\n{a} 101\n{b} 1");
        let state = State::parse(text.as_bytes()).expect("a state");
        assert_eq!(state.durable, HashMap::from([(a.clone(), 90), (b, 200)]));
        assert_eq!(state.kept(), 290);
        assert!(!state.committing);
        let text = format!("{head}{a} 10\n{a} 0\ncommit\n");
        let state = State::parse(text.as_bytes()).expect("a state");
        assert!(state.committing);
        assert_eq!(state.kept(), 0);
    }

    #[test]
    fn what_makes_no_sense_is_no_state() {
        let (_, _, head) = state();
        for text in [
            String::new(),
            head.trim_end().to_owned(),
            head.replace("\"format\":1", "\"format\":2"),
            head.replace("\"size\":200", "\"size\":20000000"),
            head.replace("\"split\":512", "\"split\":0"),
        ] {
            assert_eq!(State::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_torn_or_damaged_state_promises_no_more_than_fits(
            cut: prop::sample::Index, at: prop::sample::Index, byte: u8,
        ) {
            let (a, b, head) = state();
            let mut bytes = format!("{head}{a} 10\n{b} 200\n{a} 100\n").into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Some(state) = State::parse(&bytes) {
                for member in &state.head.members {
                    let durable = state.durable.get(&member.digest).copied().unwrap_or(0);
                    prop_assert!(durable <= member.size);
                    prop_assert!(member.offset + member.size <= state.head.total);
                }
            }
        }
    }
}
