//! `airbuoy completions`.

const AFTER_HELP: &str = "\
Examples:
  airbuoy completions bash > /etc/bash_completion.d/airbuoy
  airbuoy completions zsh > \"${fpath[1]}/_airbuoy\"
  airbuoy completions fish > ~/.config/fish/completions/airbuoy.fish";

/// Print a shell's completion script.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct CompletionsArgs {
    /// bash, elvish, fish, powershell or zsh.
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub shell: clap_complete::Shell,
}
