//! What makes nodes fetch from the mirror what pods name by its upstream name: containerd's
//! `hosts.toml` (docs/hosts.md of containerd) and a drop-in of `registries.conf`
//! (containers-registries.conf.d(5)) for CRI-O and podman.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::layout::Layout;
use super::relocation::Relocation;

/// One file for nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// Below the folder of all of them, with `/` between its parts.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// How nodes reach the mirror.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeAccess {
    /// Over plain HTTP.
    pub plain_http: bool,
    /// The authority that nodes must trust, PEM; none when they trust the mirror already.
    pub ca_pem: Option<String>,
}

impl Relocation {
    /// The files for nodes; `None` without a TARGET, or when names do not keep their paths: then
    /// no mirror of a whole host leads to them.
    ///
    /// Upstream is never asked, so that what is not in the mirror fails at once.
    pub fn node_files(&self, access: &NodeAccess) -> Option<Vec<NodeFile>> {
        let target = self
            .target()
            .filter(|_| *self.layout() == Layout::KeepPath)?;
        let sources = self.pulls();
        let hosts: BTreeSet<&str> = sources.iter().map(|(source, _)| source.host()).collect();
        let mut files = Vec::new();
        // Without an authority, and over plain HTTP, there is nothing to say about its own name.
        let own = containerd_folder(target.host());
        if let Some(pem) = access.ca_pem.as_ref().filter(|_| !access.plain_http) {
            let text = hosts_toml(target.host(), "", access, Some("ca.crt"));
            files.push(file(format!("containerd/certs.d/{own}/hosts.toml"), text));
            files.push(file(
                format!("containerd/certs.d/{own}/ca.crt"),
                pem.clone(),
            ));
            let certs = format!("containers/certs.d/{}/ca.crt", target.host());
            files.push(file(certs, pem.clone()));
        } else if access.plain_http {
            let text = hosts_toml(target.host(), "", access, None);
            files.push(file(format!("containerd/certs.d/{own}/hosts.toml"), text));
        }
        let ca = files.iter().any(|f| f.path.ends_with("ca.crt"));
        let ca = ca.then(|| format!("../{own}/ca.crt"));
        let mut drop_in = String::from("# Written by airbuoy.\n");
        for host in hosts.into_iter().filter(|host| *host != target.host()) {
            let text = hosts_toml(target.host(), target.path(), access, ca.as_deref());
            let folder = containerd_folder(host);
            files.push(file(
                format!("containerd/certs.d/{folder}/hosts.toml"),
                text,
            ));
            let _ = write!(
                drop_in,
                "\n[[registry]]\nprefix = \"{host}\"\nlocation = \"{target}\"\ninsecure = {}\n",
                access.plain_http
            );
        }
        if access.plain_http {
            let _ = write!(
                drop_in,
                "\n[[registry]]\nlocation = \"{}\"\ninsecure = true\n",
                target.host()
            );
        }
        let path = "containers/registries.conf.d/50-airbuoy.conf";
        files.push(file(path.to_owned(), drop_in));
        Some(files)
    }
}

fn file(path: String, text: String) -> NodeFile {
    NodeFile { path, text }
}

/// containerd looks for `host_port_`, because a colon is no part of a file name everywhere.
fn containerd_folder(host: &str) -> String {
    match host.split_once(':') {
        Some((name, port)) => format!("{name}_{port}_"),
        None => host.to_owned(),
    }
}

/// Root keys stand for `server`, which is the mirror itself: no other is asked. It stands in a
/// table `host` once more, because containerd before 1.7 takes no file without one.
fn hosts_toml(host: &str, path: &str, access: &NodeAccess, ca: Option<&str>) -> String {
    let scheme = if access.plain_http { "http" } else { "https" };
    let mut server = format!("{scheme}://{host}");
    let mut keys = vec!["capabilities = [\"pull\", \"resolve\"]".to_owned()];
    if !path.is_empty() {
        let _ = write!(server, "/v2/{path}");
        // Without it `/v2` would be appended behind the prefix.
        keys.push("override_path = true".to_owned());
    }
    keys.extend(ca.map(|ca| format!("ca = \"{ca}\"")));
    let keys = keys.join("\n");
    format!("# Written by airbuoy.\nserver = \"{server}\"\n{keys}\n\n[host.\"{server}\"]\n{keys}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relocate::Filters;
    use crate::relocate::bench::Bench;

    fn files(target: &str, access: &NodeAccess) -> Vec<NodeFile> {
        let bench = Bench::new(&["v1.36.3"]);
        let relocation = bench.relocate(target, &Layout::KeepPath, &Filters::default());
        relocation.node_files(access).expect("files")
    }

    fn text<'a>(files: &'a [NodeFile], path: &str) -> &'a str {
        let file = files.iter().find(|file| file.path == path);
        &file.unwrap_or_else(|| panic!("no {path}: {files:?}")).text
    }

    #[test]
    fn each_upstream_host_leads_to_the_mirror_and_nowhere_else() {
        let access = NodeAccess {
            plain_http: false,
            ca_pem: Some("PEM".to_owned()),
        };
        let files = files("r.local:5000/k8s", &access);
        assert_eq!(
            text(&files, "containerd/certs.d/registry.k8s.io/hosts.toml"),
            "# Written by airbuoy.\n\
             server = \"https://r.local:5000/v2/k8s\"\n\
             capabilities = [\"pull\", \"resolve\"]\n\
             override_path = true\n\
             ca = \"../r.local_5000_/ca.crt\"\n\n\
             [host.\"https://r.local:5000/v2/k8s\"]\n\
             capabilities = [\"pull\", \"resolve\"]\n\
             override_path = true\n\
             ca = \"../r.local_5000_/ca.crt\"\n"
        );
        assert_eq!(
            text(&files, "containerd/certs.d/r.local_5000_/hosts.toml"),
            "# Written by airbuoy.\n\
             server = \"https://r.local:5000\"\n\
             capabilities = [\"pull\", \"resolve\"]\n\
             ca = \"ca.crt\"\n\n\
             [host.\"https://r.local:5000\"]\n\
             capabilities = [\"pull\", \"resolve\"]\n\
             ca = \"ca.crt\"\n"
        );
        assert_eq!(
            text(&files, "containerd/certs.d/r.local_5000_/ca.crt"),
            "PEM"
        );
        assert_eq!(
            text(&files, "containers/certs.d/r.local:5000/ca.crt"),
            "PEM"
        );
        let drop_in = text(&files, "containers/registries.conf.d/50-airbuoy.conf");
        let table = "[[registry]]\nprefix = \"docker.io\"\nlocation = \"r.local:5000/k8s\"\n\
                     insecure = false\n";
        assert!(drop_in.contains(table), "{drop_in}");
    }

    #[test]
    fn plain_http_names_no_certificate() {
        let access = NodeAccess {
            plain_http: true,
            ca_pem: None,
        };
        let files = files("10.0.0.5:5000", &access);
        let own = text(&files, "containerd/certs.d/10.0.0.5_5000_/hosts.toml");
        assert!(own.contains("http://10.0.0.5:5000\""), "{own}");
        assert!(files.iter().all(|file| !file.text.contains("ca =")));
        let drop_in = text(&files, "containers/registries.conf.d/50-airbuoy.conf");
        assert!(drop_in.ends_with("location = \"10.0.0.5:5000\"\ninsecure = true\n"));
    }

    #[test]
    fn names_that_lose_their_paths_have_no_mirror() {
        let bench = Bench::new(&["v1.36.3"]);
        let flat = bench.relocate("r.local", &Layout::Flat, &Filters::default());
        assert_eq!(flat.node_files(&NodeAccess::default()), None);
    }
}
