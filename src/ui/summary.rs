//! The last line of a copy or a check: numbers that add up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::size::{bytes, count, duration};
use crate::event::ImageStatus;
use crate::registry::{RequestKind, Side};
use crate::transfer::Report;

/// What a verb does to images, in the past.
struct Words {
    done: &'static str,
    moved: &'static str,
    not_twice: &'static str,
    was_there: &'static str,
    /// Repositories share layers by mounting them; a bundle has each once anyway.
    mounts: bool,
}

const MIRROR: Words = Words {
    done: "Mirrored",
    moved: "sent",
    not_twice: "not sent twice",
    was_there: "was there",
    mounts: true,
};

const PUSH: Words = Words {
    done: "Pushed",
    ..MIRROR
};

const PULL: Words = Words {
    done: "Pulled",
    moved: "fetched",
    not_twice: "shared and not fetched twice",
    was_there: "kept from before",
    mounts: false,
};

/// `Mirrored 44 images in 41 s: 4.2 GB sent, …`, or `Nothing to do: …`.
pub fn mirrored(report: &Report) -> String {
    copied(report, &MIRROR)
}

/// `Pushed 44 images in 41 s: 4.2 GB sent, …`, or `Nothing to do: …`.
pub fn pushed(report: &Report) -> String {
    copied(report, &PUSH)
}

/// `Pulled 44 images in 41 s: 4.2 GB fetched, …`, or `Nothing to do: …`.
pub fn pulled(report: &Report) -> String {
    copied(report, &PULL)
}

fn copied(report: &Report, words: &Words) -> String {
    let time = duration(Duration::from_secs_f64(report.seconds));
    let Tally {
        copied,
        present,
        skipped,
        failed,
        ..
    } = tally(report);
    if copied == 0 && failed == 0 {
        let heads = [Side::Source, Side::Target].map(|side| requests(report, side, "HEAD"));
        let heads: Vec<String> = heads
            .iter()
            .filter(|n| **n > 0)
            .map(u64::to_string)
            .collect();
        let heads = if heads.is_empty() {
            String::new()
        } else {
            format!("{} manifest HEADs, ", heads.join(" + "))
        };
        let skipped = match skipped {
            0 => String::new(),
            n => format!(", {n} skipped"),
        };
        return format!(
            "Nothing to do: {} up to date{skipped} ({heads}{time})",
            count(present, "image"),
        );
    }
    let Words {
        done,
        moved,
        not_twice,
        was_there,
        mounts,
    } = words;
    let mut facts = vec![format!("{} {moved}", bytes(report.bytes.transferred))];
    if report.bytes.resumed > 0 {
        facts.push(format!(
            "{} resumed from an earlier run",
            bytes(report.bytes.resumed)
        ));
    }
    let known = report.bytes.transferred + report.bytes.resumed + report.bytes.external;
    let there = report.bytes.unique.saturating_sub(known);
    if there > 0 && failed == 0 {
        facts.push(format!("{} {was_there}", bytes(there)));
    }
    if report.bytes.external > 0 {
        facts.push(format!("{} left to the base", bytes(report.bytes.external)));
    }
    let twice = report.bytes.logical.saturating_sub(report.bytes.unique);
    if twice > 0 {
        let mounted = match report.blobs.mounted {
            _ if !mounts => String::new(),
            0 => String::new(),
            n => format!(
                " ({} mounted)",
                count(usize::try_from(n).unwrap_or(usize::MAX), "layer")
            ),
        };
        facts.push(format!("{} {not_twice}{mounted}", bytes(twice)));
    }
    if report.bytes.wasted > 0 {
        facts.push(format!(
            "{} {moved} again after faults",
            bytes(report.bytes.wasted)
        ));
    }
    if present > 0 {
        facts.push(format!("{} up to date", count(present, "image")));
    }
    if skipped > 0 {
        facts.push(format!("{skipped} skipped"));
    }
    facts.push(format!("{failed} failed"));
    let all = if failed == 0 {
        count(copied, "image")
    } else {
        format!("{copied} of {}", count(copied + present + failed, "image"))
    };
    format!("{done} {all} in {time}: {}", facts.join(", "))
}

/// What a run that was stopped leaves behind.
pub fn stopped(report: &Report) -> String {
    let Tally {
        copied, present, ..
    } = tally(report);
    let images: BTreeSet<&str> = report
        .images
        .iter()
        .map(|row| row.source.as_str())
        .collect();
    format!(
        "Stopped: {} of {} in place, {} transferred",
        copied + present,
        count(images.len(), "image"),
        bytes(report.bytes.transferred)
    )
}

/// `Verified 44 images in 3.0 s: all sound`, or how many are not.
pub fn verified(report: &Report, deep: bool) -> String {
    let time = duration(Duration::from_secs_f64(report.seconds));
    let Tally {
        present, failed, ..
    } = tally(report);
    let images = count(present + failed, "image");
    let how = if deep {
        "every byte hashed"
    } else {
        "manifests hashed, blobs present with their size"
    };
    if failed == 0 {
        format!("Verified {images} in {time}: all sound ({how})")
    } else {
        format!("Verified {images} in {time}: {failed} not sound")
    }
}

/// `Would copy 44 images: 4.2 GB. 0 up to date; nothing was written`.
pub fn planned(report: &Report) -> String {
    let Tally {
        planned,
        present,
        skipped,
        failed,
        ..
    } = tally(report);
    let mut rest = vec![format!("{present} up to date")];
    if skipped > 0 {
        rest.push(format!("{skipped} skipped"));
    }
    if failed > 0 {
        rest.push(format!("{failed} cannot be copied"));
    }
    format!(
        "Would copy {}: {}. {}; nothing was written",
        count(planned, "image"),
        bytes(report.bytes.unique),
        rest.join(", ")
    )
}

/// How many images ended each way.
struct Tally {
    copied: usize,
    planned: usize,
    present: usize,
    skipped: usize,
    failed: usize,
}

/// An image with several targets counts once, as the worst of its rows.
fn tally(report: &Report) -> Tally {
    let mut worst: BTreeMap<&str, ImageStatus> = BTreeMap::new();
    for row in &report.images {
        let status = worst.entry(&row.source).or_insert(row.status);
        if gravity(row.status) > gravity(*status) {
            *status = row.status;
        }
    }
    let number = |status| worst.values().filter(|&&s| s == status).count();
    Tally {
        copied: number(ImageStatus::Copied),
        planned: number(ImageStatus::Planned),
        present: number(ImageStatus::Present),
        skipped: number(ImageStatus::Skipped),
        failed: number(ImageStatus::Failed),
    }
}

fn gravity(status: ImageStatus) -> u8 {
    match status {
        ImageStatus::Skipped => 0,
        ImageStatus::Present => 1,
        ImageStatus::Copied => 2,
        ImageStatus::Planned => 3,
        ImageStatus::Failed => 4,
    }
}

fn requests(report: &Report, side: Side, method: &str) -> u64 {
    let rows = report.requests.iter();
    rows.filter(|row| row.side == side && row.method == method && row.kind == RequestKind::Registry)
        .map(|row| row.count)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::RequestCount;
    use crate::transfer::{Blobs, Bytes, ImageRow};

    fn report(statuses: &[ImageStatus]) -> Report {
        let row = |(i, &status): (usize, &ImageStatus)| ImageRow {
            source: format!("registry.k8s.io/pause:{i}"),
            target: Some(format!("reg/pause:{i}")),
            source_digest: None,
            target_digest: None,
            status,
            error: None,
        };
        let head = |side, count| RequestCount {
            side,
            host: "h".into(),
            kind: RequestKind::Registry,
            method: "HEAD".into(),
            count,
        };
        Report {
            format: 1,
            images: statuses.iter().enumerate().map(row).collect(),
            blobs: Blobs::default(),
            bytes: Bytes::default(),
            requests: vec![head(Side::Source, 44), head(Side::Target, 44)],
            seconds: 0.1,
            files: Vec::new(),
        }
    }

    #[test]
    fn a_first_run_says_what_was_sent_and_what_was_not() {
        let mut all = report(&[ImageStatus::Copied; 44]);
        all.seconds = 41.2;
        all.blobs.mounted = 312;
        all.bytes = Bytes {
            logical: 6_100_000_000,
            unique: 4_200_000_000,
            transferred: 4_200_000_000,
            resumed: 0,
            wasted: 0,
            external: 0,
        };
        assert_eq!(
            mirrored(&all),
            "Mirrored 44 images in 41 s: 4.2 GB sent, 1.9 GB not sent twice (312 layers \
             mounted), 0 failed"
        );
        all.bytes.transferred = 1_200_000_000;
        all.bytes.wasted = 12_000_000;
        all.images[3].status = ImageStatus::Present;
        assert_eq!(
            mirrored(&all),
            "Mirrored 43 images in 41 s: 1.2 GB sent, 3.0 GB was there, 1.9 GB not sent twice \
             (312 layers mounted), 12 MB sent again after faults, 1 image up to date, 0 failed"
        );
    }

    #[test]
    fn a_nightly_run_has_nothing_to_do() {
        assert_eq!(
            mirrored(&report(&[ImageStatus::Present; 44])),
            "Nothing to do: 44 images up to date (44 + 44 manifest HEADs, 0.1 s)"
        );
    }

    #[test]
    fn a_delta_says_what_its_base_saves() {
        let mut delta = report(&[ImageStatus::Copied; 44]);
        delta.bytes = Bytes {
            logical: 6_100_000_000,
            unique: 4_200_000_000,
            transferred: 1_100_000_000,
            resumed: 0,
            wasted: 0,
            external: 3_100_000_000,
        };
        assert_eq!(
            pulled(&delta),
            "Pulled 44 images in 0.1 s: 1.1 GB fetched, 3.1 GB left to the base, 1.9 GB shared \
             and not fetched twice, 0 failed"
        );
        delta.bytes.transferred = 600_000_000;
        delta.bytes.resumed = 300_000_000;
        assert_eq!(
            pulled(&delta),
            "Pulled 44 images in 0.1 s: 600 MB fetched, 300 MB resumed from an earlier run, 200 MB \
             kept from before, 3.1 GB left to the base, 1.9 GB shared and not fetched twice, 0 failed"
        );
        delta.requests.clear();
        assert!(pushed(&delta).starts_with("Pushed 44 images"));
        let mut nothing = report(&[ImageStatus::Present; 2]);
        nothing.requests.remove(0);
        let told = pushed(&nothing);
        assert_eq!(
            told,
            "Nothing to do: 2 images up to date (44 manifest HEADs, 0.1 s)"
        );
    }

    #[test]
    fn a_stopped_run_says_what_is_in_place() {
        use ImageStatus::{Copied, Failed, Present};
        assert_eq!(
            stopped(&report(&[Copied, Failed, Present, Failed])),
            "Stopped: 2 of 4 images in place, 0 B transferred"
        );
    }

    #[test]
    fn a_dry_run_says_what_would_be_sent() {
        use ImageStatus::{Planned, Present};
        let mut plan = report(&[Planned, Present, Planned]);
        plan.bytes.unique = 58_000_000;
        assert_eq!(
            planned(&plan),
            "Would copy 2 images: 58 MB. 1 up to date; nothing was written"
        );
    }

    #[test]
    fn failures_are_counted_once_an_image() {
        use ImageStatus::{Copied, Failed, Present, Skipped};
        let mut mixed = report(&[Copied, Failed, Present, Skipped, Copied]);
        mixed.images[4].source = mixed.images[1].source.clone();
        assert_eq!(
            mirrored(&mixed),
            "Mirrored 1 of 3 images in 0.1 s: 0 B sent, 1 image up to date, 1 skipped, 1 failed"
        );
        assert_eq!(
            verified(&report(&[Failed, Present, Present]), false),
            "Verified 3 images in 0.1 s: 1 not sound"
        );
        assert_eq!(
            verified(&report(&[Present; 2]), true),
            "Verified 2 images in 0.1 s: all sound (every byte hashed)"
        );
    }
}
