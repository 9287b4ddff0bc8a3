//! `plugins/<name>/definition.json`: what sonobuoy really started, which need not be what the
//! command line seemed to say (vmware-tanzu/sonobuoy#1376).

use std::collections::BTreeMap;

use serde::Deserialize;

/// The pod that ran a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginDefinition {
    /// The plugin's image.
    pub image: Option<String>,
    /// Environment variables that have a plain value.
    pub env: BTreeMap<String, String>,
    /// Files handed to the plugin, by name: the repo config, and in the worst case a login.
    pub files: BTreeMap<String, String>,
    /// The image of the worker beside it.
    pub sonobuoy_image: Option<String>,
    /// The pull secret of the plugin's pod.
    pub pull_secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    definition: Definition,
    #[serde(default)]
    sonobuoy_image: String,
    #[serde(default)]
    image_pull_secrets: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Definition {
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    config_map: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
struct Spec {
    #[serde(default)]
    image: String,
    #[serde(default)]
    env: Option<Vec<Variable>>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: Option<String>,
}

impl PluginDefinition {
    /// Reads the document.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(bytes)?;
        let env = document.definition.spec.env.unwrap_or_default();
        let some = |text: String| (!text.is_empty()).then_some(text);
        Ok(Self {
            image: some(document.definition.spec.image),
            env: env
                .into_iter()
                .filter_map(|v| Some((v.name, v.value?)))
                .collect(),
            files: document.definition.config_map.unwrap_or_default(),
            sonobuoy_image: some(document.sonobuoy_image),
            pull_secret: some(document.image_pull_secrets),
        })
    }

    /// A variable's value; empty counts as not set, as the conformance image's runner reads it.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// The repo config that e2e.test was given: its file name and its text.
    pub fn repo_config(&self) -> Option<(&str, &str)> {
        let path = self.variable("KUBE_TEST_REPO_LIST")?;
        let name = path.rsplit('/').next()?;
        let (name, text) = self.files.get_key_value(name)?;
        Some((name, text))
    }

    /// Whether the variable is switched on. The runner knows `y`, `Y` and `true`.
    pub fn switched_on(&self, name: &str) -> bool {
        matches!(self.variable(name), Some("y" | "Y" | "true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_image_env_and_files() {
        let text = br#"{"Definition":{"sonobuoy-config":{},"spec":{"image":"r/conformance:v1.36.3",
            "env":[{"name":"E2E_SKIP","value":""},{"name":"E2E_DRYRUN","value":"true"},
                   {"name":"NODE","valueFrom":{"fieldRef":{}}}]},
            "config-map":{"custom-repo-config.yaml":"gcRegistry: r\n"}},
            "SonobuoyImage":"r/sonobuoy:v0.57.5","ImagePullSecrets":""}"#;
        let definition = PluginDefinition::parse(text).expect("well-formed");
        assert_eq!(definition.image.as_deref(), Some("r/conformance:v1.36.3"));
        assert_eq!(definition.variable("E2E_SKIP"), None);
        assert!(definition.switched_on("E2E_DRYRUN"));
        assert_eq!(definition.env.len(), 2);
        assert_eq!(definition.files.len(), 1);
        assert_eq!(definition.pull_secret, None);
        assert!(PluginDefinition::parse(b"{}").is_err());
    }
}
