//! `AIRBUOY_…` variables that are set to nothing.

use std::collections::BTreeSet;

use airbuoy::cli::Cli;
use clap::{Command, CommandFactory as _};

use crate::support::airbuoy::Airbuoy;

/// Every verb by its words, and the variables of all of them.
fn collect(command: &Command, words: &str, verbs: &mut Vec<String>, all: &mut BTreeSet<String>) {
    let variables = command.get_arguments().filter_map(|arg| arg.get_env());
    all.extend(variables.map(|name| name.to_str().expect("UTF-8").to_owned()));
    for verb in command.get_subcommands() {
        let words = format!("{words} {}", verb.get_name());
        verbs.push(words.trim().to_owned());
        collect(verb, &words, verbs, all);
    }
}

#[test]
fn an_empty_variable_is_not_set_for_any_flag_of_any_verb() {
    let (mut verbs, mut variables) = (Vec::new(), BTreeSet::new());
    collect(&Cli::command(), "", &mut verbs, &mut variables);
    assert!(variables.len() > 50 && variables.contains("AIRBUOY_SOURCE_MIRROR"));
    let airbuoy = Airbuoy::new();
    let run = |words: &str, variables: &BTreeSet<String>| {
        let mut command = airbuoy.command(words);
        command.envs(variables.iter().map(|name| (name, "")));
        let output = command.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (said, told) = (text(output.stdout), text(output.stderr));
        (output.status.code(), said, told)
    };
    verbs.retain(|verb| !["rehearse", "status", "clean"].contains(&verb.as_str()));
    // With arguments the values are not only parsed but used.
    verbs.extend(
        [
            "images --kubernetes-version v1.36.1 -o name",
            "config registry.example.com/k8s --kubernetes-version v1.36.1",
            "run registry.example.com/k8s --kubernetes-version v1.36.1 --dry-run",
            "verify registry.example.com/k8s",
            "bundle ls nothing",
            "serve nothing",
            "push nothing registry.example.com/k8s",
            "pull new.tar --kubernetes-version v1.36.1 --base nothing",
        ]
        .map(str::to_owned),
    );
    for verb in verbs {
        let expected = run(&verb, &BTreeSet::new());
        assert_eq!(run(&verb, &variables), expected, "airbuoy {verb}");
    }
}
