//! Proxies as values: what `settings` read from the environment becomes [`reqwest::Proxy`].

use reqwest::{NoProxy, Proxy};

use super::options::Proxies;
use super::setup::SetupError;

/// Never reached through a proxy, as in Go's clients: the proxy's loopback is another machine's.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// The proxies of a client. Credentials in their URLs go to the proxy alone.
pub(super) fn proxies(proxies: &Proxies) -> Result<Vec<Proxy>, SetupError> {
    type Make = fn(&str) -> reqwest::Result<Proxy>;
    let kinds: [(&Option<String>, &'static str, Make); 2] = [
        (&proxies.http, "HTTP_PROXY", |url| Proxy::http(url)),
        (&proxies.https, "HTTPS_PROXY", |url| Proxy::https(url)),
    ];
    let mut made = Vec::new();
    for (url, name, make) in kinds {
        let Some(url) = url.as_deref().map(str::trim).filter(|url| !url.is_empty()) else {
            continue;
        };
        let proxy = make(url).map_err(|_| SetupError::Proxy { name })?;
        let named = proxies.no_proxy.as_deref().unwrap_or_default();
        let direct = NoProxy::from_string(&format!("{LOOPBACK},{named}"));
        made.push(proxy.no_proxy(direct));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_means_none_and_nonsense_is_told_without_its_text() {
        let with = |http: &str| {
            proxies(&Proxies {
                http: Some(http.to_owned()),
                ..Proxies::default()
            })
        };
        assert_eq!(with(" ").expect("none").len(), 0);
        assert_eq!(with("http://user:secret@proxy:3128").expect("one").len(), 1);
        let error = with("http://user:secret@[:::").expect_err("no URL");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
