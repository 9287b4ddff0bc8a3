//! Where a redirect or an upload's `Location` may lead.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use crate::content::Code;

use super::auth::is_inner;
use super::trouble::Trouble;
use super::wire::{authority, shown};

/// Redirects followed for one request, as other clients do.
pub(super) const MOST: usize = 10;

/// Whether the answer sends a reading request elsewhere.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The URL that a redirect of `from` names. Never from https to http.
pub(super) fn target(from: &Url, headers: &HeaderMap) -> Result<Url, Trouble> {
    let next = location(from, headers)?;
    if from.scheme() == "https" && next.scheme() != "https" {
        return Err(Trouble::fatal(
            Code::Protocol,
            format!(
                "{} redirects from https to {}, which is not followed",
                authority(from),
                shown(&next)
            ),
        ));
    }
    Ok(next)
}

/// The URL of an upload that the answer to `from` names, its query untouched.
///
/// A proxy that ends TLS makes registries name `http://` URLs of the same host: those are
/// upgraded. Any other step down to http is refused, and so is an IP address inside a network
/// for a registry that is not inside one itself.
pub(super) fn upload(from: &Url, headers: &HeaderMap) -> Result<Url, Trouble> {
    let mut next = location(from, headers)?;
    if from.scheme() == "https" && next.scheme() == "http" {
        // "http://host:80" and "http://host" are the same lie about "https://host".
        if next.host_str() != from.host_str()
            || next.set_scheme("https").is_err()
            || (next.port() == Some(80) && next.set_port(None).is_err())
        {
            return Err(refused(from, &next, "plain http"));
        }
        if next.port().is_none() {
            let _ = next.set_port(from.port());
        }
    }
    if is_inner(&next) && !is_inner(from) {
        return Err(refused(from, &next, "an address inside a network"));
    }
    Ok(next)
}

fn refused(from: &Url, next: &Url, what: &str) -> Trouble {
    Trouble::fatal(
        Code::Protocol,
        format!(
            "{} wants the upload at {}: {what}, which is refused",
            authority(from),
            shown(next)
        ),
    )
}

fn location(from: &Url, headers: &HeaderMap) -> Result<Url, Trouble> {
    let wrong = |why: &str| {
        Trouble::fatal(
            Code::Protocol,
            format!("{} answers with {why}", authority(from)),
        )
    };
    let text = headers
        .get(LOCATION)
        .ok_or_else(|| wrong("no Location header"))?
        .to_str()
        .map_err(|_| wrong("an unreadable Location header"))?;
    let url = from
        .join(text)
        .map_err(|_| wrong("a Location header that is no URL"))?;
    match (url.scheme(), url.has_host()) {
        ("http" | "https", true) => Ok(url),
        _ => Err(wrong("a Location header that is no http URL")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(location: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().expect("a header"));
        headers
    }

    fn upload_at(from: &str, location: &str) -> Option<String> {
        let from: Url = from.parse().expect("a URL");
        upload(&from, &headers(location))
            .ok()
            .map(|u| u.to_string())
    }

    #[test]
    fn locations_of_uploads() {
        let https = "https://r.io/v2/a/blobs/uploads/";
        for (location, url) in [
            (
                "/v2/a/blobs/uploads/1?_state=x%2F",
                Some("https://r.io/v2/a/blobs/uploads/1?_state=x%2F"),
            ),
            (
                "1?_state=x",
                Some("https://r.io/v2/a/blobs/uploads/1?_state=x"),
            ),
            ("http://r.io/u/1", Some("https://r.io/u/1")),
            ("http://r.io:80/u/1", Some("https://r.io/u/1")),
            ("https://r.io:443/u/1", Some("https://r.io/u/1")),
            (
                "https://store.example.com/u?sig=1",
                Some("https://store.example.com/u?sig=1"),
            ),
            ("http://store.example.com/u", None),
            ("https://10.0.0.1/u", None),
            ("ftp://r.io/u", None),
            ("mailto:x", None),
        ] {
            assert_eq!(upload_at(https, location).as_deref(), url, "{location}");
        }
        let port = "https://r.io:8443/v2/a/blobs/uploads/";
        assert_eq!(
            upload_at(port, "http://r.io/u").as_deref(),
            Some("https://r.io:8443/u")
        );
        let plain = "http://10.0.0.5:5000/v2/a/blobs/uploads/";
        assert!(upload_at(plain, "http://10.0.0.5:5001/u").is_some());
        assert!(upload_at(plain, "http://10.0.0.6:5000/u").is_some());
    }

    #[test]
    fn redirects_never_leave_tls() {
        let from: Url = "https://r.io/v2/a/blobs/x".parse().expect("a URL");
        assert!(target(&from, &headers("http://r.io/x")).is_err());
        assert!(target(&from, &headers("https://cdn.io/x?s=1")).is_ok());
        assert!(target(&from, &HeaderMap::new()).is_err());
        let secret = target(&from, &headers("http://cdn.io/x?sig=s3cret")).expect_err("refused");
        assert!(!secret.message.contains("s3cret"));
    }

    proptest! {
        #[test]
        fn hostile_locations_never_lead_to_http(location in "[ -~]{0,80}") {
            let from: Url = "https://r.io/v2/a/blobs/uploads/".parse().expect("a URL");
            let headers = headers(&location);
            for url in [upload(&from, &headers), target(&from, &headers)].into_iter().flatten() {
                prop_assert_eq!(url.scheme(), "https");
            }
        }
    }
}
