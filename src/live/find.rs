//! From the name of the conformance image to the layers of this machine's platform.

use crate::content::{Code, Failure, Source};
use crate::oci::{
    Descriptor, Digest, ManifestError, Platform, PlatformSelection, RawManifest, Reference,
};

/// Indexes within indexes that are followed; real ones have one.
const DEEPEST: usize = 4;

/// The digest that `image` names now.
pub(super) async fn digest<S: Source>(source: &S, image: &Reference) -> Result<Digest, Failure> {
    if let Some(digest) = image.digest() {
        return Ok(digest.clone());
    }
    source.resolve(image).await?.ok_or_else(|| {
        Failure::new(Code::NotFound, image.host(), "no such image")
            .at(image)
            .hint(
                "is the release out? --conformance-image names another image, --source-mirror \
                 another place",
            )
    })
}

/// The layers of the image for `platform`, lowest first. `image` must name a digest, so that
/// everything below it is what the digest says.
pub(super) async fn layers<S: Source>(
    source: &S,
    image: &Reference,
    platform: &Platform,
) -> Result<Vec<Descriptor>, Failure> {
    let unreadable = |error: ManifestError| {
        Failure::new(Code::ManifestInvalid, image.host(), error.to_string()).at(image)
    };
    let mut manifest = source.manifest(image).await?;
    for _ in 0..DEEPEST {
        let successors = manifest.successors().map_err(unreadable)?;
        if !manifest.is_index() {
            // The first blob is the config.
            return Ok(successors.blobs.into_iter().skip(1).collect());
        }
        let child = child(&successors.manifests, platform)
            .ok_or_else(|| missing(image, platform, &manifest))?;
        let child = image.repository().at(&child.digest);
        manifest = source.manifest(&child).await?;
    }
    let message = format!("it nests indexes more than {DEEPEST} deep");
    Err(Failure::new(Code::ManifestInvalid, image.host(), message).at(image))
}

/// The first child for `platform`; one that does not say its platform is the next best: it may be
/// an index of its own.
fn child<'a>(children: &'a [Descriptor], platform: &Platform) -> Option<&'a Descriptor> {
    let wanted = PlatformSelection::Only(vec![platform.clone()]);
    let fits = |child: &&Descriptor| child.platform.as_ref().is_some_and(|p| wanted.wants(p));
    let silent = |child: &&Descriptor| child.platform.is_none() && child.attests.is_none();
    let mut all = children.iter();
    all.find(fits).or_else(|| children.iter().find(silent))
}

fn missing(image: &Reference, platform: &Platform, manifest: &RawManifest) -> Failure {
    let children = manifest.successors().unwrap_or_default().manifests;
    let mut platforms: Vec<String> = children
        .iter()
        .filter_map(|child| child.platform.as_ref())
        .filter(|platform| !platform.is_unknown())
        .map(Platform::to_string)
        .collect();
    platforms.dedup();
    let message = format!(
        "its e2e.test must run here, on {platform}, and the image has {}",
        if platforms.is_empty() {
            "no platform".to_owned()
        } else {
            platforms.join(", ")
        }
    );
    Failure::new(Code::PlatformMissing, image.host(), message)
        .at(image)
        .hint("use --live on a machine of one of these platforms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::machine;
    use crate::live::testing::Fake;
    use crate::oci::media_type::OCI_LAYER_GZIP;

    #[tokio::test]
    async fn this_machines_layers_are_found_below_the_digest() {
        let layers_of = [(OCI_LAYER_GZIP, vec![1]), (OCI_LAYER_GZIP, vec![2])];
        let (fake, image) = Fake::with("r.io/conformance:v1.99.0", &layers_of);
        let found = digest(&fake, &image).await.expect("a digest");
        let pinned = image.repository().at(&found);
        let layers = layers(&fake, &pinned, &machine::platform()).await;
        let digests: Vec<Digest> = layers.expect("two").into_iter().map(|d| d.digest).collect();
        assert_eq!(digests, [Digest::of(&[1]), Digest::of(&[2])]);
        let asked = fake.asked().len();
        assert_eq!(digest(&fake, &pinned).await.expect("itself"), found);
        assert_eq!(fake.asked().len(), asked, "a digest is not asked for");
    }

    #[tokio::test]
    async fn what_is_not_there_is_said() {
        let (fake, image) = Fake::with("r.io/conformance:v1.99.0", &[]);
        let other = image.with_tag("v1.98.0");
        let failure = digest(&fake, &other).await.expect_err("no such tag");
        assert_eq!(failure.code(), Code::NotFound);
        let strange: Platform = "plan9/mips".parse().expect("a platform");
        let failure = layers(&fake, &image, &strange).await.expect_err("no child");
        assert_eq!(failure.code(), Code::PlatformMissing);
        assert!(failure.message().contains("plan9/sparc"), "{failure}");
    }
}
