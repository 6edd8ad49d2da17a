//! `lamppost completion`: prints a shell's completion script.

use clap_complete::Shell;

use super::output;

/// Prints a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost completion bash > ~/.local/share/bash-completion/completions/lamppost"
)]
pub struct Arguments {
    /// Which shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::tree(), "lamppost", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}
