//! Names come from users, files and registries; what is accepted means the same when it is read
//! again.
#![no_main]

use airbuoy::kube_version::KubeVersion;
use airbuoy::oci::{Digest, PlatformSelection, Reference};
use airbuoy::relocate::TargetPrefix;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>().ok(), Some(reference));
    }
    if let Ok(target) = text.parse::<TargetPrefix>() {
        assert_eq!(target.to_string().parse::<TargetPrefix>().ok(), Some(target));
    }
    if let Ok(version) = text.parse::<KubeVersion>() {
        assert_eq!(version.to_string().parse::<KubeVersion>().ok(), Some(version));
    }
    if let Ok(platforms) = text.parse::<PlatformSelection>() {
        assert_eq!(platforms.to_string().parse::<PlatformSelection>().ok(), Some(platforms));
    }
    let _ = text.parse::<Digest>();
});
