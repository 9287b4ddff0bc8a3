//! Which prefix a registry key gets at the target.

use super::repo_config::{NEVER_RENAMED, RepoConfig};
use super::target::TargetPrefix;
use crate::catalog::ImageSet;

/// How names are laid out at the target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Layout {
    /// TARGET and the path of the key's upstream prefix: `registry.k8s.io/e2e-test-images` becomes
    /// `TARGET/e2e-test-images`, `docker.io/library` `TARGET/library`, `registry.k8s.io` TARGET.
    #[default]
    KeepPath,
    /// `--flat`: TARGET for every key.
    Flat,
    /// `--e2e-repo-config`: the user's own prefixes. A key that is left out keeps its upstream
    /// default, and its images are not mirrored.
    Custom(RepoConfig),
}

impl Layout {
    /// The repo config of one Kubernetes version: every key that it reads but those whose pulls
    /// are expected to fail. Empty without a TARGET.
    pub fn repo_config(&self, target: Option<&TargetPrefix>, set: &ImageSet) -> RepoConfig {
        set.registries
            .iter()
            .filter(|(key, _)| !NEVER_RENAMED.contains(&key.as_str()))
            .filter_map(|(key, upstream)| Some((key.clone(), self.prefix(target, key, upstream)?)))
            .collect()
    }

    /// The prefix of `key`, whose compiled-in one is `upstream`; none without a TARGET, or when a
    /// custom layout leaves the key out.
    pub(super) fn prefix(
        &self,
        target: Option<&TargetPrefix>,
        key: &str,
        upstream: &str,
    ) -> Option<TargetPrefix> {
        match self {
            Self::KeepPath => {
                let path = upstream.split_once('/').map_or("", |(_, path)| path);
                target.map(|target| target.below(path))
            }
            Self::Flat => target.cloned(),
            Self::Custom(config) => target.and_then(|_| config.get(key).cloned()),
        }
    }

    /// Whether images of `key` stay where they are: a custom layout leaves it out, or names
    /// upstream itself.
    pub(super) fn keeps_upstream(&self, key: &str, upstream: &str) -> bool {
        match self {
            Self::KeepPath | Self::Flat => false,
            Self::Custom(config) => config
                .get(key)
                .is_none_or(|prefix| prefix.to_string() == upstream),
        }
    }
}
