//! Sonobuoy as the library drives it: the strict stand-in, with the fake API server behind it.

mod clean;
mod follow;
mod preflight;
mod program;
mod results;

use std::path::Path;
use std::time::Duration;

use airbuoy::catalog::Catalog;
use airbuoy::cluster::{Cluster, ClusterOptions};
use airbuoy::oci::Reference;
use airbuoy::sonobuoy::{Access, Mode, Program, RunCommand};
use camino::Utf8PathBuf;
use tempfile::TempDir;

use crate::support::fake_cluster::{FakeCluster, objects};
use crate::support::fake_sonobuoy::FakeSonobuoy;
use crate::support::registry::temp_dir;

/// A cluster, a sonobuoy and a folder.
struct Bench {
    fake: FakeCluster,
    sonobuoy: FakeSonobuoy,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            fake: FakeCluster::start(),
            sonobuoy: FakeSonobuoy::new(),
            folder: temp_dir(),
        }
    }

    fn dir(&self) -> Utf8PathBuf {
        utf8(self.folder.path())
    }

    fn access(&self) -> Access {
        Access {
            kubeconfig: vec![utf8(&self.fake.kubeconfig(self.folder.path()))],
            ..Access::default()
        }
    }

    async fn program(&self) -> Program {
        open(&self.sonobuoy.program(), self.access()).await
    }

    async fn cluster(&self) -> Cluster {
        let options = ClusterOptions {
            kubeconfig: self.access().kubeconfig,
            timeout: Duration::from_secs(5),
            ..ClusterOptions::default()
        };
        Cluster::connect(&options).await.expect("a cluster")
    }

    fn command(&self) -> RunCommand {
        let repo_config = self.dir().join("custom-repo-config.yaml");
        std::fs::write(&repo_config, "gcRegistry: r.io\n").expect("a writable folder");
        RunCommand {
            program: "sonobuoy".to_owned(),
            config: None,
            mode: Mode::CertifiedConformance,
            sonobuoy_image: image("r.io/sonobuoy/sonobuoy:v0.57.5"),
            systemd_logs_image: image("r.io/sonobuoy/systemd-logs:v0.4"),
            conformance_image: image("r.io/conformance:v1.36.3"),
            repo_config,
            docker_config: None,
            timeout: Duration::from_hours(12),
            namespace: None,
            namespace_exists: false,
            access: self.access(),
            passthrough: Vec::new(),
        }
    }

    /// Sets the annotation of the aggregator.
    fn status(&self, status: &str) {
        let mut state = self.fake.state();
        state
            .pods
            .retain(|pod| pod["metadata"]["name"] != "sonobuoy");
        state.pods.push(objects::aggregator("sonobuoy", status));
    }
}

fn utf8(path: &Path) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(path.to_owned()).expect("UTF-8")
}

async fn open(path: &Path, access: Access) -> Program {
    let opened = Program::open(utf8(path), access, &Catalog::embedded()).await;
    opened.expect("a sonobuoy that can certify")
}

fn image(text: &str) -> Reference {
    text.parse().expect("a reference")
}
