//! Flags that the user passes on to `sonobuoy run` after `--`. One that would override ours is
//! refused, because the last flag wins silently there.

/// A flag that may not be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassthroughError {
    /// It would override one of ours.
    #[error("`{flag}` cannot be passed on to sonobuoy: {reason}")]
    Refused {
        /// As it was given.
        flag: String,
        /// Why, and what to do instead.
        reason: &'static str,
    },
    /// `sonobuoy run` takes no words beside flags.
    #[error(
        "`{word}` cannot be passed on to sonobuoy: it is no flag, and no flag before it takes it"
    )]
    NoFlag {
        /// As it was given.
        word: String,
    },
}

const IMAGES: &str = "airbuoy sets the images from TARGET, and the last such flag would win";
const TESTS: &str = "it changes which tests run, which is --mode's business";

/// Flags of `sonobuoy run` v0.57.5 that are ours, and what to do instead.
const OURS: &[(&str, &str)] = &[
    (
        "config",
        "airbuoy writes that file; see --image-pull-secret",
    ),
    ("mode", "use --mode of airbuoy"),
    ("m", "use --mode of airbuoy"),
    ("sonobuoy-image", IMAGES),
    ("systemd-logs-image", IMAGES),
    ("kube-conformance-image", IMAGES),
    ("kube-conformance-image-version", IMAGES),
    ("kubernetes-version", IMAGES),
    ("plugin-image", IMAGES),
    ("e2e-repo-config", "airbuoy writes that file from TARGET"),
    (
        "e2e-repo",
        "it renames every image into one repository; airbuoy gives --e2e-repo-config",
    ),
    (
        "e2e-docker-config-file",
        "use --e2e-docker-config-file of airbuoy, which checks the file",
    ),
    ("timeout", "use --timeout of airbuoy"),
    ("namespace", "use --namespace of airbuoy"),
    ("n", "use --namespace of airbuoy"),
    ("kubeconfig", "use --kubeconfig of airbuoy"),
    ("context", "use --context of airbuoy"),
    ("wait", "airbuoy watches the run itself; --detach does not"),
    ("wait-output", "airbuoy watches the run itself"),
    ("file", "airbuoy builds the run from TARGET"),
    ("f", "airbuoy builds the run from TARGET"),
    ("rerun-failed", TESTS),
    ("e2e-focus", TESTS),
    ("e2e-skip", TESTS),
    ("e2e-parallel", TESTS),
    ("help", "see `sonobuoy run --help`"),
    ("h", "see `sonobuoy run --help`"),
];

/// Flags that take no value, or one only behind `=`.
const ALONE: &[&str] = &[
    "existing-service-account",
    "force-image-pull-policy",
    "show-default-podspec",
    "skip-preflight",
];

/// Variables of the plugin e2e that decide what runs and with which images.
const VARIABLES: &[&str] = &[
    "E2E_FOCUS",
    "E2E_SKIP",
    "E2E_PARALLEL",
    "E2E_DRYRUN",
    "E2E_EXTRA_ARGS",
    "KUBE_TEST_REPO",
    "KUBE_TEST_REPO_LIST",
];

/// Checks what stands behind `--`; gives it back unchanged when sonobuoy may have it.
pub fn check_passthrough(words: &[String]) -> Result<Vec<String>, PassthroughError> {
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some((name, inline)) = flag(word) else {
            return Err(PassthroughError::NoFlag { word: word.clone() });
        };
        if let Some((_, reason)) = OURS.iter().find(|(ours, _)| *ours == name) {
            return Err(PassthroughError::Refused {
                flag: word.clone(),
                reason,
            });
        }
        let value = match inline {
            Some(value) => Some(value),
            None if ALONE.contains(&name) => None,
            None => rest.next().map(String::as_str),
        };
        if name == "plugin-env" && value.is_some_and(overrides_a_variable) {
            return Err(PassthroughError::Refused {
                flag: format!("--plugin-env {}", value.unwrap_or_default()),
                reason: "it changes which tests run or where their images come from",
            });
        }
    }
    Ok(words.to_vec())
}

/// Name and inline value of `--name`, `--name=value`, `-n`, `-nvalue`, `-n=value` (pflag).
fn flag(word: &str) -> Option<(&str, Option<&str>)> {
    if let Some(long) = word.strip_prefix("--") {
        return match long.split_once('=') {
            _ if long.is_empty() => None,
            Some((name, value)) => Some((name, Some(value))),
            None => Some((long, None)),
        };
    }
    let short = word.strip_prefix('-')?;
    let first = short.chars().next()?;
    let (name, rest) = short.split_at(first.len_utf8());
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Some((name, (!rest.is_empty()).then_some(rest)))
}

/// `e2e.E2E_SKIP=x`, also within a list.
fn overrides_a_variable(value: &str) -> bool {
    value.split(',').any(|one| {
        let name = one.split('=').next().unwrap_or_default();
        let variable = name.strip_prefix("e2e.");
        variable.is_some_and(|variable| VARIABLES.contains(&variable))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Vec<String>, PassthroughError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        check_passthrough(&words)
    }

    #[test]
    fn what_is_not_ours_goes_through_unchanged() {
        for line in [
            "",
            "--dns-namespace openshift-dns --dns-pod-labels dns.operator.openshift.io/daemonset-dns=default",
            "--skip-preflight=dnscheck --image-pull-policy Always",
            "--skip-preflight --level=debug",
            "--plugin-env e2e.HTTP_PROXY=http://p:1 --aggregator-node-selector a:b",
            "-p e2e",
            "-pe2e",
            // pflag takes the next word as the value, whatever it looks like.
            "--dns-namespace --mode",
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(check(line).expect(line), words);
        }
    }

    #[test]
    fn what_would_override_ours_is_refused_by_name() {
        for (line, named) in [
            ("--level debug --mode=quick", "--mode=quick"),
            ("-m quick", "-m"),
            ("-mquick", "-mquick"),
            ("-n=x", "-n=x"),
            ("--kubernetes-version v1.36.1", "--kubernetes-version"),
            ("--plugin-image e2e:x", "--plugin-image"),
            ("--e2e-repo r", "--e2e-repo"),
            ("--wait", "--wait"),
            ("--timeout=1", "--timeout=1"),
            ("--plugin-env e2e.E2E_SKIP=x", "--plugin-env e2e.E2E_SKIP=x"),
            ("--plugin-env=e2e.E2E_DRYRUN=true", "e2e.E2E_DRYRUN=true"),
            ("--plugin-env e2e.A=b,e2e.E2E_SKIP=x", "E2E_SKIP"),
            ("--skip-preflight --config x", "--config"),
            ("-f -", "-f"),
            ("e2e", "`e2e`"),
            ("--", "`--`"),
            ("--skip-preflight dnscheck", "`dnscheck`"),
        ] {
            let error = check(line).expect_err(line).to_string();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
