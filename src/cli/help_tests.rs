//! The help of every verb, as people read it.

use clap::CommandFactory as _;

use super::Cli;

fn help(verb: &str) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let verb = command.find_subcommand_mut(verb).expect("a verb");
    verb.render_long_help().to_string()
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
    for verb in Cli::command().get_subcommands() {
        let name = verb.get_name();
        insta::assert_snapshot!(format!("help_{name}"), help(name));
    }
}

#[test]
fn every_flag_has_its_variable() {
    for verb in Cli::command().get_subcommands() {
        let flags = verb.get_arguments().filter(|arg| arg.get_long().is_some());
        for arg in flags.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
            let long = arg.get_long().expect("it has one");
            let variable = format!("AIRBUOY_{}", long.to_uppercase().replace('-', "_"));
            let env = arg.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(variable.as_str()), "{} --{long}", verb.get_name());
        }
    }
}
