//! `airbuoy clean`.

use super::status::open;
use super::{ExitStatus, runtime};
use crate::cli::CleanArgs;
use crate::cluster::Cluster;
use crate::settings::{CleanSettings, Environment};
use crate::sonobuoy::{CleanOptions, CleanPlan};
use crate::ui::Printer;

pub(super) fn run(
    args: &CleanArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let settings = CleanSettings::resolve(args, environment)?;
    runtime::block_on(clean(&settings, printer))
}

async fn clean(settings: &CleanSettings, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let cluster = Cluster::connect(&settings.cluster.options).await?;
    let namespace = settings.cluster.namespace.as_str();
    let plan = CleanPlan::look(&cluster, namespace, settings.leftovers).await?;
    if plan.is_empty() {
        printer.say(&format!("Nothing to delete in {}", cluster.name()));
        return Ok(ExitStatus::Done);
    }
    // Found before anybody is asked.
    let program = open(&settings.cluster).await?;
    printer.say(&format!("To delete in {}:", cluster.name()));
    for line in plan.lines() {
        printer.say(&format!("  {line}"));
    }
    if plan.is_running() {
        printer.warn("the run is still going on: its results would be lost");
    }
    for other in &plan.other_runs {
        printer.warn(&format!(
            "another run goes on in namespace {other}: left-over namespaces may be its own"
        ));
    }
    if !settings.yes && !printer.ask("Delete all of this? [y/N]")? {
        printer.say("Nothing was deleted; --yes deletes without asking.");
        return Ok(ExitStatus::Usage);
    }
    let options = CleanOptions {
        limit: settings.wait,
        ..CleanOptions::default()
    };
    plan.carry_out(&program, &cluster, options).await?;
    printer.say("Deleted.");
    Ok(ExitStatus::Done)
}
