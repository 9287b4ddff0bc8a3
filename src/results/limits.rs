//! How much of a foreign archive is believed, each bound with its reason.

/// Everything that an archive may unpack to. Tarballs of large clusters reach some hundred MB; a
/// bomb of zeros is given up after seconds instead of filling memory or time.
pub(super) const TOTAL: u64 = 4 << 30;

/// One member, read or passed over. Kubelet and pod logs are the largest, far below this.
pub(super) const MEMBER: u64 = 2 << 30;

/// e2e.log, which is kept whole, because it is submitted as it is. Real ones have 1 to 20 MB.
pub(super) const LOG: u64 = 256 << 20;

/// A `JUnit` file, kept whole for the same reason. The 7586 test cases of v1.36 take 2.5 MB; failed
/// tests add their output.
pub(super) const JUNIT: u64 = 64 << 20;

/// A JSON or YAML document. The status tree of v1.36 takes 1.8 MB; the `ConfigMap`s of a namespace
/// at most 1 MiB each.
pub(super) const DOCUMENT: u64 = 32 << 20;

/// Members, so that an archive of empty ones ends as well.
pub(super) const MEMBERS: u64 = 1_000_000;

/// A member's name in an extension header: Linux allows 4096 bytes, and the header has its frame.
pub(super) const EXTENSION: u64 = 64 << 10;

/// `JUnit` files in one archive. A run writes one, a parallel one of old releases one a node.
pub(super) const JUNIT_FILES: usize = 100;

/// Warnings about single members; beyond it only their number is told.
pub(super) const WARNINGS: usize = 20;

/// Folders below each other in an extracted archive.
pub(super) const DEPTH: usize = 24;
