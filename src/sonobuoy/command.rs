//! The exact `sonobuoy run` command (v0.57.5), as arguments, as a shell line and as a script.
//! Nothing here runs it.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::program::Access;
use crate::kube_version::KubeVersion;
use crate::oci::Reference;

/// Which tests sonobuoy runs: its `--mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Every conformance test. The only one whose results can be submitted; sonobuoy's own default
    /// leaves tests out.
    #[default]
    CertifiedConformance,
    /// One test that takes seconds: proves that the images can be pulled.
    Quick,
    /// Every conformance test that leaves the cluster's other work alone. Cannot be certified.
    NonDisruptiveConformance,
}

impl Mode {
    /// Sonobuoy's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertifiedConformance => "certified-conformance",
            Self::Quick => "quick",
            Self::NonDisruptiveConformance => "non-disruptive-conformance",
        }
    }
}

/// `sonobuoy run` with every image from the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCommand {
    /// `sonobuoy`, or a path to it.
    pub program: String,
    /// `--config`: sonobuoy's own settings, such as the pull secret of its pods.
    pub config: Option<Utf8PathBuf>,
    /// `--mode`.
    pub mode: Mode,
    /// `--sonobuoy-image`.
    pub sonobuoy_image: Reference,
    /// `--systemd-logs-image`.
    pub systemd_logs_image: Reference,
    /// `--kube-conformance-image`. There is no `--kubernetes-version` beside it: whichever comes
    /// last would win (vmware-tanzu/sonobuoy#1376).
    pub conformance_image: Reference,
    /// `--e2e-repo-config`. Its file name becomes a `ConfigMap` key: `[-._a-zA-Z0-9]+`.
    pub repo_config: Utf8PathBuf,
    /// `--e2e-docker-config-file`, from Kubernetes 1.27: the login of the pods that tests make.
    pub docker_config: Option<Utf8PathBuf>,
    /// `--timeout`: after it sonobuoy gives the run up. Whole seconds.
    pub timeout: Duration,
    /// `--namespace`; none for sonobuoy's own default, `sonobuoy`.
    pub namespace: Option<String>,
    /// The namespace was made beforehand, with a pull secret in it: sonobuoy is told not to mind.
    pub namespace_exists: bool,
    /// `--kubeconfig` and `--context`.
    pub access: Access,
    /// More flags, checked by [`check_passthrough`](super::check_passthrough).
    pub passthrough: Vec<String>,
}

impl RunCommand {
    /// The arguments, without the program. `--config` comes first, because sonobuoy refuses it
    /// after a flag that changes the same settings.
    pub fn args(&self) -> Vec<String> {
        let mut args = vec!["run".to_owned()];
        args.extend(self.flags().into_iter().flatten());
        args
    }

    /// The arguments that show what would be created, without a cluster: `sonobuoy gen`. The
    /// version comes first, because one behind the images would change them.
    pub fn gen_args(&self, version: &KubeVersion) -> Vec<String> {
        let mut args = vec!["gen".to_owned(), "--kubernetes-version".to_owned()];
        args.push(version.without_vendor_suffix().to_string());
        args.extend(self.flags().into_iter().flatten());
        args
    }

    /// The command on one line, quoted for a POSIX shell.
    pub fn shell_line(&self) -> String {
        let words: Vec<String> = std::iter::once(shell_word(&self.program))
            .chain(self.args().iter().map(|arg| shell_word(arg)))
            .collect();
        words.join(" ")
    }

    /// `sonobuoy-run.sh`: runs the command in the script's own folder, so that relative paths of
    /// files beside it hold.
    pub fn script(&self) -> String {
        let mut script = format!(
            "#!/bin/sh\n\
             # Starts the Kubernetes conformance tests with every image from {}.\n\
             # Returns when they have begun: `sonobuoy status` tells how far they are.\n\
             set -eu\n\
             cd -- \"$(dirname -- \"$0\")\"\n\
             exec {} run",
            self.conformance_image.host(),
            shell_word(&self.program),
        );
        for flag in self.flags() {
            let words: Vec<String> = flag.iter().map(|word| shell_word(word)).collect();
            script.push_str(" \\\n  ");
            script.push_str(&words.join(" "));
        }
        script.push('\n');
        script
    }

    /// The flags in order, each with its value.
    fn flags(&self) -> Vec<Vec<String>> {
        let pair = |flag: &str, value: &dyn ToString| vec![flag.to_owned(), value.to_string()];
        let mut flags = Vec::new();
        if let Some(config) = &self.config {
            flags.push(pair("--config", config));
        }
        flags.push(vec![format!("--mode={}", self.mode.as_str())]);
        flags.push(pair("--sonobuoy-image", &self.sonobuoy_image));
        flags.push(pair("--systemd-logs-image", &self.systemd_logs_image));
        flags.push(pair("--kube-conformance-image", &self.conformance_image));
        flags.push(pair("--e2e-repo-config", &self.repo_config));
        if let Some(docker_config) = &self.docker_config {
            flags.push(pair("--e2e-docker-config-file", docker_config));
        }
        flags.push(vec![format!("--timeout={}", self.timeout.as_secs())]);
        if let Some(namespace) = &self.namespace {
            flags.push(pair("--namespace", namespace));
        }
        if self.namespace_exists {
            flags.push(vec!["--skip-preflight=existingnamespace".to_owned()]);
        }
        flags.extend(self.access.flags().chunks(2).map(<[String]>::to_vec));
        flags.extend(self.passthrough.iter().map(|word| vec![word.clone()]));
        flags
    }
}

/// `word` as one word of a POSIX shell (XCU 2.2.2: nothing is special between single quotes).
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> RunCommand {
        let image = |text: &str| text.parse().expect("a reference");
        RunCommand {
            program: "sonobuoy".to_owned(),
            config: Some("sonobuoy.json".into()),
            mode: Mode::CertifiedConformance,
            sonobuoy_image: image("R.io/sonobuoy/sonobuoy:v0.57.5"),
            systemd_logs_image: image("R.io/sonobuoy/systemd-logs:v0.4"),
            conformance_image: image("R.io/conformance:v1.36.1"),
            repo_config: "custom-repo-config.yaml".into(),
            docker_config: Some("docker-config.json".into()),
            timeout: Duration::from_hours(12),
            namespace: None,
            namespace_exists: false,
            access: Access::default(),
            passthrough: Vec::new(),
        }
    }

    #[test]
    fn the_command_has_its_flags_in_order() {
        assert_eq!(
            command().shell_line(),
            "sonobuoy run --config sonobuoy.json --mode=certified-conformance \
             --sonobuoy-image R.io/sonobuoy/sonobuoy:v0.57.5 \
             --systemd-logs-image R.io/sonobuoy/systemd-logs:v0.4 \
             --kube-conformance-image R.io/conformance:v1.36.1 \
             --e2e-repo-config custom-repo-config.yaml \
             --e2e-docker-config-file docker-config.json --timeout=43200"
        );
        let bare = RunCommand {
            config: None,
            docker_config: None,
            mode: Mode::Quick,
            ..command()
        };
        let args = bare.args();
        assert_eq!(args[..2], ["run", "--mode=quick"]);
        assert_eq!(args.len(), 11);
        assert!(!bare.shell_line().contains("docker-config"));
    }

    #[test]
    fn the_cluster_and_the_passed_on_flags_come_last() {
        let command = RunCommand {
            namespace: Some("conf".to_owned()),
            namespace_exists: true,
            access: Access {
                kubeconfig: vec!["/k/config".into()],
                context: Some("prod a".to_owned()),
                in_cluster: false,
            },
            passthrough: vec!["--dns-namespace".to_owned(), "openshift-dns".to_owned()],
            mode: Mode::NonDisruptiveConformance,
            ..command()
        };
        assert!(command.shell_line().ends_with(
            " --timeout=43200 --namespace conf --skip-preflight=existingnamespace \
             --kubeconfig /k/config --context 'prod a' --dns-namespace openshift-dns"
        ));
        assert_eq!(command.args()[3], "--mode=non-disruptive-conformance");
        // Several files go by the environment, a service account by none of both.
        let several = Access {
            kubeconfig: vec!["/a".into(), "/b".into()],
            ..Access::default()
        };
        assert_eq!(several.flags(), [""; 0]);
        let pod = Access {
            in_cluster: true,
            ..command.access
        };
        assert_eq!(pod.flags(), [""; 0]);
    }

    #[test]
    fn gen_has_the_version_before_everything_else() {
        let version = "v1.36.3+k3s1".parse().expect("a version");
        let args = command().gen_args(&version);
        assert_eq!(
            args[..4],
            ["gen", "--kubernetes-version", "v1.36.3", "--config"]
        );
        assert_eq!(args[3..], command().args()[1..]);
    }

    #[test]
    fn the_script_runs_the_command_in_its_own_folder() {
        let script = command().script();
        assert!(script.starts_with("#!/bin/sh\n# "));
        let (head, line) = script.split_once("exec ").expect("the command");
        assert!(
            head.ends_with("set -eu\ncd -- \"$(dirname -- \"$0\")\"\n"),
            "{head}"
        );
        assert_eq!(
            line.replace(" \\\n  ", " ").trim_end(),
            command().shell_line()
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_what_was_shell_word() {
        for word in [
            "",
            "a b",
            "it's",
            "$HOME `x` \"y\"",
            "a\\b",
            "*",
            "~",
            "#",
            "é",
            "R.io/a:b",
        ] {
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf %s {}", shell_word(word))])
                .output()
                .expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
