//! Bearer tokens with a short life (distribution's token specification, without login).

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The tokens given out.
pub(super) struct Tokens {
    life: Duration,
    given: HashMap<String, Instant>,
}

impl Tokens {
    pub(super) fn new(life: Duration) -> Self {
        Self {
            life,
            given: HashMap::new(),
        }
    }

    /// A new token, as the endpoint's JSON.
    pub(super) fn give(&mut self) -> String {
        let token = format!("token-{}", self.given.len() + 1);
        self.given.insert(token.clone(), Instant::now());
        let seconds = self.life.as_secs().max(1);
        format!("{{\"token\":\"{token}\",\"expires_in\":{seconds}}}")
    }

    /// Whether this `Authorization` header is good now.
    pub(super) fn accept(&self, authorization: Option<&str>) -> bool {
        authorization
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| self.given.get(token))
            .is_some_and(|given| given.elapsed() < self.life)
    }
}
