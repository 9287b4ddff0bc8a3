//! `airbuoy submission TARBALL`, and `--check DIR`.

use super::{ExitStatus, runtime};
use crate::cli::{Format, SubmissionArgs};
use crate::registry::{Proxies, web_client};
use crate::results::Results;
use crate::settings::{Environment, NewFolder, RunScript, Subject, SubmissionSettings};
use crate::submission::{
    CheckOptions, CheckReport, FILES, Folder, PrepareOptions, Prepared, check, check_urls, prepare,
};
use crate::ui::{self, Printer};

pub(super) fn run(
    args: &SubmissionArgs,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let settings = SubmissionSettings::resolve(args, environment)?;
    match &settings.subject {
        Subject::Folder(path) => {
            let folder = Folder::read(path)?;
            let report = checked(&folder, None, &settings)?;
            tell(&report, settings.output, printer)?;
            Ok(finish(&report, "the bot would refuse this folder", printer))
        }
        Subject::New(new) => write(new, &settings, printer),
    }
}

/// Makes the folder, and writes it when nothing speaks against it.
fn write(
    new: &NewFolder,
    settings: &SubmissionSettings,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    for warning in &new.warnings {
        printer.warn(warning);
    }
    let results = Results::open(&new.tarball)?;
    let prepared = prepared(new, &results, printer)?;
    let mut report = checked(&prepared.folder, Some(&results), settings)?;
    report.notes.extend_from_slice(&prepared.notes);
    let written = if report.accepted {
        Some(prepared.write(&new.out_dir)?)
    } else {
        None
    };
    tell(&report, settings.output, printer)?;
    if let Some(path) = written {
        printer.say(&format!("Wrote {path}/: {}", FILES.join(", ")));
    }
    Ok(finish(&report, "nothing was written", printer))
}

fn prepared(new: &NewFolder, results: &Results, printer: &Printer) -> anyhow::Result<Prepared> {
    let script = new
        .run_script
        .as_ref()
        .filter(|script| belongs(script, results, printer));
    let options = PrepareOptions {
        directory: new.directory.as_deref(),
        release: new.release.as_ref(),
        show_registry: new.show_registry,
        commands: script.map(|script| script.commands.as_str()),
        install: new.install.as_deref(),
    };
    Ok(prepare(results, &new.product, &options)?)
}

/// Whether a script started this run: the images tell. What was named is taken at its word, but
/// names of registries are only left out of the README as far as the tarball tells them.
fn belongs(script: &RunScript, results: &Results, printer: &Printer) -> bool {
    let image = results.definition().and_then(|d| d.image.as_deref());
    let Some(image) = image.filter(|image| !script.commands.contains(image)) else {
        return true;
    };
    let path = &script.path;
    if script.named {
        printer.warn(&format!(
            "{path} does not name {image}, which ran the tests: look at the README before you publish it"
        ));
    } else {
        printer.warn(&format!(
            "{path} does not name {image}, which ran the tests: the README tells the tarball's command \
             instead"
        ));
    }
    script.named
}

fn checked(
    folder: &Folder,
    results: Option<&Results>,
    settings: &SubmissionSettings,
) -> anyhow::Result<CheckReport> {
    let tests_file = settings.tests_file.as_ref();
    let options = CheckOptions {
        window: settings.window.clone(),
        tests_file: tests_file.map(|(name, text)| (name.as_str(), text.as_str())),
        results,
    };
    let mut report = check(folder, &options)?;
    if let Some(proxies) = &settings.check_urls {
        ask_urls(folder, proxies, &mut report)?;
    }
    Ok(report)
}

fn ask_urls(folder: &Folder, proxies: &Proxies, report: &mut CheckReport) -> anyhow::Result<()> {
    let Some(product) = folder.product() else {
        let note = "the URLs were not asked for: PRODUCT.yaml is not in order";
        report.notes.push(note.to_owned());
        return Ok(());
    };
    let client = web_client(proxies)?;
    report.replace(runtime::block_on(async {
        Ok(check_urls(&client, &product).await)
    })?);
    Ok(())
}

/// The answer itself, and what people should know besides.
fn tell(report: &CheckReport, output: Format, printer: &Printer) -> anyhow::Result<()> {
    printer.document(&match output {
        Format::Table => ui::checks_table(report),
        Format::Json => serde_json::to_string_pretty(report)? + "\n",
    })?;
    for note in &report.notes {
        printer.warn(note);
    }
    Ok(())
}

/// The last line: what to do next, or how many checks failed and what follows from it.
fn finish(report: &CheckReport, consequence: &str, printer: &Printer) -> ExitStatus {
    if !report.accepted {
        printer.errors(&ui::refused(report, consequence, printer.style()));
        return ExitStatus::CheckFailed;
    }
    if let (Some(folder), Some(title)) = (&report.folder, &report.title) {
        printer.say(&format!(
            "Next: commit {folder}/ alone, in one commit, to a fork of cncf/k8s-conformance; title of the \
             pull request: {title}"
        ));
    }
    ExitStatus::Done
}
