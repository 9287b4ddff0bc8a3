//! What is read out of a bundle by those who serve it.

use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::testing::{Layout, SHARED, layer};
use crate::content::{BlobReader as _, BlobStream, Failure, Store as _, StoreError};
use crate::oci::{Algorithm, Digest, TagOrDigest};

async fn all(stream: BlobStream) -> Result<Vec<u8>, Failure> {
    let chunks: Vec<Bytes> = stream.try_collect().await?;
    Ok(chunks.concat())
}

#[tokio::test]
async fn a_store_shows_what_the_names_lead_to() {
    let mut layout = Layout::two_images();
    let agnhost = layout.entries[1].descriptor.clone();
    let subject = format!(
        r#","subject":{{"mediaType":"{}","digest":"{}","size":{}}},"artifactType":"application/x""#,
        agnhost.media_type, agnhost.digest, agnhost.size
    );
    let signature = layout.image(&[b"signature"], &subject);
    layout.named("registry.k8s.io/e2e/agnhost:sig", signature.clone());
    for disk in layout.everywhere() {
        let bundle = disk.open();
        assert_eq!(
            bundle.repositories().await.expect("read"),
            ["e2e/agnhost", "pause"]
        );
        assert!(bundle.has_repository("pause").await.expect("read"));
        assert!(!bundle.has_repository("e2e").await.expect("read"));
        assert_eq!(
            bundle.tags("e2e/agnhost").await.expect("read"),
            ["2", "sig"]
        );
        assert_eq!(bundle.tags("x").await.expect("read"), [""; 0]);

        let tag = TagOrDigest::Tag("2".into());
        let manifest = bundle.manifest("e2e/agnhost", &tag).await.expect("read");
        assert_eq!(manifest.expect("there").digest(), &agnhost.digest);
        let by_digest = TagOrDigest::from(&agnhost.digest);
        let elsewhere = bundle.manifest("pause", &by_digest).await.expect("read");
        assert_eq!(
            elsewhere, None,
            "another repository's manifest is not shown"
        );

        let large = Digest::of(&layer(2, 700_000));
        let blob = bundle.blob("e2e/agnhost", &large).await.expect("read");
        let blob = blob.expect("there");
        assert_eq!(blob.size(), 700_000);
        let range = all(blob.read(262_143, 3)).await.expect("read");
        assert_eq!(range, layer(2, 700_000)[262_143..262_146]);
        let elsewhere = bundle.blob("pause", &large).await.expect("read");
        assert!(elsewhere.is_none());
        let shared = Digest::of(SHARED);
        for repository in ["pause", "e2e/agnhost"] {
            let blob = bundle.blob(repository, &shared).await.expect("read");
            assert!(blob.is_some(), "{repository}");
        }

        let referrers = bundle.referrers("e2e/agnhost", &agnhost.digest).await;
        let referrers = referrers.expect("read");
        assert_eq!(referrers.len(), 1);
        assert_eq!(referrers[0].descriptor.digest, signature.digest);
        assert_eq!(
            bundle
                .referrers("pause", &agnhost.digest)
                .await
                .expect("read"),
            []
        );
        assert!(matches!(
            bundle.begin("pause", Algorithm::Sha256).await,
            Err(StoreError::ReadOnly)
        ));
    }
}
