//! What to do next: two lanes, so that a round trip never waits behind a gigabyte.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Instant;

use super::graph::{BlobId, ManifestId, PlaceId};
use crate::oci::Repository;

/// From this size on a blob is worth a HEAD before it is sent, and travels in the large lane.
pub(super) const LARGE: u64 = 1 << 20;

/// Small work at once: mounts, manifests, HEADs and blobs under [`LARGE`]. Wide enough to hide a
/// round trip of 80 ms behind a few hundred requests; the registry client has its own limit a
/// host below it.
const SMALL_LANE: usize = 24;

/// One piece of work, small enough to start again from scratch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) kind: Kind,
    /// How often it was tried.
    pub(super) attempt: u32,
}

/// The kinds of work. `homes` are the repositories, one a host, that a blob is brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ask whether a blob is there.
    Probe { blob: BlobId, homes: Vec<PlaceId> },
    /// Send a blob.
    Copy { blob: BlobId, homes: Vec<PlaceId> },
    /// Bring a blob from one repository of a host to another.
    Mount { place: PlaceId, from: Repository },
    /// Send a blob to a repository whatever its host says it has.
    Force { place: PlaceId },
    /// Write a manifest.
    Put { manifest: ManifestId },
}

impl From<Kind> for Job {
    fn from(kind: Kind) -> Self {
        Self { kind, attempt: 0 }
    }
}

/// Which lane a job runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Large blobs.
    Large,
    /// Everything else.
    Small,
}

/// Jobs that wait, in the order in which they should run.
///
/// A running job holds one slot, which stands for its connections on both sides together, and
/// gives it back before it waits for anything but bytes: jobs that must wait for others are not
/// queued yet, and jobs that must wait for time are in `later`.
pub(super) struct Queue {
    /// Largest first: what takes longest starts first, so that the end is not one slow blob.
    large: BinaryHeap<(u64, Reverse<u64>, BlobCopy)>,
    /// Mounts and manifests: they finish images and free memory.
    finishing: VecDeque<Job>,
    probes: VecDeque<Job>,
    copies: VecDeque<Job>,
    later: BTreeMap<(Instant, u64), (Job, u64)>,
    sequence: u64,
    free_large: usize,
    free_small: usize,
}

/// A copy in the heap; ordered by what stands before it in the tuple alone.
#[derive(Debug, Clone)]
struct BlobCopy(Job);

impl PartialEq for BlobCopy {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for BlobCopy {}
impl PartialOrd for BlobCopy {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for BlobCopy {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl Queue {
    pub(super) fn new(jobs: usize) -> Self {
        Self {
            large: BinaryHeap::new(),
            finishing: VecDeque::new(),
            probes: VecDeque::new(),
            copies: VecDeque::new(),
            later: BTreeMap::new(),
            sequence: 0,
            free_large: jobs.max(1),
            free_small: SMALL_LANE,
        }
    }

    /// Adds a job. `size` is the blob's size; it counts for copies only.
    pub(super) fn push(&mut self, job: Job, size: u64) {
        match job.kind {
            Kind::Mount { .. } | Kind::Force { .. } | Kind::Put { .. } => {
                self.finishing.push_back(job);
            }
            Kind::Probe { .. } => self.probes.push_back(job),
            Kind::Copy { .. } if size < LARGE => self.copies.push_back(job),
            Kind::Copy { .. } => {
                self.sequence += 1;
                self.large
                    .push((size, Reverse(self.sequence), BlobCopy(job)));
            }
        }
    }

    /// Adds a job that must not run before `at`.
    pub(super) fn push_later(&mut self, job: Job, size: u64, at: Instant) {
        self.sequence += 1;
        self.later.insert((at, self.sequence), (job, size));
    }

    /// The next job that has a free slot; the slot is taken.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Job, Lane)> {
        while self
            .later
            .first_key_value()
            .is_some_and(|((at, _), _)| *at <= now)
        {
            if let Some((_, (job, size))) = self.later.pop_first() {
                self.push(job, size);
            }
        }
        if self.free_small > 0 {
            let small = self
                .finishing
                .pop_front()
                .or_else(|| self.probes.pop_front());
            if let Some(job) = small.or_else(|| self.copies.pop_front()) {
                self.free_small -= 1;
                return Some((job, Lane::Small));
            }
        }
        if self.free_large > 0
            && let Some((_, _, BlobCopy(job))) = self.large.pop()
        {
            self.free_large -= 1;
            return Some((job, Lane::Large));
        }
        None
    }

    /// A job is over: its slot is free.
    pub(super) fn release(&mut self, lane: Lane) {
        match lane {
            Lane::Large => self.free_large += 1,
            Lane::Small => self.free_small += 1,
        }
    }

    /// When the next delayed job may run.
    pub(super) fn next_delayed(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn copy(blob: BlobId) -> Job {
        Kind::Copy {
            blob,
            homes: vec![0],
        }
        .into()
    }

    #[test]
    fn the_largest_blob_goes_first_and_small_work_has_its_own_lane() {
        let now = Instant::now();
        let mut queue = Queue::new(2);
        for (blob, size) in [(1, 2 * LARGE), (2, 9 * LARGE), (3, 5 * LARGE), (4, 10)] {
            queue.push(copy(blob), size);
        }
        queue.push(Kind::Put { manifest: 7 }.into(), 0);
        let order: Vec<(Job, Lane)> = std::iter::from_fn(|| queue.pop(now)).collect();
        assert_eq!(
            order,
            [
                (Kind::Put { manifest: 7 }.into(), Lane::Small),
                (copy(4), Lane::Small),
                (copy(2), Lane::Large),
                (copy(3), Lane::Large),
            ]
        );
        assert_eq!(queue.pop(now), None, "both large slots are taken");
        queue.release(Lane::Large);
        assert_eq!(queue.pop(now), Some((copy(1), Lane::Large)));
    }

    #[test]
    fn a_delayed_job_waits_without_a_slot() {
        let now = Instant::now();
        let mut queue = Queue::new(1);
        queue.push_later(copy(1), 2 * LARGE, now + Duration::from_secs(5));
        queue.push(copy(2), LARGE);
        assert_eq!(queue.pop(now), Some((copy(2), Lane::Large)));
        assert_eq!(queue.next_delayed(), Some(now + Duration::from_secs(5)));
        queue.release(Lane::Large);
        assert_eq!(queue.pop(now), None);
        assert_eq!(
            queue.pop(now + Duration::from_secs(5)),
            Some((copy(1), Lane::Large))
        );
    }
}
