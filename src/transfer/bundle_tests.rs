//! The engine with a bundle as its target.

use std::sync::Arc;

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use super::testing::{Fake, FaultKind, reference};
use super::{CopyOptions, Image, Outcome, copy};
use crate::bundle::{RealDisk, Record, WriteOptions, Writer};
use crate::catalog::Catalog;
use crate::content::{Code, Retry};
use crate::event::Silent;
use crate::oci::{Digest, Reference};

/// Several writes, and longer than what is asked for before an upload is opened.
const BIG: usize = 3 << 20;

fn writer(path: &Utf8Path) -> Arc<Writer> {
    let options = WriteOptions {
        split: None,
        external: Vec::new(),
        record: Record {
            format: 1,
            tool: "airbuoy 0.0.0".to_owned(),
            platforms: "all".to_owned(),
            images: Vec::new(),
            releases: Vec::new(),
            sonobuoy: Catalog::embedded().sonobuoy(None).expect("the default"),
            external: Vec::new(),
        },
    };
    Arc::new(Writer::open(path, options, RealDisk).expect("a writer"))
}

async fn pull(source: &Arc<Fake>, writer: &Arc<Writer>, images: &[Image]) -> Outcome {
    let (observer, cancel) = (Arc::new(Silent), CancellationToken::new());
    let options = CopyOptions::default();
    copy(
        source.clone(),
        writer.clone(),
        images,
        &options,
        observer,
        &cancel,
    )
    .await
}

#[tokio::test]
async fn a_pull_that_breaks_off_goes_on_inside_the_blob() {
    let source = Fake::new();
    let layer: Vec<u8> = (0..BIG)
        .map(|i| u8::try_from(i % 251).expect("small"))
        .collect();
    let child = source.image("up.io/a:amd64", &[&layer, b"layer of a"]);
    source.index("up.io/a:1", &[(&child, "linux/amd64")]);
    source.image("up.io/b:1", &[&layer, b"layer of b"]);
    let image = |name: &str| Image {
        source: reference(&format!("up.io/{name}:1")),
        targets: vec![reference(&format!("bundle.invalid/{name}:1"))],
    };
    let images = [image("a"), image("b")];
    let names: Vec<Reference> = images.iter().map(|i| i.targets[0].clone()).collect();

    let held = tempfile::tempdir().expect("a folder");
    let folder = Utf8Path::from_path(held.path()).expect("UTF-8");
    for name in ["set.tar", "set"] {
        let path = folder.join(name);
        let digest = Digest::of(&layer);
        for repository in ["a", "b"] {
            let at = format!("BLOB up.io/{repository}@{digest}");
            source.fault(&format!("{at} 0"), 1, FaultKind::CutAfter(2_000_000));
            source.fault(
                &format!("{at} 2000000"),
                1,
                FaultKind::Fail(Code::Denied, Retry::Never),
            );
        }
        let first = writer(&path);
        let outcome = pull(&source, &first, &images).await;
        assert!(!outcome.is_complete());
        assert!(first.finish(&names).is_err(), "{name} has gaps");
        drop(first);

        source.clear_log();
        let second = writer(&path);
        let outcome = pull(&source, &second, &images).await;
        assert!(outcome.is_complete(), "{:?}", outcome.errors);
        let done = second.finish(&names).expect("a bundle");
        assert_eq!(done.files, std::slice::from_ref(&path));
        drop(second);
        let reads: Vec<String> = source
            .log()
            .into_iter()
            .filter(|line| line.starts_with("BLOB") && line.contains(digest.as_str()))
            .collect();
        assert_eq!(reads.len(), 1, "{reads:?}");
        let offset = reads[0].rsplit(' ').next().and_then(|o| o.parse().ok());
        let offset: u64 = offset.expect("an offset");
        assert!((1_900_000..=2_000_000).contains(&offset), "{reads:?}");

        source.clear_log();
        let third = writer(&path);
        let outcome = pull(&source, &third, &images).await;
        assert!(outcome.is_complete(), "{:?}", outcome.errors);
        third.finish(&names).expect("it is there");
        assert_eq!(source.count("BLOB"), 0, "{name} is complete");
    }
}
