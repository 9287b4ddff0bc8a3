//! One JSON object a line, each with `event` and `time` (RFC 3339, UTC): for programs that watch.
//!
//! Bytes of a blob are told at most once a second, and always before its end, so that the
//! `bytes` of all its `blob_progress` lines add up.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::event::{Event, Observer};

const PROGRESS_SPACING: Duration = Duration::from_secs(1);

/// Writes lines to `W`.
pub(super) struct JsonLines<W>(Mutex<State<W>>);

struct State<W> {
    out: W,
    untold: HashMap<String, Untold>,
}

struct Untold {
    bytes: u64,
    since: Instant,
}

impl<W> fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonLines")
    }
}

impl<W: Write> JsonLines<W> {
    pub(super) fn new(out: W) -> Self {
        Self(Mutex::new(State {
            out,
            untold: HashMap::new(),
        }))
    }
}

impl<W: Write + Send> Observer for JsonLines<W> {
    fn event(&self, event: Event) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.hear(event, Instant::now());
    }
}

impl<W: Write> State<W> {
    fn hear(&mut self, event: Event, now: Instant) {
        match event {
            Event::BlobProgress { blob, bytes } => {
                let untold = self.untold.entry(blob.clone()).or_insert(Untold {
                    bytes: 0,
                    since: now,
                });
                untold.bytes += bytes;
                if now.duration_since(untold.since) >= PROGRESS_SPACING {
                    let bytes = std::mem::take(&mut untold.bytes);
                    untold.since = now;
                    self.write(Event::BlobProgress { blob, bytes });
                }
            }
            Event::BlobRestarted { ref blob, .. }
            | Event::BlobFinished { ref blob, .. }
            | Event::BlobFailed { ref blob } => {
                if let Some(untold) = self.untold.remove(blob)
                    && untold.bytes > 0
                {
                    self.write(Event::BlobProgress {
                        blob: blob.clone(),
                        bytes: untold.bytes,
                    });
                }
                self.write(event);
            }
            event => self.write(event),
        }
    }

    fn write(&mut self, event: Event) {
        let (name, fields) = fields(event);
        // Nobody can be told that standard error is gone.
        let _ = writeln!(self.out, "{}", json_line(name, fields));
    }
}

/// One event that happens now; `fields` is an object.
pub(crate) fn json_line(name: &str, fields: Value) -> String {
    let mut line = json!({"event": name, "time": jiff::Timestamp::now().to_string()});
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    line.to_string()
}

/// The stable name of an event, and its fields.
fn fields(event: Event) -> (&'static str, Value) {
    match event {
        Event::Resolving { images } => ("resolving", json!({"images": images})),
        Event::Resolved { image } => ("resolved", json!({"image": image})),
        Event::Planned {
            images,
            to_copy,
            platforms,
            blobs,
            bytes,
            logical,
        } => (
            "planned",
            json!({
                "images": images,
                "to_copy": to_copy,
                "platforms": platforms,
                "blobs": blobs,
                "bytes": bytes,
                "logical": logical,
            }),
        ),
        Event::BlobStarted { blob, image, size } => (
            "blob_started",
            json!({"blob": blob, "image": image, "size": size}),
        ),
        Event::BlobProgress { blob, bytes } => {
            ("blob_progress", json!({"blob": blob, "bytes": bytes}))
        }
        Event::BlobRestarted { blob, wasted } => {
            ("blob_restarted", json!({"blob": blob, "wasted": wasted}))
        }
        Event::BlobFinished {
            blob,
            outcome,
            size,
        } => (
            "blob_finished",
            json!({"blob": blob, "outcome": outcome, "size": size}),
        ),
        Event::BlobFailed { blob } => ("blob_failed", json!({"blob": blob})),
        Event::ImageFinished {
            image,
            target,
            status,
            error,
        } => (
            "image_finished",
            json!({"image": image, "target": target, "status": status, "error": error}),
        ),
        Event::Waiting {
            host,
            delay,
            reason,
        } => (
            "waiting",
            json!({"host": host, "seconds": delay.as_secs_f64(), "reason": reason}),
        ),
        Event::Notice(text) => ("notice", json!({"message": text})),
        Event::Warning(text) => ("warning", json!({"message": text})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BlobOutcome;

    #[test]
    fn bytes_of_a_blob_add_up() {
        let mut state = State {
            out: Vec::new(),
            untold: HashMap::new(),
        };
        let start = Instant::now();
        let progress = |bytes| Event::BlobProgress {
            blob: "sha256:a".into(),
            bytes,
        };
        for tenths in 0..25 {
            state.hear(progress(100), start + Duration::from_millis(tenths * 100));
        }
        state.hear(
            Event::BlobFinished {
                blob: "sha256:a".into(),
                outcome: BlobOutcome::Transferred,
                size: 2500,
            },
            start,
        );
        let text = String::from_utf8(state.out).expect("text");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let bytes: Vec<u64> = lines.iter().filter_map(|l| l["bytes"].as_u64()).collect();
        assert_eq!(bytes, [1100, 1000, 400]);
        let last = lines.last().expect("lines");
        assert_eq!(last["event"], "blob_finished");
        assert_eq!(last["outcome"], "transferred");
        for line in &lines {
            let time = line["time"].as_str().expect("a time");
            time.parse::<jiff::Timestamp>().expect("RFC 3339");
        }
    }
}
