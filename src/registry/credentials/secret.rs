//! Text that must not be seen: no `Display`, and a `Debug` that hides it.

use std::fmt;

/// A password or token.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::registry) struct Secret(String);

impl Secret {
    pub(in crate::registry) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the header or form that it belongs in.
    pub(in crate::registry) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}
