//! Who we are at a registry, and where that was read.

use super::secret::Secret;

/// A credential and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) struct Login {
    pub(in crate::registry) credential: Credential,
    /// The file, or the helper named in it.
    pub(in crate::registry) origin: String,
}

/// The kinds of credential that Docker's and podman's files hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) enum Credential {
    /// For Basic, or for Basic at the token server.
    Password { user: String, password: Secret },
    /// An `OAuth2` refresh token: for the token server only.
    Identity(Secret),
    /// A bearer token used as it is.
    Bearer(Secret),
}

impl Login {
    /// `user "robot" from /home/ops/.docker/config.json`.
    pub(in crate::registry) fn describe(&self) -> String {
        let who = match &self.credential {
            Credential::Password { user, .. } => {
                format!("user \"{}\"", crate::registry::refusal::clean(user))
            }
            Credential::Identity(_) => "the identity token".to_owned(),
            Credential::Bearer(_) => "the registry token".to_owned(),
        };
        format!("{who} from {}", self.origin)
    }
}
