//! The program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only where a provider is installed already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    airbuoy::commands::run(airbuoy::settings::command_line()).into()
}
