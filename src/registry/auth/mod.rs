//! Authentication to a registry: challenges, scopes, tokens, and what a request carries.

mod challenge;
mod grant;
mod realm;
mod scope;
mod state;
mod token;

pub(super) use grant::{Access, Grant, learn};
pub(super) use realm::is_inner;
pub(super) use scope::Scopes;
pub(super) use state::Auth;
