//! What goes wrong, and when.

use std::ops::Range;

/// One way to do wrong. Offsets are of the whole blob, also when a range is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The answer's body ends after this many bytes and the connection is closed.
    Cut(u64),
    /// The answer's body stands still after this many bytes, the connection stays open.
    Stall(u64),
    /// The byte at this offset is another one.
    Flip(u64),
    /// The connection is closed instead of an answer.
    Reset,
    /// This instead of the real answer; the request's body is read first.
    Answer(u16, Vec<(&'static str, String)>, &'static str),
    /// This status before the request's body is read, then the connection is closed.
    AnswerEarly(u16),
    /// The request's body is read up to this many bytes, then the connection is closed.
    CutRequest(u64),
    /// A chunk is taken up to this many bytes, which stay, then the connection is closed.
    CutChunk(u64),
    /// 413 for bodies of more than this many bytes, before they are read.
    Limit(u64),
    /// An upload is opened with `OCI-Chunk-Min-Length`.
    LeastChunk(u64),
    /// `Docker-Content-Digest` is left out.
    HideDigest,
    /// `Range` is not obeyed: 200 with everything.
    IgnoreRange,
    /// A redirect to the same path on another host, `scheme://host:port`.
    Redirect(String),
    /// The `Location` of an upload is a path only.
    RelativeLocation,
    /// A mount opens an upload although the blob is there.
    MountOpens,
}

/// A fault and the requests that meet it.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    method: &'static str,
    parts: Vec<String>,
    which: Range<usize>,
    fault: Fault,
    seen: usize,
}

impl Rule {
    /// Every request of `method` (`*` for all) whose path with query holds the parts between the
    /// `*`s of `path` in this order meets `fault`.
    pub(crate) fn new(method: &'static str, path: &str, fault: Fault) -> Self {
        Self {
            method,
            parts: path.split('*').map(str::to_owned).collect(),
            which: 0..usize::MAX,
            fault,
            seen: 0,
        }
    }

    /// Only the first `count` of them.
    pub(crate) fn first(self, count: usize) -> Self {
        Self {
            which: 0..count,
            ..self
        }
    }

    /// The fault for this request, which is counted.
    pub(super) fn meets(&mut self, method: &str, target: &str) -> Option<Fault> {
        if self.method != "*" && self.method != method {
            return None;
        }
        let mut rest = target;
        for part in &self.parts {
            rest = &rest[rest.find(part.as_str())? + part.len()..];
        }
        self.seen += 1;
        let meets = self.which.contains(&(self.seen - 1));
        meets.then(|| self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_counts_what_it_matches() {
        let mut rule = Rule::new("GET", "/v2/a/*/sha256:1", Fault::Reset).first(1);
        assert!(rule.meets("HEAD", "/v2/a/blobs/sha256:1").is_none());
        assert!(rule.meets("GET", "/v2/b/blobs/sha256:1").is_none());
        assert!(rule.meets("GET", "/v2/a/blobs/sha256:1").is_some());
        assert!(rule.meets("GET", "/v2/a/blobs/sha256:1").is_none());
    }
}
