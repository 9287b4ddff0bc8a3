//! From the host in an image reference to the server that answers for it, and how it is spoken
//! to. Pure: nothing is contacted here.

use std::net::IpAddr;

use super::options::{Options, Side};

/// Docker Hub's registry API, which does not live at the host of its references.
pub(super) const DOCKER_HUB: &str = "registry-1.docker.io";

/// How the scheme of a host comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SchemeRule {
    /// Always TLS.
    Https,
    /// The user asked for plain HTTP.
    Http,
    /// A loopback host without flags: whatever it speaks.
    Detect,
}

/// Who answers for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `host[:port]` that is asked.
    pub(super) authority: String,
    pub(super) rule: SchemeRule,
    /// Put in front of every repository path; empty for none.
    pub(super) prefix: String,
    /// A `--source-mirror` answers.
    pub(super) mirrored: bool,
}

/// The endpoint for the host of a reference.
///
/// On the source side an exact mirror wins; then k8s.gcr.io, frozen since 2023, is read from
/// registry.k8s.io, which may itself be mirrored.
pub(super) fn endpoint(options: &Options, host: &str) -> Endpoint {
    if options.side == Side::Source {
        if let Some(mirror) = mirror(options, host) {
            return mirror;
        }
        if host == "k8s.gcr.io" {
            return endpoint(options, "registry.k8s.io");
        }
    }
    let authority = match host {
        "docker.io" | "index.docker.io" => DOCKER_HUB,
        other => other,
    };
    Endpoint {
        authority: authority.to_owned(),
        rule: rule(authority, options.plain_http),
        prefix: String::new(),
        mirrored: false,
    }
}

fn mirror(options: &Options, host: &str) -> Option<Endpoint> {
    let mirror = options.source_mirrors.iter().find(|m| m.host == host)?;
    Some(Endpoint {
        authority: mirror.mirror_host.clone(),
        rule: rule(&mirror.mirror_host, mirror.plain_http || options.plain_http),
        prefix: mirror.prefix.trim_matches('/').to_owned(),
        mirrored: true,
    })
}

fn rule(authority: &str, plain_http: bool) -> SchemeRule {
    if plain_http {
        SchemeRule::Http
    } else if is_loopback(authority) {
        SchemeRule::Detect
    } else {
        SchemeRule::Https
    }
}

/// The host of `host[:port]`, without the brackets of an IPv6 literal.
pub(super) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.contains(':') => {
            host
        }
        _ => authority,
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::SourceMirror;

    fn asked(options: &Options, host: &str) -> String {
        let e = endpoint(options, host);
        format!("{:?} {} {}", e.rule, e.authority, e.prefix)
    }

    #[test]
    fn hosts_are_asked_where_they_live() {
        let source = Options::default();
        assert_eq!(asked(&source, "docker.io"), "Https registry-1.docker.io ");
        assert_eq!(asked(&source, "k8s.gcr.io"), "Https registry.k8s.io ");
        assert_eq!(asked(&source, "10.0.0.5:5000"), "Https 10.0.0.5:5000 ");
        for loopback in [
            "localhost:5000",
            "127.0.0.1:1",
            "127.8.0.1",
            "[::1]:5000",
            "localhost",
        ] {
            assert_eq!(endpoint(&source, loopback).rule, SchemeRule::Detect);
        }
        let target = Options {
            side: Side::Target,
            ..Options::default()
        };
        assert_eq!(asked(&target, "k8s.gcr.io"), "Https k8s.gcr.io ");
    }

    #[test]
    fn a_mirror_answers_on_the_source_side_only() {
        let mirror = |host: &str, mirror_host: &str| SourceMirror {
            host: host.into(),
            plain_http: true,
            mirror_host: mirror_host.into(),
            prefix: "/up/k8s/".into(),
        };
        let mut options = Options {
            source_mirrors: vec![mirror("registry.k8s.io", "m:5000")],
            ..Options::default()
        };
        assert_eq!(asked(&options, "registry.k8s.io"), "Http m:5000 up/k8s");
        assert_eq!(asked(&options, "k8s.gcr.io"), "Http m:5000 up/k8s");
        options
            .source_mirrors
            .push(mirror("k8s.gcr.io", "old:5000"));
        assert_eq!(asked(&options, "k8s.gcr.io"), "Http old:5000 up/k8s");
        options.side = Side::Target;
        assert_eq!(asked(&options, "registry.k8s.io"), "Https registry.k8s.io ");
    }
}
