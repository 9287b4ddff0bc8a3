//! One credential file: Docker's `config.json`, podman's `auth.json`, or the content of a
//! `kubernetes.io/dockerconfigjson` secret, which share a format.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use camino::Utf8PathBuf;
use serde::Deserialize;

use super::login::{Credential, Login};
use super::secret::Secret;

/// Docker Hub's names for itself; the last is the key that `docker login` writes.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// What credential helpers call Docker Hub.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// A file, parsed.
pub(super) struct AuthFile {
    pub(super) path: Utf8PathBuf,
    body: Body,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// A helper to ask: its name and the server address to give it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Helper {
    pub(super) name: String,
    pub(super) server: String,
}

impl AuthFile {
    pub(super) fn parse(path: Utf8PathBuf, bytes: &[u8]) -> Result<Self, String> {
        // The parser's message may quote what it stumbled over, which may be a password.
        let body = serde_json::from_slice(bytes).map_err(|e| {
            format!(
                "it is no credential file: line {}, column {}",
                e.line(),
                e.column()
            )
        })?;
        Ok(Self { path, body })
    }

    /// The helpers to ask for `authority`, in order: its own, then the store for all hosts.
    pub(super) fn helpers(&self, authority: &str) -> Vec<Helper> {
        let names = names(authority);
        let server = if names.len() > 1 {
            DOCKER_HUB_SERVER
        } else {
            authority
        };
        let own = self
            .body
            .cred_helpers
            .iter()
            .find(|(key, _)| names.contains(&normal(key).as_str()))
            .map(|(_, helper)| helper);
        own.into_iter()
            .chain(&self.body.creds_store)
            .filter(|name| !name.is_empty())
            .map(|name| Helper {
                name: name.clone(),
                server: server.to_owned(),
            })
            .collect()
    }

    /// The login written in the file for a repository: the longest key that is `authority/path`
    /// or the beginning of it (containers-auth.json(5)).
    pub(super) fn login(&self, authority: &str, path: &str) -> Option<Login> {
        let names = names(authority);
        let mut scope = Some(path);
        while let Some(path) = scope {
            let keys = names.iter().map(|name| match path {
                "" => (*name).to_owned(),
                path => format!("{name}/{path}"),
            });
            for key in keys {
                // A key as written before a URL that means the same host.
                let entry = self.body.auths.get(&key).into_iter();
                let others = self.body.auths.iter().filter(|(k, _)| normal(k) == key);
                let found = entry.chain(others.map(|(_, e)| e)).find_map(credential);
                if let Some(credential) = found {
                    return Some(Login {
                        credential,
                        origin: self.path.to_string(),
                    });
                }
            }
            scope = match path.rsplit_once('/') {
                Some((parent, _)) => Some(parent),
                None if path.is_empty() => None,
                None => Some(""),
            };
        }
        None
    }
}

/// All names of the host; more than one only for Docker Hub.
fn names(authority: &str) -> Vec<&str> {
    if DOCKER_HUB.contains(&authority) {
        DOCKER_HUB.to_vec()
    } else {
        vec![authority.strip_suffix(":443").unwrap_or(authority)]
    }
}

/// A key without what old tools put around the host: a scheme, and then any path.
fn normal(key: &str) -> String {
    let key = key.trim();
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let key = match bare {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => key.trim_end_matches('/'),
    };
    let key = match key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")) {
        Some(host) if !host.contains('/') => host,
        _ => key,
    };
    let (host, path) = match key.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (key, None),
    };
    let host = host.strip_suffix(":443").unwrap_or(host).to_lowercase();
    match path {
        Some(path) => format!("{host}/{path}"),
        None => host,
    }
}

/// What an entry holds; an empty one is a marker that a helper left.
fn credential(entry: &Entry) -> Option<Credential> {
    let filled = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
    if let Some(token) = filled(&entry.identitytoken) {
        return Some(Credential::Identity(Secret::new(token)));
    }
    if let Some(token) = filled(&entry.registrytoken) {
        return Some(Credential::Bearer(Secret::new(token)));
    }
    if let Some(auth) = filled(&entry.auth) {
        return decode(&auth);
    }
    Some(Credential::Password {
        user: filled(&entry.username)?,
        password: Secret::new(filled(&entry.password)?),
    })
}

/// base64 of `user:password`; Docker on some systems pads the password with NULs.
fn decode(auth: &str) -> Option<Credential> {
    let bare = auth.trim().trim_end_matches('=');
    let bytes = STANDARD_NO_PAD
        .decode(bare)
        .or_else(|_| STANDARD.decode(auth.trim()))
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credential::Password {
        user: user.to_owned(),
        password: Secret::new(password.trim_end_matches('\0')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(text: &str) -> AuthFile {
        AuthFile::parse("/x/auth.json".into(), text.as_bytes()).expect("a file")
    }

    fn user(file: &AuthFile, authority: &str, path: &str) -> Option<String> {
        match file.login(authority, path)?.credential {
            Credential::Password { user, .. } => Some(user),
            other => Some(format!("{other:?}")),
        }
    }

    fn entry(user: &str) -> String {
        format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(format!("{user}:p:w")))
    }

    #[test]
    fn the_longest_path_wins() {
        let file = file(&format!(
            r#"{{"auths":{{"r.io":{},"r.io/a":{},"r.io/a/b/c":{},"r.io:5000":{}}}}}"#,
            entry("host"),
            entry("a"),
            entry("abc"),
            entry("port"),
        ));
        assert_eq!(user(&file, "r.io", "a/b/c").as_deref(), Some("abc"));
        assert_eq!(user(&file, "r.io", "a/b/cd").as_deref(), Some("a"));
        assert_eq!(user(&file, "r.io", "ab").as_deref(), Some("host"));
        assert_eq!(user(&file, "r.io:443", "x").as_deref(), Some("host"));
        assert_eq!(user(&file, "r.io:5000", "a").as_deref(), Some("port"));
        assert_eq!(user(&file, "r.io:5001", "a"), None);
        assert_eq!(user(&file, "evil-r.io", "a"), None);
    }

    #[test]
    fn docker_hub_has_many_names_and_keys_may_be_urls() {
        for key in [
            "https://index.docker.io/v1/",
            "index.docker.io/v1/",
            "docker.io",
            "registry-1.docker.io",
        ] {
            let file = file(&format!(r#"{{"auths":{{"{key}":{}}}}}"#, entry("me")));
            let found = user(&file, "registry-1.docker.io", "library/busybox");
            assert_eq!(found.as_deref(), Some("me"), "{key}");
        }
        let file = file(&format!(
            r#"{{"auths":{{"https://R.io/v2/":{},"http://other":{{}}}}}}"#,
            entry("me")
        ));
        assert_eq!(user(&file, "r.io", "x/y").as_deref(), Some("me"));
        assert_eq!(user(&file, "other", "x"), None);
    }

    #[test]
    fn kinds_of_credentials() {
        let file = file(
            r#"{"auths":{
              "id":{"auth":"PHRva2VuPjo=","identitytoken":"t"},
              "bearer":{"registrytoken":"t"},
              "plain":{"username":"u","password":"p"},
              "broken":{"auth":"%%%"}}}"#,
        );
        let kind = |host: &str| file.login(host, "x").map(|l| l.credential);
        assert_eq!(kind("id"), Some(Credential::Identity(Secret::new("t"))));
        assert_eq!(kind("bearer"), Some(Credential::Bearer(Secret::new("t"))));
        assert!(matches!(kind("plain"), Some(Credential::Password { .. })));
        assert_eq!(kind("broken"), None);
        assert!(!format!("{:?}", file.login("plain", "x")).contains("\"p\""));
    }

    #[test]
    fn helpers_of_the_host_before_the_store() {
        let file = file(
            r#"{"credsStore":"desktop","credHelpers":{"r.io":"own","docker.io":"hub"},"auths":{"r.io":{}}}"#,
        );
        let asked = |host: &str| -> Vec<String> {
            file.helpers(host)
                .into_iter()
                .map(|h| format!("{} {}", h.name, h.server))
                .collect()
        };
        assert_eq!(asked("r.io"), ["own r.io", "desktop r.io"]);
        assert_eq!(asked("x.io:5000"), ["desktop x.io:5000"]);
        assert_eq!(
            asked("registry-1.docker.io")[0],
            "hub https://index.docker.io/v1/"
        );
    }

    #[test]
    fn a_broken_file_does_not_quote_itself() {
        let error = AuthFile::parse("/x".into(), br#"{"auths":{"r.io":{"auth":["secret"]}}}"#)
            .err()
            .expect("broken");
        assert!(!error.contains("secret"), "{error}");
    }

    proptest! {
        #[test]
        fn any_file_and_name_is_survived(
            key in "[ -~]{0,40}", auth in "[ -~]{0,20}", host in "[ -~]{0,20}", path in "[a-z/]{0,20}"
        ) {
            let body = serde_json::json!({"auths": {key.clone(): {"auth": auth}}, "credHelpers": {key: "x"}});
            let file = file(&body.to_string());
            let _ = file.login(&host, &path);
            let _ = file.helpers(&host);
        }

        #[test]
        fn what_is_written_is_found(user_name in "[a-z$+]{1,10}", password in "[!-~]{1,20}") {
            let auth = STANDARD.encode(format!("{user_name}:{password}"));
            let body = serde_json::json!({"auths": {"r.io": {"auth": auth}}});
            let found = file(&body.to_string()).login("r.io", "a/b").map(|l| l.credential);
            prop_assert_eq!(found, Some(Credential::Password { user: user_name, password: Secret::new(password) }));
        }
    }
}
