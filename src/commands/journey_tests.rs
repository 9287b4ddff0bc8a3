//! The verbs against embedded registries, from the command line to files and exit codes.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::ExitStatus;
use super::dispatch::run_with;
use crate::cli::Cli;
use crate::content::MemoryStore;
use crate::oci::{RawManifest, Reference, TagOrDigest};
use crate::rehearsal::StandIns;
use crate::server::{Options, Running, Server};
use crate::settings::{Environment, Placement};

const VERSION: &str = "v1.36.1";

/// Would become `e2e-test-images/agnhost:2.55`, as Kubernetes' own image does.
const RIVAL: &str = "rival.example.com/e2e-test-images/agnhost:2.55";

/// An upstream of stand-ins, an empty target and a directory.
struct Site {
    _runtime: Runtime,
    _servers: [Running; 2],
    target: SocketAddr,
    store: Arc<MemoryStore>,
    mirrors: Vec<String>,
    dir: TempDir,
}

impl Site {
    /// With stand-ins for all images but those that hold `missing`.
    fn without(missing: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (upstream, store) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        let (mut kept, left_out): (Vec<_>, Vec<_>) = sources()
            .into_iter()
            .partition(|source| missing.is_empty() || !source.to_string().contains(missing));
        assert_eq!(left_out.is_empty(), missing.is_empty());
        kept.push(RIVAL.parse().expect("a reference"));
        let stand_ins = StandIns::fill(&upstream, &kept).expect("memory");
        let serve = |store: &Arc<MemoryStore>| {
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            runtime.block_on(async {
                Server::bind(address, store.clone(), Options::default())
                    .await
                    .expect("a free port")
                    .spawn()
            })
        };
        let servers = [serve(&upstream), serve(&store)];
        let mirror = |m: crate::registry::SourceMirror| {
            format!("{}=http://{}/{}", m.host, m.mirror_host, m.prefix)
        };
        Self {
            target: servers[1].local_addr(),
            mirrors: stand_ins
                .mirrors(servers[0].local_addr())
                .into_iter()
                .map(mirror)
                .collect(),
            store,
            dir: tempfile::tempdir().expect("a directory"),
            _servers: servers,
            _runtime: runtime,
        }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        let dir = Utf8Path::from_path(self.dir.path()).expect("UTF-8");
        dir.join(name)
    }

    fn run(&self, verb: &str, flags: &[&str]) -> ExitStatus {
        let target = format!("{}/k8s", self.target);
        let mut line = vec!["airbuoy", "-q", verb, &target, "--plain-http"];
        line.extend(["--kubernetes-version", VERSION]);
        line.extend(flags);
        let cli = Cli::try_parse_from(line).expect("flags");
        run_with(cli, &Environment::default())
    }

    fn mirror(&self, flags: &[&str]) -> ExitStatus {
        let (dir, report) = (self.path("out"), self.path("report.json"));
        let mut line = vec!["--out-dir", dir.as_str(), "--report", report.as_str()];
        for mirror in &self.mirrors {
            line.extend(["--source-mirror", mirror]);
        }
        line.extend(flags);
        self.run("mirror", &line)
    }

    fn report(&self) -> Value {
        let text = fs::read_to_string(self.path("report.json")).expect("a report");
        serde_json::from_str(&text).expect("JSON")
    }

    fn statuses(&self, status: &str) -> usize {
        let report = self.report();
        let rows = report["images"].as_array().expect("rows").iter();
        rows.filter(|row| row["status"] == status).count()
    }
}

fn sources() -> Vec<Reference> {
    let cli = Cli::try_parse_from(["airbuoy", "images", "--kubernetes-version", VERSION]);
    let crate::cli::Command::Images(args) = cli.expect("flags").command else {
        panic!("another verb")
    };
    let versions = &args.release.kubernetes_version;
    let placement = Placement::resolve(versions, &args.catalog, &args.selection, &args.naming);
    let relocation = placement.expect("settings").relocation(None);
    let relocation = relocation.expect("a list");
    let rows = relocation.rows().iter();
    rows.filter(|row| row.skipped.is_none())
        .map(|row| row.source.clone())
        .collect()
}

#[test]
fn a_mirror_is_filled_checked_and_found_unchanged() {
    let site = Site::without("");
    assert_eq!(site.run("verify", &[]), ExitStatus::CheckFailed, "empty");
    let plan = ["--dry-run", "--include", "pause"];
    assert_eq!(site.mirror(&plan), ExitStatus::Done);
    assert_eq!(site.statuses("planned"), 4, "pause and the runner images");
    assert!(!site.path("out").exists(), "a dry run writes no config");

    assert_eq!(site.mirror(&[]), ExitStatus::Done);
    assert_eq!(site.statuses("copied"), 44);
    let config = fs::read_to_string(site.path("out/custom-repo-config.yaml")).expect("written");
    let line = format!("promoterE2eRegistry: {}/k8s/e2e-test-images\n", site.target);
    assert!(config.contains(&line), "{config}");
    assert!(site.path("out/sonobuoy-run.sh").exists());
    assert_eq!(site.report()["files"].as_array().map(Vec::len), Some(2));

    let report = site.path("report.json");
    let deep = ["--deep", "--against", report.as_str()];
    assert_eq!(site.run("verify", &deep), ExitStatus::Done);
    assert_eq!(site.mirror(&[]), ExitStatus::Done);
    assert_eq!(site.statuses("present"), 44);
    let only_heads = |row: &Value| row["method"] == "HEAD";
    let report = site.report();
    let requests = report["requests"].as_array().expect("requests");
    assert!(requests.iter().all(only_heads), "{requests:?}");
}

#[test]
fn a_missing_image_fails_alone_and_keeps_the_old_files() {
    let site = Site::without("nautilus");
    let old = site.path("out/custom-repo-config.yaml");
    fs::create_dir(site.path("out")).expect("made");
    fs::write(&old, "old").expect("written");
    assert_eq!(site.mirror(&[]), ExitStatus::Registry);
    assert_eq!((site.statuses("failed"), site.statuses("copied")), (1, 43));
    assert_eq!(fs::read_to_string(&old).expect("there"), "old");
    assert_eq!(site.run("verify", &[]), ExitStatus::CheckFailed);

    let without = ["--exclude", "nautilus"];
    assert_eq!(site.mirror(&without), ExitStatus::Done);
    assert_ne!(fs::read_to_string(&old).expect("there"), "old");
    assert_eq!(site.run("verify", &without), ExitStatus::Done);
}

#[test]
fn a_tag_that_moved_is_seen_by_its_digest() {
    let site = Site::without("");
    assert_eq!(site.mirror(&["--conformance-only"]), ExitStatus::Done);
    assert_eq!(site.statuses("copied"), 14);
    let manifest = RawManifest::new(
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#
            .into(),
        None,
    )
    .expect("an index");
    site.store
        .insert_manifest("k8s/pause", &TagOrDigest::Tag("3.10.2".into()), manifest)
        .expect("memory");
    let report = site.path("report.json");
    let against = ["--conformance-only", "--against", report.as_str()];
    assert_eq!(site.run("verify", &against), ExitStatus::CheckFailed);
    assert_eq!(site.run("verify", &against[..1]), ExitStatus::Done);
}

#[test]
fn different_images_under_one_name_are_refused_before_anything_moves() {
    let site = Site::without("");
    assert_eq!(site.mirror(&["--image", RIVAL]), ExitStatus::Usage);
    assert_eq!(site.statuses("failed"), 2);
    assert!(!site.path("out/custom-repo-config.yaml").exists());
    let report = site.report();
    let requests = report["requests"].as_array().expect("requests").iter();
    let mut written = requests.filter(|row| row["method"] == "POST" || row["method"] == "PUT");
    assert_eq!(written.next(), None);
    assert_eq!(site.mirror(&[]), ExitStatus::Done, "the rival left out");
}

#[test]
fn a_registry_that_is_not_there_is_the_networks_fault() {
    let cli = Cli::try_parse_from([
        "airbuoy",
        "-q",
        "verify",
        "127.0.0.1:1/k8s",
        "--kubernetes-version",
        VERSION,
        "--include",
        "pause",
    ])
    .expect("flags");
    assert_eq!(run_with(cli, &Environment::default()), ExitStatus::Registry);
}

#[test]
fn a_rehearsal_leaves_no_tag_behind() {
    let site = Site::without("");
    let out = site.path("out");
    let flags = ["--out-dir", out.as_str()];
    assert_eq!(site.run("rehearse", &flags), ExitStatus::Done);
    assert!(out.join("custom-repo-config.yaml").exists());
    assert_eq!(
        site.run("verify", &["--include", "pause"]),
        ExitStatus::CheckFailed
    );
}
