//! Settings of `airbuoy serve`.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::ops::RangeInclusive;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::byte_size::byte_size;
use super::out_dir::{growing_file, new_file, try_directory};
use super::{Environment, SettingsError};
use crate::cli::{LimitArgs, ProtectionArgs, ServeArgs};
use crate::oci::is_repository;
use crate::server::Limits;

/// What the head of a request can be bounded by.
const HEAD_SIZES: RangeInclusive<usize> = 8 << 10..=1 << 20;

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// Where the bundle lies.
    pub bundle: Utf8PathBuf,
    /// Bundles that hold what a delta leaves out.
    pub base: Vec<Utf8PathBuf>,
    /// Whether pushes are taken.
    pub writable: bool,
    /// What is listened on.
    pub listen: SocketAddr,
    /// The host as typed, when it is a name: nodes may use it.
    pub host_name: Option<String>,
    /// The path below which everything appears.
    pub prefix: Option<String>,
    /// Over what it is served.
    pub tls: ServeTls,
    /// The logins' file.
    pub htpasswd: Option<Utf8PathBuf>,
    /// What one client may take.
    pub limits: Limits,
    /// Where a line for every request goes.
    pub access_log: Option<AccessLog>,
}

/// HTTP or HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServeTls {
    /// Plain HTTP.
    Off,
    /// A certificate that the site has.
    Files {
        /// The chain, PEM.
        certificate: Utf8PathBuf,
        /// Its key, PEM.
        key: Utf8PathBuf,
    },
    /// A certificate that is made here.
    SelfSigned {
        /// Where it is kept from run to run.
        dir: Utf8PathBuf,
        /// Names and addresses besides those that are listened on.
        names: Vec<String>,
        /// Where the authority goes for the nodes.
        ca_out: Option<Utf8PathBuf>,
    },
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// The end of a file.
    File(Utf8PathBuf),
}

impl ServeSettings {
    /// Takes the flags apart; what will be written must be writable.
    pub fn resolve(args: &ServeArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let ServeArgs {
            bundle,
            writable,
            listen,
            prefix,
            base,
            protection,
            limits,
            access_log,
        } = args;
        let (address, host_name) = address(listen)?;
        if let Some(prefix) = prefix
            && !is_repository(prefix)
        {
            return Err(SettingsError::value(
                "--prefix",
                prefix,
                "it cannot begin the name of a repository; write it like k8s or site/k8s",
            ));
        }
        let access_log = match access_log {
            Some(path) if path == "-" => Some(AccessLog::Stdout),
            Some(path) => Some(AccessLog::File(growing_file("--access-log", path)?)),
            None => None,
        };
        Ok(Self {
            bundle: bundle.clone(),
            base: base.clone(),
            writable: *writable,
            listen: address,
            host_name,
            prefix: prefix.clone(),
            tls: tls(protection, environment)?,
            htpasswd: protection.htpasswd.clone(),
            limits: taken(limits)?,
            access_log,
        })
    }

    /// The text of a file that a flag names.
    pub fn text(flag: &'static str, path: &Utf8Path) -> Result<String, SettingsError> {
        std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            flag,
            path: path.to_owned(),
            source,
        })
    }
}

/// `HOST:PORT`; the host may be a name, which stands for its first address.
fn address(text: &str) -> Result<(SocketAddr, Option<String>), SettingsError> {
    let invalid = |reason: String| SettingsError::value("--listen", text, reason);
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address, None));
    }
    let form = "write it like 10.0.0.5:5000, 0.0.0.0:5000 or [::]:5000";
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| invalid(form.to_owned()))?;
    if port.parse::<u16>().is_err() || host.is_empty() || host.contains(['/', ':']) {
        return Err(invalid(form.to_owned()));
    }
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| invalid(format!("no address of {host} is known here: {error}")))?;
    let first = found.next();
    let first = first.ok_or_else(|| invalid(format!("{host} has no address")))?;
    Ok((first, Some(host.to_owned())))
}

fn tls(args: &ProtectionArgs, environment: &Environment) -> Result<ServeTls, SettingsError> {
    let ProtectionArgs {
        tls_cert,
        tls_key,
        tls_self_signed,
        tls_name,
        tls_dir,
        tls_ca_out,
        htpasswd: _,
    } = args;
    if let (Some(certificate), Some(key)) = (tls_cert, tls_key) {
        return Ok(ServeTls::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        });
    }
    if !tls_self_signed {
        return Ok(ServeTls::Off);
    }
    let default = || Some(environment.data_home()?.join("airbuoy/tls"));
    let dir = tls_dir.clone().or_else(default);
    let dir = dir.ok_or(SettingsError::NoDataDir)?;
    try_directory("--tls-dir", &dir)?;
    Ok(ServeTls::SelfSigned {
        dir,
        names: tls_name.clone(),
        ca_out: new_file("--tls-ca-out", tls_ca_out.as_deref())?,
    })
}

fn taken(args: &LimitArgs) -> Result<Limits, SettingsError> {
    let LimitArgs {
        max_connections,
        max_blob_size,
        max_head_size,
        idle_timeout,
        stall_timeout,
        grace,
    } = args;
    let seconds = |number: &u32| Duration::from_secs((*number).into());
    Ok(Limits {
        connections: max_connections.get(),
        blob_size: size("--max-blob-size", max_blob_size)?,
        head_size: head_size(max_head_size)?,
        idle: seconds(idle_timeout),
        stall: seconds(stall_timeout),
        grace: seconds(grace),
        ..Limits::default()
    })
}

fn size(flag: &'static str, text: &str) -> Result<u64, SettingsError> {
    byte_size(text).map_err(|reason| SettingsError::value(flag, text, reason))
}

fn head_size(text: &str) -> Result<usize, SettingsError> {
    let flag = "--max-head-size";
    let wanted = usize::try_from(size(flag, text)?).ok();
    let taken = wanted.filter(|size| HEAD_SIZES.contains(size));
    taken.ok_or_else(|| {
        let reason = "clients need 8KiB at times, and each connection may take as much memory; \
                      choose from 8KiB to 1MiB";
        SettingsError::value(flag, text, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn resolve(flags: &[&str]) -> Result<ServeSettings, String> {
        let words = ["airbuoy", "serve", "k8s.tar"].iter().chain(flags);
        let Command::Serve(args) = Cli::try_parse_from(words).expect("flags").command else {
            panic!("another verb")
        };
        let environment = Environment::default();
        ServeSettings::resolve(&args, &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn without_flags_it_is_this_machine_alone() {
        let settings = resolve(&[]).expect("settings");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:5000");
        assert_eq!(settings.tls, ServeTls::Off);
        // The defaults in the help are those of the server.
        assert_eq!(settings.limits, Limits::default());
    }

    #[test]
    fn sizes_are_written_as_people_do_and_bounded() {
        let flags = ["--max-blob-size", "40G", "--max-head-size", "8KiB"];
        let limits = resolve(&flags).expect("settings").limits;
        assert_eq!((limits.blob_size, limits.head_size), (40_000_000_000, 8192));
        for (flag, bad) in [
            ("--max-blob-size", "big"),
            ("--max-blob-size", "0"),
            ("--max-head-size", "4KiB"),
            ("--max-head-size", "1G"),
        ] {
            let refused = resolve(&[flag, bad]).expect_err(bad);
            assert!(refused.contains(flag) && refused.contains(bad), "{refused}");
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        let settings = resolve(&["--listen", "[::1]:0"]).expect("settings");
        assert_eq!((settings.listen.port(), settings.host_name), (0, None));
        let settings = resolve(&["--listen", "localhost:5001"]).expect("settings");
        assert!(settings.listen.ip().is_loopback());
        assert_eq!(settings.host_name.as_deref(), Some("localhost"));
        for bad in [
            "5000",
            ":5000",
            "10.0.0.5",
            "http://x:1",
            "::1:5000",
            "x:99999",
        ] {
            let error = resolve(&["--listen", bad]).expect_err(bad);
            assert!(error.contains("10.0.0.5:5000"), "{error}");
        }
    }

    #[test]
    fn flags_that_cannot_be_are_named() {
        let error = resolve(&["--prefix", "K8s/"]).expect_err("no prefix");
        assert!(error.starts_with("--prefix K8s/: "), "{error}");
        let error = resolve(&["--tls-self-signed"]).expect_err("no home");
        assert!(error.contains("HOME"), "{error}");
    }

    #[test]
    fn a_made_certificate_is_kept_in_one_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().to_str().expect("UTF-8");
        let flags = [
            "--tls-self-signed",
            "--tls-dir",
            dir,
            "--tls-name",
            "reg.local",
        ];
        let ServeTls::SelfSigned {
            dir: kept, names, ..
        } = resolve(&flags).expect("fine").tls
        else {
            panic!("another kind")
        };
        assert_eq!(
            (kept.as_str(), &names[..]),
            (dir, &["reg.local".to_owned()][..])
        );
    }
}
