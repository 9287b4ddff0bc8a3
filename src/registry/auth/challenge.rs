//! `WWW-Authenticate`: which of a server's challenges is answered (RFC 9110, 11.6.1).

use http_auth::parser::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A challenge that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) enum Challenge {
    Basic,
    /// Where tokens are had, and for which service.
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

/// The first challenge that is Basic or Bearer. Others (`Negotiate` of a single sign-on) are
/// passed over, and so is what cannot be parsed.
pub(in crate::registry) fn first(headers: &HeaderMap) -> Option<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(parse)
}

fn parse(text: &str) -> Option<Challenge> {
    ChallengeParser::new(text)
        .map_while(Result::ok)
        .find_map(|challenge| {
            let parameter = |name: &str| {
                let mut all = challenge.params.iter();
                all.find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                return Some(Challenge::Basic);
            }
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                return Some(Challenge::Bearer {
                    realm: parameter("realm")?,
                    service: parameter("service").filter(|s| !s.is_empty()),
                });
            }
            None
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        }
    }

    #[test]
    fn spellings_seen_in_the_wild() {
        assert_eq!(
            parse(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#
            ),
            Some(bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io")
            ))
        );
        assert_eq!(
            parse(r#"BASIC realm="Sonatype Nexus""#),
            Some(Challenge::Basic)
        );
        assert_eq!(
            parse("bearer Realm=https, SERVICE=s"),
            Some(bearer("https", Some("s")))
        );
        assert_eq!(
            parse(r#"Negotiate, Basic realm="x""#),
            Some(Challenge::Basic)
        );
        assert_eq!(parse(r#"Bearer service="x""#), None);
        assert_eq!(parse(r#"Digest realm="x", nonce="y""#), None);
    }

    #[test]
    fn several_headers() {
        let mut headers = HeaderMap::new();
        for value in ["Negotiate YII=/+==, x", r#"Bearer realm="r""#, "Basic"] {
            headers.append(WWW_AUTHENTICATE, value.parse().expect("a value"));
        }
        assert_eq!(first(&headers), Some(bearer("r", None)));
        assert_eq!(first(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn hostile_text_is_survived(text in "[ -~]{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn quoted_values_come_back(realm in "[ -~]{1,40}") {
            let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(parse(&format!("Bearer realm=\"{quoted}\"")), Some(bearer(&realm, None)));
        }
    }
}
