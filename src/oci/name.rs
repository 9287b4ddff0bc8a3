//! The grammar of names (OCI distribution-spec, "Pulling manifests"; hosts as Docker writes them).

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`
/// (distribution-spec, "Pulling manifests"), and at most 255 bytes: what Docker and Distribution
/// take, and the length that the specification warns of.
pub fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_component)
}

fn is_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    if !ends.iter().all(|b| b.is_some_and(|b| alphanumeric(*b))) {
        return false;
    }
    bytes
        .split(|b| alphanumeric(*b))
        .all(|gap| matches!(gap, b"" | b"." | b"_" | b"__") || gap.iter().all(|b| *b == b'-'))
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution-spec, "Pulling manifests").
pub fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = tag.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|b| word(*b))
        && bytes.iter().all(|b| word(*b) || b".-".contains(b))
}

/// `host[:port]`: a domain name, an IPv4 address or `localhost`, as Docker's reference grammar
/// has it. IPv6 literals are no part of it.
pub fn is_host(host: &str) -> bool {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        ends.iter()
            .all(|b| b.is_some_and(u8::is_ascii_alphanumeric))
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    name.split('.').all(label) && port.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in [
            "a",
            "a/b",
            "e2e-test-images/agnhost",
            "a__b",
            "a--b",
            "a.b_c/d",
        ] {
            assert!(is_repository(good), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "A", "a..b", "a___b", "-a", "a-", "a b", "a/../b",
        ] {
            assert!(!is_repository(bad), "{bad}");
        }
        for (host, good) in [
            ("registry.k8s.io", true),
            ("LOCALHOST:5000", true),
            ("127.0.0.1:1", true),
            ("a_b.io", false),
            ("a.io:", false),
            ("a.io:x", false),
            ("[::1]:5000", false),
            ("-a.io", false),
            ("", false),
        ] {
            assert_eq!(is_host(host), good, "{host}");
        }
        assert!(is_repository(&"x".repeat(255)) && !is_repository(&"x".repeat(256)));
        assert!(is_tag(&"x".repeat(128)) && is_tag("_a.b-c"));
        assert!(!is_tag(&"x".repeat(129)) && !is_tag("") && !is_tag(".a") && !is_tag("a:b"));
    }
}
