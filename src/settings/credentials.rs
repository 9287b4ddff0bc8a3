//! Where logins are looked for.

use camino::{Utf8Path, Utf8PathBuf};

use super::Environment;

/// Credential files in the order in which they are asked. Files that do not exist are in the
/// list: whether one is missing is seen when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CredentialFiles {
    pub(super) files: Vec<Utf8PathBuf>,
    /// `--authfile`: it is the only one, and must exist.
    pub(super) explicit: bool,
}

/// `--authfile` alone; else `$REGISTRY_AUTH_FILE` alone, as podman and skopeo take it; else
/// Docker's file, then podman's two places.
pub(super) fn credential_files(
    authfile: Option<&Utf8Path>,
    environment: &Environment,
) -> CredentialFiles {
    if let Some(authfile) = authfile {
        return CredentialFiles {
            files: vec![authfile.to_owned()],
            explicit: true,
        };
    }
    let files = match environment.path("REGISTRY_AUTH_FILE") {
        Some(file) => vec![file],
        None => [
            environment
                .path("DOCKER_CONFIG")
                .map(|d| d.join("config.json")),
            environment.home().map(|h| h.join(".docker/config.json")),
            environment
                .path("XDG_RUNTIME_DIR")
                .map(|d| d.join("containers/auth.json")),
            environment
                .config_home()
                .map(|c| c.join("containers/auth.json")),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    CredentialFiles {
        files,
        explicit: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(authfile: Option<&str>, variables: &[(&str, &str)]) -> CredentialFiles {
        let environment = variables.iter().copied().collect();
        credential_files(authfile.map(Utf8Path::new), &environment)
    }

    #[test]
    fn an_explicit_file_stands_alone() {
        let variables = [("REGISTRY_AUTH_FILE", "/r.json"), ("HOME", "/h")];
        let found = files(Some("/a.json"), &variables);
        assert_eq!(found.files, ["/a.json"]);
        assert!(found.explicit);
        let found = files(None, &variables);
        assert_eq!(found.files, ["/r.json"]);
        assert!(!found.explicit);
    }

    #[test]
    fn docker_is_asked_before_podman() {
        let variables = [
            ("HOME", "/h"),
            ("DOCKER_CONFIG", "/d"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
        ];
        assert_eq!(
            files(None, &variables).files,
            [
                "/d/config.json",
                "/h/.docker/config.json",
                "/run/user/1/containers/auth.json",
                "/h/.config/containers/auth.json",
            ]
        );
        assert_eq!(files(None, &[]).files, Vec::<Utf8PathBuf>::new());
    }
}
