//! Who we are at each registry: credential files, credential helpers, and the secrets in them.

mod file;
mod helper;
mod login;
mod lookup;
mod secret;

pub(super) use login::{Credential, Login};
pub(super) use lookup::Credentials;
pub(super) use secret::Secret;
