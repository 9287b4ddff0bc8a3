//! What a manifest says about another one (OCI image-spec, manifest.md, `subject`): the view that
//! a registry lists under the referrers of that other manifest.

use std::collections::BTreeMap;

use oci_distribution::manifest::OciDescriptor;

use super::descriptor::{self, Descriptor};
use super::digest::Digest;
use super::manifest::{ManifestError, RawManifest};

/// A manifest with a `subject`, as the referrers list shows it
/// (distribution-spec, "Listing Referrers").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// The manifest it refers to, which need not exist.
    pub subject: Digest,
    /// The manifest itself.
    pub descriptor: Descriptor,
    /// Its `artifactType`, or what stands for it: the config's media type.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    artifact_type: Option<String>,
    config: Option<Config>,
    subject: Option<OciDescriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: Option<String>,
}

impl RawManifest {
    /// This manifest as a referrer; `None` when it has no subject.
    pub fn referrer(&self) -> Result<Option<Referrer>, ManifestError> {
        let view: View =
            serde_json::from_slice(self.bytes()).map_err(|e| ManifestError::Json(e.to_string()))?;
        let Some(subject) = view.subject else {
            return Ok(None);
        };
        let subject = descriptor::convert(subject.media_type, &subject.digest, subject.size, None)?;
        let stated = view.artifact_type.filter(|t| !t.is_empty());
        Ok(Some(Referrer {
            subject: subject.digest,
            descriptor: self.descriptor(),
            artifact_type: stated.or_else(|| view.config.and_then(|c| c.media_type)),
            annotations: view.annotations.unwrap_or_default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::media_type;
    use super::*;

    fn manifest(extra: &str) -> RawManifest {
        let config = Descriptor::new(media_type::OCI_CONFIG, Digest::of(b"c"), 1);
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":1}},"layers":[]{extra}}}"#,
            media_type::OCI_MANIFEST,
            config.media_type,
            config.digest
        );
        RawManifest::new(text.into(), None).expect("a manifest")
    }

    #[test]
    fn without_a_subject_it_refers_to_nothing() {
        assert_eq!(manifest("").referrer().expect("readable"), None);
        assert_eq!(
            manifest(r#","artifactType":"a/b""#)
                .referrer()
                .expect("readable"),
            None
        );
    }

    #[test]
    fn the_artifact_type_falls_back_to_the_config() {
        let subject = Digest::of(b"image");
        let refers = format!(
            r#","subject":{{"mediaType":"{}","digest":"{subject}","size":5}},"annotations":{{"k":"v"}}"#,
            media_type::OCI_MANIFEST
        );
        let plain = manifest(&refers).referrer().expect("readable");
        let plain = plain.expect("a referrer");
        assert_eq!(plain.subject, subject);
        assert_eq!(plain.artifact_type.as_deref(), Some(media_type::OCI_CONFIG));
        assert_eq!(plain.annotations["k"], "v");

        let stated = manifest(&format!(r#"{refers},"artifactType":"application/sbom""#));
        let typed = stated.referrer().expect("readable").expect("a referrer");
        assert_eq!(typed.artifact_type.as_deref(), Some("application/sbom"));
        assert_eq!(typed.descriptor, stated.descriptor());
    }

    #[test]
    fn a_subject_without_a_digest_is_an_error() {
        let bad = r#","subject":{"mediaType":"x","digest":"sha256:12","size":5}"#;
        assert!(manifest(bad).referrer().is_err());
    }
}
