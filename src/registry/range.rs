//! `Range` and `Content-Range` (RFC 9110, 14): is the answer what was asked for?

use reqwest::header::{CONTENT_RANGE, HeaderMap};

/// A parsed `Content-Range: bytes <start>-<end>/<total>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) start: u64,
    /// `None` for `*`.
    pub(super) total: Option<u64>,
}

/// The header's range; `None` when it is absent or no byte range.
pub(super) fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    parse(headers.get(CONTENT_RANGE)?.to_str().ok()?)
}

fn parse(text: &str) -> Option<ContentRange> {
    let rest = text.trim().strip_prefix("bytes")?.trim_start();
    let (range, total) = rest.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let start: u64 = start.trim().parse().ok()?;
    let end: u64 = end.trim().parse().ok()?;
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (start <= end && total.is_none_or(|total| end < total)).then_some(ContentRange { start, total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        let range = |start, total| Some(ContentRange { start, total });
        assert_eq!(parse("bytes 5-9/10"), range(5, Some(10)));
        assert_eq!(parse("bytes 0-0/*"), range(0, None));
        for wrong in [
            "",
            "bytes */10",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "items 0-1/2",
            "bytes 0-1",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_a_server_writes_is_read(start in 0_u64..1000, length in 1_u64..1000, rest in 0_u64..1000) {
            let (end, total) = (start + length - 1, start + length + rest);
            prop_assert_eq!(
                parse(&format!("bytes {start}-{end}/{total}")),
                Some(ContentRange { start, total: Some(total) })
            );
        }

        #[test]
        fn hostile_headers_are_survived(text in "bytes [ -~]{0,40}") {
            let _ = parse(&text);
        }
    }
}
