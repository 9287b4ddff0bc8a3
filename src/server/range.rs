//! Byte ranges: `Range` of a GET (RFC 9110, section 14) and `Content-Range` of an upload
//! (distribution-spec, "Pushing a blob in chunks").

/// What a GET is to be answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything, with 200.
    Whole,
    /// `length` bytes from `offset` on, with 206; at least one.
    Part { offset: u64, length: u64 },
    /// Nothing of it lies in the blob: 416.
    Unsatisfiable,
}

/// Reads a `Range` value for a blob of `size` bytes.
///
/// Other units and lists of ranges are answered with the whole, as RFC 9110 allows. What is
/// malformed in the unit `bytes` is 416, which the distribution-spec's suite wants of `500-0`.
pub(super) fn wanted(value: &str, size: u64) -> Wanted {
    let Some(spec) = value.trim().strip_prefix("bytes=") else {
        return Wanted::Whole;
    };
    if spec.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::Unsatisfiable;
    };
    let bounds = match (first, last) {
        ("", suffix) => number(suffix)
            .filter(|&length| length > 0)
            .map(|length| (size.saturating_sub(length), u64::MAX)),
        (first, "") => number(first).map(|first| (first, u64::MAX)),
        (first, last) => number(first).zip(number(last)),
    };
    match bounds {
        Some((first, last)) if first <= last && first < size => Wanted::Part {
            offset: first,
            length: last.min(size - 1) - first + 1,
        },
        _ => Wanted::Unsatisfiable,
    }
}

/// First and last position of an upload's `Content-Range`, `^[0-9]+-[0-9]+$`. The form of
/// RFC 9110, `bytes 0-9/10`, is read too: some clients send it.
pub(super) fn chunk(value: &str) -> Option<(u64, u64)> {
    let value = value.trim();
    let plain = value.strip_prefix("bytes ").unwrap_or(value);
    let plain = plain.split_once('/').map_or(plain, |(range, _)| range);
    let (first, last) = plain.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

/// Digits only; what exceeds 64 bits lies beyond every blob all the same.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(offset: u64, length: u64) -> Wanted {
        Wanted::Part { offset, length }
    }

    #[test]
    fn the_forms_that_the_suite_asks_for() {
        for (value, expected) in [
            ("bytes=500-1499", part(500, 1000)),
            ("bytes=500-", part(500, 2500)),
            ("bytes=-500", part(2500, 500)),
            ("bytes=2000-5000", part(2000, 1000)),
            ("bytes=-5000", part(0, 3000)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=500-0", Wanted::Unsatisfiable),
            ("bytes=5000-10000", Wanted::Unsatisfiable),
            ("bytes=3000-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=-", Wanted::Unsatisfiable),
            ("bytes=x-y", Wanted::Unsatisfiable),
            ("bytes=+1-2", Wanted::Unsatisfiable),
            ("bytes=0-99999999999999999999999", part(0, 3000)),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(value, 3000), expected, "{value}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn the_chunk_of_an_upload() {
        assert_eq!(chunk("0-9"), Some((0, 9)));
        assert_eq!(chunk("bytes 10-19/20"), Some((10, 19)));
        for bad in ["", "-", "0-", "-9", "9-0", "a-b", "0-9-1"] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_part_always_lies_inside(value in "bytes=[0-9-]{0,22}", size: u64) {
            if let Wanted::Part { offset, length } = wanted(&value, size) {
                prop_assert!(length > 0);
                prop_assert!(offset.checked_add(length).is_some_and(|end| end <= size));
            }
        }

        #[test]
        fn a_satisfiable_range_is_given_exactly(size in 1u64.., a: prop::sample::Index, b: prop::sample::Index) {
            let index = |i: prop::sample::Index| i.index(usize::try_from(size).unwrap_or(usize::MAX)) as u64;
            let (first, last) = (index(a).min(index(b)), index(a).max(index(b)));
            prop_assert_eq!(wanted(&format!("bytes={first}-{last}"), size), part(first, last - first + 1));
            prop_assert_eq!(wanted(&format!("bytes={first}-"), size), part(first, size - first));
            prop_assert_eq!(chunk(&format!("{first}-{last}")), Some((first, last)));
        }

        #[test]
        fn no_value_panics(value in "\\PC*", size: u64) {
            let _ = (wanted(&value, size), chunk(&value));
        }
    }
}
