//! Foreign text made safe for a terminal, and the lines around it.

use std::borrow::Cow;

/// `text` without control characters: a registry's error body must not move the cursor, colour
/// the screen or rewrite the line before it. Newlines stay.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let hostile = |c: char| c.is_control() && c != '\n';
    if text.contains(hostile) {
        Cow::Owned(text.replace(hostile, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// [`clean`], on one line.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first line as it is, the others indented by two spaces: details of one message.
pub(crate) fn hanging(text: &str) -> String {
    clean(text.trim_end()).replace('\n', "\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_lose_their_power() {
        assert_eq!(clean("a\u{1b}[2Jb\rc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(one_line("a\n  b\t"), "a b\u{fffd}");
        assert_eq!(hanging("a\nb\n"), "a\n  b");
    }
}
