//! The listing half of the distribution-spec: repositories, tags, referrers.

use axum::http::header::LINK;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Refusal, header, json_response};
use super::page::{Query, link, page};
use super::pull::no_repository;
use crate::content::Store;
use crate::oci::{Digest, Referrer, media_type};

/// A list of referrers is an image index, which clients read up to the 4 MiB of any manifest. A
/// single entry may be larger: its annotations are those of the manifest.
const PAGE: usize = 3 << 20;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// end-1: this is a registry.
pub(super) fn base() -> Response {
    json_response("application/json", &json!({}))
}

/// The repositories, in pages.
pub(super) async fn catalog<S: Store>(store: &S, query: &Query) -> Result<Response, Refusal> {
    let page = page(store.repositories().await?, query, "/v2/_catalog")?;
    let body = json!({ "repositories": page.items });
    Ok(with_link(
        json_response("application/json", &body),
        page.next,
    ))
}

/// end-8: the tags, in pages.
pub(super) async fn tags<S: Store>(
    store: &S,
    repository: &str,
    query: &Query,
) -> Result<Response, Refusal> {
    if !store.has_repository(repository).await? {
        return Err(no_repository(repository));
    }
    let path = format!("/v2/{repository}/tags/list");
    let page = page(store.tags(repository).await?, query, &path)?;
    let body = json!({ "name": repository, "tags": page.items });
    Ok(with_link(
        json_response("application/json", &body),
        page.next,
    ))
}

/// end-12: what refers to a manifest, in pages; an empty index when nothing does. The pages go on
/// after the digest in `last`, as the lists of tags do.
pub(super) async fn referrers<S: Store>(
    store: &S,
    repository: &str,
    digest: &Digest,
    query: &Query,
) -> Result<Response, Refusal> {
    let wanted = query.first("artifactType").filter(|t| !t.is_empty());
    let all = store.referrers(repository, digest).await?;
    let mut rest = all
        .iter()
        .filter(|referrer| wanted.is_none() || referrer.artifact_type.as_deref() == wanted)
        .skip_while(|referrer| {
            let last = query.first("last");
            last.is_some_and(|last| referrer.descriptor.digest.as_str() <= last)
        })
        .peekable();
    let mut entries: Vec<Value> = Vec::new();
    let (mut length, mut last) = (0, None);
    while let Some(referrer) = rest.peek() {
        let entry = entry(referrer);
        length += entry.to_string().len();
        if length > PAGE && !entries.is_empty() {
            break;
        }
        last = Some(&referrer.descriptor.digest);
        entries.push(entry);
        rest.next();
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": entries,
    });
    let mut response = json_response(media_type::OCI_INDEX, &index);
    if wanted.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        response.headers_mut().insert(FILTERS_APPLIED, applied);
    }
    let next = last.filter(|_| rest.peek().is_some()).map(|last| {
        let filter = wanted.map(|wanted| ("artifactType", wanted));
        let parameters = filter.into_iter().chain([("last", last.as_str())]);
        link(&format!("/v2/{repository}/referrers/{digest}"), parameters)
    });
    Ok(with_link(response, next))
}

fn entry(referrer: &Referrer) -> Value {
    let mut entry = json!({
        "mediaType": referrer.descriptor.media_type,
        "digest": referrer.descriptor.digest,
        "size": referrer.descriptor.size,
    });
    if let Some(artifact_type) = &referrer.artifact_type {
        entry["artifactType"] = json!(artifact_type);
    }
    if !referrer.annotations.is_empty() {
        entry["annotations"] = json!(referrer.annotations);
    }
    entry
}

fn with_link(mut response: Response, link: Option<String>) -> Response {
    if let Some(link) = link {
        response.headers_mut().insert(LINK, header(link));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Peer, fill};
    use super::*;

    #[tokio::test]
    async fn tags_and_repositories_come_in_pages() {
        let peer = Peer::new().await;
        for tag in ["v1", "Z", "a", "v10"] {
            fill(&peer.store, "b/x", tag, "");
        }
        fill(&peer.store, "a", "t", "");
        let base = peer.send("GET", "/v2/").await;
        assert_eq!((base.status, &base.body[..]), (200, &b"{}"[..]));
        let all = peer.send("GET", "/v2/b/x/tags/list").await;
        let names = json!({ "name": "b/x", "tags": ["Z", "a", "v1", "v10"] });
        assert_eq!(all.json(), names);
        assert_eq!(all.header("link"), "");

        let first = peer.send("GET", "/v2/b/x/tags/list?n=3").await;
        assert_eq!(first.json()["tags"], json!(["Z", "a", "v1"]));
        let link = first.header("link");
        assert_eq!(link, "</v2/b/x/tags/list?n=3&last=v1>; rel=\"next\"");
        let rest = peer.send("GET", "/v2/b/x/tags/list?n=3&last=v1").await;
        assert_eq!(rest.json()["tags"], json!(["v10"]));
        assert_eq!(rest.header("link"), "");

        let catalog = peer.send("GET", "/v2/_catalog").await;
        assert_eq!(catalog.json(), json!({ "repositories": ["a", "b/x"] }));
    }

    #[tokio::test]
    async fn referrers_can_be_filtered_and_are_never_missing() {
        let peer = Peer::new().await;
        let subject = fill(&peer.store, "a", "t", "");
        let refers = format!(
            r#","artifactType":"application/sbom","annotations":{{"k":"v"}},"subject":{{"mediaType":"x","digest":"{}","size":1}}"#,
            subject.digest()
        );
        let referrer = fill(&peer.store, "a", "s", &refers);
        let path = format!("/v2/a/referrers/{}", subject.digest());
        let all = peer.send("GET", &path).await;
        assert_eq!(all.header("content-type"), media_type::OCI_INDEX);
        assert_eq!(all.header("oci-filters-applied"), "");
        let entry = &all.json()["manifests"][0];
        assert_eq!(entry["digest"], referrer.digest().as_str());
        assert_eq!(entry["size"], referrer.bytes().len());
        assert_eq!(entry["artifactType"], "application/sbom");
        assert_eq!(entry["annotations"]["k"], "v");

        let other = format!("{path}?artifactType=application%2Fother");
        let none = peer.send("GET", &other).await;
        assert_eq!(none.json()["manifests"], json!([]));
        assert_eq!(none.header("oci-filters-applied"), "artifactType");
        let nowhere = format!("/v2/nowhere/referrers/{}", subject.digest());
        let nowhere = peer.send("GET", &nowhere).await;
        assert_eq!(nowhere.status, 200);
        assert_eq!(nowhere.json()["manifests"], json!([]));
    }

    #[tokio::test]
    async fn many_referrers_come_in_pages_of_a_manifests_size() {
        let peer = Peer::new().await;
        let subject = fill(&peer.store, "a", "t", "");
        let note = "n".repeat(1 << 20);
        let mut expected: Vec<String> = Vec::new();
        for number in 0..14 {
            let kind = if number % 2 == 0 { "even" } else { "odd" };
            let refers = format!(
                r#","artifactType":"application/{kind}+x","annotations":{{"k{number}":"{note}"}},"subject":{{"mediaType":"x","digest":"{}","size":1}}"#,
                subject.digest()
            );
            let referrer = fill(&peer.store, "a", "s", &refers);
            if kind == "odd" {
                expected.push(referrer.digest().to_string());
            }
        }
        expected.sort();
        let filter = "artifactType=application%2Fodd%2Bx";
        let mut path = format!("/v2/a/referrers/{}?{filter}", subject.digest());
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = peer.send("GET", &path).await;
            assert!(page.body.len() < 4 << 20);
            assert_eq!(page.header("oci-filters-applied"), "artifactType");
            let entries = page.json()["manifests"].clone();
            let entries = entries.as_array().expect("entries").iter();
            found.extend(entries.map(|e| e["digest"].as_str().expect("text").to_owned()));
            pages += 1;
            let link = page.header("link");
            let Some(next) = link.strip_prefix('<') else {
                break;
            };
            let next = next.strip_suffix(">; rel=\"next\"").expect("a relation");
            next.clone_into(&mut path);
        }
        assert_eq!((found, pages), (expected, 4));
    }
}
