//! What every [`Store`] promises, as tests. A store calls [`holds`] from a test of its own; what
//! is special to it (durability, what a crash leaves) it tests itself.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::{BlobReader, Store, StoreError};
use crate::oci::{Algorithm, Digest, Hasher, ManifestError, RawManifest, TagOrDigest, media_type};

/// Goes through every promise; `empty` makes a new store without content.
pub(crate) async fn holds<S: Store>(empty: impl AsyncFn() -> S) {
    only_bytes_that_match_become_visible(&empty().await).await;
    any_range_of_a_blob_can_be_read(&empty().await).await;
    a_blob_is_shown_only_where_it_was_mounted(&empty().await).await;
    equal_blobs_meet(empty().await).await;
    a_manifest_waits_for_everything_it_names(&empty().await).await;
    foreign_layers_and_subjects_may_be_elsewhere(&empty().await).await;
    a_manifest_is_found_under_any_algorithm(&empty().await).await;
    tags_move_and_go(&empty().await).await;
    what_a_manifest_needs_stays(&empty().await).await;
    a_blob_goes_with_the_last_repository_that_shows_it(&empty().await).await;
    repositories_are_listed_in_order(&empty().await).await;
}

async fn only_bytes_that_match_become_visible(store: &impl Store) {
    let digest = Digest::of(b"content");
    let refused = upload(store, "a", b"c0ntent", &digest).await;
    assert!(matches!(refused, Err(StoreError::DigestMismatch(d)) if d == digest));
    let mut dropped = begin(store, "a").await;
    let chunk = Bytes::from_static(b"content");
    store.append(&mut dropped, chunk).await.expect("room");
    drop(dropped);
    assert!(!store.has_repository("a").await.expect("readable"));
    assert!(!shown(store, "a", &digest).await);
    let anywhere = store.mount("b", &digest, None).await;
    assert!(!anywhere.expect("readable"));

    for digest in [digest, sha512(b"content")] {
        upload(store, "a", b"content", &digest)
            .await
            .expect("sound");
        assert_eq!(read(store, "a", &digest).await, b"content");
        assert!(upload(store, "a", b"c0ntent", &digest).await.is_err());
        assert_eq!(read(store, "a", &digest).await, b"content");
    }
    let empty = Digest::of(b"");
    upload(store, "a", b"", &empty).await.expect("sound");
    assert!(read(store, "a", &empty).await.is_empty());
}

async fn any_range_of_a_blob_can_be_read(store: &impl Store) {
    let content: Vec<u8> = (0..=250).cycle().take(1_500_000).collect();
    let digest = Digest::of(&content);
    let mut open = begin(store, "a").await;
    let length = content.len() as u64;
    store.expect(&mut open, length).await.expect("room");
    for chunk in content.chunks(300_007) {
        let chunk = Bytes::copy_from_slice(chunk);
        store.append(&mut open, chunk).await.expect("room");
    }
    store.commit(open, &digest).await.expect("sound");
    let blob = store.blob("a", &digest).await.expect("readable");
    let blob = blob.expect("the blob");
    assert_eq!(blob.size(), length);
    for (from, to) in [
        (0, 1_500_000),
        (7, 8),
        (262_143, 262_145),
        (1_499_999, 1_500_000),
        (9, 9),
    ] {
        let part = blob.read(from as u64, (to - from) as u64);
        let part: Vec<Bytes> = part.try_collect().await.expect("readable");
        assert!(part.concat() == content[from..to], "{from}..{to}");
    }
}

async fn a_blob_is_shown_only_where_it_was_mounted(store: &impl Store) {
    let digest = blob(store, "a", b"layer").await;
    assert!(!shown(store, "b", &digest).await);
    for (from, mounted) in [(Some("c"), false), (Some("b"), false), (Some("a"), true)] {
        let answer = store.mount("b", &digest, from).await.expect("writable");
        assert_eq!(answer, mounted, "{from:?}");
        assert_eq!(shown(store, "b", &digest).await, mounted);
    }
    assert!(
        store
            .mount("b", &digest, Some("b"))
            .await
            .expect("writable")
    );
    assert!(store.mount("d", &digest, None).await.expect("writable"));
    assert!(shown(store, "d", &digest).await);
    let unknown = Digest::of(b"unknown");
    assert!(!store.mount("e", &unknown, None).await.expect("writable"));
    assert!(!store.has_repository("e").await.expect("readable"));
}

async fn equal_blobs_meet<S: Store>(store: S) {
    let store = Arc::new(store);
    let digest = Digest::of(b"content");
    let uploads: Vec<_> = (0..8)
        .map(|number| {
            let (store, digest) = (Arc::clone(&store), digest.clone());
            let repository = format!("r{}", number / 2);
            tokio::spawn(async move { upload(&*store, &repository, b"content", &digest).await })
        })
        .collect();
    for upload in uploads {
        upload.await.expect("no panic").expect("sound");
    }
    for repository in ["r0", "r1", "r2", "r3"] {
        assert_eq!(read(&*store, repository, &digest).await, b"content");
    }
}

async fn a_manifest_waits_for_everything_it_names(store: &impl Store) {
    let (config, layer) = (Digest::of(b"c"), Digest::of(b"l"));
    let whole = image(&config, &layer, "");
    let missing = async |digest: &Digest| {
        let refused = put(store, "a", &whole, &["t"]).await;
        assert!(matches!(refused, Err(StoreError::Missing(d)) if d == *digest));
    };
    missing(&config).await;
    blob(store, "elsewhere", b"c").await;
    missing(&config).await;
    blob(store, "a", b"c").await;
    missing(&layer).await;
    blob(store, "a", b"l").await;
    assert!(store.tags("a").await.expect("readable").is_empty());
    put(store, "a", &whole, &["t"]).await.expect("complete");

    let index = index(&whole);
    let refused = put(store, "elsewhere", &index, &["i"]).await;
    assert!(matches!(refused, Err(StoreError::Missing(d)) if d == *whole.digest()));
    let wrong = index_as(&whole, media_type::DOCKER_MANIFEST);
    let refused = put(store, "a", &wrong, &["i"]).await;
    assert!(matches!(
        refused,
        Err(StoreError::Manifest(ManifestError::ChildType { child, .. })) if child == *whole.digest()
    ));
    put(store, "a", &index, &["i"]).await.expect("complete");
    for (reference, manifest) in [(tag("t"), &whole), (index.digest().into(), &index)] {
        let found = store.manifest("a", &reference).await.expect("readable");
        assert_eq!(found.as_ref(), Some(manifest));
    }
}

async fn foreign_layers_and_subjects_may_be_elsewhere(store: &impl Store) {
    let config = blob(store, "a", b"c").await;
    let layer = Digest::of(b"windows");
    let with_urls = image(&config, &layer, r#","urls":["https://example.com/layer"]"#);
    let text = String::from_utf8(with_urls.bytes().to_vec()).expect("text");
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let foreign = text.replace(media_type::OCI_LAYER_GZIP, foreign);
    let foreign = RawManifest::new(foreign.into(), None).expect("a manifest");
    put(store, "a", &foreign, &["t"]).await.expect("complete");
    let refused = put(store, "a", &with_urls, &["t"]).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))));

    let layer = blob(store, "a", b"l").await;
    let subject = Digest::of(b"subject");
    let mut expected = Vec::new();
    for note in ["one", "two", "three"] {
        let refers = format!(
            r#"}}],"annotations":{{"note":"{note}"}},"subject":{{"mediaType":"x","digest":"{subject}","size":1}},"more":[{{"#
        );
        let referrer = image(&config, &layer, &refers);
        put(store, "a", &referrer, &[]).await.expect("complete");
        expected.push(referrer.digest().clone());
    }
    expected.sort();
    let found = store.referrers("a", &subject).await.expect("readable");
    let found: Vec<_> = found.into_iter().map(|r| r.descriptor.digest).collect();
    assert_eq!(found, expected);
    assert!(
        store
            .referrers("b", &subject)
            .await
            .expect("readable")
            .is_empty()
    );
    let first = (&expected[0]).into();
    assert!(store.delete_manifest("a", &first).await.expect("unneeded"));
    let left = store.referrers("a", &subject).await.expect("readable");
    assert_eq!(left.len(), 2);
}

async fn a_manifest_is_found_under_any_algorithm(store: &impl Store) {
    let (config, layer) = (blob(store, "a", b"c").await, blob(store, "a", b"l").await);
    let manifest = image(&config, &layer, "");
    let digest = sha512(manifest.bytes());
    let other = RawManifest::with_digest(manifest.bytes().clone(), None, Some(digest.clone()));
    put(store, "a", &other.expect("a manifest"), &["t"])
        .await
        .expect("complete");
    for reference in [tag("t"), digest.clone().into()] {
        let found = store.manifest("a", &reference).await.expect("readable");
        let found = found.expect("the manifest");
        assert_eq!((found.digest(), found.bytes()), (&digest, manifest.bytes()));
    }
}

async fn tags_move_and_go(store: &impl Store) {
    let (config, layer) = (blob(store, "a", b"c").await, blob(store, "a", b"l").await);
    let (one, two) = (image(&config, &layer, ""), image(&layer, &config, ""));
    put(store, "a", &one, &["v1", "Z", "latest"])
        .await
        .expect("complete");
    put(store, "a", &two, &["latest"]).await.expect("complete");
    assert_eq!(
        store.tags("a").await.expect("readable"),
        ["Z", "latest", "v1"]
    );
    let latest = store.manifest("a", &tag("latest")).await.expect("readable");
    assert_eq!(latest, Some(two));
    let delete = async |reference: &TagOrDigest| {
        let deleted = store.delete_manifest("a", reference).await;
        deleted.expect("unneeded")
    };
    assert!(delete(&tag("Z")).await);
    assert!(!delete(&tag("Z")).await);
    assert!(delete(&one.digest().into()).await);
    assert!(!delete(&one.digest().into()).await);
    assert_eq!(store.tags("a").await.expect("readable"), ["latest"]);
    let gone = store.manifest("a", &tag("v1")).await.expect("readable");
    assert_eq!(gone, None);
    let nowhere = store.delete_manifest("b", &tag("t")).await;
    assert!(!nowhere.expect("unneeded"));
}

async fn what_a_manifest_needs_stays(store: &impl Store) {
    let (config, layer) = (blob(store, "a", b"c").await, blob(store, "a", b"l").await);
    let child = image(&config, &layer, "");
    let index = index(&child);
    put(store, "a", &child, &[]).await.expect("complete");
    put(store, "a", &index, &["t"]).await.expect("complete");
    let needed = |refused: Result<bool, StoreError>, of: &RawManifest| {
        assert!(matches!(refused, Err(StoreError::Needed { by, .. }) if by == *of.digest()));
    };
    let child_digest = TagOrDigest::from(child.digest());
    needed(store.delete_blob("a", &layer).await, &child);
    needed(store.delete_blob("a", &config).await, &child);
    needed(store.delete_manifest("a", &child_digest).await, &index);
    for reference in [index.digest().into(), child_digest] {
        let deleted = store.delete_manifest("a", &reference).await;
        assert!(deleted.expect("unneeded"));
    }
    assert!(store.delete_blob("a", &layer).await.expect("unneeded"));
    assert!(store.has_repository("a").await.expect("readable"));
}

async fn a_blob_goes_with_the_last_repository_that_shows_it(store: &impl Store) {
    let digest = blob(store, "a", b"layer").await;
    assert!(
        store
            .mount("b", &digest, Some("a"))
            .await
            .expect("writable")
    );
    let open = store.blob("a", &digest).await.expect("readable");
    for (repository, deleted) in [("c", false), ("a", true), ("a", false), ("b", true)] {
        let answer = store.delete_blob(repository, &digest).await;
        assert_eq!(answer.expect("unneeded"), deleted, "{repository}");
        assert!(!shown(store, repository, &digest).await);
    }
    assert!(!store.mount("a", &digest, None).await.expect("writable"));
    let rest = open.expect("opened before").read(0, 5);
    let rest: Vec<Bytes> = rest.try_collect().await.expect("readable");
    assert_eq!(rest.concat(), b"layer");
    blob(store, "a", b"layer").await;
    assert_eq!(read(store, "a", &digest).await, b"layer");
}

async fn repositories_are_listed_in_order(store: &impl Store) {
    assert!(store.repositories().await.expect("readable").is_empty());
    for name in ["b/x", "a", "b", "a-b/c"] {
        blob(store, name, b"layer").await;
    }
    let names = store.repositories().await.expect("readable");
    assert_eq!(names, ["a", "a-b/c", "b", "b/x"]);
    assert!(store.tags("none").await.expect("readable").is_empty());
}

async fn begin<S: Store>(store: &S, repository: &str) -> S::Upload {
    let upload = store.begin(repository, Algorithm::Sha256).await;
    upload.expect("writable")
}

/// Uploads `bytes` in small chunks, whatever the digest.
async fn upload(
    store: &impl Store,
    repository: &str,
    bytes: &[u8],
    digest: &Digest,
) -> Result<(), StoreError> {
    let mut upload = begin(store, repository).await;
    for chunk in bytes.chunks(3) {
        let chunk = Bytes::copy_from_slice(chunk);
        store.append(&mut upload, chunk).await?;
    }
    store.commit(upload, digest).await
}

/// Uploads a blob.
async fn blob(store: &impl Store, repository: &str, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    let uploaded = upload(store, repository, bytes, &digest).await;
    uploaded.expect("sound");
    digest
}

async fn shown(store: &impl Store, repository: &str, digest: &Digest) -> bool {
    let blob = store.blob(repository, digest).await;
    blob.expect("readable").is_some()
}

async fn read(store: &impl Store, repository: &str, digest: &Digest) -> Vec<u8> {
    let blob = store.blob(repository, digest).await.expect("readable");
    let blob = blob.expect("the blob");
    let chunks: Vec<Bytes> = blob
        .read(0, blob.size())
        .try_collect()
        .await
        .expect("readable");
    chunks.concat()
}

async fn put(
    store: &impl Store,
    repository: &str,
    manifest: &RawManifest,
    tags: &[&str],
) -> Result<(), StoreError> {
    let tags: Vec<Arc<str>> = tags.iter().map(|tag| Arc::from(*tag)).collect();
    store
        .put_manifest(repository, manifest.clone(), &tags)
        .await
}

fn tag(tag: &str) -> TagOrDigest {
    TagOrDigest::Tag(tag.into())
}

fn sha512(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(bytes);
    hasher.finish()
}

/// `more` is appended to the members of the layer.
fn image(config: &Digest, layer: &Digest, more: &str) -> RawManifest {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{config}","size":1}},"layers":[{{"mediaType":"{}","digest":"{layer}","size":1{more}}}]}}"#,
        media_type::OCI_MANIFEST,
        media_type::OCI_CONFIG,
        media_type::OCI_LAYER_GZIP,
    );
    RawManifest::new(text.into(), None).expect("a manifest")
}

fn index(child: &RawManifest) -> RawManifest {
    index_as(child, child.media_type())
}

/// An index that says its child is of this type.
fn index_as(child: &RawManifest, child_type: &str) -> RawManifest {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{}}}]}}"#,
        media_type::OCI_INDEX,
        child_type,
        child.digest(),
        child.bytes().len(),
    );
    RawManifest::new(text.into(), None).expect("an index")
}
