//! How a host wants to be authenticated to, and the tokens that were had for it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::challenge::Challenge;
use super::scope::Scopes;
use super::token::Token;
use crate::registry::flight::Flight;

/// One host's authentication.
#[derive(Default)]
pub(in crate::registry) struct Auth {
    mode: Mutex<Mode>,
    tokens: Mutex<HashMap<Scopes, Arc<Flight<Token>>>>,
    /// Scopes for which a new token did not help against a 403: the answer is meant.
    forbidden: Mutex<HashSet<Scopes>>,
}

/// What the host asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not asked yet, or nothing was wanted so far.
    #[default]
    Open,
    Asks(Challenge),
}

impl Auth {
    pub(super) fn mode(&self) -> Mode {
        self.mode
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers what the host wants; every later request brings it unasked.
    pub(super) fn learn(&self, challenge: Challenge) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = Mode::Asks(challenge);
    }

    /// The place where the token for exactly these scopes is kept or fetched.
    pub(super) fn flight(&self, scopes: &Scopes) -> Arc<Flight<Token>> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tokens.entry(scopes.clone()).or_default())
    }

    /// A kept token that is good for `scopes` and for wider ones.
    pub(super) fn wider(&self, scopes: &Scopes, share: f64) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .iter()
            .filter(|(have, _)| *have != scopes && have.covers(scopes))
            .filter_map(|(_, flight)| flight.peek())
            .find(|token| token.has_left(share))
    }

    pub(super) fn is_forbidden(&self, scopes: &Scopes) -> bool {
        self.forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(scopes)
    }

    pub(in crate::registry) fn learn_forbidden(&self, scopes: &Scopes) {
        self.forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(scopes.clone());
    }
}
