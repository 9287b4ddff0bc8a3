//! Cheap checks beyond the bot: what the people who review a submission asked for, and what makes a
//! submission worthless although the bot takes it.

use super::check::Material;
use super::report::Check;
use crate::results::{Outcome, RunMode};

const RUN: &str = "the tests were really run";
const MODE: &str = "every conformance test was asked for, none left out";
const SERVER: &str = "the cluster's minor release is that of the folder";
const SUCCESS: &str = "e2e.log ends with success";
const AGREE: &str = "e2e.log and junit_01.xml agree";

pub(super) fn checks(material: &Material<'_>) -> [Check; 5] {
    [
        really_run(material),
        mode(material),
        server(material),
        success(material),
        agreement(material),
    ]
}

fn really_run(material: &Material<'_>) -> Check {
    let Some(junit) = &material.junit else {
        return Check::unchecked(None, RUN, "junit_01.xml is missing");
    };
    if junit.is_dry_run() {
        Check::fail(
            None,
            RUN,
            "a dry run: junit_01.xml has the property DryRun, nothing was run",
        )
    } else if material
        .results
        .is_some_and(crate::results::Results::is_dry_run)
    {
        Check::fail(None, RUN, "a dry run: E2E_DRYRUN was set, nothing was run")
    } else if junit.took_no_time() {
        Check::fail(None, RUN, "a dry run: every test took 0 seconds")
    } else {
        Check::pass(None, RUN, "")
    }
}

fn mode(material: &Material<'_>) -> Check {
    let junit = material.junit.as_ref();
    let from_results = material.results.and_then(crate::results::Results::mode);
    let from_junit = || {
        junit?
            .selection()
            .map(|(focus, skip)| RunMode::chosen_by(&focus, &skip))
    };
    match from_results.or_else(from_junit) {
        None => Check::unchecked(None, MODE, "neither file says how the tests were chosen"),
        Some(RunMode::CertifiedConformance) => Check::pass(None, MODE, ""),
        Some(mode) => {
            let reason = format!(
                "the run's mode was {}, not certified-conformance",
                mode.as_str()
            );
            Check::fail(None, MODE, reason)
        }
    }
}

fn server(material: &Material<'_>) -> Check {
    let from_log = || material.log.as_ref()?.server_version.as_ref()?.parse().ok();
    let from_results = material
        .results
        .and_then(crate::results::Results::kubernetes);
    let (Some(release), Some(server)) = (material.release, from_results.or_else(from_log)) else {
        let why = "e2e.log does not name the server's version; releases of today do not write it";
        return Check::unchecked(None, SERVER, why);
    };
    if server.minor_name() == release.minor_name() {
        Check::pass(None, SERVER, server.to_string())
    } else {
        Check::fail(
            None,
            SERVER,
            format!("the cluster ran {server}, the folder says {release}"),
        )
    }
}

fn success(material: &Material<'_>) -> Check {
    let Some(log) = &material.log else {
        return Check::unchecked(None, SUCCESS, "e2e.log is missing");
    };
    let Some(closing) = &log.closing else {
        return Check::fail(None, SUCCESS, "e2e.log has no closing line: it breaks off");
    };
    let mut reasons = Vec::new();
    for word in ["failed", "pending", "flaked"] {
        match closing.count(word) {
            0 => {}
            count => reasons.push(format!("e2e.log counts {count} {word}")),
        }
    }
    if !closing.success || log.suite_passed == Some(false) {
        reasons.push("e2e.log ends with FAIL".into());
    }
    Check::of(None, SUCCESS, reasons)
}

fn agreement(material: &Material<'_>) -> Check {
    let (Some(log), Some(junit)) = (&material.log, &material.junit) else {
        return Check::unchecked(None, AGREE, "one of the two is missing");
    };
    let Some(closing) = log.closing.as_ref().filter(|_| junit.defect.is_none()) else {
        return Check::unchecked(None, AGREE, "one of the two breaks off");
    };
    let count = |outcome| {
        let with = junit.tests().filter(|case| case.outcome == outcome);
        with.count() as u64
    };
    let mut reasons = Vec::new();
    for (word, outcome) in [("passed", Outcome::Passed), ("failed", Outcome::Failed)] {
        let (in_log, in_junit) = (closing.count(word), count(outcome));
        if in_log != in_junit {
            reasons.push(format!(
                "{word}: {in_log} in e2e.log, {in_junit} in junit_01.xml"
            ));
        }
    }
    Check::of(None, AGREE, reasons)
}
