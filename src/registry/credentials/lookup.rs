//! Finds the login for a repository: files in their order, in each the host's helper, the store
//! for all hosts, then what is written in the file itself (Docker's order).

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8PathBuf;

use super::file::{AuthFile, Helper};
use super::helper::{self, Given};
use super::login::Login;
use crate::registry::flight::Flight;
use crate::registry::options::Options;
use crate::registry::setup::SetupError;

/// The credential files of a run.
pub(in crate::registry) struct Credentials {
    files: Vec<AuthFile>,
    named: Vec<Utf8PathBuf>,
    helper_path: Vec<Utf8PathBuf>,
    /// A helper is asked once for a server.
    asked: Mutex<HashMap<Helper, Arc<Flight<Given>>>>,
}

impl Credentials {
    /// Reads the files. One that is missing or broken is an error only when it was asked for by
    /// name.
    pub(in crate::registry) fn new(options: &Options) -> Result<Self, SetupError> {
        let mut files = Vec::new();
        for path in &options.auth_files {
            let read = std::fs::read(path);
            let why = match read {
                Ok(bytes) => match AuthFile::parse(path.clone(), &bytes) {
                    Ok(file) => {
                        files.push(file);
                        continue;
                    }
                    Err(why) => why,
                },
                Err(e) if e.kind() == ErrorKind::NotFound && !options.auth_file_explicit => {
                    continue;
                }
                Err(e) => e.to_string(),
            };
            if options.auth_file_explicit {
                return Err(SetupError::AuthFile {
                    path: path.clone(),
                    why,
                });
            }
            tracing::warn!("{path} is left out: {why}");
        }
        Ok(Self {
            files,
            named: options.auth_files.clone(),
            helper_path: options.helper_path.clone(),
            asked: Mutex::default(),
        })
    }

    /// The login for `path` at `authority`, or none.
    pub(in crate::registry) async fn login(&self, authority: &str, path: &str) -> Option<Login> {
        for file in &self.files {
            for helper in file.helpers(authority) {
                if let Given::Login(credential) = self.ask(&helper).await {
                    return Some(Login {
                        credential,
                        origin: format!(
                            "docker-credential-{}, named in {}",
                            helper.name, file.path
                        ),
                    });
                }
            }
            if let Some(login) = file.login(authority, path) {
                return Some(login);
            }
        }
        None
    }

    async fn ask(&self, helper: &Helper) -> Given {
        let flight = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(helper.clone()).or_default())
        };
        let answer = flight.get(|_| true, async {
            let given = helper::ask(&self.helper_path, helper).await;
            if let Given::Failed(why) = &given {
                tracing::warn!(
                    "no login from the credential helper for {}: {why}",
                    helper.server
                );
            }
            Ok(given)
        });
        answer.await.unwrap_or(Given::Nothing)
    }

    /// Where logins were looked for, in words.
    pub(in crate::registry) fn searched(&self) -> String {
        if self.named.is_empty() {
            return "no credential file was given".to_owned();
        }
        let names: Vec<&str> = self.named.iter().map(|path| path.as_str()).collect();
        format!("none in {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_file_with_a_login_wins_and_a_missing_helper_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("utf-8");
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let options = Options {
            auth_files: vec![
                root.join("absent.json"),
                write("broken.json", "{"),
                write(
                    "empty.json",
                    r#"{"credsStore":"absent","auths":{"r.io":{}}}"#,
                ),
                write(
                    "full.json",
                    r#"{"auths":{"r.io":{"username":"u","password":"p"}}}"#,
                ),
            ],
            ..Options::default()
        };
        let credentials = Credentials::new(&options).expect("set up");
        let login = credentials.login("r.io", "a").await.expect("a login");
        assert!(
            login.describe().starts_with("user \"u\" from "),
            "{}",
            login.describe()
        );
        assert!(login.origin.ends_with("full.json"));
        assert!(credentials.login("s.io", "a").await.is_none());

        for auth_file in [root.join("absent.json"), root.join("broken.json")] {
            let explicit = Options {
                auth_files: vec![auth_file],
                auth_file_explicit: true,
                ..Options::default()
            };
            assert!(Credentials::new(&explicit).is_err());
        }
    }
}
