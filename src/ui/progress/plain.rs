//! One line an image: for logs of unattended runs.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::waits::Waits;
use super::words;
use crate::event::{Event, ImageStatus, Observer};
use crate::ui::style::Style;
use crate::ui::text::{clean, hanging, one_line};

/// Writes lines to `W`.
pub(super) struct Plain<W> {
    title: String,
    style: Style,
    out: Mutex<(W, Waits)>,
}

impl<W> fmt::Debug for Plain<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain")
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

impl<W: Write> Plain<W> {
    pub(super) fn new(out: W, title: String, style: Style) -> Self {
        Self {
            title,
            style,
            out: Mutex::new((out, Waits::default())),
        }
    }

    fn line(&self, event: &Event, waits: &mut Waits) -> Option<String> {
        match event {
            Event::Planned { .. } => words::planned(&self.title, event),
            Event::ImageFinished {
                image,
                target,
                status,
                error,
            } => Some(match status {
                ImageStatus::Failed => words::failed(self.style, image, error.as_deref()),
                ImageStatus::Skipped => {
                    let reason = error.as_deref().unwrap_or("left out");
                    format!("skipped  {}: {}", clean(image), one_line(reason))
                }
                ImageStatus::Copied | ImageStatus::Present | ImageStatus::Planned => {
                    format!(
                        "{:<8} {} -> {}",
                        status.as_str(),
                        clean(image),
                        clean(target)
                    )
                }
            }),
            Event::Waiting {
                host,
                delay,
                reason,
            } => waits
                .is_news(host, *delay, Instant::now())
                .then(|| words::waiting(host, *delay, reason)),
            Event::Notice(text) => Some(hanging(text)),
            Event::Warning(text) => Some(words::warning(self.style, text)),
            Event::Resolving { .. }
            | Event::Resolved { .. }
            | Event::BlobStarted { .. }
            | Event::BlobProgress { .. }
            | Event::BlobRestarted { .. }
            | Event::BlobFinished { .. }
            | Event::BlobFailed { .. } => None,
        }
    }
}

impl<W: Write + Send> Observer for Plain<W> {
    fn event(&self, event: Event) {
        let mut guard = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let (out, waits) = &mut *guard;
        if let Some(line) = self.line(&event, waits) {
            // Nobody can be told that standard error is gone.
            let _ = writeln!(out, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn images_notices_and_pauses_are_lines() {
        let plain = Plain::new(Vec::new(), "Kubernetes v1.36.3".into(), Style::PLAIN);
        let finished = |status, error: Option<&str>| Event::ImageFinished {
            image: "registry.k8s.io/pause:3.10".into(),
            target: "reg:5000/k8s/pause:3.10".into(),
            status,
            error: error.map(str::to_owned),
        };
        let waiting = || Event::Waiting {
            host: "registry-1.docker.io".into(),
            delay: Duration::from_secs(30),
            reason: "429 Too Many Requests".into(),
        };
        for event in [
            Event::Resolving { images: 4 },
            Event::Planned {
                images: 4,
                to_copy: 3,
                platforms: 1,
                blobs: 7,
                bytes: 1_000_000,
                logical: 1_000_000,
            },
            Event::BlobProgress {
                blob: "sha256:a".into(),
                bytes: 1,
            },
            waiting(),
            waiting(),
            Event::Warning("the registry forgets uploads\nafter an hour".into()),
            Event::Notice("mirror.example.com answers for docker.io".into()),
            finished(ImageStatus::Copied, None),
            finished(ImageStatus::Present, None),
            finished(ImageStatus::Skipped, Some("no linux/s390x in it")),
            finished(ImageStatus::Failed, Some("reg:5000: 403\u{1b}[2J DENIED")),
        ] {
            plain.event(event);
        }
        let (written, _) = plain.out.into_inner().expect("not poisoned");
        insta::assert_snapshot!(String::from_utf8(written).expect("text"));
    }
}
