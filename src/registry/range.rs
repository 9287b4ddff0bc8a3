//! `Range` and `Content-Range`: is the answer to a read what was asked for (RFC 9110, 14), and how
//! much of an upload has arrived (distribution-spec, "Pushing a blob in chunks").

use reqwest::header::{CONTENT_RANGE, HeaderMap, RANGE};

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

/// How many bytes an upload holds, by the `Range: 0-<last byte>` of an answer; `None` when it does
/// not say. Some write `bytes=` in front (distribution-spec#353). `0-0` is what Distribution says
/// of an upload that holds nothing, so it is never read as one byte.
pub(super) fn upload_length(headers: &HeaderMap) -> Option<u64> {
    held(headers.get(RANGE)?.to_str().ok()?)
}

fn held(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_prefix("bytes").map_or(text, |rest| {
        rest.trim_start_matches(|c: char| c == '=' || c.is_whitespace())
    });
    let (start, last) = text.split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    match (start.trim().parse::<u64>().ok()?, last) {
        (0, 0) => Some(0),
        (0, last) => last.checked_add(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_uploads() {
        for (text, length) in [
            ("0-9", Some(10)),
            ("bytes=0-9", Some(10)),
            (" bytes 0 - 9", Some(10)),
            ("0-0", Some(0)),
            ("0--1", None),
            ("5-9", None),
            ("0-18446744073709551615", None),
            ("", None),
        ] {
            assert_eq!(held(text), length, "{text}");
        }
    }

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
        fn hostile_headers_are_survived(text in "(bytes)?[ -~]{0,40}") {
            let _ = (parse(&text), held(&text));
        }

        #[test]
        fn what_an_upload_holds_is_read(length in 2_u64..) {
            prop_assert_eq!(held(&format!("0-{}", length - 1)), Some(length));
        }
    }
}
