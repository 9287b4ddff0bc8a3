//! What is read out of a bundle by those who push it.

use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::super::index::BUNDLE_HOST;
use super::testing::{Layout, layer};
use crate::content::{BlobStream, Code, Failure, Source as _, Verified};
use crate::oci::{Descriptor, Digest, Reference};

fn reference(text: &str) -> Reference {
    text.parse().expect(text)
}

async fn all(stream: BlobStream) -> Result<Vec<u8>, Failure> {
    let chunks: Vec<Bytes> = stream.try_collect().await?;
    Ok(chunks.concat())
}

#[tokio::test]
async fn a_source_answers_to_every_name() {
    let layout = Layout::two_images();
    let pause = layout.entries[0].descriptor.digest.clone();
    for disk in layout.everywhere() {
        let bundle = disk.open();
        let by_digest = format!("registry.k8s.io/pause@{pause}");
        for name in [
            "registry.k8s.io/pause:3.10",
            &format!("{BUNDLE_HOST}/pause:3.10"),
            &by_digest,
        ] {
            let found = bundle.resolve(&reference(name)).await.expect("asked");
            assert_eq!(found.as_ref(), Some(&pause), "{name}");
            let manifest = bundle.manifest(&reference(name)).await.expect(name);
            assert_eq!(manifest.digest(), &pause);
        }
        let unknown = reference("registry.k8s.io/pause:9");
        assert_eq!(bundle.resolve(&unknown).await.expect("asked"), None);
        let failure = bundle.manifest(&unknown).await.expect_err("unknown");
        assert_eq!(failure.code(), Code::NotFound);

        let large = layer(2, 700_000);
        let blob = Descriptor::new("", Digest::of(&large), 700_000);
        let somewhere = reference("registry.k8s.io/x:1").repository().clone();
        for offset in [0, 1, 300_000, 700_000] {
            let stream = bundle.blob(&somewhere, &blob, offset).await.expect("there");
            let from = usize::try_from(offset).expect("small");
            assert_eq!(all(stream).await.expect("read"), large[from..]);
        }
    }
}

#[tokio::test]
async fn a_failure_says_where_the_bytes_lie_and_what_to_do() {
    let large = layer(2, 700_000);
    let digest = Digest::of(&large);
    let mut layout = Layout::two_images();
    layout.flip(&digest);
    let manifest = layout.entries[0].descriptor.digest.clone();
    layout.flip(&manifest);
    let disk = layout.in_volumes();
    let bundle = disk.open();
    let blob = Descriptor::new("", digest.clone(), 700_000);
    let somewhere = reference("registry.k8s.io/x:1").repository().clone();

    let mut verified = Verified::new(&blob);
    let stream = bundle.blob(&somewhere, &blob, 0).await.expect("there");
    let bytes = all(stream).await.expect("read");
    verified.push(bytes.into(), BUNDLE_HOST).expect("its size");
    let failure = verified.finish(BUNDLE_HOST).expect_err("damaged");
    let failure = bundle.explain(&blob, failure);
    assert_eq!(
        (failure.code(), failure.host()),
        (Code::Local, disk.path.as_str())
    );
    let told = failure.to_string();
    assert!(
        told.contains(digest.hex()) && told.contains("set.tar.004"),
        "{told}"
    );
    let hint = failure.hint_text().expect("a hint");
    assert!(
        hint.contains(&format!("airbuoy verify {} --repair", disk.path)),
        "{hint}"
    );

    let refused = bundle
        .manifest(&reference("registry.k8s.io/pause:3.10"))
        .await;
    let refused = refused.expect_err("damaged");
    assert_eq!(refused.code(), Code::Local);
    assert!(
        refused.hint_text().is_some_and(|h| h.contains("--repair")),
        "{refused}"
    );

    // Not the bundle's business.
    let stopped = Failure::new(Code::Cancelled, "h", "stopped");
    assert_eq!(bundle.explain(&blob, stopped).host(), "h");
    let missing = Descriptor::new("", Digest::of(b"missing"), 7);
    let failure = bundle
        .blob(&somewhere, &missing, 0)
        .await
        .err()
        .expect("missing");
    assert_eq!(failure.code(), Code::NotFound);
}
