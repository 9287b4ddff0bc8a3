//! Which of sonobuoy's modes a run was, told from what really ran.

/// Sonobuoy v0.57.5: `pkg/client/mode.go` gives each mode a focus and a skip.
const CONFORMANCE: &str = r"\[Conformance\]";
const DISRUPTIVE: &str = r"\[Disruptive\]|NoExecuteTaintManager";
const QUICK: &str = "Pods should be submitted and removed";

/// How the tests were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunMode {
    /// Every conformance test, one after the other: what can be submitted.
    CertifiedConformance,
    /// Without the tests that disturb other workloads.
    NonDisruptiveConformance,
    /// In parallel and without the slow tests.
    ConformanceLite,
    /// One test.
    Quick,
    /// Somebody's own choice.
    Custom,
}

impl RunMode {
    /// The mode with this focus and skip (empty: none), in parallel or not.
    pub(super) fn of(focus: &str, skip: &str, parallel: bool) -> Self {
        match (focus, skip, parallel) {
            (CONFORMANCE, "", false) => Self::CertifiedConformance,
            (CONFORMANCE, DISRUPTIVE, _) => Self::NonDisruptiveConformance,
            (CONFORMANCE, _, true) => Self::ConformanceLite,
            (QUICK, "", _) => Self::Quick,
            _ => Self::Custom,
        }
    }

    /// The mode of a run that only its `JUnit` file is left of, which does not say whether tests ran
    /// in parallel.
    pub fn chosen_by(focus: &str, skip: &str) -> Self {
        Self::of(focus, skip, false)
    }

    /// Sonobuoy's word, or `custom`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertifiedConformance => "certified-conformance",
            Self::NonDisruptiveConformance => "non-disruptive-conformance",
            Self::ConformanceLite => "conformance-lite",
            Self::Quick => "quick",
            Self::Custom => "custom",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_suite_is_certified() {
        assert_eq!(
            RunMode::of(CONFORMANCE, "", false),
            RunMode::CertifiedConformance
        );
        assert_eq!(
            RunMode::of(CONFORMANCE, DISRUPTIVE, false),
            RunMode::NonDisruptiveConformance
        );
        assert_eq!(
            RunMode::of(CONFORMANCE, r"\[Serial\]", true),
            RunMode::ConformanceLite
        );
        assert_eq!(RunMode::of(QUICK, "", false), RunMode::Quick);
        assert_eq!(RunMode::of(CONFORMANCE, "x", false), RunMode::Custom);
        assert_eq!(RunMode::of("", "", false), RunMode::Custom);
    }
}
