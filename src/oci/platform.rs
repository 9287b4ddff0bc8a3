//! Platforms of images (OCI image-spec, image-index.md) and the user's choice among them.

use std::fmt;
use std::str::FromStr;

/// `os/architecture[/variant]`, as Go names them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    /// `linux`, `windows`, …; `unknown` on attestations.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `v7` of `linux/arm/v7`.
    pub variant: Option<String>,
}

impl Platform {
    /// The platform of attestation manifests, `unknown/unknown`, is not one to run on.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown"
    }

    /// Whether an image for `self` is what `wanted` asks for. A variant counts only when asked
    /// for, and `arm64` needs none: `v8` is its only one.
    fn satisfies(&self, wanted: &Self) -> bool {
        let variant = |p: &Self| match (p.architecture.as_str(), p.variant.as_deref()) {
            ("arm64", Some("v8")) => None,
            (_, variant) => variant.map(str::to_owned),
        };
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (variant(wanted).is_none() || variant(wanted) == variant(self))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// The text names no platform.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "`{0}` is not a platform: expected OS/ARCH[/VARIANT] such as linux/amd64, `linux` or `all`"
)]
pub struct InvalidPlatform(String);

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |s: &&str| {
            !s.is_empty()
                && s.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b))
        };
        match parts.as_slice() {
            [os, architecture, variant @ ..] if variant.len() <= 1 && parts.iter().all(word) => {
                Ok(Self {
                    os: (*os).to_owned(),
                    architecture: (*architecture).to_owned(),
                    variant: variant.first().map(|v| (*v).to_owned()),
                })
            }
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

/// Which platforms of a multi-platform image are copied: `--platform`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PlatformSelection {
    /// Everything, byte for byte: digests stay what upstream published.
    #[default]
    All,
    /// Every platform whose os is Linux.
    Linux,
    /// These, in the user's order.
    Only(Vec<Platform>),
}

impl PlatformSelection {
    /// Whether images for `platform` are copied.
    pub fn wants(&self, platform: &Platform) -> bool {
        match self {
            Self::All => true,
            Self::Linux => platform.os == "linux",
            Self::Only(wanted) => wanted.iter().any(|wanted| platform.satisfies(wanted)),
        }
    }
}

impl fmt::Display for PlatformSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Linux => f.write_str("linux"),
            Self::Only(wanted) => {
                let names: Vec<String> = wanted.iter().map(Platform::to_string).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

impl FromStr for PlatformSelection {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        match text {
            "all" => Ok(Self::All),
            "linux" => Ok(Self::Linux),
            list => Ok(Self::Only(
                list.split(',')
                    .map(|p| p.trim().parse())
                    .collect::<Result<_, _>>()?,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().expect("a platform")
    }

    #[test]
    fn a_variant_counts_only_when_asked_for() {
        let only: PlatformSelection = "linux/arm/v7,linux/arm64".parse().expect("a selection");
        assert!(only.wants(&platform("linux/arm/v7")));
        assert!(!only.wants(&platform("linux/arm/v6")));
        assert!(only.wants(&platform("linux/arm64/v8")));
        assert!(!only.wants(&platform("linux/amd64")));
        let v8: PlatformSelection = "linux/arm64/v8".parse().expect("a selection");
        assert!(v8.wants(&platform("linux/arm64")));
        assert!(!PlatformSelection::Linux.wants(&platform("windows/amd64")));
        assert!(PlatformSelection::All.wants(&platform("windows/amd64")));
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for bad in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "linux/amd64/v1/x",
            "Linux/amd64",
            "linux/amd 64",
        ] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
        assert!("linux/amd64,".parse::<PlatformSelection>().is_err());
    }
}
