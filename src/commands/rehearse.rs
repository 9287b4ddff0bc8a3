//! `airbuoy rehearse [TARGET]`: mirror and verify, with small stand-ins for the images.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::config_files::{ConfigFiles, run_command};
use super::copying::{Copying, images};
use super::interrupt::cancel_on_signal;
use super::live_lists::read_lists;
use super::notices::say_about;
use super::rehearsal_end::{remove, verified};
use super::rehearse_bundle::{Crossed, cross};
use super::{ExitStatus, files, reporting, runtime};
use crate::cli::RehearseArgs;
use crate::content::MemoryStore;
use crate::oci::Reference;
use crate::registry::{Options, Side};
use crate::rehearsal::{StandIns, rehearsal_tag};
use crate::relocate::{Relocation, TargetPrefix};
use crate::server::{self, Running, Server};
use crate::settings::{Environment, RehearseSettings, SettingsError};
use crate::transfer::{CopyOptions, Image, Outcome, Report};
use crate::ui::{self, Printer};

/// Any free port of this machine, and no other machine.
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(super) fn run(
    args: &RehearseArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let mut settings = RehearseSettings::resolve(args, environment)?;
    read_lists(
        &mut settings.placement.release,
        &settings.access.source,
        &args.catalog.live,
        environment,
        printer,
    )?;
    runtime::block_on(rehearse(&settings, printer))
}

async fn rehearse(settings: &RehearseSettings, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let stage = Stage::set(settings).await?;
    let placement = &settings.placement;
    say_about(printer, &placement.release, &stage.relocation);
    let progress =
        Arc::new(printer.progress(format!("Stand-ins of {}", placement.release.title())));
    let cancel = cancel_on_signal(progress.clone());
    let upstream = serve(stage.upstream.clone(), true).await?;
    printer.say(&format!(
        "Stand-in images: {}, {}, {}, served at {}",
        stage.stand_ins.images,
        ui::count(stage.stand_ins.platforms, "platform"),
        ui::bytes(stage.stand_ins.bytes),
        upstream.local_addr()
    ));
    for skipped in &stage.stand_ins.skipped {
        printer.say(&format!(
            "{skipped} is left out: nothing can stand in for an image named by its digest"
        ));
    }
    let copying = Copying {
        source: Options {
            source_mirrors: stage.stand_ins.mirrors(upstream.local_addr()),
            ..Options::default()
        },
        target: stage.options.clone(),
        images: stage.images.clone(),
        options: CopyOptions {
            platforms: placement.platforms.clone(),
            jobs: settings.access.jobs,
            ..CopyOptions::default()
        },
    };
    let copied = if settings.via_bundle {
        cross(copying, settings, progress.clone(), &cancel).await
    } else {
        let copied = copying.run(progress.clone(), &cancel).await;
        copied.map(|(outcome, report)| Crossed {
            outcome,
            report,
            steps: Vec::new(),
        })
    };
    let checked = match &copied {
        Ok(Crossed { outcome, .. }) if outcome.is_complete() => {
            Some(verified(&stage.options, &stage.images, settings, &cancel).await)
        }
        _ => None,
    };
    progress.finish();
    let Crossed {
        outcome,
        mut report,
        steps,
    } = copied?;
    // However it went, what was written under rehearsal tags is taken away again.
    if stage.embedded.is_none() {
        remove(&stage.options, &stage.images, &outcome, printer).await?;
    }
    let checked = checked.transpose()?;
    let sound = checked.as_ref().is_some_and(Outcome::is_complete);
    if sound && let Some(dir) = &settings.out_dir {
        let config = ConfigFiles::new(&placement.release, &stage.relocation, dir)?;
        files::write_all(config.files())?;
        report.files = config.paths();
    }
    reporting::deliver(
        &report,
        settings.report.as_deref(),
        settings.output,
        printer,
    )?;
    reporting::say_failures(&outcome, &report, printer);
    for step in &steps {
        printer.say(step);
    }
    let Some(checked) = checked else {
        printer.say(&match (settings.via_bundle, steps.is_empty()) {
            (false, _) => ui::mirrored(&report),
            (true, true) => ui::pulled(&report),
            (true, false) => ui::pushed(&report),
        });
        return Ok(reporting::status_of_copy(&outcome));
    };
    printer.errors(&ui::failures(&checked.images, printer.style()));
    if sound {
        tell_end(&stage, &report, settings, printer)?;
    }
    Ok(reporting::status_of_check(&checked))
}

/// It went well: where everything is, and what a real run would be told.
fn tell_end(
    stage: &Stage,
    report: &Report,
    settings: &RehearseSettings,
    printer: &Printer,
) -> anyhow::Result<()> {
    let place = if stage.embedded.is_some() {
        "the embedded registry "
    } else {
        ""
    };
    let done = if settings.via_bundle {
        "Pushed"
    } else {
        "Mirrored"
    };
    printer.say(&format!(
        "{done} to {place}{} in {}, verified",
        stage.target,
        ui::duration(std::time::Duration::from_secs_f64(report.seconds))
    ));
    tell_config(&stage.relocation, settings, printer)
}

/// What a real run would be told.
fn tell_config(
    relocation: &Relocation,
    settings: &RehearseSettings,
    printer: &Printer,
) -> anyhow::Result<()> {
    for set in &settings.placement.release.sets {
        printer.say(&format!("custom-repo-config.yaml for {}:", set.version));
        for (key, prefix) in relocation.repo_config(set).iter() {
            printer.say(&format!("  {key}: {prefix}"));
        }
        let command = run_command(relocation, set)?;
        printer.say(&format!("Would run: {}", command.shell_line()));
    }
    Ok(())
}

/// Both ends of a rehearsal, ready.
struct Stage {
    upstream: Arc<MemoryStore>,
    stand_ins: StandIns,
    target: TargetPrefix,
    options: Options,
    relocation: Relocation,
    images: Vec<Image>,
    /// The embedded registry, which lives as long as this.
    embedded: Option<Running>,
}

impl Stage {
    async fn set(settings: &RehearseSettings) -> anyhow::Result<Self> {
        let (target, options, embedded) = if let Some(target) = &settings.target {
            (target.clone(), settings.access.target.clone(), None)
        } else {
            let running = serve(Arc::new(MemoryStore::new()), false).await?;
            let target = format!("{}/k8s", running.local_addr()).parse()?;
            let options = Options {
                side: Side::Target,
                plain_http: true,
                ..Options::default()
            };
            (target, options, Some(running))
        };
        let relocation = settings.placement.relocation(Some(&target))?;
        let mut images = images(std::slice::from_ref(&relocation));
        if embedded.is_none() {
            for place in images.iter_mut().flat_map(|image| &mut image.targets) {
                *place = rehearsal_name(place);
            }
        }
        let sources: Vec<Reference> = images.iter().map(|image| image.source.clone()).collect();
        let upstream = MemoryStore::new();
        let stand_ins = StandIns::fill(&upstream, &sources)?;
        images.retain(|image| !stand_ins.skipped.contains(&image.source));
        Ok(Self {
            upstream: Arc::new(upstream),
            stand_ins,
            target,
            options,
            relocation,
            images,
            embedded,
        })
    }
}

/// The name that a rehearsal writes instead of the real one.
fn rehearsal_name(target: &Reference) -> Reference {
    match target.tag() {
        Some(tag) => target.with_tag(&rehearsal_tag(tag)),
        None => target.clone(),
    }
}

async fn serve(store: Arc<MemoryStore>, read_only: bool) -> anyhow::Result<Running> {
    let options = server::Options {
        read_only,
        ..server::Options::default()
    };
    let server = Server::bind(LOOPBACK, store, options)
        .await
        .map_err(|source| SettingsError::CannotListen {
            address: LOOPBACK,
            source,
        })?;
    Ok(server.spawn())
}
