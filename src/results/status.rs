//! `plugins/<name>/sonobuoy_results.yaml`: what sonobuoy itself made of a plugin's results.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Sonobuoy's view of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginStatus {
    /// `passed`, `failed`, `unknown`, `skipped`, or a word of the plugin's own.
    pub status: String,
    /// The words of the leaves, counted: what `sonobuoy results` prints.
    pub counts: BTreeMap<String, u64>,
}

/// A node of the tree; its text is left behind.
#[derive(Deserialize, Default)]
struct Node {
    #[serde(default)]
    status: String,
    #[serde(default)]
    items: Option<Vec<Node>>,
}

impl Node {
    fn count(&self, counts: &mut BTreeMap<String, u64>) {
        match self.items.as_deref() {
            None | Some([]) => *counts.entry(self.status.clone()).or_default() += 1,
            Some(items) => items.iter().for_each(|item| item.count(counts)),
        }
    }
}

impl PluginStatus {
    /// Reads the document.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_yaml::Error> {
        let root: Node = serde_yaml::from_slice(bytes)?;
        let mut counts = BTreeMap::new();
        root.count(&mut counts);
        Ok(Self {
            status: root.status,
            counts,
        })
    }

    /// Whether the plugin was given up at `--timeout`: the status is `failed` then, and only a leaf
    /// has this word (sonobuoy v0.57.5).
    pub fn timed_out(&self) -> bool {
        self.counts.contains_key("timeout")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_leaves() {
        let text = "name: e2e\nstatus: failed\nmeta:\n  type: summary\nitems:\n- name: j\n  status: failed\n  \
                    items:\n  - name: 1\n    status: passed\n  - name: b\n    status: failed\n    details:\n      \
                    failure: x\n  - {name: c, status: passed}\n";
        let status = PluginStatus::parse(text.as_bytes()).expect("well-formed");
        assert_eq!(status.status, "failed");
        assert_eq!((status.counts["passed"], status.counts["failed"]), (2, 1));
        assert!(!status.timed_out());
        let text = "name: e2e\nstatus: failed\nitems:\n- name: no results\n  status: timeout\n";
        assert!(
            PluginStatus::parse(text.as_bytes())
                .expect("well-formed")
                .timed_out()
        );
    }
}
