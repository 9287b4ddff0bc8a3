//! What can happen to a store: the changes that the committer carries out one after the other.

use std::sync::Arc;

use super::held::Held;
use super::repository::Moment;
use crate::oci::Digest;

/// One change. What it does depends on nothing but itself and the state, so that it can be
/// carried out twice: first on what is being written, then on what readers see.
pub(super) enum Change {
    /// A blob belongs to a repository; its file is there or comes along.
    Link {
        repository: String,
        digest: Digest,
        size: u64,
        at: Moment,
    },
    /// A blob of another repository, or of any, belongs to this one too.
    Mount {
        repository: String,
        digest: Digest,
        from: Option<String>,
        at: Moment,
    },
    /// A manifest, whose file is there or comes along, and tags that point at it.
    Put {
        repository: String,
        held: Arc<Held>,
        tags: Vec<Arc<str>>,
    },
    /// A tag goes.
    Untag { repository: String, tag: Arc<str> },
    /// A manifest goes with its tags.
    Remove {
        repository: String,
        digest: Digest,
        at: Moment,
    },
    /// A blob leaves a repository.
    Unlink { repository: String, digest: Digest },
    /// Links, and files that nobody needs, go when they were there at `before` already.
    Sweep {
        found: Vec<(Digest, u64)>,
        before: Moment,
        at: Moment,
    },
}

impl Change {
    /// The blob whose file comes along.
    pub(super) fn content(&self) -> Option<&Digest> {
        match self {
            Self::Link { digest, .. } => Some(digest),
            Self::Put { held, .. } => Some(held.digest()),
            _ => None,
        }
    }
}

/// What a change means for the disk.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Lines for the file of links.
    pub(super) lines: String,
    /// `index.json` is no longer what it was.
    pub(super) index: bool,
    /// The file of links has to be written anew.
    pub(super) relink: bool,
    /// Files that nobody needs any more.
    pub(super) gone: Vec<Digest>,
}
