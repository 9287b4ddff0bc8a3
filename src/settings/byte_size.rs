//! `4G`: a number of bytes as people type it.

/// Why a text is no number of bytes.
const EXPECTED: &str = "expected bytes such as 4G, 700M or 4GiB";

/// Decimal units, as disks count; with `iB` binary ones.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Bytes of `4G` (4,000,000,000), `4GB` (the same), `4GiB` or `1.5 T`; upper and lower case are
/// one. The error is a fragment.
pub(super) fn byte_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    // `kb` is `k`, and `b` nothing; in `kib` the b belongs to the unit.
    let plain = match unit.strip_suffix('b') {
        Some(rest) if !rest.ends_with('i') => rest,
        _ => &unit,
    };
    let factor = UNITS.iter().find(|(name, _)| *name == plain);
    let (_, factor) = factor.ok_or(EXPECTED)?;
    let bytes = scaled(number, *factor).ok_or(EXPECTED)?;
    if bytes == 0 {
        return Err("it must be more than nothing".to_owned());
    }
    Ok(bytes)
}

/// `1.5` times `factor` without a detour over binary fractions.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut bytes = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    let mut unit = factor;
    for digit in fraction.chars() {
        unit /= 10;
        bytes = bytes.checked_add(u64::from(digit.to_digit(10)?) * unit)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_as_people_type_them() {
        for (text, bytes) in [
            ("1", 1),
            ("4G", 4_000_000_000),
            ("4g", 4_000_000_000),
            ("4GB", 4_000_000_000),
            ("4 GB", 4_000_000_000),
            ("4GiB", 4 << 30),
            ("1.5T", 1_500_000_000_000),
            ("0.7k", 700),
            ("700MB", 700_000_000),
            ("512KiB", 512 << 10),
            ("12b", 12),
        ] {
            assert_eq!(byte_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "G",
            "4X",
            "-1",
            "4.5.6G",
            "1e9",
            "4GG",
            "4i",
            "0",
            "99999999T",
            "4G 5",
        ] {
            assert!(byte_size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_typed_makes_it_panic(text in "[0-9.kKmMgGtTiIbB ]{0,24}") {
            let _ = byte_size(&text);
        }
    }
}
