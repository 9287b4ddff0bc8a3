//! Everything that an archive holds and the rest of the program asks for.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::archive;
use super::collect::Collector;
use super::definition::PluginDefinition;
use super::error::ResultsError;
use super::junit::Junit;
use super::log::LogSummary;
use super::mode::RunMode;
use super::status::PluginStatus;
use super::summary::{Nodes, Summary};
use super::verdict::Ruling;
use crate::kube_version::KubeVersion;

/// The plugin that runs the conformance tests.
pub(super) const E2E: &str = "e2e";

/// The results of a run, read into memory.
#[derive(Debug, Default)]
pub struct Results {
    /// Where they came from.
    pub path: Utf8PathBuf,
    /// Plugins, in the order of `meta/info.json`.
    pub plugins: Vec<String>,
    /// Sonobuoy's view of each plugin.
    pub statuses: BTreeMap<String, PluginStatus>,
    /// What ran each plugin.
    pub definitions: BTreeMap<String, PluginDefinition>,
    /// Why a plugin gave no results, by plugin: the text of its `error.json`.
    pub errors: BTreeMap<String, String>,
    /// e2e.log as it is.
    pub log: Option<Vec<u8>>,
    /// What it says.
    pub log_summary: LogSummary,
    /// `JUnit` files of the e2e plugin.
    pub junit: Vec<JunitFile>,
    /// `gitVersion` of the API server.
    pub server_version: Option<String>,
    /// Sonobuoy's release.
    pub sonobuoy_version: Option<String>,
    /// Sonobuoy's `--timeout`, in seconds; 0 is none.
    pub timeout: Option<u64>,
    /// Nodes of the cluster at the end of the run.
    pub nodes: Option<Nodes>,
    /// Members that hold a registry login or the cluster's secrets in clear.
    pub credentials: BTreeSet<String>,
    /// What is odd about the archive, one sentence each.
    pub warnings: Vec<String>,
}

/// A `JUnit` file of the archive.
#[derive(Debug)]
pub struct JunitFile {
    /// Its path inside the archive.
    pub path: String,
    /// As it is.
    pub bytes: Vec<u8>,
    /// What it says.
    pub junit: Junit,
}

impl Results {
    /// Reads a tarball of `sonobuoy retrieve` (gzip or plain) or a folder it was unpacked to; also a
    /// folder with just e2e.log and a `JUnit` file. Blocks, and writes nothing anywhere.
    pub fn open(path: &Utf8Path) -> Result<Self, ResultsError> {
        let mut collector = Collector::new(path);
        archive::read(path, &mut collector)?;
        collector.finish()
    }

    /// The e2e plugin's pod, when its definition is there.
    pub fn definition(&self) -> Option<&PluginDefinition> {
        self.definitions.get(E2E)
    }

    /// The API server's version, when it is stated and is one.
    pub fn kubernetes(&self) -> Option<KubeVersion> {
        let stated = self.server_version.as_ref();
        stated
            .or(self.log_summary.server_version.as_ref())?
            .parse()
            .ok()
    }

    /// Whether nothing was run although tests are listed as passed.
    pub fn is_dry_run(&self) -> bool {
        self.definition()
            .is_some_and(|d| d.switched_on("E2E_DRYRUN"))
            || self.junit.iter().any(|file| file.junit.is_dry_run())
    }

    /// The expression that chose tests, and the one that left some out: from the pod, else from the
    /// `JUnit` file. None when neither tells.
    pub fn selection(&self) -> Option<(String, String)> {
        if let Some(definition) = self.definition().filter(|d| !d.env.is_empty()) {
            let value = |name| definition.variable(name).unwrap_or_default().to_owned();
            return Some((value("E2E_FOCUS"), value("E2E_SKIP")));
        }
        self.junit.first()?.junit.selection()
    }

    /// How the tests were chosen.
    pub fn mode(&self) -> Option<RunMode> {
        let (focus, skip) = self.selection()?;
        let parallel = self
            .definition()
            .is_some_and(|d| d.switched_on("E2E_PARALLEL"));
        Some(RunMode::of(&focus, &skip, parallel))
    }

    /// What the run says about the cluster.
    pub fn ruling(&self) -> Ruling {
        Ruling::of(self)
    }

    /// All of it for people and programs.
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }
}
