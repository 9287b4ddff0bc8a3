//! Bringing the results home: `sonobuoy retrieve`, tried again while its connection breaks
//! (vmware-tanzu/sonobuoy#1633, #1908), and checked against what the aggregator told before the
//! file gets its name.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::program::{Program, ProgramError};
use super::status::TarInfo;

/// Where results go, and how hard to try.
#[derive(Debug, Clone)]
pub struct RetrieveOptions {
    /// The run's namespace.
    pub namespace: String,
    /// The folder for the tarball.
    pub dir: Utf8PathBuf,
    /// How often to try.
    pub attempts: u32,
    /// The wait after the first try; doubled after each.
    pub pause: Duration,
    /// How long one try may take.
    pub limit: Duration,
}

impl RetrieveOptions {
    /// Six tries over about a minute.
    pub fn new(namespace: &str, dir: &Utf8Path) -> Self {
        Self {
            namespace: namespace.to_owned(),
            dir: dir.to_owned(),
            attempts: 6,
            pause: Duration::from_secs(2),
            limit: Duration::from_mins(10),
        }
    }
}

/// The results, here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrieved {
    /// The tarball.
    pub path: Utf8PathBuf,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// Whether the aggregator had told a digest to compare with.
    pub checked: bool,
}

/// The results did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError {
    /// The aggregator names a file that is none.
    #[error("the run names its results `{0}`, which is no file name")]
    Name(String),
    /// No try brought them.
    #[error("the results did not arrive, tried {attempts} times: {last}")]
    GaveUp {
        /// How often.
        attempts: u32,
        /// What the last try said.
        last: String,
    },
    /// The program cannot be run.
    #[error(transparent)]
    Program(ProgramError),
    /// The file cannot be kept.
    #[error("{path}: {source}")]
    Local {
        /// Where.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RetrieveError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::GaveUp { .. } => Some(
                "they are still in the cluster: try again with `airbuoy status --watch`, and do not run `airbuoy clean` before"
                    .to_owned(),
            ),
            Self::Program(error) => error.hint(),
            Self::Local { .. } => Some("they are still in the cluster; name another folder with --out-dir".to_owned()),
            Self::Name(_) => None,
        }
    }
}

/// One try: try again, or not.
enum Trouble {
    Again(String),
    Final(RetrieveError),
}

impl Program {
    /// Brings the results of a finished run. `told` is what the aggregator says about the file.
    /// After each failed try `failed` is told the reason and the wait that follows.
    pub async fn retrieve(
        &self,
        told: &TarInfo,
        options: &RetrieveOptions,
        failed: impl Fn(&str, Duration),
    ) -> Result<Retrieved, RetrieveError> {
        if !is_file_name(&told.name) {
            return Err(RetrieveError::Name(told.name.escape_debug().to_string()));
        }
        let mut pause = options.pause;
        let mut attempt = 1;
        loop {
            match self.try_retrieve(told, options).await {
                Ok(retrieved) => return Ok(retrieved),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again(last)) if attempt >= options.attempts => {
                    let attempts = options.attempts;
                    return Err(RetrieveError::GaveUp { attempts, last });
                }
                Err(Trouble::Again(last)) => failed(&last, pause),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn try_retrieve(
        &self,
        told: &TarInfo,
        options: &RetrieveOptions,
    ) -> Result<Retrieved, Trouble> {
        let local = |source| {
            Trouble::Final(RetrieveError::Local {
                path: options.dir.clone(),
                source,
            })
        };
        // In the same folder, so that the last step is a rename; gone with everything in it when
        // this try ends.
        let holder = tempfile::Builder::new()
            .prefix(".airbuoy-retrieve-")
            .tempdir_in(&options.dir)
            .map_err(local)?;
        let folder = Utf8Path::from_path(holder.path())
            .ok_or_else(|| local(io::Error::other("the folder's name is not UTF-8")))?;
        let mut args = vec!["retrieve".to_owned(), folder.to_string()];
        args.extend(["--namespace".to_owned(), options.namespace.clone()]);
        args.extend(self.access().flags());
        match self.run(&args, options.limit).await {
            Ok(_) => {}
            Err(ProgramError::Failed { reason, .. }) => return Err(Trouble::Again(reason)),
            Err(late @ ProgramError::TooLong { .. }) => {
                return Err(Trouble::Again(late.to_string()));
            }
            Err(other) => return Err(Trouble::Final(RetrieveError::Program(other))),
        }
        let (arrived, told) = (folder.join(&told.name), told.clone());
        let kept = options.dir.join(&told.name);
        let checking = tokio::task::spawn_blocking(move || keep(&arrived, kept, &told));
        let checked = checking.await.map_err(|e| local(io::Error::other(e)))?;
        drop(holder);
        checked
    }
}

/// Compares the file with what was told; then it gets its name.
fn keep(arrived: &Utf8Path, kept: Utf8PathBuf, told: &TarInfo) -> Result<Retrieved, Trouble> {
    let (size, sha256) = match hash(arrived) {
        Ok(hashed) => hashed,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Trouble::Again(format!(
                "sonobuoy brought no file {}",
                told.name
            )));
        }
        Err(source) => {
            let path = arrived.to_owned();
            return Err(Trouble::Final(RetrieveError::Local { path, source }));
        }
    };
    if told.size != 0 && told.size != size {
        return Err(Trouble::Again(format!(
            "{size} of {} bytes arrived",
            told.size
        )));
    }
    if !told.sha256.is_empty() && told.sha256 != sha256 {
        return Err(Trouble::Again(format!(
            "what arrived has sha256 {sha256}, expected {}",
            told.sha256
        )));
    }
    match std::fs::rename(arrived, &kept) {
        Ok(()) => Ok(Retrieved {
            path: kept,
            size,
            sha256,
            checked: !told.sha256.is_empty(),
        }),
        Err(source) => Err(Trouble::Final(RetrieveError::Local { path: kept, source })),
    }
}

fn hash(path: &Utf8Path) -> io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
    file.sync_all()?;
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok((size, hex))
}

/// The name comes from the cluster and becomes a path here.
fn is_file_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_cluster_stays_in_the_folder() {
        assert!(is_file_name("202611230839_sonobuoy_f72cb53b-ad8e.tar.gz"));
        for bad in ["", ".", "..", "../x", "a/b", "/etc/x", "a\\b", "a\nb", ".x"] {
            assert!(!is_file_name(bad), "{bad}");
        }
    }
}
