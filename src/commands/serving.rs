//! What a server says when it begins: one line a fact, and the command that makes a cluster use
//! it.

use camino::Utf8PathBuf;

use super::certificate::Authority;
use crate::bundle::Record;
use crate::catalog::Catalog;
use crate::event::{Event, Observer};
use crate::settings::{ServeSettings, ServeTls};
use crate::ui::{self, Printer};

/// Prints notices as they come.
pub(super) struct Says(pub(super) Printer);

impl Observer for Says {
    fn event(&self, event: Event) {
        match event {
            Event::Notice(text) => self.0.say(&text),
            Event::Warning(text) => self.0.warn(&text),
            _ => {}
        }
    }
}

/// What is served.
pub(super) struct About {
    pub(super) path: Utf8PathBuf,
    pub(super) images: usize,
    pub(super) record: Option<Record>,
}

/// What is known when it listens.
pub(super) struct Facts<'a> {
    pub(super) about: &'a About,
    pub(super) settings: &'a ServeSettings,
    /// `host:port`, the likeliest first.
    pub(super) addresses: Vec<String>,
    /// How many may log in; none when nobody is asked.
    pub(super) users: Option<usize>,
    pub(super) authority: Option<&'a Authority>,
}

impl Facts<'_> {
    pub(super) fn tell(&self, printer: &Printer) {
        for line in self.lines() {
            printer.say(&line);
        }
        for warning in self.warnings() {
            printer.warn(&warning);
        }
        printer.say(&self.next());
    }

    fn lines(&self) -> Vec<String> {
        let scheme = match self.settings.tls {
            ServeTls::Off => "http",
            _ => "https",
        };
        let images = ui::count(self.about.images, "image");
        let versions = match self.versions().as_slice() {
            [] => String::new(),
            versions => format!("Kubernetes {}, ", versions.join(", ")),
        };
        let mut lines = vec![format!(
            "Serving {}: {versions}{images}, {}",
            self.about.path,
            if self.settings.writable {
                "writable"
            } else {
                "read-only"
            }
        )];
        for address in &self.addresses {
            lines.push(format!("Listening at {scheme}://{address}"));
        }
        lines.push(match self.users {
            Some(users) => {
                let users = ui::count(users, "user");
                let what = self.may("push, delete and ");
                format!("Asking for a login: {users} may {what}pull")
            }
            None => "Asking for no login".to_owned(),
        });
        if let Some(Authority { path, is_new }) = self.authority {
            lines.push(if *is_new {
                format!("Made a certificate: every node must trust its authority, {path}")
            } else {
                format!("Using the certificate of the last time; its authority is {path}")
            });
        }
        lines
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let listen = self.settings.listen;
        if listen.ip().is_loopback() {
            return warnings;
        }
        if self.settings.tls == ServeTls::Off {
            let what = if self.users.is_some() {
                "passwords and images go over the network unprotected"
            } else {
                "images go over the network unprotected, and nodes must be told to use plain HTTP"
            };
            warnings.push(format!("{what}: --tls-self-signed changes that"));
        }
        if self.users.is_none() {
            warnings.push(format!(
                "whoever reaches {listen} may {}pull everything: --htpasswd FILE asks for a login",
                self.may("push, delete and ")
            ));
        }
        warnings
    }

    /// Words for a server that takes pushes.
    fn may(&self, words: &'static str) -> &'static str {
        if self.settings.writable { words } else { "" }
    }

    fn versions(&self) -> Vec<String> {
        let record = self.about.record.as_ref();
        let versions = record.into_iter().flat_map(Record::versions);
        versions.map(ToString::to_string).collect()
    }

    /// The command that writes the config files for this server.
    fn next(&self) -> String {
        let mut target = self.addresses.first().cloned().unwrap_or_default();
        if let Some(prefix) = &self.settings.prefix {
            target = format!("{target}/{prefix}");
        }
        let Some(record) = self.about.record.as_ref() else {
            let verb = self.may("push to and ");
            return format!("Next: {verb}pull from {target}");
        };
        let mut line = format!("Next: airbuoy config {target}");
        for version in self.versions() {
            line = format!("{line} --kubernetes-version {version}");
        }
        let default = Catalog::embedded().sonobuoy(None).ok();
        if default.is_none_or(|images| images.version != record.sonobuoy.version) {
            line = format!("{line} --sonobuoy-version {}", record.sonobuoy.version);
        }
        match (self.authority, &self.settings.tls) {
            (Some(authority), _) => line + " --nodes --nodes-ca " + authority.path.as_str(),
            (None, ServeTls::Off) => line + " --nodes --nodes-plain-http",
            (None, _) => line + " --nodes",
        }
    }
}
