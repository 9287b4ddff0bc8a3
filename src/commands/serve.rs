//! `airbuoy serve BUNDLE`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use camino::Utf8Path;

use super::access_log::Log;
use super::addresses::{hosts, reachable};
use super::certificate::Certificate;
use super::interrupt::cancel_on_signal_saying;
#[cfg(unix)]
use super::interrupt::received;
use super::serving::{About, Facts, Says};
use super::{ExitStatus, runtime};
use crate::bundle::{Bundle, BundleError, DirectoryStore, StoreOptions};
use crate::cli::ServeArgs;
use crate::content::Store;
use crate::server::{Logins, Options, Server};
use crate::settings::{Environment, ServeSettings, SettingsError};
use crate::ui::Printer;

/// What is said when the server is told to stop.
const STOPPING: &str = "Stopping: requests under way may end. Once more stops at once.";

/// How often a directory that takes pushes is swept. What goes has waited for a day.
const SWEEP: Duration = Duration::from_hours(1);

/// `--htpasswd`.
const HTPASSWD: &str = "--htpasswd";

pub(super) fn run(
    args: &ServeArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let settings = ServeSettings::resolve(args, environment)?;
    #[cfg(unix)]
    super::open_files::allow_many();
    if settings.writable {
        return writable(settings, printer);
    }
    let bundle = open(&settings)?;
    // A folder must not change while it is served.
    let _shared = bundle.share()?;
    for fault in bundle.check() {
        printer.warn(&format!("{}: {fault}", bundle.path()));
    }
    let about = About {
        path: bundle.path().to_owned(),
        images: bundle.entries().len(),
        record: bundle.record().cloned(),
    };
    let serving = Serving::new(settings, about, printer)?;
    runtime::block_on(serving.run(Arc::new(bundle), std::future::pending(), printer))
}

/// A directory that takes pushes.
fn writable(settings: ServeSettings, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let store = DirectoryStore::open(&settings.bundle, &StoreOptions::default())?;
    let store = Arc::new(store);
    let about = About {
        path: store.path().to_owned(),
        images: store.entries().len(),
        record: store.record().cloned(),
    };
    let serving = Serving::new(settings, about, printer)?;
    let sweeping = sweep(Arc::clone(&store), printer);
    runtime::block_on(serving.run(store, sweeping, printer))
}

/// Removes what nobody needs, from time to time; never ends.
async fn sweep(store: Arc<DirectoryStore>, printer: &Printer) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = store.sweep().await {
            let path = store.path();
            printer.warn(&format!("{path}: blobs that no image needs stay: {error}"));
        }
    }
}

/// The bundle, and for a delta the bundles that hold the rest.
fn open(settings: &ServeSettings) -> Result<Bundle, BundleError> {
    let bundle = Bundle::open(&settings.bundle)?;
    let bases = settings.base.iter().map(|path| Bundle::open(path));
    let bases = bases.collect::<Result<Vec<_>, _>>()?;
    let here = |digest| bases.iter().any(|base| base.locate(digest).is_some());
    let external = bundle.external().iter();
    let absent: HashSet<_> = external
        .map(|blob| &blob.digest)
        .filter(|digest| !here(digest))
        .collect();
    if !absent.is_empty() {
        return Err(BundleError::Structure {
            bundle: bundle.path().to_owned(),
            reason: format!(
                "it is a delta, and {} that it leaves out {} in no base",
                crate::ui::count(absent.len(), "blob"),
                if absent.len() == 1 { "is" } else { "are" }
            ),
            hint: Some(
                "name the bundles that it is based on with --base; push needs only the delta"
                    .to_owned(),
            ),
        });
    }
    Ok(bundle.with_base(bases))
}

/// Everything that a server is made of, but for what it serves.
struct Serving {
    settings: ServeSettings,
    about: About,
    certificate: Option<Certificate>,
    logins: Option<Arc<Logins>>,
    log: Option<Log>,
}

impl Serving {
    fn new(settings: ServeSettings, about: About, printer: &Printer) -> anyhow::Result<Self> {
        let mut called: Vec<String> = hosts(settings.listen.ip())
            .iter()
            .map(ToString::to_string)
            .collect();
        called.extend(settings.host_name.clone());
        let logins = match &settings.htpasswd {
            Some(path) => {
                let text = ServeSettings::text(HTPASSWD, path)?;
                let logins = Logins::parse(&text).with_context(|| named(path))?;
                Some(Arc::new(logins))
            }
            None => None,
        };
        let log = match &settings.access_log {
            Some(to) => Some(Log::open(to, printer).context("cannot open the access log")?),
            None => None,
        };
        Ok(Self {
            certificate: Certificate::of(&settings, &called)?,
            about,
            logins,
            log,
            settings,
        })
    }

    /// Serves until it is told to stop; `upkeep` runs beside.
    async fn run<S: Store>(
        self,
        store: Arc<S>,
        upkeep: impl Future<Output = ()>,
        printer: &Printer,
    ) -> anyhow::Result<ExitStatus> {
        let Self {
            settings,
            about,
            certificate,
            logins,
            log,
        } = self;
        let options = Options {
            read_only: !settings.writable,
            prefix: settings.prefix.clone(),
            tls: certificate
                .as_ref()
                .map(|certificate| certificate.tls.clone()),
            logins: logins.clone(),
            limits: settings.limits.clone(),
            on_request: log.as_ref().map(Log::on_request),
        };
        // From here on a hang-up ends nothing.
        let hangup = Hangup::listen();
        let server = Server::bind(settings.listen, store, options)
            .await
            .map_err(|source| SettingsError::CannotListen {
                address: settings.listen,
                source,
            })?;
        let facts = Facts {
            about: &about,
            settings: &settings,
            addresses: reachable(server.local_addr(), settings.host_name.as_deref()),
            users: logins.as_ref().map(|logins| logins.users()),
            authority: certificate.as_ref().and_then(|c| c.authority.as_ref()),
        };
        facts.tell(printer);
        let cancel = cancel_on_signal_saying(Arc::new(Says(printer.clone())), STOPPING);
        let reading = reload_on(
            hangup,
            &settings,
            certificate,
            logins,
            log.as_ref(),
            printer,
        );
        let ended = tokio::select! {
            ended = server.run(cancel) => ended,
            () = reading => Ok(()),
            () = upkeep => Ok(()),
        };
        if let Some(log) = log {
            tokio::task::spawn_blocking(move || log.close()).await?;
        }
        ended.context("the server cannot go on")?;
        printer.say("Stopped.");
        Ok(ExitStatus::Done)
    }
}

/// SIGHUP, where there is such a thing.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Returns at the next one; never where there is none.
    async fn next(&mut self) {
        #[cfg(unix)]
        received(&mut self.signal).await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}

/// Reads logins and certificates again at every hang-up; never ends. What cannot be read changes
/// nothing.
async fn reload_on(
    mut hangup: Hangup,
    settings: &ServeSettings,
    certificate: Option<Certificate>,
    logins: Option<Arc<Logins>>,
    log: Option<&Log>,
    printer: &Printer,
) {
    loop {
        hangup.next().await;
        if let Some(log) = log {
            log.reopen();
        }
        if let Some(certificate) = &certificate {
            said(printer, "The certificate", "is", certificate.reload());
        }
        if let (Some(logins), Some(path)) = (&logins, &settings.htpasswd) {
            let read = || -> anyhow::Result<()> {
                let text = ServeSettings::text(HTPASSWD, path)?;
                logins.replace(&text).with_context(|| named(path))
            };
            said(printer, "The logins", "are", read());
        }
    }
}

fn named(htpasswd: &Utf8Path) -> String {
    format!("{HTPASSWD} {htpasswd}")
}

fn said(printer: &Printer, what: &str, verb: &str, read: anyhow::Result<()>) {
    match read {
        Ok(()) => printer.say(&format!("{what} {verb} read again.")),
        Err(error) => printer.warn(&format!("{what} {verb} what was there before: {error:#}")),
    }
}
