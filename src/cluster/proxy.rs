//! Whether the API server is asked through a proxy. kube compares `NO_PROXY` with the proxy's own
//! address, so it is decided here, as Go's clients (and sonobuoy) decide it.

use std::net::IpAddr;

/// What the environment says about proxies, as values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterProxy {
    /// `HTTPS_PROXY`: may hold a password.
    pub https: Option<String>,
    /// `NO_PROXY`: hosts, domains, addresses, CIDR blocks, `*`; comma-separated.
    pub no_proxy: Option<String>,
}

impl ClusterProxy {
    /// The proxy for a server `host`, of `https` unless said otherwise.
    pub(super) fn for_server(&self, scheme: &str, host: &str, port: u16) -> Option<&str> {
        let proxy = self.https.as_deref().map(str::trim)?;
        let host = host.trim_matches(['[', ']']);
        let excepted = || {
            let list = self.no_proxy.as_deref().unwrap_or_default();
            list.split(',').any(|entry| matches(entry, host, port))
        };
        (scheme == "https" && !proxy.is_empty() && !is_loopback(host) && !excepted())
            .then_some(proxy)
    }
}

/// The proxy's loopback is another machine's.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// One entry as `golang.org/x/net/http/httpproxy` reads it.
fn matches(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.trim();
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Ok(host)) = (entry.split_once('/'), host.parse::<IpAddr>()) {
        return in_block(network, bits, host);
    }
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') => match digits.parse::<u16>() {
            Ok(wanted) => (name, Some(wanted)),
            Err(_) => return false,
        },
        _ => (entry, None),
    };
    if name.is_empty() || wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let host = host.to_ascii_lowercase();
    let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
    let domain = name.strip_prefix("*.").or_else(|| name.strip_prefix('.'));
    match domain {
        Some(domain) => ends_with_domain(&host, domain),
        None => host == name || ends_with_domain(&host, &name),
    }
}

fn ends_with_domain(host: &str, domain: &str) -> bool {
    let front = host.strip_suffix(domain);
    front.is_some_and(|front| front.len() > 1 && front.ends_with('.'))
}

fn in_block(network: &str, bits: &str, host: IpAddr) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            network.to_bits() & mask == host.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(host)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            network.to_bits() & mask == host.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exceptions_are_those_of_go() {
        for (no_proxy, host, direct) in [
            ("", "10.0.0.1", false),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "11.0.0.1", true),
            ("fd00::/8", "[fd12::1]", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1:6443", "10.0.0.1", true),
            ("10.0.0.1:443", "10.0.0.1", false),
            ("example.com", "api.example.com", true),
            ("example.com", "example.com", true),
            (".example.com", "example.com", false),
            (".example.com", "api.example.com", true),
            ("*.example.com", "api.example.com", true),
            ("ample.com", "api.example.com", false),
            ("x, EXAMPLE.com", "Api.Example.Com", true),
            ("*", "anything", true),
            ("", "localhost", true),
            ("", "127.0.0.1", true),
        ] {
            let proxy = ClusterProxy {
                https: Some("http://proxy:3128".to_owned()),
                no_proxy: Some(no_proxy.to_owned()),
            };
            let used = proxy.for_server("https", host, 6443);
            assert_eq!(used.is_none(), direct, "{no_proxy} {host}");
            assert_eq!(proxy.for_server("http", host, 6443), None);
        }
        assert_eq!(ClusterProxy::default().for_server("https", "a", 1), None);
    }
}
