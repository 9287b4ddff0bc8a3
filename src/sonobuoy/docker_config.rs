//! The login file for the pods that tests make: `--e2e-docker-config-file`. Sonobuoy copies it in
//! clear into `ConfigMap`s and into the results, so that it may hold one registry's login only.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::kube_version::KubeVersion;

/// The file must not be given to sonobuoy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--e2e-docker-config-file {path}: {reason}")]
pub struct DockerConfigError {
    path: Utf8PathBuf,
    reason: String,
    hint: Option<String>,
}

impl DockerConfigError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// What is to be told before such a run starts.
pub const DOCKER_CONFIG_WARNING: &str = "sonobuoy puts this login in clear into ConfigMaps of the cluster and into the results tarball: use one that may only pull, and do not publish the tarball";

/// Whether sonobuoy may be given the file with this content, for a registry `host` (`host[:port]`)
/// and a cluster of this version. Quotes nothing of the content but the names of hosts.
pub fn check_docker_config(
    path: &Utf8Path,
    content: &[u8],
    host: &str,
    version: Option<&KubeVersion>,
) -> Result<(), DockerConfigError> {
    let refuse = |reason: String, hint: Option<String>| {
        Err(DockerConfigError {
            path: path.to_owned(),
            reason,
            hint,
        })
    };
    if let Some(version) = version.filter(|v| (v.major(), v.minor()) < (1, 27)) {
        return refuse(
            format!("Kubernetes {version} knows no such login for test pods, 1.27 is the first"),
            Some("give the nodes themselves the login of the registry".to_owned()),
        );
    }
    if !is_config_map_key(path) {
        return refuse(
            "its name becomes a ConfigMap key: letters, digits, `-`, `.` and `_` only".to_owned(),
            None,
        );
    }
    let Ok(config) = serde_json::from_slice::<Value>(content) else {
        return refuse("it is no JSON as `docker login` writes it".to_owned(), None);
    };
    if !config["credHelpers"].is_null() || !config["credsStore"].is_null() {
        return refuse(
            "it names a credential helper, and pods have none".to_owned(),
            Some(format!(
                "write a file with the login itself: {{\"auths\":{{\"{host}\":{{\"auth\":\"…\"}}}}}}"
            )),
        );
    }
    let entries: Vec<(&String, &Value)> =
        config["auths"].as_object().into_iter().flatten().collect();
    let others: Vec<&str> = entries
        .iter()
        .map(|(key, _)| key.as_str())
        .filter(|key| host_of(key) != host.to_ascii_lowercase())
        .collect();
    if !others.is_empty() {
        return refuse(
            format!("it also holds logins for {}", others.join(", ")),
            Some(format!(
                "it would be readable by all in the cluster: keep only {host}"
            )),
        );
    }
    let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let complete = |entry: &Value| {
        filled(&entry["auth"]) || (filled(&entry["username"]) && filled(&entry["password"]))
    };
    if !entries.iter().any(|(_, entry)| complete(entry)) {
        return refuse(format!("it holds no login for {host}"), None);
    }
    Ok(())
}

/// Whether the file's name can be a key of a `ConfigMap` (Kubernetes, `IsConfigMapKey`).
pub fn is_config_map_key(path: &Utf8Path) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    name.len() <= 253 && name.chars().all(plain) && !name.starts_with("..")
}

/// `r.io:5000` of `https://r.io:5000/v1/`.
fn host_of(key: &str) -> String {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, content: &str, version: &str) -> Result<(), String> {
        let version = version.parse().expect("a version");
        check_docker_config(name.into(), content.as_bytes(), "r.io:5000", Some(&version))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn only_the_login_of_the_registry_goes_into_the_cluster() {
        let own = r#"{"auths":{"https://R.io:5000/v1/":{"auth":"czpzZWNyZXQ="}}}"#;
        assert_eq!(check("d/login.json", own, "1.27"), Ok(()));
        let pair = r#"{"auths":{"r.io:5000/k8s":{"username":"u","password":"secret"}}}"#;
        assert_eq!(check("login.json", pair, "v1.36.3"), Ok(()));
        for (name, content, version, part) in [
            ("login.json", own, "1.26", "1.27 is the first"),
            ("my login.json", own, "1.36", "ConfigMap key"),
            ("login.json", "secret", "1.36", "no JSON"),
            (
                "login.json",
                r#"{"auths":{"r.io:5000":{"auth":"secret"},"other.io":{"auth":"secret"}}}"#,
                "1.36",
                "logins for other.io",
            ),
            (
                "login.json",
                r#"{"auths":{"r.io":{"auth":"secret"}}}"#,
                "1.36",
                "logins for r.io",
            ),
            (
                "login.json",
                r#"{"auths":{"r.io:5000":{}}}"#,
                "1.36",
                "no login for r.io:5000",
            ),
            ("login.json", r#"{"auths":{}}"#, "1.36", "no login for"),
            ("login.json", "[1]", "1.36", "no login for"),
            (
                "login.json",
                r#"{"auths":{},"credsStore":"pass"}"#,
                "1.36",
                "helper",
            ),
        ] {
            let error = check(name, content, version).expect_err(part);
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
