//! The certificate of a server: the site's own, or one that is made here and kept.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use super::files::{self, NewFile};
use crate::server::{Tls, TlsError, covers, self_signed};
use crate::settings::{ServeSettings, ServeTls};

const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "cert.pem";
const KEY: &str = "key.pem";

/// A kept certificate that ends sooner than this is made anew: nobody wants to visit all nodes in
/// the middle of a certification.
const LEFT: Duration = Duration::from_hours(24 * 30);

/// A certificate in use, and where it comes from.
pub(super) struct Certificate {
    /// What the server is given.
    pub(super) tls: Arc<Tls>,
    files: [(&'static str, Utf8PathBuf); 2],
    /// What nodes must trust, when it was made here.
    pub(super) authority: Option<Authority>,
}

/// The authority that nodes must trust.
pub(super) struct Authority {
    /// Where its certificate lies.
    pub(super) path: Utf8PathBuf,
    /// It was made by this run: no node has it.
    pub(super) is_new: bool,
}

impl Certificate {
    /// Reads or makes it; `None` for plain HTTP. `hosts` are what clients will call the server.
    pub(super) fn of(settings: &ServeSettings, hosts: &[String]) -> anyhow::Result<Option<Self>> {
        let (files, authority) = match &settings.tls {
            ServeTls::Off => return Ok(None),
            ServeTls::Files { certificate, key } => (
                [
                    ("--tls-cert", certificate.clone()),
                    ("--tls-key", key.clone()),
                ],
                None,
            ),
            ServeTls::SelfSigned { dir, names, ca_out } => {
                let hosts: Vec<String> = hosts.iter().chain(names).cloned().collect();
                let authority = kept_or_made(dir, &hosts, ca_out.as_deref())?;
                let files = [CERTIFICATE, KEY].map(|name| ("--tls-dir", dir.join(name)));
                (files, Some(authority))
            }
        };
        let [certificate, key] = texts(&files)?;
        let tls = Tls::new(&certificate, &key).with_context(|| used(&files))?;
        Ok(Some(Self {
            tls: Arc::new(tls),
            files,
            authority,
        }))
    }

    /// Reads the files again; on an error what is in use stays.
    pub(super) fn reload(&self) -> anyhow::Result<()> {
        let [certificate, key] = texts(&self.files)?;
        let replaced = self.tls.replace(&certificate, &key);
        replaced.with_context(|| used(&self.files))
    }
}

fn texts(files: &[(&'static str, Utf8PathBuf); 2]) -> anyhow::Result<[String; 2]> {
    let [(cert_flag, cert), (key_flag, key)] = files;
    let certificate = ServeSettings::text(cert_flag, cert)?;
    Ok([certificate, ServeSettings::text(key_flag, key)?])
}

fn used(files: &[(&'static str, Utf8PathBuf); 2]) -> String {
    let [(cert_flag, certificate), (key_flag, key)] = files;
    format!("{cert_flag} {certificate} and {key_flag} {key} cannot be used")
}

/// Uses what is in `dir` as long as it is good for all `hosts`.
fn kept_or_made(
    dir: &Utf8Path,
    hosts: &[String],
    ca_out: Option<&Utf8Path>,
) -> anyhow::Result<Authority> {
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_default();
    let (ca, certificate, key) = (read(AUTHORITY), read(CERTIFICATE), read(KEY));
    let soon = SystemTime::now() + LEFT;
    let is_good = covers(&ca, &certificate, hosts, soon) && Tls::new(&certificate, &key).is_ok();
    let ca = if is_good { ca } else { make(dir, hosts)? };
    let path = match ca_out {
        Some(path) => {
            files::write_all(&[plain(path.to_owned(), ca)])?;
            path.to_owned()
        }
        None => dir.join(AUTHORITY),
    };
    Ok(Authority {
        path,
        is_new: !is_good,
    })
}

fn make(dir: &Utf8Path, hosts: &[String]) -> anyhow::Result<String> {
    let made = self_signed(hosts).map_err(|error| match error {
        TlsError::Host(host) => anyhow::anyhow!(
            "a certificate cannot be made for `{host}`: --tls-name takes host names and addresses \
             without ports"
        ),
        other => other.into(),
    })?;
    // The key goes first: without it the certificate beside it is not taken for good.
    files::write_secret(&dir.join(KEY), &made.key_pem)?;
    files::write_all(&[
        plain(dir.join(CERTIFICATE), made.certificate_pem),
        plain(dir.join(AUTHORITY), made.ca_pem.clone()),
    ])?;
    Ok(made.ca_pem)
}

fn plain(path: Utf8PathBuf, text: String) -> NewFile {
    NewFile {
        path,
        text,
        executable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_certificate_is_used_again_until_a_host_is_missing() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = Utf8Path::from_path(dir.path()).expect("UTF-8");
        let hosts =
            |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
        let out = dir.join("nodes-ca.pem");
        let first = kept_or_made(dir, &hosts(&["127.0.0.1", "reg.local"]), Some(&out));
        assert!(first.expect("made").is_new);
        let ca = std::fs::read_to_string(&out).expect("written");
        let again = kept_or_made(dir, &hosts(&["127.0.0.1"]), None).expect("kept");
        assert!(!again.is_new);
        assert_eq!(std::fs::read_to_string(&again.path).expect("there"), ca);
        let more = kept_or_made(dir, &hosts(&["127.0.0.1", "10.0.0.5"]), None).expect("made");
        assert!(more.is_new);
        std::fs::write(dir.join(KEY), "damaged").expect("written");
        let damaged = kept_or_made(dir, &hosts(&["127.0.0.1"]), None).expect("made");
        assert!(damaged.is_new);
        let error = kept_or_made(dir, &hosts(&["reg:5000"]), None).err();
        assert!(error.expect("no host").to_string().contains("--tls-name"));
    }
}
