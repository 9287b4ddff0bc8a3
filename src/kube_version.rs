//! A parsed Kubernetes version, as users, clusters and the catalogue write it. It stops at the
//! text: which images a version needs is the catalogue's knowledge.

use std::fmt;
use std::str::FromStr;

use semver::Prerelease;

/// A Kubernetes version such as `v1.36.1`, `1.36` or `v1.31.2-rc.1+k3s1`.
///
/// Ordered as releases are: a minor without a patch comes before its patches, a pre-release before
/// its release (semantic versioning 2.0, section 11). A vendor suffix only breaks ties.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KubeVersion {
    major: u64,
    minor: u64,
    patch: Option<u64>,
    pre_release: Prerelease,
    /// With the `-` or `+` that it began with; empty for none.
    vendor: String,
}

/// The text is no Kubernetes version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a Kubernetes version: {reason}; write it like v1.36.1, 1.36.1 or 1.36")]
pub struct InvalidVersion {
    text: String,
    reason: &'static str,
}

impl KubeVersion {
    /// The minor release `major.minor`, no patch named.
    pub fn minor_release(major: u64, minor: u64) -> Self {
        Self {
            major,
            minor,
            patch: None,
            pre_release: Prerelease::EMPTY,
            vendor: String::new(),
        }
    }

    /// `1` of v1.36.1.
    pub fn major(&self) -> u64 {
        self.major
    }

    /// `36` of v1.36.1.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// `1` of v1.36.1; none when only the minor was named.
    pub fn patch(&self) -> Option<u64> {
        self.patch
    }

    /// `1.36` of v1.36.1.
    pub fn minor_name(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// `rc.1` of v1.37.0-rc.1. Kubernetes has `alpha`, `beta` and `rc`; whatever else follows a
    /// hyphen is a vendor's.
    pub fn pre_release(&self) -> Option<&str> {
        (!self.pre_release.is_empty()).then_some(self.pre_release.as_str())
    }

    /// What a vendor added, with its first character: `+k3s1`, `-eks-abc`, `-gke.100`.
    pub fn vendor_suffix(&self) -> Option<&str> {
        (!self.vendor.is_empty()).then_some(self.vendor.as_str())
    }

    /// The version that the vendor built upon: upstream publishes its images under this one.
    #[must_use]
    pub fn without_vendor_suffix(&self) -> Self {
        Self {
            vendor: String::new(),
            ..self.clone()
        }
    }
}

impl fmt::Display for KubeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}", self.major, self.minor)?;
        if let Some(patch) = self.patch {
            write!(f, ".{patch}")?;
        }
        if let Some(pre_release) = self.pre_release() {
            write!(f, "-{pre_release}")?;
        }
        f.write_str(&self.vendor)
    }
}

impl FromStr for KubeVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = |reason| InvalidVersion {
            text: text.to_owned(),
            reason,
        };
        let rest = text.strip_prefix('v').unwrap_or(text);
        let end = rest.find(['-', '+']).unwrap_or(rest.len());
        let (numbers, suffix) = rest.split_at(end);
        let mut parts = Vec::new();
        for part in numbers.split('.') {
            parts.push(number(part).map_err(invalid)?);
        }
        let (major, minor, patch) = match parts[..] {
            [major, minor] => (major, minor, None),
            [major, minor, patch] => (major, minor, Some(patch)),
            [_] => return Err(invalid("the minor is missing")),
            _ => return Err(invalid("it has more than three numbers")),
        };
        if patch.is_none() && !suffix.is_empty() {
            return Err(invalid("a suffix needs the patch before it"));
        }
        let (pre_release, vendor) = split_suffix(suffix);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-+._~".contains(c);
        if vendor.len() == 1 || !vendor.chars().all(plain) {
            return Err(invalid("its suffix is not one"));
        }
        Ok(Self {
            major,
            minor,
            patch,
            pre_release: Prerelease::new(pre_release)
                .map_err(|_| invalid("its pre-release is not one"))?,
            vendor: vendor.to_owned(),
        })
    }
}

/// A decimal number as versions hold it: digits, no leading zero.
fn number(part: &str) -> Result<u64, &'static str> {
    if part.is_empty() {
        return Err("a number is missing");
    }
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return Err("it holds something that is not a number");
    }
    if part.len() > 1 && part.starts_with('0') {
        return Err("a number begins with zero");
    }
    part.parse().map_err(|_| "a number is too large")
}

/// `-rc.1+k3s1` ▶ `rc.1` and `+k3s1`. `-rc1` is a vendor's: k3s and RKE2 count their own release
/// candidates like this, upon a finished Kubernetes release.
fn split_suffix(suffix: &str) -> (&str, &str) {
    let Some(body) = suffix.strip_prefix('-') else {
        return ("", suffix);
    };
    let end = body.find(['-', '+']).unwrap_or(body.len());
    let mut words = body[..end].split('.');
    let stage = words.next().unwrap_or_default();
    let counters: Vec<&str> = words.collect();
    let counted = !counters.is_empty() && counters.iter().all(|word| number(word).is_ok());
    if matches!(stage, "alpha" | "beta" | "rc") && counted {
        (&body[..end], &body[end..])
    } else {
        ("", suffix)
    }
}

impl serde::Serialize for KubeVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for KubeVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> KubeVersion {
        text.parse().expect(text)
    }

    #[test]
    fn every_usual_form_is_read() {
        for (text, shown, pre_release, vendor) in [
            ("v1.36.1", "v1.36.1", None, None),
            ("1.36.1", "v1.36.1", None, None),
            ("1.36", "v1.36", None, None),
            ("v1.31.2+k3s1", "v1.31.2+k3s1", None, Some("+k3s1")),
            ("v1.31.2-eks-abc", "v1.31.2-eks-abc", None, Some("-eks-abc")),
            ("v1.31.2-gke.100", "v1.31.2-gke.100", None, Some("-gke.100")),
            ("v1.37.0-rc.1", "v1.37.0-rc.1", Some("rc.1"), None),
            ("1.37.0-alpha.0", "v1.37.0-alpha.0", Some("alpha.0"), None),
            (
                "v1.37.0-beta.2+rke2r1",
                "v1.37.0-beta.2+rke2r1",
                Some("beta.2"),
                Some("+rke2r1"),
            ),
            (
                "v1.30.4-rc1+rke2r1",
                "v1.30.4-rc1+rke2r1",
                None,
                Some("-rc1+rke2r1"),
            ),
        ] {
            let version = version(text);
            assert_eq!(version.to_string(), shown);
            assert_eq!(version.pre_release(), pre_release, "{text}");
            assert_eq!(version.vendor_suffix(), vendor, "{text}");
            assert_eq!(version.without_vendor_suffix().vendor_suffix(), None);
        }
        assert_eq!(version("1.36").patch(), None);
        assert_eq!(version("v1.36.1").minor_name(), "1.36");
    }

    #[test]
    fn what_is_no_version_is_refused_with_the_right_form() {
        for text in [
            "",
            "v",
            "1",
            "v1.",
            "1.36.",
            "1.36.1.2",
            "1.x",
            "latest",
            "1.036",
            "1.36.01",
            " 1.36",
            "V1.36",
            "1.36.1-",
            "1.36.1+",
            "1.36-rc.1",
            "1.36.1+k3s 1",
            "1.36.1+é",
            "vv1.36.1",
            "1.99999999999999999999.0",
        ] {
            let error = text.parse::<KubeVersion>().expect_err(text).to_string();
            assert!(error.contains("v1.36.1, 1.36.1 or 1.36"), "{error}");
        }
    }

    #[test]
    fn order_is_that_of_releases() {
        let ascending = [
            "1.9.9",
            "1.36",
            "1.36.0-alpha.2",
            "1.36.0-alpha.10",
            "1.36.0-rc.1",
            "1.36.0",
            "1.36.2",
            "1.36.2+k3s1",
            "1.36.10",
            "1.37",
        ];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(
            minor in 0u64..200, patch in proptest::option::of(0u64..200),
            pre in proptest::option::of("(alpha|beta|rc)\\.(0|[1-9][0-9]{0,2})"),
            vendor in "([+-][0-9A-Za-z.-]{1,12})?",
        ) {
            let mut text = format!("v1.{minor}");
            if let Some(patch) = patch {
                let pre = pre.map_or_else(String::new, |pre| format!("-{pre}"));
                text = format!("{text}.{patch}{pre}{vendor}");
            }
            let version = text.parse::<KubeVersion>().expect("a version");
            prop_assert_eq!(version.to_string(), text);
            prop_assert_eq!(version.minor_name(), format!("1.{minor}"));
            prop_assert_eq!(&version.to_string().parse::<KubeVersion>().expect("again"), &version);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}") {
            if let Ok(version) = text.parse::<KubeVersion>() {
                let full = if text.starts_with('v') { text } else { format!("v{text}") };
                prop_assert_eq!(version.to_string(), full);
            }
        }
    }
}
