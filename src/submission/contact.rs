//! Whether a text is a URL or a mail address as the bot takes it. Small on purpose: nothing is
//! resolved, and nothing is corrected.

use url::Url;

/// What is wrong with a URL; `None` when nothing is. The bot wants a scheme; a link for people is
/// HTTP and names a host.
pub(super) fn url_problem(text: &str) -> Option<String> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("it holds white space".into());
    }
    match Url::parse(text) {
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            Some(format!("it has no scheme: write https://{text}"))
        }
        Err(error) => Some(error.to_string()),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            Some(format!("its scheme is {}, not https", url.scheme()))
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("it holds a login".into())
        }
        Ok(_) if !text.contains("://") => Some("it has no `//` after the scheme".into()),
        Ok(_) => None,
    }
}

/// What is wrong with a mail address (RFC 5322, section 3.4: `addr-spec`, or `name <addr-spec>`).
pub(super) fn mail_problem(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(rest) => match rest.rsplit_once('<') {
            Some((name, _)) if !is_phrase(name.trim()) => {
                return Some("the name before the address is none");
            }
            Some((_, address)) => address,
            None => return Some("it has no `<`"),
        },
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Some("it has no @");
    };
    if !(is_dot_atom(local) || is_quoted(local)) {
        return Some("what stands before the @ is no mailbox");
    }
    let label = |label: &str| {
        !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    if !is_dot_atom(domain) || !domain.split('.').all(label) {
        return Some("what stands after the @ is no host");
    }
    None
}

/// Section 3.2.3: `dot-atom`. Letters beyond ASCII as RFC 6532 allows.
fn is_dot_atom(text: &str) -> bool {
    let atext = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    text.split('.')
        .all(|part| !part.is_empty() && part.chars().all(atext))
}

/// Section 3.2.4: `quoted-string`.
fn is_quoted(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let Some(mut rest) = inner.map(str::chars) else {
        return false;
    };
    while let Some(c) = rest.next() {
        match c {
            '"' => return false,
            '\\' if rest.next().is_none() => return false,
            c if c.is_control() => return false,
            _ => {}
        }
    }
    true
}

/// Section 3.2.5: `phrase`, words or one quoted text; it may be left out.
fn is_phrase(text: &str) -> bool {
    is_quoted(text) || text.split_whitespace().all(is_dot_atom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls() {
        for good in [
            "https://example.com",
            "http://docs.example.com/a?b#c",
            "https://[::1]:8443/",
        ] {
            assert_eq!(url_problem(good), None, "{good}");
        }
        for (bad, word) in [
            ("example.com", "no scheme: write https://example.com"),
            ("ftp://example.com", "ftp"),
            ("https://", "empty host"),
            ("https:example.com", "no `//`"),
            ("https://exa mple.com", "white space"),
            ("https://user:word@example.com", "a login"),
            ("", "no scheme"),
        ] {
            let said = url_problem(bad).expect(bad);
            assert!(said.contains(word), "{bad}: {said}");
        }
    }

    #[test]
    fn mail_addresses() {
        for good in [
            "sales@example.com",
            "first.last+tag@sub.example.com",
            "\"odd @ name\"@example.com",
            "Sales Team <sales@example.com>",
            "\"Team, Sales\" <sales@example.com>",
            "<sales@example.com>",
            "root@localhost",
        ] {
            assert_eq!(mail_problem(good), None, "{good}");
        }
        for bad in [
            "example.com",
            "@example.com",
            "a@",
            "a..b@example.com",
            ".a@example.com",
            "a@example..com",
            "a@-example.com",
            "a b@example.com",
            "a@b@example.com",
            "Sales <sales@example.com",
            "sales@example.com>",
            "a, b <a@example.com>",
            "mailto:a@example.com",
            "",
        ] {
            assert!(mail_problem(bad).is_some(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = (url_problem(&text), mail_problem(&text));
        }

        #[test]
        fn plain_addresses_are_taken(local in "[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,2}", host in "[a-z0-9]{1,9}(\\.[a-z]{2,5}){1,2}") {
            let address = format!("{local}@{host}");
            prop_assert_eq!(mail_problem(&address), None);
        }
    }
}
