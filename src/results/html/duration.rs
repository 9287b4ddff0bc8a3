//! How long something took, for people.

/// `0.3 s`, `42 s`, `5 min 1 s`, `1 h 52 min`.
pub(super) fn spoken(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    // Durations of a run are far below 2^53, where this would lose anything.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, which is as good as any number"
    )]
    #[expect(
        clippy::cast_sign_loss,
        reason = "the branch above took what is below 9.95"
    )]
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks() {
        for (seconds, text) in [
            (0.0, "0.0 s"),
            (9.96, "10 s"),
            (300.5, "5 min 1 s"),
            (6720.0, "1 h 52 min"),
        ] {
            assert_eq!(spoken(seconds), text);
        }
    }
}
