//! What the events add up to, and how it looks as lines. No terminal in here: time, width and
//! height come from outside.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::rate::Rate;
use crate::event::{Event, ImageStatus};
use crate::ui::size;
use crate::ui::text::clean;

const BAR: usize = 27;
const SMALL_BAR: usize = 7;

/// The running sums of a copy or a check.
#[derive(Debug, Default)]
pub(super) struct Tally {
    planned: bool,
    images: usize,
    resolved: usize,
    finished: HashSet<String>,
    failed: usize,
    total: u64,
    done: u64,
    running: HashMap<String, Running>,
    waiting: HashMap<String, (Instant, String)>,
    rate: Rate,
}

#[derive(Debug)]
struct Running {
    image: String,
    size: u64,
    done: u64,
}

impl Tally {
    /// Takes an event in.
    pub(super) fn add(&mut self, event: Event, now: Instant) {
        match event {
            Event::Resolving { images } => self.images = images,
            Event::Resolved { .. } => self.resolved += 1,
            Event::Planned { images, bytes, .. } => {
                self.planned = true;
                self.images = images;
                self.total = bytes;
            }
            Event::BlobStarted { blob, image, size } => {
                let done = 0;
                self.running.insert(blob, Running { image, size, done });
            }
            Event::BlobProgress { blob, bytes } => {
                if let Some(running) = self.running.get_mut(&blob) {
                    running.done += bytes;
                }
                self.done += bytes;
            }
            Event::BlobRestarted { blob, wasted } => {
                if let Some(running) = self.running.get_mut(&blob) {
                    running.done = running.done.saturating_sub(wasted);
                }
                self.done = self.done.saturating_sub(wasted);
            }
            Event::BlobFinished { blob, size, .. } => {
                let counted = self.running.remove(&blob).map_or(0, |r| r.done);
                self.done = (self.done + size).saturating_sub(counted);
            }
            Event::BlobFailed { blob } => {
                let counted = self.running.remove(&blob).map_or(0, |r| r.done);
                self.done = self.done.saturating_sub(counted);
            }
            Event::ImageFinished { image, status, .. } => {
                self.finished.insert(image);
                self.failed += usize::from(status == ImageStatus::Failed);
            }
            Event::Waiting {
                host,
                delay,
                reason,
            } => {
                let line = super::words::waiting(&host, delay, &reason);
                self.waiting.insert(host, (now + delay, line));
            }
            Event::Notice(_) | Event::Warning(_) => {}
        }
    }

    /// The lines that show it: one sum, then the running blobs, largest first.
    pub(super) fn lines(&mut self, now: Instant, width: usize, blob_lines: usize) -> Vec<String> {
        self.rate.note(now, self.done);
        self.waiting.retain(|_, (until, _)| *until > now);
        if !self.planned {
            let (resolved, images) = (self.resolved, self.images);
            return if images == 0 {
                Vec::new()
            } else {
                vec![format!("Looking up images: {resolved} of {images}")]
            };
        }
        let mut lines = vec![self.sum(now, width)];
        let mut waiting: Vec<&String> = self.waiting.values().map(|(_, line)| line).collect();
        waiting.sort();
        lines.extend(waiting.into_iter().map(|line| format!("  {line}")));
        lines.extend(self.blobs(width, blob_lines));
        lines
    }

    fn sum(&self, now: Instant, width: usize) -> String {
        let images = self.image_count();
        if self.total == 0 {
            return images;
        }
        let mut facts = vec![
            format!("{:>3} %", percent(self.done, self.total)),
            size::bytes_of(self.done.min(self.total), self.total),
        ];
        if let Some(rate) = self.rate.per_second(now, self.done) {
            facts.push(size::rate(rate));
            #[expect(clippy::cast_precision_loss, reason = "whole seconds are shown")]
            let left = self.total.saturating_sub(self.done) as f64 / rate;
            // A rate near zero promises centuries.
            if let Ok(left) = Duration::try_from_secs_f64(left)
                && left < Duration::from_hours(100)
            {
                facts.push(format!("{} left", whole_seconds(left)));
            }
        }
        let facts = format!("{}   {images}", facts.join("  "));
        let room = width.saturating_sub(facts.chars().count() + 3);
        if room < SMALL_BAR {
            return facts;
        }
        format!("{}  {facts}", bar(self.done, self.total, room.min(BAR)))
    }

    fn image_count(&self) -> String {
        let failed = match self.failed {
            0 => String::new(),
            n => format!(", {n} failed"),
        };
        format!("{} of {} images{failed}", self.finished.len(), self.images)
    }

    fn blobs(&self, width: usize, most: usize) -> Vec<String> {
        let mut running: Vec<(&String, &Running)> = self.running.iter().collect();
        running.sort_by(|(da, a), (db, b)| b.size.cmp(&a.size).then_with(|| da.cmp(db)));
        running.truncate(most);
        let names: Vec<String> = running.iter().map(|(_, r)| short(&r.image)).collect();
        // Room for the bar, its frame and the size behind it.
        let room = width.saturating_sub(SMALL_BAR + 16).max(8);
        let widest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
        let widest = widest.min(room);
        names
            .iter()
            .zip(&running)
            .map(|(name, (_, r))| {
                let name: String = name.chars().take(widest).collect();
                let bar = bar(r.done, r.size, SMALL_BAR).replace('░', " ");
                format!("  {name:<widest$}  ▕{bar}▏ {}", size::bytes(r.size))
            })
            .collect()
    }
}

/// The reference without its host: what tells images of one run apart.
fn short(image: &str) -> String {
    let path = image.split_once('/').map_or(image, |(_, path)| path);
    clean(path).into_owned()
}

fn percent(part: u64, whole: u64) -> u64 {
    // Nothing to send is all sent.
    (u128::from(part.min(whole)) * 100)
        .checked_div(u128::from(whole))
        .map_or(100, |p| u64::try_from(p).unwrap_or(100))
}

fn bar(part: u64, whole: u64, width: usize) -> String {
    let filled = usize::try_from(percent(part, whole)).unwrap_or(0) * width / 100;
    format!("{}{}", "█".repeat(filled), "░".repeat(width - filled))
}

fn whole_seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{seconds} s")
    } else {
        size::duration(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BlobOutcome;

    fn started(blob: &str, image: &str, size: u64) -> Event {
        Event::BlobStarted {
            blob: blob.into(),
            image: format!("registry.k8s.io/{image}"),
            size,
        }
    }

    fn progress(blob: &str, bytes: u64) -> Event {
        Event::BlobProgress {
            blob: blob.into(),
            bytes,
        }
    }

    fn tally(events: Vec<Event>, now: Instant) -> Tally {
        let mut tally = Tally::default();
        tally.rate.note(now, 0);
        for event in events {
            tally.add(event, now);
        }
        tally
    }

    fn planned(bytes: u64) -> Event {
        Event::Planned {
            images: 44,
            to_copy: 44,
            platforms: 5,
            blobs: 3,
            bytes,
            logical: bytes,
        }
    }

    #[test]
    fn the_largest_blobs_are_shown_under_the_sum() {
        let start = Instant::now();
        let mut tally = tally(
            vec![
                planned(4_200_000_000),
                started("sha256:a", "pause:3.10", 300_000),
                started("sha256:b", "e2e-test-images/agnhost:2.63.0", 58_000_000),
                started("sha256:c", "e2e-test-images/volume/nfs:1.6.0", 91_000_000),
                progress("sha256:b", 58_000_000),
                progress("sha256:c", 45_500_000),
                Event::BlobFinished {
                    blob: "sha256:d".into(),
                    outcome: BlobOutcome::Transferred,
                    size: 2_896_500_000,
                },
                Event::ImageFinished {
                    image: "registry.k8s.io/pause:3.9".into(),
                    target: "reg/pause:3.9".into(),
                    status: ImageStatus::Copied,
                    error: None,
                },
            ],
            start,
        );
        let lines = tally.lines(start + Duration::from_secs(30), 100, 2);
        insta::assert_snapshot!(lines.join("\n"));
        let narrow = tally.lines(start + Duration::from_secs(30), 60, 2);
        assert!(!narrow[0].contains('█'), "{}", narrow[0]);
        assert!(narrow.iter().skip(1).all(|l| l.chars().count() <= 60));
    }

    #[test]
    fn sums_come_out_even_after_faults() {
        let now = Instant::now();
        let mut tally = tally(
            vec![
                planned(100),
                started("sha256:a", "a:1", 60),
                progress("sha256:a", 50),
                Event::BlobRestarted {
                    blob: "sha256:a".into(),
                    wasted: 50,
                },
                progress("sha256:a", 60),
                Event::BlobFinished {
                    blob: "sha256:a".into(),
                    outcome: BlobOutcome::Transferred,
                    size: 60,
                },
                started("sha256:b", "b:1", 40),
                progress("sha256:b", 10),
                Event::BlobFailed {
                    blob: "sha256:b".into(),
                },
            ],
            now,
        );
        assert_eq!(tally.done, 60);
        assert_eq!(tally.lines(now, 80, 3).len(), 1, "nothing runs");
    }

    #[test]
    fn a_pause_is_shown_while_it_lasts() {
        let now = Instant::now();
        let mut tally = tally(
            vec![
                planned(100),
                Event::Waiting {
                    host: "docker.io".into(),
                    delay: Duration::from_secs(30),
                    reason: "too many\nrequests".into(),
                },
            ],
            now,
        );
        assert_eq!(
            tally.lines(now, 80, 3)[1],
            "  waiting 30 s for docker.io: too many requests"
        );
        assert_eq!(tally.lines(now + Duration::from_secs(31), 80, 3).len(), 1);
    }
}
