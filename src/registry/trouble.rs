//! Why a request failed, before it is known whose request it was: several callers may share one
//! token fetch or one first contact, and each makes a [`Failure`] of its own from it.

use std::time::Duration;

use crate::content::{Code, Failure, Retry};

use super::place::Place;

/// A failure without its place.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) code: Code,
    pub(super) retry: Retry,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Trouble {
    /// One that will be the same next time.
    pub(super) fn fatal(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            retry: Retry::Never,
            message: message.into(),
            hint: None,
        }
    }

    /// One that another try may not meet.
    pub(super) fn passing(code: Code, message: impl Into<String>) -> Self {
        Self {
            retry: Retry::Backoff,
            ..Self::fatal(code, message)
        }
    }

    /// The host wants quiet for `delay`.
    pub(super) fn quiet(delay: Duration, message: impl Into<String>) -> Self {
        Self {
            retry: Retry::After(delay),
            ..Self::fatal(Code::Throttled, message)
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn at(self, place: &Place) -> Failure {
        let message = match place.asked_elsewhere() {
            Some(note) => format!("{} ({note})", self.message),
            None => self.message,
        };
        let failure = Failure::new(self.code, place.repository().host(), message)
            .in_repository(place.repository())
            .retry(self.retry);
        let failure = match place.reference() {
            Some(reference) => failure.about(reference),
            None => failure,
        };
        match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
