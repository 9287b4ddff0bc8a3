//! `airbuoy run TARGET`: look at everything, start sonobuoy, follow it, judge what it brings.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::copying::{Copying, images as to_copy};
use super::follow::Following;
use super::interrupt::{GIVEN_UP, Stop};
use super::live_lists::read_lists;
use super::notices::say_about;
use super::serving::Says;
use super::{ExitStatus, files, reporting, run_files, run_images, runtime};
use crate::cli::RunArgs;
use crate::cluster::{Cluster, ClusterError};
use crate::kube_version::KubeVersion;
use crate::oci::Reference;
use crate::relocate::Relocation;
use crate::settings::{Environment, Placement, RunSettings};
use crate::sonobuoy::preflight::{
    ClusterFacts, CredentialFacts, Grade, ImageFacts, PreflightFacts, Problem, Window, judge,
    linux_platforms,
};
use crate::sonobuoy::{Access, DOCKER_CONFIG_WARNING, Program, ProgramError, check_docker_config};
use crate::transfer::CopyOptions;
use crate::ui::{self, Printer};

/// What is said when the run is told to stop while it starts.
const LAUNCHING: &str = "Stopping when sonobuoy has created the run; it goes on in the cluster. \
                         Once more stops at once.";

pub(super) fn run(
    args: &RunArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let settings = RunSettings::resolve(args, environment)?;
    let offline = settings.dry_run && settings.given.is_some();
    // The cluster tells the version and the program its release before anything can be named.
    let asked = if offline {
        None
    } else {
        let asked = runtime::block_on(async {
            let mut stop = Stop::listen();
            Ok(stop.unless_asked(versions(&settings)).await)
        });
        match asked? {
            Some(versions) => Some(versions),
            None => return Ok(stopped(printer)),
        }
    };
    let (version, release) = match &asked {
        Some((version, program)) => (
            version.as_ref().ok().cloned(),
            program
                .as_ref()
                .ok()
                .map(|program| program.version().to_owned()),
        ),
        None => (None, None),
    };
    let version = settings.given.clone().or(version);
    let Some(version) = version else {
        return runtime::block_on(async {
            let mut stop = Stop::listen();
            let told = stop.unless_asked(without_a_version(&settings, asked, printer));
            told.await.unwrap_or_else(|| Ok(stopped(printer)))
        });
    };
    if let Some((path, content)) = &settings.docker_config {
        check_docker_config(path, content, settings.target.host(), Some(&version))?;
    }
    let mut placement = settings.placement(&version, release.as_deref())?;
    let source = &settings.access.source;
    read_lists(
        &mut placement.release,
        source,
        &args.catalog.live,
        environment,
        printer,
    )?;
    let relocation = placement.relocation(Some(&settings.target))?;
    say_about(printer, &placement.release, &relocation);
    let run = Run {
        settings: &settings,
        placement: &placement,
        relocation: &relocation,
        printer,
    };
    if offline {
        // Only what the user named: a kubeconfig that is not there must not be in the command.
        let access = Access {
            kubeconfig: args.cluster.kubeconfig.iter().cloned().collect(),
            ..settings.cluster.access.clone()
        };
        return run.show(access);
    }
    runtime::block_on(run.certify())
}

/// What cluster and program said when they were asked for their versions.
type Versions = (
    Result<KubeVersion, ClusterError>,
    Result<Program, ProgramError>,
);

async fn versions(settings: &RunSettings) -> Versions {
    let (cluster, program) = tokio::join!(connect(settings), open(settings));
    (cluster.map(|cluster| cluster.version().clone()), program)
}

async fn connect(settings: &RunSettings) -> Result<Cluster, ClusterError> {
    Cluster::connect(&settings.cluster.options).await
}

async fn open(settings: &RunSettings) -> Result<Program, ProgramError> {
    let cluster = &settings.cluster;
    let path = Program::locate(
        cluster.sonobuoy.as_deref(),
        &cluster.search_path,
        &settings.catalog,
    )?;
    Program::open(path, cluster.access.clone(), &settings.catalog).await
}

/// There is no cluster to ask: what is wrong with the rest is told all the same.
async fn without_a_version(
    settings: &RunSettings,
    asked: Option<Versions>,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let (cluster, program) = if let Some((Err(error), program)) = asked {
        (Err(error), program)
    } else {
        tokio::join!(connect(settings), open(settings))
    };
    let images = ImageFacts::NotChecked("the Kubernetes version is not known".to_owned());
    let credentials = CredentialFacts::default();
    let seen = look(settings, &cluster, &credentials).await;
    let facts = facts(settings, seen, &program, images, credentials);
    printer.errors(&ui::preflight(&judge(&facts), printer.style()));
    printer.say("Nothing was started.");
    Ok(ExitStatus::Cluster)
}

fn stopped(printer: &Printer) -> ExitStatus {
    printer.say("Stopped: nothing was started.");
    ExitStatus::Interrupted
}

/// Asks the cluster everything, once.
async fn look(
    settings: &RunSettings,
    cluster: &Result<Cluster, ClusterError>,
    credentials: &CredentialFacts,
) -> Result<ClusterFacts, Problem> {
    let secret = credentials.needs_secret_beforehand();
    match cluster {
        Ok(cluster) => Ok(ClusterFacts::gather(cluster, &settings.cluster.namespace, secret).await),
        Err(error) => Err(Problem::from(error)),
    }
}

fn facts(
    settings: &RunSettings,
    cluster: Result<ClusterFacts, Problem>,
    program: &Result<Program, ProgramError>,
    images: ImageFacts,
    credentials: CredentialFacts,
) -> PreflightFacts {
    let settled =
        |flag: &String| flag.starts_with("--dns-") || flag.starts_with("--skip-preflight");
    PreflightFacts {
        mode: settings.mode,
        namespace: settings.cluster.namespace.clone(),
        sonobuoy: program
            .as_ref()
            .map(|p| p.release().clone())
            .map_err(Problem::from),
        cluster,
        given: settings.given.clone(),
        window: Window::of(&settings.catalog),
        images,
        credentials,
        dns_is_settled: settings.passthrough.iter().any(settled),
    }
}

struct Run<'a> {
    settings: &'a RunSettings,
    placement: &'a Placement,
    relocation: &'a Relocation,
    printer: &'a Printer,
}

impl Run<'_> {
    /// Prints the command and writes the files; contacts nobody.
    fn show(&self, access: Access) -> anyhow::Result<ExitStatus> {
        let Self {
            settings,
            placement,
            relocation,
            printer,
        } = self;
        let command = run_files::command(settings, relocation, &placement.release.sets[0], access)?;
        let written = run_files::files(settings, &placement.release, relocation, &command)?;
        files::write_all(&written)?;
        if settings.docker_config.is_some() {
            printer.warn(DOCKER_CONFIG_WARNING);
        }
        printer.document(&(command.shell_line() + "\n"))?;
        for file in &written {
            printer.say(&format!("Wrote {}", file.path));
        }
        Ok(ExitStatus::Done)
    }

    async fn certify(&self) -> anyhow::Result<ExitStatus> {
        let (settings, printer) = (self.settings, self.printer);
        let mut stop = Stop::listen();
        let reaching = async { tokio::join!(connect(settings), open(settings)) };
        let Some((cluster, program)) = stop.unless_asked(reaching).await else {
            return Ok(stopped(printer));
        };
        if settings.mirror && !settings.dry_run {
            let looking = self.look_before_mirroring(&cluster, &program);
            if let Some(refused) = self.unless_asked(&mut stop, looking).await? {
                return Ok(refused);
            }
            let mirrored = self.mirror(&mut stop).await?;
            if mirrored != ExitStatus::Done {
                printer.say("Nothing was started.");
                return Ok(mirrored);
            }
        }
        // Again after an hour of copying: a cluster does not stand still.
        let looking = self.look_at_everything(&cluster, &program);
        if let Some(refused) = self.unless_asked(&mut stop, looking).await? {
            return Ok(refused);
        }
        if settings.dry_run {
            return self.show(settings.cluster.access.clone());
        }
        self.start(&cluster?, &program?, &mut stop).await
    }

    /// Looks, unless Ctrl-C comes first; why nothing is started.
    async fn unless_asked(
        &self,
        stop: &mut Stop,
        looking: impl Future<Output = anyhow::Result<Option<ExitStatus>>>,
    ) -> anyhow::Result<Option<ExitStatus>> {
        let looked = stop.unless_asked(Box::pin(looking)).await;
        looked.unwrap_or_else(|| Ok(Some(stopped(self.printer))))
    }

    /// Whether the run could begin, but for its images; why not.
    async fn look_before_mirroring(
        &self,
        cluster: &Result<Cluster, ClusterError>,
        program: &Result<Program, ProgramError>,
    ) -> anyhow::Result<Option<ExitStatus>> {
        let settings = self.settings;
        let waits = ImageFacts::NotChecked("they are mirrored first".to_owned());
        let credentials = run_images::credentials(settings, self.relocation).await?;
        let seen = look(settings, cluster, &credentials).await;
        let findings = judge(&facts(settings, seen, program, waits, credentials));
        let failed = findings.iter().any(|finding| finding.grade == Grade::Fail);
        Ok(failed.then(|| self.refuse(&findings, ExitStatus::Cluster)))
    }

    /// Whether the run can begin; why not.
    async fn look_at_everything(
        &self,
        cluster: &Result<Cluster, ClusterError>,
        program: &Result<Program, ProgramError>,
    ) -> anyhow::Result<Option<ExitStatus>> {
        let settings = self.settings;
        let credentials = run_images::credentials(settings, self.relocation).await?;
        let seen = look(settings, cluster, &credentials).await;
        let images = self.images(&seen).await?;
        let found = facts(settings, seen, program, images, credentials);
        let findings = judge(&found);
        let failed = findings.iter().filter(|f| f.grade == Grade::Fail).count();
        if failed == 0 {
            for line in ui::preflight(&findings, self.printer.style()).lines() {
                self.printer.say(line);
            }
            return Ok(None);
        }
        let missing =
            matches!(&found.images, ImageFacts::Checked { missing, .. } if !missing.is_empty());
        let status = if missing && failed == 1 {
            ExitStatus::Registry
        } else {
            ExitStatus::Cluster
        };
        Ok(Some(self.refuse(&findings, status)))
    }

    fn refuse(
        &self,
        findings: &[crate::sonobuoy::preflight::Finding],
        status: ExitStatus,
    ) -> ExitStatus {
        self.printer
            .errors(&ui::preflight(findings, self.printer.style()));
        self.printer.say("Nothing was started.");
        status
    }

    async fn images(&self, seen: &Result<ClusterFacts, Problem>) -> anyhow::Result<ImageFacts> {
        let nodes = seen
            .as_ref()
            .ok()
            .and_then(|facts| facts.nodes.as_ref().ok());
        let platforms = nodes.map_or_else(Vec::new, |nodes| linux_platforms(nodes));
        if platforms.is_empty() {
            let why = "the cluster's nodes are not known".to_owned();
            return Ok(ImageFacts::NotChecked(why));
        }
        run_images::images(self.settings, self.relocation, platforms).await
    }

    /// Brings over whatever is missing, as `mirror` does.
    async fn mirror(&self, stop: &mut Stop) -> anyhow::Result<ExitStatus> {
        let (settings, printer) = (self.settings, self.printer);
        let progress = Arc::new(printer.progress(self.placement.release.title()));
        let copying = Copying {
            source: settings.access.source.clone(),
            target: settings.access.target.clone(),
            images: to_copy(std::slice::from_ref(self.relocation)),
            options: CopyOptions {
                platforms: self.placement.platforms.clone(),
                jobs: settings.access.jobs,
                ..CopyOptions::default()
            },
        };
        let observer = progress.clone();
        let working = async |cancel: &CancellationToken| copying.run(observer, cancel).await;
        let copied = stop.while_working(&*progress, GIVEN_UP, working).await;
        progress.finish();
        let (outcome, report) = copied?;
        printer.errors(&ui::failures(&report.images, printer.style()));
        printer.say(&if outcome.cancelled {
            ui::stopped(&report)
        } else {
            ui::mirrored(&report)
        });
        Ok(reporting::status_of_copy(&outcome))
    }

    async fn start(
        &self,
        cluster: &Cluster,
        program: &Program,
        stop: &mut Stop,
    ) -> anyhow::Result<ExitStatus> {
        let Self {
            settings,
            placement,
            relocation,
            printer,
        } = self;
        let access = settings.cluster.access.clone();
        let command = run_files::command(settings, relocation, &placement.release.sets[0], access)?;
        let written = run_files::files(settings, &placement.release, relocation, &command)?;
        files::write_all(&written)?;
        // Cut short it would leave half of its objects behind.
        let launching = async |cancel: &CancellationToken| {
            let launched = program.launch(&command).await;
            launched.map(|_| cancel.is_cancelled())
        };
        let says = Says((*printer).clone());
        let stopped = stop.while_working(&says, LAUNCHING, launching).await?;
        printer.say(&format!("Started: {}", command.shell_line()));
        if settings.detach || stopped {
            printer.say("Next: airbuoy status, or airbuoy status --watch to follow it to its end");
            return Ok(if stopped {
                ExitStatus::Interrupted
            } else {
                ExitStatus::Done
            });
        }
        let images: HashSet<Reference> = relocation
            .pulls()
            .into_iter()
            .map(|(_, target)| target)
            .collect();
        let following = Following {
            cluster,
            program,
            namespace: &settings.cluster.namespace,
            images,
            out_dir: &settings.out_dir,
        };
        following.run(stop, printer).await
    }
}
