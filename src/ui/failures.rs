//! The images that failed, grouped by reason: forty images behind one missing login are one
//! error.

use super::error::hint_line;
use super::size;
use super::style::Style;
use super::text::{clean, hanging};
use crate::content::Code;
use crate::event::ImageStatus;
use crate::registry::Side;
use crate::transfer::{ErrorRow, ImageRow};

/// One block an underlying reason, in the order of the first image; empty when nothing failed.
pub fn failures(rows: &[ImageRow], style: Style) -> String {
    let mut groups: Vec<(&ErrorRow, Vec<&ImageRow>)> = Vec::new();
    for row in rows.iter().filter(|r| r.status == ImageStatus::Failed) {
        let Some(error) = &row.error else { continue };
        if error.code == Code::Cancelled.as_str() {
            // Who stopped the run knows why.
            continue;
        }
        match groups.iter_mut().find(|(e, _)| same_reason(e, error)) {
            Some((_, images)) => images.push(row),
            None => groups.push((error, vec![row])),
        }
    }
    groups
        .iter()
        .map(|(error, images)| block(error, images, style))
        .collect()
}

/// Registries word "not found" with the name in it, so there the code alone is the reason.
fn same_reason(a: &ErrorRow, b: &ErrorRow) -> bool {
    let place = (a.code, a.side, &a.host) == (b.code, b.side, &b.host);
    place && (is_missing(a) || (&a.message, &a.hint) == (&b.message, &b.hint))
}

fn block(error: &ErrorRow, images: &[&ImageRow], style: Style) -> String {
    let many = images.len() > 1;
    let reason = match (many, is_missing(error)) {
        (false, _) => format!("{}: {}", clean(&place(error)), hanging(&error.message)),
        (true, true) => format!("{} are not at {}", count(images), clean(&error.host)),
        (true, false) => format!(
            "{} failed at {}: {}",
            count(images),
            clean(&error.host),
            hanging(&error.message)
        ),
    };
    let mut text = format!("{} {reason}\n", style.error("error:"));
    text.extend(images.iter().map(|row| {
        let target = row.target.as_deref().unwrap_or("nowhere");
        format!("  {} -> {}\n", clean(&row.source), clean(target))
    }));
    if many && is_missing(error) {
        if error.side == Side::Source {
            let flags: Vec<String> = distinct_sources(images)
                .iter()
                .map(|source| format!("--exclude '{source}'"))
                .collect();
            let hint = format!("to do without them, add {}", flags.join(" "));
            text.push_str(&hint_line(&hint, style));
        }
    } else if let Some(hint) = &error.hint {
        text.push_str(&hint_line(hint, style));
    }
    text
}

fn count(images: &[&ImageRow]) -> String {
    size::count(images.len(), "image")
}

/// `host/repository:tag` as far as it is known.
fn place(error: &ErrorRow) -> String {
    let mut place = error.host.clone();
    if let Some(repository) = &error.repository {
        place.push('/');
        place.push_str(repository);
    }
    if let Some(reference) = &error.digest {
        place.push(if reference.contains(':') { '@' } else { ':' });
        place.push_str(reference);
    }
    place
}

fn is_missing(error: &ErrorRow) -> bool {
    error.code == Code::NotFound.as_str()
}

fn distinct_sources<'a>(images: &[&'a ImageRow]) -> Vec<&'a str> {
    let mut sources: Vec<&str> = images.iter().map(|row| row.source.as_str()).collect();
    sources.dedup();
    sources
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Failure;
    use crate::oci::Reference;

    fn row(name: &str, side: Side, failure: &Failure) -> ImageRow {
        ImageRow {
            source: format!("registry.k8s.io/{name}"),
            target: Some(format!("registry.example.com/k8s/{name}")),
            source_digest: None,
            target_digest: None,
            status: ImageStatus::Failed,
            error: Some(ErrorRow::new(side, failure)),
        }
    }

    fn at(failure: &Failure, reference: &str) -> Failure {
        let reference: Reference = reference.parse().expect("a reference");
        failure.clone().at(&reference)
    }

    #[test]
    fn one_reason_is_told_once() {
        let refused = Failure::new(
            Code::RepositoryRefused,
            "registry.example.com",
            "the registry refused to create the repository (403 DENIED)\nuser \"robot$ci\" from \
             /home/ops/.docker/config.json may read but not write there",
        )
        .hint("in Harbor give the robot account the push right on project \"k8s\"");
        let missing = |name: &str| {
            let message = format!("there is no image {name}");
            Failure::new(Code::NotFound, "registry.k8s.io", message).hint(format!("drop {name}"))
        };
        let rows = [
            row(
                "e2e-test-images/agnhost:2.63.0",
                Side::Target,
                &at(
                    &refused,
                    "registry.example.com/k8s/e2e-test-images/agnhost:2.63.0",
                ),
            ),
            row(
                "pause:3.9",
                Side::Source,
                &at(&missing("pause"), "registry.k8s.io/pause:3.9"),
            ),
            row(
                "etcd:3.6",
                Side::Source,
                &at(&missing("etcd"), "registry.k8s.io/etcd:3.6"),
            ),
            row(
                "e2e-test-images/nautilus:1.8",
                Side::Target,
                &at(
                    &refused,
                    "registry.example.com/k8s/e2e-test-images/nautilus:1.8",
                ),
            ),
        ];
        insta::assert_snapshot!(failures(&rows, Style::PLAIN));
        let alone = failures(&rows[1..2], Style::PLAIN);
        assert!(alone.contains("there is no image pause"), "{alone}");
        assert!(alone.ends_with("  hint: drop pause\n"), "{alone}");
    }

    #[test]
    fn nothing_failed_says_nothing() {
        assert_eq!(failures(&[], Style::PLAIN), "");
    }
}
