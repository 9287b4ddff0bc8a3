//! Sentences that bars and plain lines share.

use std::time::Duration;

use crate::event::Event;
use crate::ui::size;
use crate::ui::style::Style;
use crate::ui::text::{clean, hanging, one_line};

/// How much there is to do: `Kubernetes v1.36.3: 44 images, 5 platforms, 6.1 GB (…)`. `None` for
/// other events, and when nothing is to be copied.
pub(super) fn planned(title: &str, event: &Event) -> Option<String> {
    let Event::Planned {
        images,
        to_copy,
        platforms,
        blobs: _,
        bytes,
        logical,
    } = event
    else {
        return None;
    };
    if *to_copy == 0 {
        return None;
    }
    let mut facts = vec![size::count(*images, "image")];
    if to_copy < images {
        facts.push(format!("{to_copy} of them to copy"));
    }
    if *platforms > 0 {
        facts.push(size::count(*platforms, "platform"));
    }
    let shared = if bytes < logical {
        format!(
            " ({} of it once shared layers are counted once)",
            size::bytes(*bytes)
        )
    } else {
        String::new()
    };
    facts.push(size::bytes((*logical).max(*bytes)) + &shared);
    Some(format!("{title}: {}", facts.join(", ")))
}

/// `waiting 30 s for registry-1.docker.io: too many requests`.
pub(super) fn waiting(host: &str, delay: Duration, reason: &str) -> String {
    format!(
        "waiting {} for {}: {}",
        size::duration(delay),
        clean(host),
        one_line(reason)
    )
}

/// A warning as a line of its own.
pub(super) fn warning(style: Style, text: &str) -> String {
    format!("{} {}", style.warning("warning:"), hanging(text))
}

/// A failed image as a line of its own; the whole story is told at the end.
pub(super) fn failed(style: Style, image: &str, error: Option<&str>) -> String {
    let reason = error.map_or(String::new(), |e| format!(": {}", one_line(e)));
    format!("{}   {}{reason}", style.error("failed"), clean(image))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(images: usize, to_copy: usize, bytes: u64, logical: u64) -> Event {
        Event::Planned {
            images,
            to_copy,
            platforms: 5,
            blobs: 300,
            bytes,
            logical,
        }
    }

    #[test]
    fn the_plan_says_what_adds_up() {
        let line = |e: &Event| planned("Kubernetes v1.36.3", e);
        assert_eq!(
            line(&event(44, 44, 4_200_000_000, 6_100_000_000)).as_deref(),
            Some(
                "Kubernetes v1.36.3: 44 images, 5 platforms, 6.1 GB (4.2 GB of it once shared \
                 layers are counted once)"
            )
        );
        assert_eq!(
            line(&event(44, 1, 58_000_000, 58_000_000)).as_deref(),
            Some("Kubernetes v1.36.3: 44 images, 1 of them to copy, 5 platforms, 58 MB")
        );
        assert_eq!(line(&event(44, 0, 0, 0)), None);
    }
}
