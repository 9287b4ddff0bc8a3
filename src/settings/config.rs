//! Settings of `airbuoy config`.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::SettingsError;
use super::out_dir::out_dir;
use super::placement::{Placement, target};
use crate::cli::{ConfigArgs, OutDirArgs, ReleaseArgs};
use crate::relocate::{Layout, NodeAccess, TargetPrefix};

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct ConfigSettings {
    /// Which images, and their names.
    pub placement: Placement,
    /// The private registry.
    pub target: TargetPrefix,
    /// How nodes reach the registry, when they get files.
    pub nodes: Option<NodeAccess>,
    /// Where the files go.
    pub out_dir: Utf8PathBuf,
}

impl ConfigSettings {
    /// Takes the flags apart; the directory must be writable.
    pub fn resolve(args: &ConfigArgs) -> Result<Self, SettingsError> {
        let ConfigArgs {
            target: to,
            release: ReleaseArgs { kubernetes_version },
            catalog,
            selection,
            naming,
            source: _,
            nodes,
            nodes_ca,
            nodes_plain_http,
            out_dir: OutDirArgs { out_dir: dir },
        } = args;
        let placement = Placement::resolve(kubernetes_version, catalog, selection, naming)?;
        if *nodes && placement.layout != Layout::KeepPath {
            let reason = "a node's mirror keeps paths: it works without --flat and \
                          --e2e-repo-config alone";
            return Err(SettingsError::value("--nodes", "", reason));
        }
        let ca_pem = nodes_ca.as_deref().map(|path| {
            fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
                flag: "--nodes-ca",
                path: path.to_owned(),
                source,
            })
        });
        let ca_pem: Option<String> = ca_pem.transpose()?;
        if let (Some(path), Some(pem)) = (nodes_ca, &ca_pem) {
            check_authority(path, pem)?;
        }
        let access = NodeAccess {
            plain_http: *nodes_plain_http,
            ca_pem,
        };
        Ok(Self {
            placement,
            nodes: nodes.then_some(access),
            target: target(to)?,
            out_dir: out_dir(dir)?,
        })
    }
}

/// A file that goes to every node must be what nodes expect, and nothing more.
fn check_authority(path: &Utf8Path, pem: &str) -> Result<(), SettingsError> {
    let refuse = |reason: &str| {
        Err(SettingsError::Content {
            path: path.to_owned(),
            line: None,
            reason: reason.to_owned(),
        })
    };
    if pem.contains("PRIVATE KEY-----") {
        return refuse("it holds a private key: --nodes-ca takes the certificate alone");
    }
    let certificates =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(found) if !found.is_empty() => Ok(()),
        _ => refuse("it holds no certificate in PEM form, which --nodes-ca takes"),
    }
}
