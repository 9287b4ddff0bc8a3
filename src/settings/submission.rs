//! Settings of `airbuoy submission`.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::access::proxies;
use super::product::product;
use super::{Environment, RunScript, SettingsError};
use crate::catalog::Catalog;
use crate::cli::{Format, OutDirArgs, OutputArgs, SubmissionArgs};
use crate::kube_version::KubeVersion;
use crate::registry::Proxies;
use crate::submission::{Product, Window};

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct SubmissionSettings {
    /// What is checked.
    pub subject: Subject,
    /// Which releases can be certified.
    pub window: Window,
    /// `--tests-file`: its name and its text.
    pub tests_file: Option<(String, String)>,
    /// How URLs are reached, when they are to be asked.
    pub check_urls: Option<Proxies>,
    /// Form of the answer.
    pub output: Format,
}

/// What is checked.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A folder that is there.
    Folder(Utf8PathBuf),
    /// A folder to be made.
    New(Box<NewFolder>),
}

/// A folder to be made.
#[derive(Debug, Clone)]
pub struct NewFolder {
    /// The results.
    pub tarball: Utf8PathBuf,
    /// The product.
    pub product: Product,
    /// What is odd about the product's file.
    pub warnings: Vec<String>,
    /// The folder's name.
    pub directory: Option<String>,
    /// How the product is installed.
    pub install: Option<String>,
    /// What started the tests.
    pub run_script: Option<RunScript>,
    /// Leave the registry's name in the README.
    pub show_registry: bool,
    /// The release that was tested.
    pub release: Option<KubeVersion>,
    /// Below which directory the folder goes.
    pub out_dir: Utf8PathBuf,
}

impl SubmissionSettings {
    /// Takes the flags apart and reads the files they name.
    pub fn resolve(
        args: &SubmissionArgs,
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let SubmissionArgs {
            tarball,
            product: described,
            directory,
            install,
            run_script,
            show_registry,
            kubernetes_version,
            out_dir: OutDirArgs { out_dir },
            check,
            check_urls,
            tests_file,
            catalog,
            output: OutputArgs { output },
        } = args;
        let catalog = match catalog {
            Some(dir) => Catalog::from_dir(dir)?,
            None => Catalog::embedded(),
        };
        let subject = match (tarball, check) {
            (Some(tarball), _) => {
                let (product, warnings) = product(described)?;
                let install = install.as_deref().map(|path| text("--install", path));
                let release = kubernetes_version.as_ref().map(|v| v.trim().parse());
                Subject::New(Box::new(NewFolder {
                    product,
                    warnings,
                    directory: directory.clone(),
                    install: install.transpose()?,
                    run_script: RunScript::find(run_script.as_deref(), tarball)?,
                    show_registry: *show_registry,
                    release: release.transpose()?,
                    // Shown in messages, where a ./ in front says nothing.
                    out_dir: out_dir.strip_prefix(".").unwrap_or(out_dir).to_owned(),
                    tarball: tarball.clone(),
                }))
            }
            (None, Some(folder)) => Subject::Folder(folder.clone()),
            (None, None) => {
                let reason = "give the tarball of a run, or a folder with --check";
                return Err(SettingsError::value("TARBALL", "", reason));
            }
        };
        let tests_file = tests_file.as_ref().map(|path| {
            let text = text("--tests-file", path)?;
            Ok::<_, SettingsError>((path.to_string(), text))
        });
        Ok(Self {
            subject,
            window: Window::of(&catalog),
            tests_file: tests_file.transpose()?,
            check_urls: check_urls.then(|| proxies(environment)),
            output: *output,
        })
    }
}

fn text(flag: &'static str, path: &Utf8Path) -> Result<String, SettingsError> {
    fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
        flag,
        path: path.to_owned(),
        source,
    })
}
