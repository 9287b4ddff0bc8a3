//! How both sides are reached, and as whom.

use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};

use super::credentials::credential_files;
use super::source_mirror::source_mirrors;
use super::{Environment, SettingsError};
use crate::cli::{AccessArgs, SourceAccessArgs};
use crate::registry::{Options, Proxies, Side};

/// Resolved `--authfile`, `--ca-file`, `--source-mirror` and their kin.
#[derive(Debug, Clone)]
pub struct Access {
    /// For the registries that are read.
    pub source: Options,
    /// For the registries that are written.
    pub target: Options,
    /// Blobs on the way at once.
    pub jobs: usize,
}

impl Access {
    /// Takes the flags apart; `source_mirror` as typed. Named files must be readable.
    pub fn resolve(
        args: &AccessArgs,
        source_mirror: &[String],
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let AccessArgs {
            authfile,
            ca_file,
            plain_http,
            insecure_skip_tls_verify,
            jobs,
        } = args;
        for path in ca_file {
            readable("--ca-file", path)?;
        }
        if let Some(path) = authfile {
            readable("--authfile", path)?;
        }
        let credentials = credential_files(authfile.as_deref(), environment);
        let source_mirrors = source_mirrors(source_mirror)?;
        let common = Options {
            auth_files: credentials.files,
            auth_file_explicit: credentials.explicit,
            helper_path: environment.search_path(),
            ca_files: ca_file.clone(),
            certs_dirs: certs_dirs(environment),
            proxies: proxies(environment),
            ..Options::default()
        };
        let source = Options {
            side: Side::Source,
            // Nobody who trusts any certificate of a registry of their own means upstream's.
            insecure_skip_tls_verify: *insecure_skip_tls_verify && !source_mirrors.is_empty(),
            source_mirrors,
            ..common.clone()
        };
        let target = Options {
            side: Side::Target,
            plain_http: *plain_http,
            insecure_skip_tls_verify: *insecure_skip_tls_verify,
            ..common
        };
        Ok(Self {
            source,
            target,
            jobs: jobs.get(),
        })
    }
}

impl Access {
    /// The same for a verb that writes to no registry.
    pub fn of_source(
        args: &SourceAccessArgs,
        source_mirror: &[String],
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let SourceAccessArgs {
            authfile,
            ca_file,
            insecure_skip_tls_verify,
            jobs,
        } = args;
        let args = AccessArgs {
            authfile: authfile.clone(),
            ca_file: ca_file.clone(),
            plain_http: false,
            insecure_skip_tls_verify: *insecure_skip_tls_verify,
            jobs: *jobs,
        };
        Self::resolve(&args, source_mirror, environment)
    }
}

/// The roots that podman and skopeo read, in their order (containers-certs.d(5)).
fn certs_dirs(environment: &Environment) -> Vec<Utf8PathBuf> {
    let own = environment
        .home()
        .map(|h| h.join(".config/containers/certs.d"));
    let system = ["/etc/containers/certs.d", "/etc/docker/certs.d"];
    own.into_iter()
        .chain(system.map(Utf8PathBuf::from))
        .collect()
}

/// Lower case wins, as curl has it.
pub(super) fn proxies(environment: &Environment) -> Proxies {
    let first = |names: &[&str]| environment.first(names).map(str::to_owned);
    Proxies {
        http: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
        https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
        no_proxy: first(&["no_proxy", "NO_PROXY"]),
    }
}

fn readable(flag: &'static str, path: &Utf8Path) -> Result<(), SettingsError> {
    File::open(path)
        .map(drop)
        .map_err(|source| SettingsError::Unreadable {
            flag,
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        access: AccessArgs,
    }

    fn resolve(
        flags: &[&str],
        mirrors: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Access, SettingsError> {
        let line = ["airbuoy"].iter().chain(flags);
        let args = Line::try_parse_from(line).expect("flags").access;
        let mirrors: Vec<String> = mirrors.iter().map(|&m| m.to_owned()).collect();
        Access::resolve(&args, &mirrors, &variables.iter().copied().collect())
    }

    #[test]
    fn plain_http_and_trust_stay_on_their_side() {
        let flags = ["--plain-http", "--insecure-skip-tls-verify"];
        let access = resolve(&flags, &[], &[]).expect("settings");
        assert!(access.target.plain_http && access.target.insecure_skip_tls_verify);
        assert!(!access.source.plain_http && !access.source.insecure_skip_tls_verify);
        let access = resolve(&flags, &["docker.io=x.io"], &[]).expect("settings");
        assert!(access.source.insecure_skip_tls_verify);
        assert_eq!(access.source.source_mirrors.len(), 1);
        assert!(access.target.source_mirrors.is_empty());
    }

    #[test]
    fn proxies_are_read_in_both_cases() {
        let variables = [
            ("HTTPS_PROXY", "http://upper:3128"),
            ("https_proxy", "http://lower:3128"),
            ("NO_PROXY", ".example.com"),
            ("http_proxy", ""),
        ];
        let access = resolve(&[], &[], &variables).expect("settings");
        assert_eq!(
            access.source.proxies,
            Proxies {
                http: None,
                https: Some("http://lower:3128".into()),
                no_proxy: Some(".example.com".into()),
            }
        );
        assert_eq!(access.source.proxies, access.target.proxies);
    }

    #[test]
    fn a_named_file_that_is_missing_is_wrong_usage() {
        let error = resolve(&["--ca-file", "/nonexistent/ca.pem"], &[], &[]).expect_err("missing");
        assert!(
            error
                .to_string()
                .starts_with("--ca-file /nonexistent/ca.pem: "),
            "{error}"
        );
        assert!(!error.is_local());
        assert!(resolve(&["--authfile", "/nonexistent/auth.json"], &[], &[]).is_err());
    }

    #[test]
    fn the_users_certificates_come_first() {
        let access = resolve(&[], &[], &[("HOME", "/h"), ("PATH", "/usr/bin")]).expect("settings");
        assert_eq!(access.target.certs_dirs[0], "/h/.config/containers/certs.d");
        assert_eq!(access.target.certs_dirs.len(), 3);
        assert_eq!(access.target.helper_path, ["/usr/bin"]);
        assert_eq!(access.jobs, 8);
    }
}
