//! The script that started a run: its command is what a submission's README tells.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::SettingsError;

/// As `mirror` and `config` call it.
const NAME: &str = "sonobuoy-run.sh";

/// A script that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunScript {
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// What it runs: the command of a script of ours, the whole of another one.
    pub commands: String,
    /// Somebody named it, rather than that it was found.
    pub named: bool,
}

impl RunScript {
    /// The named script, else the one beside the tarball, if there is one.
    pub(super) fn find(
        named: Option<&Utf8Path>,
        tarball: &Utf8Path,
    ) -> Result<Option<Self>, SettingsError> {
        let path = named.map_or_else(|| tarball.with_file_name(NAME), Utf8Path::to_owned);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self {
                path,
                commands: commands(&text),
                named: named.is_some(),
            })),
            Err(e) if named.is_none() && e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SettingsError::Unreadable {
                flag: "--run-script",
                path,
                source,
            }),
        }
    }
}

/// From `exec` on, without it; else everything but the line that names the shell.
fn commands(script: &str) -> String {
    let line = |at: &(usize, &str)| script[..at.0].ends_with('\n');
    let exec = script.match_indices("exec ").find(line);
    let commands = match exec {
        Some((at, word)) => &script[at + word.len()..],
        None if script.starts_with("#!") => script.split_once('\n').unwrap_or_default().1,
        None => script,
    };
    commands.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_what_exec_runs() {
        let ours = "#!/bin/sh\n# Starts.\nset -eu\ncd -- \"$(dirname -- \"$0\")\"\nexec sonobuoy run \\\n  --x\n";
        assert_eq!(commands(ours), "sonobuoy run \\\n  --x");
        assert_eq!(commands("#!/bin/sh\n# why\nrun it\n"), "# why\nrun it");
        assert_eq!(commands("kubectl exec x\n"), "kubectl exec x");
        assert_eq!(commands("#!/bin/sh"), "");
    }

    #[test]
    fn it_is_found_beside_the_tarball() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let tarball = folder.join("results.tar.gz");
        assert_eq!(RunScript::find(None, &tarball).expect("none"), None);
        let missing = folder.join("mine.sh");
        assert!(RunScript::find(Some(&missing), &tarball).is_err());
        fs::write(folder.join(NAME), "run it\n").expect("written");
        let found = RunScript::find(None, &tarball).expect("one").expect("one");
        assert_eq!((found.commands.as_str(), found.named), ("run it", false));
    }
}
