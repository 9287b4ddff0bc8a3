//! Runs the program that was fetched and takes what it prints: nothing to read, an empty
//! environment, a folder of its own, limited time and limited output.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// A list takes a second; a program that starts tests instead would never end.
const PATIENCE: Duration = Duration::from_mins(2);

/// A list of 50 images has 3 kB.
const MOST_OUTPUT: u64 = 1 << 20;

/// How much of its complaints is shown.
const QUOTED: usize = 300;

/// How often a program that cannot be started yet is started again.
const STARTS: u32 = 50;

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// It does not start.
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    /// It said no.
    #[error("it ended with {status}{}", said(stderr))]
    Status {
        /// As the system words it.
        status: String,
        /// Its complaints.
        stderr: String,
    },
    /// It did not end.
    #[error("it did not end within {} s", .0.as_secs())]
    Time(Duration),
    /// It did not stop.
    #[error("it printed more than {0} bytes")]
    Output(u64),
    /// Its output is lost.
    #[error("its output cannot be read: {0}")]
    Pipe(io::Error),
}

fn said(stderr: &str) -> String {
    let text: String = stderr.trim().chars().take(QUOTED).collect();
    if text.is_empty() {
        text
    } else {
        format!(": {text}")
    }
}

/// What `program --list-images` prints, started in `folder`. Both paths are absolute.
pub(super) async fn list_images(program: &Path, folder: &Path) -> Result<Vec<u8>, RunError> {
    list_images_within(program, folder, PATIENCE).await
}

async fn list_images_within(
    program: &Path,
    folder: &Path,
    patience: Duration,
) -> Result<Vec<u8>, RunError> {
    let child = start(program, folder).await?;
    // Dropped with everything in it when the time is over, and the program killed with that.
    tokio::time::timeout(patience, output(child))
        .await
        .map_err(|_| RunError::Time(patience))?
}

async fn start(program: &Path, folder: &Path) -> Result<Child, RunError> {
    let mut command = Command::new(program);
    command
        .arg("--list-images")
        // No KUBE_TEST_REPO_LIST, which renames what is printed, and no secret of the user's.
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut starts = 0;
    loop {
        starts += 1;
        match command.spawn() {
            // Another child, between fork and exec, holds the file open for writing still.
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy && starts < STARTS => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            started => return started.map_err(RunError::Start),
        }
    }
}

async fn output(mut child: Child) -> Result<Vec<u8>, RunError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let printed = async {
        let mut printed = Vec::new();
        if let Some(stdout) = stdout {
            let mut limited = stdout.take(MOST_OUTPUT + 1);
            limited
                .read_to_end(&mut printed)
                .await
                .map_err(RunError::Pipe)?;
        }
        if printed.len() as u64 > MOST_OUTPUT {
            return Err(RunError::Output(MOST_OUTPUT));
        }
        Ok(printed)
    };
    let complained = async { Ok(complaints(stderr).await) };
    let (printed, stderr) = tokio::try_join!(printed, complained)?;
    let status = child.wait().await.map_err(RunError::Pipe)?;
    if status.success() {
        return Ok(printed);
    }
    Err(RunError::Status {
        status: status.to_string(),
        stderr,
    })
}

/// The beginning of what it complains; the rest is read and dropped, so that it never waits.
async fn complaints(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else {
        return String::new();
    };
    let mut kept = Vec::new();
    let mut beginning = (&mut stderr).take(4 * QUOTED as u64);
    let _ = beginning.read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn run(script: &str) -> Result<String, RunError> {
        let folder = tempfile::tempdir().expect("a folder");
        let (program, work) = (folder.path().join("e2e.test"), folder.path().join("work"));
        std::fs::create_dir(&work).expect("a folder");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        let mode = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(&program, mode).expect("executable");
        let patience = Duration::from_secs(3);
        let output = list_images_within(&program, &work, patience).await?;
        Ok(String::from_utf8(output).expect("text"))
    }

    #[tokio::test]
    async fn it_sees_nothing_of_this_process() {
        let script = r#"echo "$# $1 ${HOME-none} ${PATH_WAS-none}"; ls -A | wc -l; cat; pwd"#;
        let output = run(script).await.expect("output");
        let lines: Vec<&str> = output.lines().map(str::trim).collect();
        assert_eq!(lines[..2], ["1 --list-images none none", "0"]);
        assert!(lines[2].ends_with("/work"), "{output}");
        let variables = run("export -p").await.expect("output");
        let foreign = |l: &&str| !l.contains("PWD");
        assert_eq!(variables.lines().find(foreign), None, "{variables}");
    }

    #[tokio::test]
    async fn its_failure_is_quoted() {
        let error = run("echo no such flag >&2; exit 2")
            .await
            .expect_err("failed");
        let text = error.to_string();
        assert!(text.contains("2: no such flag"), "{text}");
        let long = "i=0; while [ $i -lt 3000 ]; do echo complaint >&2; i=$((i+1)); done; exit 1";
        let error = run(long).await.expect_err("failed").to_string();
        assert!(error.len() < 400, "{error}");
    }

    #[tokio::test]
    async fn what_does_not_end_is_ended() {
        let error = run("exec sleep 60").await.expect_err("too slow");
        assert!(matches!(error, RunError::Time(_)), "{error}");
        let error = run("while :; do echo a/b:1; done")
            .await
            .expect_err("endless");
        assert!(matches!(error, RunError::Output(_)), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_program_does_not_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("e2e.test");
        std::fs::write(&program, b"\x7fELF of another machine").expect("written");
        let mode = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(&program, mode).expect("executable");
        let error = list_images(&program, folder.path()).await;
        assert!(matches!(error, Err(RunError::Start(_))), "{error:?}");
    }
}
