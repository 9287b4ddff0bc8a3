//! `airbuoy status`.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::follow::Following;
use super::interrupt::Stop;
use super::{ExitStatus, runtime};
use crate::catalog::Catalog;
use crate::cli::{Format, StatusArgs};
use crate::cluster::Cluster;
use crate::settings::{ClusterSettings, Environment, StatusSettings};
use crate::sonobuoy::{
    Program, Progress, RunEvent, STATUS_ANNOTATION, Status, WatchOptions, watch,
};
use crate::ui::{self, Printer};

/// How long the log of the tests may take to say how far they are.
const A_LOOK: Duration = Duration::from_secs(3);

pub(super) fn run(
    args: &StatusArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let settings = StatusSettings::resolve(args, environment)?;
    runtime::block_on(status(&settings, printer))
}

async fn status(settings: &StatusSettings, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if settings.watch {
        return follow(settings, printer).await;
    }
    let cluster = Cluster::connect(&settings.cluster.options).await?;
    let namespace = settings.cluster.namespace.as_str();
    let Some(aggregator) = cluster.aggregator(namespace).await? else {
        printer.warn(&format!(
            "there is no run in namespace {namespace} of {}",
            cluster.name()
        ));
        printer.say("Next: airbuoy run TARGET");
        return Ok(ExitStatus::Cluster);
    };
    let told = aggregator.annotations.get(STATUS_ANNOTATION);
    let status = told
        .and_then(|text| Status::parse(text))
        .unwrap_or_default();
    let progress = if status.is_over() {
        None
    } else {
        progress(&cluster, namespace).await
    };
    match settings.output {
        Format::Json => {
            printer.document(&json(namespace, &aggregator.phase, &status, progress)?)?;
        }
        Format::Table => printer.document(&ui::status_table(&status))?,
    }
    say(&aggregator.phase, &status, progress, printer);
    Ok(ExitStatus::Done)
}

/// `--watch`.
async fn follow(settings: &StatusSettings, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut stop = Stop::listen();
    let reaching = async {
        let cluster = Cluster::connect(&settings.cluster.options).await?;
        let program = open(&settings.cluster).await?;
        anyhow::Ok((cluster, program))
    };
    let Some(reached) = stop.unless_asked(reaching).await else {
        printer.say("Stopped before the run was looked at.");
        return Ok(ExitStatus::Interrupted);
    };
    let (cluster, program) = reached?;
    let following = Following {
        cluster: &cluster,
        program: &program,
        namespace: &settings.cluster.namespace,
        images: HashSet::new(),
        out_dir: &settings.out_dir,
    };
    following.run(&mut stop, printer).await
}

/// The program that retrieves.
pub(super) async fn open(settings: &ClusterSettings) -> anyhow::Result<Program> {
    let catalog = Catalog::embedded();
    let path = Program::locate(
        settings.sonobuoy.as_deref(),
        &settings.search_path,
        &catalog,
    )?;
    Ok(Program::open(path, settings.access.clone(), &catalog).await?)
}

/// The counts, when the log tells them soon.
async fn progress(cluster: &Cluster, namespace: &str) -> Option<Progress> {
    let stop = CancellationToken::new();
    let options = WatchOptions::new(namespace, HashSet::new());
    let mut known = None;
    let looking = watch(cluster, &options, &stop, |event| {
        if let RunEvent::Progress(progress) = event
            && progress.total.is_some()
        {
            known = Some(progress);
            stop.cancel();
        }
    });
    let _ = tokio::time::timeout(A_LOOK, looking).await;
    known
}

fn json(
    namespace: &str,
    phase: &str,
    status: &Status,
    progress: Option<Progress>,
) -> anyhow::Result<String> {
    let progress = progress.map(|p| {
        serde_json::json!({"total": p.total, "passed": p.passed, "failed": p.failed,
            "about_done": p.about_done(), "seconds_left": p.left.map(|left| left.as_secs())})
    });
    let document = serde_json::json!({
        "format": 1,
        "namespace": namespace,
        "phase": phase,
        "run": status,
        "verdict": status.verdict(),
        "progress": progress,
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn say(phase: &str, status: &Status, progress: Option<Progress>, printer: &Printer) {
    let state = if status.status.is_empty() {
        phase
    } else {
        &status.status
    };
    printer.say(&format!("The run is {}", state.to_lowercase()));
    if let Some(line) = progress.as_ref().and_then(ui::progress_line) {
        printer.say(&line);
    }
    printer.say(if status.is_over() {
        "Next: airbuoy status --watch retrieves and judges the results"
    } else {
        "Next: airbuoy status --watch follows it to its end"
    });
}
