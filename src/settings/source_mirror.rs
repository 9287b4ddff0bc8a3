//! `--source-mirror HOST=HOST2[/PREFIX]`.

use super::SettingsError;
use crate::oci::Reference;
use crate::registry::SourceMirror;

const FLAG: &str = "--source-mirror";

/// All of them; a host may be named once.
pub(super) fn source_mirrors(values: &[String]) -> Result<Vec<SourceMirror>, SettingsError> {
    let mut mirrors: Vec<SourceMirror> = Vec::with_capacity(values.len());
    for value in values {
        let mirror = source_mirror(value)?;
        if mirrors.iter().any(|m| m.host == mirror.host) {
            let reason = format!("{} has a mirror already", mirror.host);
            return Err(SettingsError::value(FLAG, value, reason));
        }
        mirrors.push(mirror);
    }
    Ok(mirrors)
}

fn source_mirror(value: &str) -> Result<SourceMirror, SettingsError> {
    let bad = |reason: &str| SettingsError::value(FLAG, value, reason);
    let (host, mirror) = value.split_once('=').ok_or_else(|| {
        bad("expected HOST=HOST2[/PREFIX], such as docker.io=proxy.example.com/hub")
    })?;
    if !is_host(host) {
        return Err(bad(
            "before the = stands one host, such as docker.io or registry.k8s.io",
        ));
    }
    let (plain_http, mirror) = match mirror.split_once("://") {
        Some(("http", rest)) => (true, rest),
        Some(("https", rest)) => (false, rest),
        Some(_) => return Err(bad("after the = a host, http:// or https://")),
        None => (false, mirror),
    };
    let mirror = mirror.trim_end_matches('/');
    let (mirror_host, prefix) = mirror.split_once('/').unwrap_or((mirror, ""));
    if !is_host(mirror_host) {
        return Err(bad("after the = stands HOST2[:PORT][/PREFIX]"));
    }
    if !prefix.is_empty() && !is_path(prefix) {
        return Err(bad(
            "the prefix is no repository path: lower-case words parted by /",
        ));
    }
    Ok(SourceMirror {
        host: host.to_owned(),
        plain_http,
        mirror_host: mirror_host.to_owned(),
        prefix: prefix.to_owned(),
    })
}

/// Whether a reference that starts with `text/` is on that host, and nowhere else.
fn is_host(text: &str) -> bool {
    let shaped = text.contains(['.', ':']) || text == "localhost";
    shaped && !text.contains(['/', '@']) && on_host(text, "x").is_some_and(|r| r.host() == text)
}

fn is_path(text: &str) -> bool {
    !text.contains([':', '@'])
        && on_host("h.invalid", text).is_some_and(|r| r.repository().path() == text)
}

fn on_host(host: &str, path: &str) -> Option<Reference> {
    format!("{host}/{path}:x").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<SourceMirror, SettingsError> {
        source_mirror(value)
    }

    #[test]
    fn hosts_ports_prefixes_and_plain_http() {
        let mirror = parse("docker.io=http://127.0.0.1:5000/hub/cache/").expect("a mirror");
        assert_eq!(
            mirror,
            SourceMirror {
                host: "docker.io".into(),
                plain_http: true,
                mirror_host: "127.0.0.1:5000".into(),
                prefix: "hub/cache".into(),
            }
        );
        let mirror = parse("registry.k8s.io=proxy.example.com").expect("a mirror");
        assert_eq!((mirror.plain_http, mirror.prefix.as_str()), (false, ""));
    }

    #[test]
    fn what_is_no_mirror_is_refused() {
        for bad in [
            "",
            "docker.io",
            "=x.io",
            "docker.io=",
            "docker.io=ftp://x.io",
            "docker.io/library=x.io",
            "docker=x.io",
            "docker.io=x.io/A",
            "docker.io=x.io/a:b",
            "docker.io=x.io//a",
            "docker.io=user@x.io",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let twice = ["a.io=b.io".to_owned(), "a.io=c.io".to_owned()];
        let error = source_mirrors(&twice).expect_err("named twice");
        assert_eq!(
            error.to_string(),
            "--source-mirror a.io=c.io: a.io has a mirror already"
        );
    }
}
