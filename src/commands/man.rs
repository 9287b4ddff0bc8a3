//! `airbuoy man`: one page for the program and all its verbs.

use std::io;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::ExitStatus;
use crate::cli::Cli;
use crate::ui::Printer;

pub(super) fn run(printer: &Printer) -> anyhow::Result<ExitStatus> {
    printer.document_bytes(&page()?)?;
    Ok(ExitStatus::Done)
}

/// The page in roff. Each verb is a section of its own, in the order of the help.
fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let verbs = verbs(&command);
    let mut page = Vec::new();
    let man = Man::new(command);
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_extra_section(&mut page)?;
    for verb in verbs {
        let words = verb.get_bin_name().unwrap_or_default();
        let heading = format!(".SH {}\n", words.to_uppercase());
        page.extend_from_slice(heading.as_bytes());
        let man = Man::new(without_shared_flags(verb));
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        man.render_extra_section(&mut section)?;
        page.extend(as_subsections(&section));
    }
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Every verb, those of a group behind their group.
fn verbs(of: &clap::Command) -> Vec<clap::Command> {
    let verbs = of.get_subcommands();
    verbs
        .flat_map(|verb| std::iter::once(verb.clone()).chain(self::verbs(verb)))
        .collect()
}

/// The verb without the flags that every verb has: they are told once.
fn without_shared_flags(verb: clap::Command) -> clap::Command {
    verb.mut_args(|arg| {
        let shared = arg.is_global_set() || arg.get_id() == "help";
        if shared { arg.hide(true) } else { arg }
    })
}

/// Sections of a verb, one level down.
fn as_subsections(roff: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(roff.len());
    for line in roff.split_inclusive(|&b| b == b'\n') {
        match line.strip_prefix(b".SH ") {
            Some(title) => {
                text.extend_from_slice(b".SS ");
                text.extend_from_slice(title);
            }
            None => text.extend_from_slice(line),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_its_section() {
        let page = String::from_utf8(page().expect("a page")).expect("text");
        for verb in Cli::command().get_subcommands() {
            let heading = format!(".SH AIRBUOY {}\n", verb.get_name().to_uppercase());
            assert!(page.contains(&heading), "{heading}");
        }
        assert!(page.contains(".SH AIRBUOY BUNDLE LS\n"));
        assert!(page.contains("kubernetes\\-version"));
    }
}
