//! A node that cannot pull an image of the run.

use crate::cluster::{Pod, Waiting};

/// Which image, where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullTrouble {
    /// As the pod names it.
    pub image: String,
    /// The node.
    pub node: String,
    /// `namespace/name`.
    pub pod: String,
    /// `ErrImagePull`, `ImagePullBackOff`, …
    pub reason: String,
    /// The container runtime's words; may be empty.
    pub message: String,
}

impl PullTrouble {
    pub(super) fn of(pod: &Pod, image: &str, waiting: &Waiting) -> Self {
        Self {
            image: image.to_owned(),
            node: pod.node.clone().unwrap_or_default(),
            pod: format!("{}/{}", pod.namespace, pod.name),
            reason: waiting.reason.clone(),
            message: waiting.message.clone(),
        }
    }

    /// The message without what it repeats around the cause.
    pub fn cause(&self) -> &str {
        let message = self.message.as_str();
        let text = message
            .rsplit_once(&self.image)
            .map_or(message, |(_, cause)| cause);
        let text = text.trim_start_matches(['"', ':', ' ']);
        if text.is_empty() { &self.reason } else { text }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        const HINTS: &[(&[&str], &str)] = &[
            (
                &[
                    "unauthorized",
                    "authentication required",
                    "no basic auth",
                    "denied",
                    "forbidden",
                ],
                "the node or pod has no login that may pull there: --e2e-docker-config-file, or a login on the nodes",
            ),
            (
                &["not found", "manifest unknown", "name unknown"],
                "the image is not at the target: mirror it, the running tests pull it on their next try",
            ),
            (
                &["x509", "certificate"],
                "the node does not trust the registry's certificate: install the CA for its container runtime",
            ),
            (
                &["server gave http response to https"],
                "the registry speaks plain HTTP and the node's container runtime was not told so",
            ),
            (
                &[
                    "no match for platform",
                    "no matching manifest",
                    "exec format",
                ],
                "the image lacks the node's platform: mirror it with all platforms",
            ),
            (
                &[
                    "no such host",
                    "connection refused",
                    "i/o timeout",
                    "deadline exceeded",
                    "no route to host",
                ],
                "the node does not reach the registry: name resolution, firewall, or a proxy on the node",
            ),
            (
                &["toomanyrequests", "429"],
                "the registry limits pulls: raise its limit",
            ),
            (&["no space left"], "the node's disk is full"),
        ];
        let message = self.message.to_ascii_lowercase();
        let known = |words: &[&str]| words.iter().any(|word| message.contains(word));
        HINTS
            .iter()
            .find(|(words, _)| known(words))
            .map(|(_, hint)| *hint)
    }
}
