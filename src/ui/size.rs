//! Bytes and durations as people read them: decimal units, as disks and networks count.

use std::time::Duration;

const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];

/// `4.2 GB`, `58 MB`, `312 B`: two digits that matter below ten, whole units above.
pub fn bytes(count: u64) -> String {
    let (number, unit) = scaled(count);
    format!("{number} {unit}")
}

/// `3.0 of 4.2 GB`, with the unit once where both share it.
pub(crate) fn bytes_of(part: u64, whole: u64) -> String {
    let ((part, part_unit), (whole, unit)) = (scaled(part), scaled(whole));
    if part_unit == unit {
        format!("{part} of {whole} {unit}")
    } else {
        format!("{part} {part_unit} of {whole} {unit}")
    }
}

fn scaled(count: u64) -> (String, &'static str) {
    if count < 1000 {
        return (count.to_string(), "B");
    }
    let mut number = lossy(count) / 1000.0;
    let mut unit = 0;
    // 999.5 would be shown as 1000.
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(number < 9.95);
    (format!("{number:.digits$}"), UNITS[unit])
}

#[expect(
    clippy::cast_precision_loss,
    reason = "two digits are shown, f64 holds fifteen"
)]
fn lossy(count: u64) -> f64 {
    count as f64
}

/// `112 MB/s`.
pub(crate) fn rate(bytes_per_second: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and a rate is never negative"
    )]
    let whole = bytes_per_second as u64;
    format!("{}/s", bytes(whole))
}

/// `0.3 s`, `41 s`, `3 min 5 s`, `1 h 52 min`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round();
    if seconds < 10.0 {
        return format!("{:.1} s", time.as_secs_f64());
    }
    let whole = Duration::from_secs_f64(seconds).as_secs();
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `1 image`, `44 images`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_and_short() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_940, "9.9 kB"),
            (9_960, "10 kB"),
            (58_300_000, "58 MB"),
            (999_499_999, "999 MB"),
            (999_500_000, "1.0 GB"),
            (4_212_000_000, "4.2 GB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(bytes_of(3_000_000_000, 4_200_000_000), "3.0 of 4.2 GB");
        assert_eq!(bytes_of(512_000, 4_200_000_000), "512 kB of 4.2 GB");
        assert_eq!(rate(112_400_000.0), "112 MB/s");
    }

    #[test]
    fn durations_name_two_units_at_most() {
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (0.31, "0.3 s"),
            (9.4, "9.4 s"),
            (9.6, "10 s"),
            (41.2, "41 s"),
            (59.7, "1 min 0 s"),
            (185.0, "3 min 5 s"),
            (6720.0, "1 h 52 min"),
        ] {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), text);
        }
        assert_eq!(count(1, "image"), "1 image");
        assert_eq!(count(44, "image"), "44 images");
    }
}
