//! Asks a `docker-credential-NAME` program (docker/docker-credential-helpers, verb `get`).

use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::file::Helper;
use super::login::Credential;
use super::secret::Secret;

/// A helper may ask a key ring or a cloud; one that asks a person would wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What a helper gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    Login(Credential),
    /// It has none for this server.
    Nothing,
    /// It could not be asked, or did not answer as it should.
    Failed(String),
}

/// Runs the helper found in the folders of `path`.
pub(super) async fn ask(path: &[Utf8PathBuf], helper: &Helper) -> Given {
    let Some(program) = find(path, &helper.name) else {
        return Given::Failed(format!(
            "docker-credential-{} is not on the PATH",
            helper.name
        ));
    };
    match tokio::time::timeout(PATIENCE, run(&program, &helper.server)).await {
        Ok(Ok(given)) => given,
        Ok(Err(e)) => Given::Failed(format!("{program}: {e}")),
        Err(_) => Given::Failed(format!(
            "{program} did not answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}

fn find(path: &[Utf8PathBuf], name: &str) -> Option<Utf8PathBuf> {
    // A name is a word, not a way out of the folders of PATH.
    if name.contains(['/', '\\']) {
        return None;
    }
    path.iter()
        .map(|folder| folder.join(format!("docker-credential-{name}")))
        .find(|program| program.is_file())
}

async fn run(program: &Utf8Path, server: &str) -> std::io::Result<Given> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that knows its answer may not read the question.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    Ok(read(output.status.success(), &output.stdout))
}

fn read(success: bool, stdout: &[u8]) -> Given {
    if !success {
        let text = crate::registry::refusal::clean(&String::from_utf8_lossy(stdout));
        return if text.contains("credentials not found") {
            Given::Nothing
        } else {
            Given::Failed(format!("it says: {text}"))
        };
    }
    match serde_json::from_slice::<Answer>(stdout) {
        Ok(answer) if answer.secret.is_empty() => Given::Nothing,
        Ok(answer) if answer.username == "<token>" => {
            Given::Login(Credential::Identity(Secret::new(answer.secret)))
        }
        Ok(answer) => Given::Login(Credential::Password {
            user: answer.username,
            password: Secret::new(answer.secret),
        }),
        Err(_) => Given::Failed("its answer is not the JSON of a credential helper".to_owned()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn helper(script: &str) -> Given {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("utf-8");
        let program = root.join("docker-credential-test");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
            .expect("executable");
        let helper = Helper {
            name: "test".to_owned(),
            server: "r.io".to_owned(),
        };
        // Another test's fork may still hold the script open for writing ("text file busy").
        for _ in 0..50 {
            match ask(&[root.join("absent"), root.clone()], &helper).await {
                Given::Failed(why) if why.contains("busy") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                given => return given,
            }
        }
        panic!("the script stays busy")
    }

    #[tokio::test]
    async fn a_helper_is_given_the_server_and_gives_a_login() {
        let given = helper(
            r#"read server; echo "{\"ServerURL\":\"x\",\"Username\":\"u-$1-$server\",\"Secret\":\"s\"}""#,
        )
        .await;
        assert_eq!(
            given,
            Given::Login(Credential::Password {
                user: "u-get-r.io".to_owned(),
                password: Secret::new("s")
            })
        );
        let token = helper(r#"echo '{"Username":"<token>","Secret":"refresh"}'"#).await;
        assert_eq!(
            token,
            Given::Login(Credential::Identity(Secret::new("refresh")))
        );
    }

    #[tokio::test]
    async fn nothing_found_is_no_failure() {
        let none = helper("echo 'credentials not found in native keychain'; exit 1").await;
        assert_eq!(none, Given::Nothing);
        assert!(matches!(helper("exit 1").await, Given::Failed(_)));
        assert!(matches!(helper("echo hello").await, Given::Failed(_)));
    }

    #[tokio::test]
    async fn an_absent_helper_is_named() {
        let helper = Helper {
            name: "absent".to_owned(),
            server: "r.io".to_owned(),
        };
        let Given::Failed(why) = ask(&["/nowhere".into()], &helper).await else {
            panic!("found")
        };
        assert!(why.contains("docker-credential-absent"), "{why}");
        assert_eq!(find(&["/bin".into()], "../sh"), None);
    }
}
