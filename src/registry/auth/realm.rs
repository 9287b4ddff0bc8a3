//! Where a login may be sent for a token: the rules against a registry that names a bad place.

use url::{Host, Url};

use crate::content::Code;
use crate::registry::trouble::Trouble;
use crate::registry::wire::shown;

/// The token server named `realm` by the registry that answered `asked`.
///
/// It must be https when the registry is. Another host is normal (Docker Hub); but a private,
/// loopback or link-local IP address is refused unless the registry has one too, since a public
/// registry could point into the network behind this machine with it. Behind an air gap all
/// addresses are private: GitLab, for one, has its token server on another port.
pub(super) fn check(asked: &Url, realm: &str) -> Result<Url, Trouble> {
    let refuse = |why: String| {
        Err(Trouble::fatal(
            Code::Protocol,
            format!("no login was sent: {why}"),
        ))
    };
    let realm = match asked.join(realm) {
        Ok(realm) => realm,
        Err(e) => {
            return refuse(format!(
                "the registry names a token server that is no URL: {e}"
            ));
        }
    };
    let name = shown(&realm);
    match (asked.scheme(), realm.scheme()) {
        (_, "https") | ("http", "http") => {}
        _ => {
            return refuse(format!(
                "the registry is reached over https and names the token server {name}"
            ));
        }
    }
    if is_inner(&realm) && !is_inner(asked) {
        return refuse(format!(
            "the registry names the token server {name}, an address inside a network"
        ))
        .map_err(|t| {
            t.hint("name the token server by a DNS name in the registry's configuration")
        });
    }
    Ok(realm)
}

/// Whether the URL's host is an IP literal that only means something inside a network.
pub(in crate::registry) fn is_inner(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(Host::Ipv6(ip)) => {
            let mapped = ip.to_ipv4_mapped().is_some_and(|ip| {
                ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
            });
            mapped
                || ip.is_loopback()
                || ip.is_unicast_link_local()
                || ip.is_unique_local()
                || ip.is_unspecified()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(asked: &str, realm: &str) -> bool {
        check(&asked.parse().expect("a URL"), realm).is_ok()
    }

    #[test]
    fn where_a_login_may_go() {
        let hub = "https://registry-1.docker.io/v2/x";
        assert!(allowed(hub, "https://auth.docker.io/token"));
        assert!(!allowed(hub, "http://auth.docker.io/token"));
        assert!(!allowed(hub, "ftp://auth.docker.io/token"));
        assert!(!allowed(hub, "https://169.254.169.254/token"));
        assert!(!allowed(hub, "https://[::ffff:10.0.0.1]/token"));
        assert!(!allowed(hub, "https://"));
        let inner = "http://10.0.0.5:5000/v2/x";
        assert!(allowed(inner, "http://10.0.0.5:5000/token"));
        assert!(allowed(inner, "https://auth.corp/token"));
        assert!(allowed(inner, "/service/token"));
        assert!(allowed(inner, "http://10.0.0.5:8080/token"));
        assert!(allowed(
            "https://10.0.0.5/v2/",
            "https://10.0.0.5:443/token"
        ));
    }
}
