//! Which certificates are trusted: the system's, `--ca-file`, and `certs.d` of the host.

use camino::{Utf8Path, Utf8PathBuf};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::options::Options;
use super::setup::SetupError;

/// Certificates trusted besides the system's.
#[derive(Default)]
pub(super) struct Trust {
    everywhere: Vec<CertificateDer<'static>>,
    certs_dirs: Vec<Utf8PathBuf>,
    pub(super) anything: bool,
}

impl Trust {
    /// Reads the files of `--ca-file`; `certs.d` is read when a host is first met.
    pub(super) fn new(options: &Options) -> Result<Self, SetupError> {
        let mut everywhere = Vec::new();
        for path in &options.ca_files {
            everywhere.extend(read(path)?);
        }
        Ok(Self {
            everywhere,
            certs_dirs: options.certs_dirs.clone(),
            anything: options.insecure_skip_tls_verify,
        })
    }

    /// The certificates trusted for `authority`: those of `--ca-file` and every `*.crt` in the
    /// first `<root>/<host[:port]>` that exists (containers-certs.d(5)).
    pub(super) fn roots(&self, authority: &str) -> Vec<CertificateDer<'static>> {
        let mut roots = self.everywhere.clone();
        if let Some(folder) = self.folder(authority) {
            roots.extend(folder_roots(&folder));
        }
        roots
    }

    /// The folder of `authority`.
    pub(super) fn folder(&self, authority: &str) -> Option<Utf8PathBuf> {
        names(authority).into_iter().find_map(|name| {
            let mut folders = self.certs_dirs.iter().map(|root| root.join(name));
            folders.find(|folder| folder.is_dir())
        })
    }

    /// Where the user's own folders for hosts are.
    pub(super) fn certs_root(&self) -> Option<&Utf8Path> {
        self.certs_dirs.first().map(|root| &**root)
    }

    /// How many certificates are trusted on every host.
    pub(super) fn everywhere(&self) -> usize {
        self.everywhere.len()
    }

    /// Where a CA for `authority` would be looked for, in words.
    pub(super) fn places(&self, authority: &str) -> String {
        match self.certs_dirs.first() {
            Some(root) => format!("--ca-file FILE, or put it at {root}/{authority}/ca.crt"),
            None => "--ca-file FILE".to_owned(),
        }
    }
}

/// Docker Hub's folder is named after its references.
fn names(authority: &str) -> Vec<&str> {
    match authority {
        "registry-1.docker.io" => vec!["registry-1.docker.io", "docker.io"],
        other => vec![other],
    }
}

fn folder_roots(folder: &Utf8Path) -> Vec<CertificateDer<'static>> {
    let entries = match folder.read_dir_utf8() {
        Ok(entries) => entries,
        Err(e) => {
            tracing::debug!(%folder, "not read: {e}");
            return Vec::new();
        }
    };
    let mut paths: Vec<Utf8PathBuf> = entries.flatten().map(|e| e.path().to_owned()).collect();
    paths.sort();
    let mut roots = Vec::new();
    for path in paths {
        if path.extension() != Some("crt") {
            continue;
        }
        match read(&path) {
            Ok(found) => {
                tracing::debug!(%path, "trusted");
                roots.extend(found);
            }
            Err(e) => tracing::warn!("{e}"),
        }
    }
    roots
}

fn read(path: &Utf8Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let unreadable = |why: String| SetupError::CaFile {
        path: path.to_owned(),
        why,
    };
    let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|e| unreadable(e.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable("it holds no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate")
            .cert
            .pem()
    }

    #[test]
    fn certs_d_is_read_by_host_and_port() {
        let root = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(root.path()).expect("utf-8");
        let folder = root.join("r.local:5000");
        std::fs::create_dir(&folder).expect("created");
        std::fs::write(folder.join("ca.crt"), pem()).expect("written");
        std::fs::write(folder.join("client.cert"), pem()).expect("written");
        let trust = Trust::new(&Options {
            certs_dirs: vec![root.join("absent"), root.to_owned()],
            ..Options::default()
        })
        .expect("set up");
        assert_eq!(trust.roots("r.local:5000").len(), 1);
        assert_eq!(trust.roots("r.local").len(), 0);
    }

    #[test]
    fn a_ca_file_must_hold_a_certificate() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(folder.path())
            .expect("utf-8")
            .join("ca.pem");
        let with = |path: &Utf8Path| {
            Trust::new(&Options {
                ca_files: vec![path.to_owned()],
                ..Options::default()
            })
        };
        assert!(with(&path).is_err());
        std::fs::write(&path, "hello").expect("written");
        assert!(with(&path).is_err());
        std::fs::write(&path, format!("{}{}", pem(), pem())).expect("written");
        assert_eq!(with(&path).expect("set up").roots("any").len(), 2);
    }
}
