//! The program `sonobuoy` on this machine: finding it, asking its version, running it.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::Command;

use super::stderr::reason;
use crate::catalog::{Catalog, CatalogError, SonobuoyImages};

/// Which cluster sonobuoy talks to: the same as we do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// One: `--kubeconfig`. Several: `KUBECONFIG`. None: sonobuoy's own default.
    pub kubeconfig: Vec<Utf8PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// The service account of the pod that we run in.
    pub in_cluster: bool,
}

impl Access {
    /// The flags that choose the cluster.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if let ([kubeconfig], false) = (self.kubeconfig.as_slice(), self.in_cluster) {
            flags.extend(["--kubeconfig".to_owned(), kubeconfig.to_string()]);
        }
        if let (Some(context), false) = (&self.context, self.in_cluster) {
            flags.extend(["--context".to_owned(), context.clone()]);
        }
        flags
    }

    /// `KUBECONFIG` for the child; none to leave it as it is.
    fn variable(&self) -> Option<String> {
        if self.in_cluster {
            // An empty configuration makes client-go look for the service account.
            return Some("/dev/null".to_owned());
        }
        let separator = if cfg!(windows) { ";" } else { ":" };
        let paths: Vec<&str> = self.kubeconfig.iter().map(|p| p.as_str()).collect();
        (paths.len() > 1).then(|| paths.join(separator))
    }
}

/// A sonobuoy that can certify.
#[derive(Debug, Clone)]
pub struct Program {
    path: Utf8PathBuf,
    access: Access,
    release: SonobuoyImages,
}

/// What a command wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Results.
    pub stdout: String,
    /// Logs.
    pub stderr: String,
}

/// There is no sonobuoy that can be used, or it failed.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No file of this name.
    #[error("{}", match explicit {
        Some(path) => format!("--sonobuoy {path}: no such program"),
        None => "sonobuoy is not in PATH".to_owned(),
    })]
    Missing {
        /// As the user named it.
        explicit: Option<Utf8PathBuf>,
        /// The release to install.
        recommended: String,
    },
    /// It does not answer as sonobuoy does.
    #[error("{path} is not sonobuoy: `version --short` {said}")]
    NotSonobuoy {
        /// The program.
        path: Utf8PathBuf,
        /// What it said instead.
        said: String,
    },
    /// This release cannot certify.
    #[error("{path}: {source}")]
    Release {
        /// The program.
        path: Utf8PathBuf,
        /// Why.
        source: CatalogError,
    },
    /// It could not be started.
    #[error("cannot start `{command}`: {source}")]
    Start {
        /// Program and arguments.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It did not end in time.
    #[error("`{command}` did not end within {} s", limit.as_secs())]
    TooLong {
        /// Program and arguments.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// It failed.
    #[error("`{command}` failed ({code}): {reason}")]
    Failed {
        /// Program and arguments.
        command: String,
        /// `exit 1`, or the signal.
        code: String,
        /// What its standard error says, one line.
        reason: String,
        /// Objects were created before it failed, and stay.
        left_something: bool,
    },
}

impl ProgramError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { recommended, .. } => Some(format!(
                "install sonobuoy {recommended} (github.com/vmware-tanzu/sonobuoy/releases), or name it with --sonobuoy PATH"
            )),
            Self::Failed { left_something: true, .. } => Some(
                "it had begun to create objects: remove them with `airbuoy clean` before the next try"
                    .to_owned(),
            ),
            Self::Failed { reason, .. } => failure_hint(reason).map(str::to_owned),
            _ => None,
        }
    }
}

fn failure_hint(reason: &str) -> Option<&'static str> {
    const HINTS: &[(&str, &str)] = &[
        (
            "namespace already exists",
            "a run is there already: `airbuoy status` shows it, `airbuoy clean` removes it",
        ),
        (
            "no dns pods found",
            "name the cluster's DNS: -- --dns-namespace NS --dns-pod-labels K=V, or -- --skip-preflight=dnscheck",
        ),
        (
            "provide credentials",
            "the kubeconfig's login has expired or belongs to another cluster",
        ),
        (
            "connection refused",
            "is the API server up, and is this the right kubeconfig?",
        ),
        (
            "no configuration has been provided",
            "name the kubeconfig with --kubeconfig FILE",
        ),
    ];
    HINTS
        .iter()
        .find(|(part, _)| reason.contains(part))
        .map(|(_, hint)| *hint)
}

/// `version` answers at once; a program that does not is not sonobuoy.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

impl Program {
    /// The program `explicit` (a path, or a name for the search path), else `sonobuoy` in the
    /// folders of `search_path`.
    pub fn locate(
        explicit: Option<&Utf8Path>,
        search_path: &[Utf8PathBuf],
        catalog: &Catalog,
    ) -> Result<Utf8PathBuf, ProgramError> {
        let name = explicit.unwrap_or(Utf8Path::new(NAME));
        if explicit.is_some() && is_program(name) {
            // A bare name would be looked up in PATH when it is started.
            return Ok(if name.components().count() == 1 {
                Utf8Path::new(".").join(name)
            } else {
                name.to_owned()
            });
        }
        let is_bare = name.components().count() == 1;
        let mut places = search_path
            .iter()
            .filter(|_| is_bare)
            .map(|dir| dir.join(name));
        places
            .find(|path| is_program(path))
            .ok_or_else(|| ProgramError::Missing {
                explicit: explicit.map(Utf8Path::to_owned),
                recommended: catalog
                    .sonobuoy(None)
                    .map(|s| s.version)
                    .unwrap_or_default(),
            })
    }

    /// Asks the program at `path` for its release. Releases that cannot certify are refused.
    pub async fn open(
        path: Utf8PathBuf,
        access: Access,
        catalog: &Catalog,
    ) -> Result<Self, ProgramError> {
        let args = ["version", "--short"];
        let output = run(&path, &Access::default(), &args, VERSION_LIMIT).await;
        let said = match output {
            Ok(output) => output.stdout.trim().to_owned(),
            Err(ProgramError::Failed { reason, .. }) => {
                let said = format!("failed: {reason}");
                return Err(ProgramError::NotSonobuoy { path, said });
            }
            Err(other) => return Err(other),
        };
        if !said.starts_with('v') || said.contains(char::is_whitespace) {
            let first: String = said.chars().take(60).collect();
            let said = format!("says `{}`", first.escape_debug());
            return Err(ProgramError::NotSonobuoy { path, said });
        }
        match catalog.sonobuoy(Some(&said)) {
            Ok(release) => Ok(Self {
                path,
                access,
                release,
            }),
            Err(source) => Err(ProgramError::Release { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// `v0.57.5`: the tag of its own image.
    pub fn version(&self) -> &str {
        &self.release.version
    }

    /// Its images, and what is to be known about the release.
    pub fn release(&self) -> &SonobuoyImages {
        &self.release
    }

    /// Which cluster it talks to.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Runs it with these arguments, the flags that choose the cluster not added.
    pub async fn run<S: AsRef<OsStr>>(
        &self,
        args: &[S],
        limit: Duration,
    ) -> Result<Output, ProgramError> {
        run(&self.path, &self.access, args, limit).await
    }
}

const NAME: &str = if cfg!(windows) {
    "sonobuoy.exe"
} else {
    "sonobuoy"
};

fn is_program(path: &Utf8Path) -> bool {
    let Ok(metadata) = path.metadata() else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    {
        metadata.is_file()
    }
}

async fn run<S: AsRef<OsStr>>(
    path: &Utf8Path,
    access: &Access,
    args: &[S],
    limit: Duration,
) -> Result<Output, ProgramError> {
    let shown = || {
        let words = args
            .iter()
            .map(|arg| arg.as_ref().to_string_lossy().into_owned());
        let name = path.file_name().unwrap_or(path.as_str()).to_owned();
        std::iter::once(name)
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut command = Command::new(path);
    command
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        // It would change the image that the aggregator runs.
        .env_remove("SONOBUOY_DEV_REPO");
    if let Some(kubeconfig) = access.variable() {
        command.env("KUBECONFIG", kubeconfig);
    }
    // Ctrl-C is for us: a child in our process group would get it as well.
    #[cfg(unix)]
    command.process_group(0);
    let output = match tokio::time::timeout(limit, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(source)) => {
            return Err(ProgramError::Start {
                command: shown(),
                source,
            });
        }
        Err(_) => {
            return Err(ProgramError::TooLong {
                command: shown(),
                limit,
            });
        }
    };
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(Output { stdout, stderr });
    }
    let said = reason(&stderr);
    Err(ProgramError::Failed {
        command: shown(),
        code: output
            .status
            .code()
            .map_or_else(|| output.status.to_string(), |c| format!("exit {c}")),
        reason: if said.is_empty() {
            reason(&stdout)
        } else {
            said
        },
        left_something: stderr.contains("create request issued"),
    })
}
