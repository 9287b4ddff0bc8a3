//! The help of every verb, as people read it.

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Every verb by its words: `bundle ls` is one, as is the group `bundle`.
fn verbs() -> Vec<(String, Command)> {
    fn collect(of: &Command, words: &str, into: &mut Vec<(String, Command)>) {
        for verb in of.get_subcommands() {
            let words = format!("{words} {}", verb.get_name());
            into.push((words.trim().to_owned(), verb.clone()));
            collect(verb, &words, into);
        }
    }
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut verbs = Vec::new();
    collect(&command, "", &mut verbs);
    verbs
}

#[test]
fn the_definitions_hang_together() {
    Cli::command().debug_assert();
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(Cli::command().term_width(100).render_long_help());
}

#[test]
fn help_of_each_verb() {
    for (name, mut verb) in verbs() {
        let file = format!("help_{}", name.replace(' ', "_"));
        insta::assert_snapshot!(file, verb.render_long_help().to_string());
    }
}

#[test]
fn every_flag_has_its_variable() {
    for (name, verb) in verbs() {
        let flags = verb.get_arguments().filter(|arg| arg.get_long().is_some());
        for arg in flags.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
            let long = arg.get_long().expect("it has one");
            let variable = format!("AIRBUOY_{}", long.to_uppercase().replace('-', "_"));
            let env = arg.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(variable.as_str()), "{name} --{long}");
        }
    }
}
