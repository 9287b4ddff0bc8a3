//! TARGET, as users type it: `HOST[:PORT][/PREFIX]`.

use std::fmt;
use std::str::FromStr;

use super::error::RelocateError;
use crate::oci::Reference;

/// Registries and container runtimes allow this many characters for a name with its host
/// (distribution-spec, "Pulling manifests": many clients limit the length to 255).
const NAME_LIMIT: usize = 255;

/// A place in a registry under which images are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetPrefix {
    host: String,
    path: String,
}

impl TargetPrefix {
    /// `host[:port]`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What follows the host, without slashes around it; empty for none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the host is this machine: `localhost`, `*.localhost` or 127.0.0.0/8.
    pub fn is_loopback(&self) -> bool {
        let name = self.host.split(':').next().unwrap_or_default();
        name == "localhost"
            || name.ends_with(".localhost")
            || name
                .parse()
                .is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
    }

    /// The image `name:tag` under this prefix; the name may hold slashes.
    pub fn join(&self, name_and_tag: &str) -> Result<Reference, RelocateError> {
        let text = format!("{self}/{name_and_tag}");
        let end = text.rfind('/').map_or(0, |slash| {
            let last = &text[slash..];
            slash + last.find(':').unwrap_or(last.len())
        });
        if end > NAME_LIMIT {
            return Err(RelocateError::NameTooLong {
                name: text[..end].to_owned(),
                length: end,
            });
        }
        Ok(text.parse()?)
    }

    /// The prefix `path` below this one; this one itself when `path` is empty.
    #[must_use]
    pub(super) fn below(&self, path: &str) -> Self {
        let parts = [self.path.as_str(), path];
        let path: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Self {
            host: self.host.clone(),
            path: path.join("/"),
        }
    }
}

impl fmt::Display for TargetPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if self.path.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.path)
        }
    }
}

/// The text is no TARGET.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not HOST[:PORT][/PREFIX]: {reason}; write it like {right_form}")]
pub struct InvalidTarget {
    /// What was typed, a user name and password left out.
    text: String,
    reason: String,
    /// What was probably meant, or an example.
    right_form: String,
}

impl FromStr for TargetPrefix {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        parse(text).map_err(|reason| InvalidTarget {
            text: without_user(text),
            reason: reason.to_owned(),
            right_form: right_form(text),
        })
    }
}

fn parse(text: &str) -> Result<TargetPrefix, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains(char::is_whitespace) {
        return Err("it holds a space");
    }
    if text.contains("://") {
        return Err("it begins with a scheme (plain HTTP is --plain-http)");
    }
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    if host.contains('@') {
        return Err("it holds a user name (logins come from the Docker credential file)");
    }
    if text.contains('@') {
        return Err("it holds a digest");
    }
    if host.starts_with('[') || host.matches(':').count() > 1 {
        return Err("image names cannot hold an IPv6 address");
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("it holds upper case");
    }
    if text.ends_with('/') {
        return Err("it ends with a slash");
    }
    if path.contains(':') {
        return Err("it holds a tag");
    }
    let (name, port) = host
        .split_once(':')
        .map_or((host, None), |(n, p)| (n, Some(p)));
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with(['0', '+'])) {
        return Err("what follows the colon is no port");
    }
    if name != "localhost" && port.is_none() && !name.contains('.') {
        // Container runtimes take `name/x` for a repository on Docker Hub.
        return Err("it names no host: a host has a dot or a port, or is localhost");
    }
    // Names are what the reference grammar says they are, no looser and no stricter.
    let probe: Reference = format!("{text}/x:y")
        .parse()
        .map_err(|_| "image names cannot hold some of its characters")?;
    let path = probe.repository().path();
    if probe.host() == "docker.io" && !text.contains('/') {
        return Err("Docker Hub needs a namespace");
    }
    Ok(TargetPrefix {
        host: probe.host().to_owned(),
        path: path.strip_suffix("/x").unwrap_or_default().to_owned(),
    })
}

/// What was typed without what stands before an `@`, which may be a password.
fn without_user(text: &str) -> String {
    let (scheme, rest) = split_scheme(text);
    match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => format!("{scheme}…@{rest}"),
        _ => text.to_owned(),
    }
}

fn split_scheme(text: &str) -> (&str, &str) {
    text.find("://")
        .map_or(("", text), |at| text.split_at(at + "://".len()))
}

/// What was probably meant.
fn right_form(text: &str) -> String {
    let (_, rest) = split_scheme(text);
    let mut guess: String = rest.split_whitespace().collect::<String>().to_lowercase();
    match guess.split_once('@') {
        Some((user, rest)) if !user.contains('/') => guess = rest.to_owned(),
        Some((name, _)) => guess = name.to_owned(),
        None => {}
    }
    if let Some((host, path)) = guess.split_once('/') {
        let path = path.split(':').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        guess = [&[host], parts.as_slice()].concat().join("/");
    }
    match parse(&guess) {
        Ok(target) => target.to_string(),
        Err(_) => "registry.example.com/k8s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_is_read() {
        for (text, host, path) in [
            ("registry.example.com", "registry.example.com", ""),
            ("registry.example.com/k8s", "registry.example.com", "k8s"),
            ("127.0.0.1:5000/a/b-c_d", "127.0.0.1:5000", "a/b-c_d"),
            ("localhost", "localhost", ""),
            ("harbor:443/k8s", "harbor:443", "k8s"),
            ("docker.io/me", "docker.io", "me"),
        ] {
            let target: TargetPrefix = text.parse().expect(text);
            assert_eq!((target.host(), target.path()), (host, path));
            assert_eq!(target.to_string(), text);
            let joined = target.join("volume/nfs:1.0").expect(text);
            assert_eq!(joined.to_string(), format!("{text}/volume/nfs:1.0"));
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_right_form() {
        for (text, part, right_form) in [
            ("", "empty", "registry.example.com/k8s"),
            ("https://reg.io/k8s", "scheme", "reg.io/k8s"),
            ("http://reg.io:5000/", "scheme", "reg.io:5000"),
            ("reg.io/k8s:v1", "a tag", "reg.io/k8s"),
            ("reg.io/k8s@sha256:abc", "a digest", "reg.io/k8s"),
            ("reg.io/ k8s", "a space", "reg.io/k8s"),
            ("Reg.io/K8s", "upper case", "reg.io/k8s"),
            ("reg.io/k8s/", "a slash", "reg.io/k8s"),
            ("reg.io//k8s", "characters", "reg.io/k8s"),
            ("[::1]:5000", "IPv6", "registry.example.com/k8s"),
            ("::1", "IPv6", "registry.example.com/k8s"),
            ("harbor/k8s", "no host", "registry.example.com/k8s"),
            ("reg.io:latest", "no port", "registry.example.com/k8s"),
            ("reg.io:99999/x", "no port", "registry.example.com/k8s"),
            ("docker.io", "a namespace", "registry.example.com/k8s"),
            ("reg.io/k8s?x", "characters", "registry.example.com/k8s"),
        ] {
            let error = text.parse::<TargetPrefix>().expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
            assert!(
                error.ends_with(&format!("write it like {right_form}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        for text in ["https://me:hunter2@reg.io/k8s", "me:hunter2@reg.io/k8s"] {
            let error = text.parse::<TargetPrefix>().expect_err(text);
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
            assert!(
                error.to_string().ends_with("write it like reg.io/k8s"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_name_too_long_is_refused() {
        let target: TargetPrefix = format!("reg.io/{}", "a".repeat(245))
            .parse()
            .expect("a target");
        target.join("b:1").expect("255 characters at most");
        let error = target
            .join("bcd:1")
            .expect_err("256 characters")
            .to_string();
        assert!(error.contains("256 characters"), "{error}");
    }

    #[test]
    fn this_machine_is_known() {
        for (text, loopback) in [
            ("localhost:5000", true),
            ("127.0.0.2:5000/x", true),
            ("reg.localhost/x", true),
            ("localhost.example.com", false),
            ("10.0.0.1:5000", false),
        ] {
            let target: TargetPrefix = text.parse().expect(text);
            assert_eq!(target.is_loopback(), loopback, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_makes_references(text in "[a-zA-Z0-9.:/@_ \\[\\]-]{0,30}") {
            if let Ok(target) = text.parse::<TargetPrefix>() {
                prop_assert_eq!(target.to_string(), text.as_str());
                let joined = target.join("pause:3.10").expect("a reference");
                prop_assert_eq!(joined.to_string(), format!("{text}/pause:3.10"));
            }
        }
    }
}
