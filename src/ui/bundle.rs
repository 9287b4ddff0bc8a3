//! What is said about bundles: what was written, what is damaged, what is inside.

use std::fmt::Write as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::hint_line;
use super::size::{bytes, count, duration};
use super::style::Style;
use super::table::Table;
use super::text::clean;
use crate::bundle::{Contents, Fault, FaultKind, Totals, Verification};
use crate::event::ImageStatus;
use crate::sonobuoy::shell_word;
use crate::transfer::Report;

/// A bundle that `pull` finished.
#[derive(Debug)]
pub struct Pulled<'a> {
    /// As typed.
    pub bundle: &'a Utf8Path,
    /// What it relies on; none for a bundle that leaves nothing out.
    pub base: &'a [Utf8PathBuf],
    /// What it is made of: a directory, a tar, or volumes and their list.
    pub files: &'a [Utf8PathBuf],
    /// Bytes of them all.
    pub bytes: u64,
}

impl Pulled<'_> {
    /// What was written, and what comes next; one sentence a line.
    pub fn lines(&self) -> Vec<String> {
        let Self {
            bundle,
            base,
            files,
            ..
        } = self;
        let size = bytes(self.bytes);
        let (written, carried) = match files {
            [first, .., last] => (
                format!(
                    "Wrote {first} to {} ({}, {size})",
                    last.file_name().unwrap_or(last.as_str()),
                    count(files.len(), "file")
                ),
                "all of them".to_owned(),
            ),
            _ => (format!("Wrote {bundle} ({size})"), bundle.to_string()),
        };
        let mut lines = vec![written];
        if !base.is_empty() {
            let base: Vec<&str> = base.iter().map(|path| path.as_str()).collect();
            lines.push(format!(
                "It is a delta: where it is pushed, {} must be there already",
                base.join(" and ")
            ));
        }
        lines.push(format!(
            "Next: carry {carried} to the other side, then airbuoy push {} TARGET",
            shell_word(bundle.as_str())
        ));
        lines
    }
}

/// `Nothing to do: k8s.tar holds 44 images, all up to date (44 manifest HEADs, 1.2 s)`.
pub fn bundle_up_to_date(bundle: &Utf8Path, report: &Report) -> String {
    let present = report.images.iter();
    let present = present.filter(|row| row.status == ImageStatus::Present);
    format!(
        "Nothing to do: {bundle} holds {}, all up to date ({})",
        count(present.count(), "image"),
        duration(Duration::from_secs_f64(report.seconds))
    )
}

/// `set.tar stays as it was: the new one would lack 2 images of it; ...`.
pub fn bundle_kept(bundle: &Utf8Path, lost: usize) -> String {
    format!(
        "{bundle} stays as it was: the new one would lack {} of it; run the same command again, \
         what arrived is not fetched again",
        count(lost, "image")
    )
}

/// The damaged pieces, each with the images it hurts and where it lies; empty for none.
pub fn faults(bundle: &Utf8Path, faults: &[Fault], style: Style) -> String {
    let mut text = String::new();
    for fault in faults {
        let word = style.error("error:");
        let _ = writeln!(text, "{word} {bundle}: {}", clean(&fault.to_string()));
        if fault.images.is_empty() {
            text.push_str("  no image needs it\n");
        }
        for image in &fault.images {
            let _ = writeln!(text, "  {}", clean(image));
        }
    }
    text
}

/// The way out that stands under [`faults`]; nothing when fetching mends none of them.
pub fn repair_hint(bundle: &Utf8Path, faults: &[Fault], style: Style) -> String {
    use FaultKind::{Digest, Missing, Size, Unreadable};
    let mends = |fault: &Fault| matches!(fault.kind, Missing | Size | Digest | Unreadable);
    if !faults.iter().any(mends) {
        return String::new();
    }
    hint_line(
        &format!(
            "airbuoy verify {} --repair fetches only what is damaged again, where upstream can be \
             reached; otherwise carry the bundle over once more",
            shell_word(bundle.as_str())
        ),
        style,
    )
}

/// `Verified k8s.tar in 3.0 s: 44 images, 312 blobs, 4.2 GB, all sound`.
pub fn bundle_verified(
    bundle: &Utf8Path,
    images: usize,
    verification: &Verification,
    time: Duration,
) -> String {
    let Totals {
        count: blobs,
        bytes: size,
    } = verification.read;
    let mut facts = vec![
        count(images, "image"),
        format!("{blobs} blobs"),
        bytes(size),
    ];
    if verification.external.count > 0 {
        facts.push(format!(
            "{} blobs of {} left to the base",
            verification.external.count,
            bytes(verification.external.bytes)
        ));
    }
    facts.push(match verification.faults.len() {
        0 => "all sound (every byte hashed)".to_owned(),
        damaged => format!("{damaged} not sound"),
    });
    format!(
        "Verified {bundle} in {}: {}",
        duration(time),
        facts.join(", ")
    )
}

/// One row an image.
pub fn contents_table(contents: &Contents) -> String {
    let several = contents.versions.len() > 1;
    let mut header = vec!["IMAGE", "PLATFORMS", "OWN", "SHARED"];
    header.extend(several.then_some("VERSIONS"));
    let mut table = Table::new(&header);
    for image in &contents.images {
        let source = image.source.as_deref().unwrap_or(&image.name);
        let platforms = match image.platforms.as_slice() {
            [] => "-".to_owned(),
            platforms => platforms.join(","),
        };
        let mut row = vec![
            clean(source).into_owned(),
            clean(&platforms).into_owned(),
            bytes(image.own),
            bytes(image.shared),
        ];
        let versions: Vec<String> = image.versions.iter().map(ToString::to_string).collect();
        row.extend(several.then(|| versions.join(",")));
        table.row(row);
    }
    table.render()
}

/// What it is all in all; one sentence a line.
pub fn contents_summary(bundle: &Utf8Path, contents: &Contents) -> Vec<String> {
    let versions: Vec<String> = contents.versions.iter().map(ToString::to_string).collect();
    let whom = match (versions.as_slice(), &contents.tool) {
        ([], _) => "it does not say for which Kubernetes version".to_owned(),
        (versions, _) => format!("Kubernetes {}", versions.join(", ")),
    };
    let platforms = contents.platforms.as_deref();
    let platforms = platforms.map_or_else(String::new, |names| format!(", platforms: {names}"));
    let mut lines = vec![format!(
        "{bundle}: {whom}, {}, {} in {} blobs and manifests{platforms}",
        count(contents.images.len(), "image"),
        bytes(contents.total.bytes),
        contents.total.count,
    )];
    if contents.external.count > 0 {
        lines.push(format!(
            "A delta: {} blobs of {} are left to its base",
            contents.external.count,
            bytes(contents.external.bytes)
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_can_be_pasted() {
        let lines = |bundle: &str| {
            let pulled = Pulled {
                bundle: Utf8Path::new(bundle),
                base: &[],
                files: &[],
                bytes: 1,
            };
            pulled.lines().pop().expect("what comes next")
        };
        assert!(lines("k8s.tar").ends_with("airbuoy push k8s.tar TARGET"));
        assert!(lines("my disk/k8s.tar").ends_with("airbuoy push 'my disk/k8s.tar' TARGET"));
    }
}
