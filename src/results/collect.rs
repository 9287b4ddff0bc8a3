//! Which members count, and what they are read as. Everything else of an archive is passed over
//! unread: logs of pods and nodes are most of it.

use std::collections::BTreeSet;
use std::io::{self, Read};

use camino::Utf8Path;
use serde::Deserialize;

use super::archive::{Visitor, bounded};
use super::credentials;
use super::definition::PluginDefinition;
use super::error::ResultsError;
use super::found::{E2E, JunitFile, Results};
use super::junit::Junit;
use super::limits;
use super::log::LogSummary;
use super::status::PluginStatus;
use super::summary::Nodes;

/// Fills a [`Results`].
pub(super) struct Collector {
    results: Results,
    /// Paths that were taken.
    seen: BTreeSet<String>,
    /// Names at the top, to say what an archive is that is none of sonobuoy's.
    top: BTreeSet<String>,
    /// Plugins that have a folder.
    folders: BTreeSet<String>,
    log_path: Option<String>,
    passed_over: usize,
}

/// What a member is read as.
enum Kind<'a> {
    Info,
    Config,
    Health,
    Server,
    Definition(&'a str),
    Status(&'a str),
    Error(&'a str),
    Log,
    Junit,
    ConfigMaps,
    Secrets,
}

impl Collector {
    pub(super) fn new(path: &Utf8Path) -> Self {
        Self {
            results: Results {
                path: path.to_owned(),
                ..Results::default()
            },
            seen: BTreeSet::new(),
            top: BTreeSet::new(),
            folders: BTreeSet::new(),
            log_path: None,
            passed_over: 0,
        }
    }

    pub(super) fn finish(mut self) -> Result<Results, ResultsError> {
        let results = &mut self.results;
        for folder in &self.folders {
            if !results.plugins.contains(folder) {
                results.plugins.push(folder.clone());
            }
        }
        if !self.folders.contains(E2E) && results.log.is_none() && results.junit.is_empty() {
            return Err(ResultsError::NoResults {
                path: results.path.clone(),
                reason: instead(&results.plugins, &self.top),
            });
        }
        if let Some(log) = &results.log {
            results.log_summary = LogSummary::scan(log);
        }
        for (plugin, definition) in &results.definitions {
            for (name, text) in &definition.files {
                if credentials::in_text(text) {
                    let place = format!("plugins/{plugin}/definition.json ({name})");
                    results.credentials.insert(place);
                }
            }
        }
        if self.passed_over > limits::WARNINGS {
            let more = self.passed_over - limits::WARNINGS;
            results
                .warnings
                .push(format!("{more} more members were passed over"));
        }
        results.junit.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.results)
    }

    fn take(&mut self, path: &str, kind: &Kind<'_>, bytes: Vec<u8>) {
        let read = match *kind {
            Kind::Info => json(&bytes).map(|info: Info| self.results.plugins = info.plugins),
            Kind::Config => json(&bytes).map(|config: Config| {
                self.results.sonobuoy_version = config.version;
                self.results.timeout = config.server.and_then(|s| s.timeoutseconds);
            }),
            Kind::Health => json(&bytes).map(|health: Health| self.results.nodes = health.nodes()),
            Kind::Server => json(&bytes).map(|server: Server| {
                self.results.server_version = Some(server.git_version);
            }),
            Kind::Error(plugin) => json(&bytes).map(|error: PluginError| {
                let errors = &mut self.results.errors;
                errors.entry(plugin.to_owned()).or_insert(error.error);
            }),
            Kind::Definition(plugin) => match PluginDefinition::parse(&bytes) {
                Ok(definition) => {
                    let definitions = &mut self.results.definitions;
                    definitions.insert(plugin.to_owned(), definition);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            Kind::Status(plugin) => match PluginStatus::parse(&bytes) {
                Ok(status) => {
                    self.results.statuses.insert(plugin.to_owned(), status);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            Kind::Log => {
                self.results.log = Some(bytes);
                self.log_path = Some(path.to_owned());
                Ok(())
            }
            Kind::Junit => {
                self.results.junit.push(JunitFile {
                    path: path.to_owned(),
                    junit: Junit::parse(&bytes),
                    bytes,
                });
                Ok(())
            }
            Kind::ConfigMaps => {
                if credentials::in_json(&bytes) {
                    self.results.credentials.insert(path.to_owned());
                }
                Ok(())
            }
            Kind::Secrets => Ok(()),
        };
        if let Err(reason) = read {
            self.results
                .warnings
                .push(format!("{path} cannot be read: {reason}"));
        }
    }

    /// A test that fails may leave files of any name below the results: those nearest to the top
    /// are the plugin's own.
    fn is_deeper_log(&self, path: &str) -> bool {
        let depth = |path: &str| path.matches('/').count();
        self.log_path
            .as_ref()
            .is_some_and(|log| depth(log) < depth(path))
    }
}

impl Visitor for Collector {
    fn member(&mut self, path: &str, size: u64, data: &mut dyn Read) -> io::Result<()> {
        if let Some(top) = path.split('/').next()
            && self.top.len() <= 5
        {
            self.top.insert(top.to_owned());
        }
        if let Some((plugin, _)) = path
            .strip_prefix("plugins/")
            .and_then(|p| p.split_once('/'))
        {
            self.folders.insert(plugin.to_owned());
        }
        let Some(kind) = kind(path) else {
            return Ok(());
        };
        if matches!(kind, Kind::Log) && self.is_deeper_log(path) {
            return Ok(());
        }
        if !self.seen.insert(path.to_owned()) {
            self.passed_over(path, "its name came before");
            return Ok(());
        }
        let limit = match kind {
            Kind::Secrets => {
                self.results.credentials.insert(path.to_owned());
                return Ok(());
            }
            Kind::Junit if self.results.junit.len() == limits::JUNIT_FILES => {
                self.passed_over(path, "there are too many JUnit files");
                return Ok(());
            }
            Kind::Log => limits::LOG,
            Kind::Junit => limits::JUNIT,
            _ if size > limits::DOCUMENT => {
                self.passed_over(path, "it is too large to be what its name says");
                return Ok(());
            }
            _ => limits::DOCUMENT,
        };
        let bytes = bounded(data, size, limit, path)?;
        self.take(path, &kind, bytes);
        Ok(())
    }

    fn passed_over(&mut self, path: &str, why: &str) {
        self.passed_over += 1;
        if self.passed_over <= limits::WARNINGS {
            let path = path.escape_debug();
            self.results
                .warnings
                .push(format!("{path} is passed over: {why}"));
        }
    }
}

/// What the member at `path` is. Layouts: sonobuoy v0.57.5; before v0.56.6 `defintion.json`; very
/// old ones have no folder `global`; a bare folder of results has the two files at its top.
fn kind(path: &str) -> Option<Kind<'_>> {
    let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some((plugin, inside)) = path
        .strip_prefix("plugins/")
        .and_then(|p| p.split_once('/'))
    {
        return match inside {
            "definition.json" | "defintion.json" => Some(Kind::Definition(plugin)),
            "sonobuoy_results.yaml" => Some(Kind::Status(plugin)),
            _ if inside.starts_with("errors/") && name == "error.json" => Some(Kind::Error(plugin)),
            _ if plugin == E2E && inside.starts_with("results/") => result(name),
            _ => None,
        };
    }
    match path {
        "meta/info.json" => Some(Kind::Info),
        "meta/config.json" => Some(Kind::Config),
        "meta/clusterhealth.json" => Some(Kind::Health),
        "serverversion.json" => Some(Kind::Server),
        _ if path.starts_with("resources/") && name.ends_with("_configmaps.json") => {
            Some(Kind::ConfigMaps)
        }
        _ if path.starts_with("resources/") && name.ends_with("_secrets.json") => {
            Some(Kind::Secrets)
        }
        _ if !path.contains('/') => result(name),
        _ => None,
    }
}

fn result(name: &str) -> Option<Kind<'static>> {
    let (stem, extension) = name.rsplit_once('.')?;
    match (name, extension) {
        ("e2e.log", _) => Some(Kind::Log),
        (_, "xml") if stem.starts_with("junit") => Some(Kind::Junit),
        _ => None,
    }
}

/// What an archive without the e2e plugin holds.
fn instead(plugins: &[String], top: &BTreeSet<String>) -> String {
    if !plugins.is_empty() {
        return format!("its plugins are {}", plugins.join(", "));
    }
    let names = || {
        top.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(inner) = top.iter().find(|name| name.ends_with(".tar.gz")) {
        return format!("it holds another tarball, {inner}: unpack it first");
    }
    if top.is_empty() {
        return "it has no files".into();
    }
    format!("it begins with {}", names())
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|e| e.to_string())
}

#[derive(Deserialize)]
struct Info {
    plugins: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "Version")]
    version: Option<String>,
    #[serde(rename = "Server")]
    server: Option<ServerConfig>,
}

#[derive(Deserialize)]
struct ServerConfig {
    timeoutseconds: Option<u64>,
}

#[derive(Deserialize)]
struct Server {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

#[derive(Deserialize)]
struct PluginError {
    error: String,
}

#[derive(Deserialize)]
struct Health {
    node_health: Option<NodeHealth>,
}

#[derive(Deserialize)]
struct NodeHealth {
    total_nodes: u64,
    healthy_nodes: u64,
}

impl Health {
    fn nodes(self) -> Option<Nodes> {
        self.node_health.map(|health| Nodes {
            healthy: health.healthy_nodes,
            total: health.total_nodes,
        })
    }
}
