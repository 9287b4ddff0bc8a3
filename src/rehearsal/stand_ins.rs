//! Stand-ins for a whole image set, and the source mirrors that lead to them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;

use super::image::{Form, PLATFORMS, Painter};
use crate::content::{MemoryStore, StoreError};
use crate::oci::Reference;
use crate::registry::SourceMirror;

/// What was put into a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIns {
    /// How many images.
    pub images: usize,
    /// How many platforms each has.
    pub platforms: usize,
    /// Bytes of all blobs, each counted once.
    pub bytes: u64,
    /// Sources named by digest: nothing else can hash to it, so they have no stand-in.
    pub skipped: Vec<Reference>,
    hosts: BTreeSet<String>,
}

impl StandIns {
    /// Puts a stand-in for each of `sources` into `store`, under the path `HOST/REPOSITORY`.
    ///
    /// All images of a platform share a base layer. The first image is attested, the second is
    /// in Docker's format, the others are plain OCI; the same list gives the same bytes.
    /// `k8s.gcr.io` and `registry.k8s.io` hold the same images, as they do in earnest: else two
    /// Kubernetes releases would claim one target name for different images.
    pub fn fill(store: &MemoryStore, sources: &[Reference]) -> Result<Self, StoreError> {
        let mut painter = Painter::new(store)?;
        let mut seen = HashSet::new();
        let mut forms = HashMap::new();
        let mut stand_ins = Self {
            images: 0,
            platforms: PLATFORMS.len(),
            bytes: 0,
            skipped: Vec::new(),
            hosts: BTreeSet::new(),
        };
        for source in sources.iter().filter(|source| seen.insert(*source)) {
            let Some(tag) = source.tag() else {
                stand_ins.skipped.push(source.clone());
                continue;
            };
            let name = published_as(source);
            let next = match forms.len() {
                0 => Form::Attested,
                1 => Form::Docker,
                _ => Form::Oci,
            };
            let form = *forms.entry(name.clone()).or_insert(next);
            let repository = source.repository();
            let path = format!("{}/{}", folder(repository.host()), repository.path());
            painter.paint(&path, tag, &name, form)?;
            stand_ins.images += 1;
            stand_ins.hosts.insert(repository.host().to_owned());
        }
        stand_ins.bytes = painter.blobs.values().sum();
        Ok(stand_ins)
    }

    /// One mirror for each host, on the server at `address`. Each host has its own, also
    /// `k8s.gcr.io`, which would otherwise be read from its successor.
    pub fn mirrors(&self, address: SocketAddr) -> Vec<SourceMirror> {
        let mirror = |host: &String| SourceMirror {
            host: host.clone(),
            plain_http: true,
            mirror_host: address.to_string(),
            prefix: folder(host),
        };
        self.hosts.iter().map(mirror).collect()
    }
}

/// The name under which the image was published; `k8s.gcr.io` is the frozen former name of
/// `registry.k8s.io`.
fn published_as(source: &Reference) -> String {
    let name = source.to_string();
    match name.strip_prefix("k8s.gcr.io/") {
        Some(path) => format!("registry.k8s.io/{path}"),
        None => name,
    }
}

/// A host as the first component of a repository path, which takes lower case and no colon. No
/// host name has an underscore, so `localhost:5000` meets no other.
fn folder(host: &str) -> String {
    host.to_ascii_lowercase().replace(':', "__")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use oci_distribution::Client;
    use oci_distribution::client::{ClientConfig, ClientProtocol, linux_amd64_resolver};
    use oci_distribution::secrets::RegistryAuth;

    use super::*;
    use crate::content::Store;
    use crate::oci::{RawManifest, media_type};
    use crate::server::{Options, Server};

    const SOURCES: [&str; 5] = [
        "registry.k8s.io/pause:3.10",
        "docker.io/sonobuoy/sonobuoy:v0.57.5",
        "nginx",
        "k8s.gcr.io/pause:3.10",
        "LocalHost:5000/team/x:1",
    ];

    fn sources() -> Vec<Reference> {
        SOURCES
            .iter()
            .map(|s| s.parse().expect("a reference"))
            .collect()
    }

    async fn index(store: &MemoryStore, source: &Reference) -> RawManifest {
        let path = format!("{}/{}", folder(source.host()), source.repository().path());
        let manifest = store.manifest(&path, source.reference()).await;
        manifest.expect("memory").expect("a stand-in")
    }

    #[tokio::test]
    async fn the_forms_that_upstream_has_are_all_there() {
        let store = MemoryStore::new();
        let sources = sources();
        let filled = StandIns::fill(&store, &sources).expect("memory");
        assert_eq!((filled.images, filled.platforms), (5, 2));
        for (source, (index_type, child_type, children)) in sources.iter().zip([
            (media_type::OCI_INDEX, media_type::OCI_MANIFEST, 4),
            (media_type::DOCKER_LIST, media_type::DOCKER_MANIFEST, 2),
            (media_type::OCI_INDEX, media_type::OCI_MANIFEST, 2),
        ]) {
            let index = index(&store, source).await;
            assert_eq!(index.media_type(), index_type);
            let named = index.successors().expect("children").manifests;
            assert_eq!(named.len(), children, "{source}");
            assert!(named.iter().all(|d| d.media_type == child_type));
            let (images, attestations) = named.split_at(2);
            for (image, attestation) in images.iter().zip(attestations) {
                assert_eq!(attestation.attests.as_ref(), Some(&image.digest));
                let platform = attestation.platform.as_ref().expect("a platform");
                assert!(platform.is_unknown());
            }
        }
    }

    #[tokio::test]
    async fn the_same_list_gives_the_same_bytes_and_shares_its_bases() {
        let (one, two) = (MemoryStore::new(), MemoryStore::new());
        let sources = sources();
        let filled = StandIns::fill(&one, &sources).expect("memory");
        let mut twice = sources.clone();
        twice.extend(sources.clone());
        assert_eq!(StandIns::fill(&two, &twice).expect("memory"), filled);
        let mut digests = HashSet::new();
        for source in &sources {
            let index = index(&one, source).await;
            assert_eq!(super::tests::index(&two, source).await, index);
            digests.insert(index.digest().clone());
        }
        // The pause image has two names.
        assert_eq!(digests.len(), sources.len() - 1);
        let fewer = StandIns::fill(&MemoryStore::new(), &sources[..4]).expect("memory");
        let last = filled.bytes - fewer.bytes;
        assert!(last < filled.bytes / 5, "{last} of {}", filled.bytes);
    }

    #[test]
    fn what_is_named_by_digest_has_no_stand_in() {
        let digest = crate::oci::Digest::of(b"x");
        let pinned: Reference = format!("a.io/b@{digest}").parse().expect("a reference");
        let pinned = [pinned];
        let filled = StandIns::fill(&MemoryStore::new(), &pinned).expect("memory");
        assert_eq!((filled.images, &filled.skipped[..]), (0, &pinned[..]));
        assert!(filled.mirrors(([127, 0, 0, 1], 1).into()).is_empty());
    }

    #[tokio::test]
    async fn a_foreign_client_pulls_every_stand_in_through_its_mirror() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Arc::new(MemoryStore::new());
        let sources = sources();
        let filled = StandIns::fill(&store, &sources).expect("memory");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(address, store, Options::default()).await;
        let server = server.expect("a free port").spawn();
        let mirrors = filled.mirrors(server.local_addr());
        assert_eq!(mirrors.len(), 4);
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::Http,
            platform_resolver: Some(Box::new(linux_amd64_resolver)),
            ..ClientConfig::default()
        });
        for source in &sources {
            let mirror = mirrors.iter().find(|m| m.host == source.host());
            let mirror = mirror.expect("a mirror");
            let path = source.repository().path();
            let tag = source.tag().expect("a tag");
            let name = format!("{}/{}/{path}:{tag}", mirror.mirror_host, mirror.prefix);
            let name = name.parse().expect("a reference");
            let layers = vec![media_type::OCI_LAYER_GZIP, media_type::DOCKER_LAYER_GZIP];
            let pulled = client.pull(&name, &RegistryAuth::Anonymous, layers).await;
            assert_eq!(pulled.expect("pulled").layers.len(), 2, "{name}");
        }
        server.stop().await.expect("in order");
    }
}
