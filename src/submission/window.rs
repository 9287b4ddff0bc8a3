//! Which releases can be certified: the newest minor and the two before it (the bot's scenario 12).

use jiff::civil::Date;

use crate::catalog::Catalog;
use crate::kube_version::KubeVersion;

/// Minors before the newest one that are still taken.
const OLDER: u64 = 2;

/// The window as of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The newest minor.
    pub newest: KubeVersion,
    /// The day on which that was so.
    pub as_of: Date,
}

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Inside,
    TooOld,
    /// Newer than the catalogue: perhaps inside by now, perhaps not out yet.
    Unknown,
}

impl Window {
    /// The window that a catalogue knows.
    pub fn of(catalog: &Catalog) -> Self {
        Self {
            newest: catalog.range().newest,
            as_of: catalog.facts_date(),
        }
    }

    /// The oldest minor inside.
    pub fn oldest(&self) -> KubeVersion {
        KubeVersion::minor_release(
            self.newest.major(),
            self.newest.minor().saturating_sub(OLDER),
        )
    }

    /// Whether a release can be certified, as far as is known.
    pub fn holds(&self, release: &KubeVersion) -> bool {
        self.standing(release) == Standing::Inside
    }

    pub(super) fn standing(&self, release: &KubeVersion) -> Standing {
        let minor = |v: &KubeVersion| (v.major(), v.minor());
        if minor(release) > minor(&self.newest) {
            Standing::Unknown
        } else if minor(release) < minor(&self.oldest()) {
            Standing::TooOld
        } else {
            Standing::Inside
        }
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (oldest, newest) = (self.oldest(), &self.newest);
        write!(f, "v{} to v{}", oldest.minor_name(), newest.minor_name())?;
        write!(f, ", as of this catalogue, {}", self.as_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_minors_stand_inside() {
        let window = Window {
            newest: "v1.37.2".parse().expect("a version"),
            as_of: jiff::civil::date(2026, 11, 23),
        };
        assert_eq!(
            window.to_string(),
            "v1.35 to v1.37, as of this catalogue, 2026-11-23"
        );
        for (release, standing) in [
            ("v1.34", Standing::TooOld),
            ("v1.35", Standing::Inside),
            ("v1.37.9", Standing::Inside),
            ("v1.38", Standing::Unknown),
        ] {
            assert_eq!(
                window.standing(&release.parse().expect("a version")),
                standing,
                "{release}"
            );
        }
        let embedded = Window::of(&Catalog::embedded());
        assert!(embedded.holds(&embedded.newest) && embedded.holds(&embedded.oldest()));
    }
}
