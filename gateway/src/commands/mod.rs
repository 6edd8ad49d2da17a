//! The command line of `lamppost`: one file a subcommand, each with `Arguments` and `run`.
//!
//! Exit codes: 0 for success, 1 for a refusal or failure (one clear sentence on stderr), 2 for wrong usage.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub mod audit;
pub mod backup;
pub mod bench;
pub mod completion;
pub mod consistency;
pub mod device;
pub mod explain;
pub mod firmware;
pub mod fleet;
pub mod health;
pub mod key;
pub mod login;
pub mod network;
pub mod node;
pub mod output;
pub mod progress;
pub mod proof;
pub mod prune;
pub mod receipt;
pub mod restore;
pub mod send;
pub mod serving;
pub mod source;
pub mod tariff;
pub mod up;
pub mod validator;
pub mod verify;

/// A city's sensor network that pays for readings and proves every payment.
#[derive(Debug, Parser)]
#[command(
    name = "lamppost",
    version,
    propagate_version = true,
    after_help = "Example:\n  lamppost up\n      one node with everything in it: broker, ledger, dashboard and twelve virtual devices"
)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Arguments),
    Network(network::Arguments),
    Node(node::Arguments),
    Key(key::Arguments),
    Login(login::Arguments),
    Device(device::Arguments),
    Send(send::Arguments),
    Tariff(tariff::Arguments),
    Receipt(receipt::Arguments),
    Proof(proof::Arguments),
    Consistency(consistency::Arguments),
    Validator(validator::Arguments),
    Verify(verify::Arguments),
    Audit(audit::Arguments),
    Backup(backup::Arguments),
    Restore(restore::Arguments),
    Prune(prune::Arguments),
    Firmware(firmware::Arguments),
    Fleet(fleet::Arguments),
    Bench(bench::Arguments),
    Health(health::Arguments),
    Completion(completion::Arguments),
}

/// Reads the command line, runs the command and gives the exit code.
pub fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Up(arguments) => up::run(arguments),
        Command::Network(arguments) => network::run(&arguments),
        Command::Node(arguments) => node::run(&arguments),
        Command::Key(arguments) => key::run(arguments),
        Command::Login(arguments) => login::run(&arguments),
        Command::Device(arguments) => device::run(arguments),
        Command::Send(arguments) => send::run(arguments),
        Command::Tariff(arguments) => tariff::run(arguments),
        Command::Receipt(arguments) => receipt::run(&arguments),
        Command::Proof(arguments) => proof::run(&arguments),
        Command::Consistency(arguments) => consistency::run(&arguments),
        Command::Validator(arguments) => validator::run(arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Prune(arguments) => prune::run(&arguments),
        Command::Firmware(arguments) => firmware::run(arguments),
        Command::Fleet(arguments) => fleet::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Completion(arguments) => completion::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lamppost: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The whole tree of commands, for completion and for the test that reads every help.
pub fn tree() -> clap::Command {
    CommandLine::command()
}

/// Where a node answers unless somebody says otherwise.
pub const NODE: &str = "http://127.0.0.1:8080";

/// What a build without the consensus of several says to whoever asks for it.
#[cfg(not(feature = "bft"))]
fn no_consensus() -> anyhow::Error {
    anyhow::anyhow!(
        "this lamppost was built for a single node and knows no consensus of several: build it with `cargo build --release \
         --features bft`"
    )
}

/// Writes a file that must not exist yet, so that nothing is lost by a slip.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_new_file(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_file(path, bytes, 0o666)
}

/// Writes a file that must not exist yet and that only its owner may read.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_secret_file(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_file(path, bytes, 0o600)
}

fn write_file(path: &std::path::Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let sentence = || format!("cannot write {}", path.display());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path).with_context(sentence)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(sentence)
}

/// Reads a file that a person named, with a bound; every failure names the file.
///
/// # Errors
/// When the file is missing, unreadable or larger than `bytes_max`.
pub fn read_file(path: &std::path::Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    use anyhow::Context as _;
    use std::io::Read as _;
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(bytes.len() as u64 <= bytes_max, "{} is larger than {bytes_max} bytes", path.display());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_command(command: &clap::Command, path: &str, visit: &mut dyn FnMut(&str, &clap::Command)) {
        let path = format!("{path} {}", command.get_name());
        visit(&path, command);
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            every_command(inner, &path, visit);
        }
    }

    #[test]
    fn the_tree_of_commands_is_consistent() {
        tree().debug_assert();
    }

    #[test]
    fn every_command_has_a_help_with_an_example() {
        every_command(&tree(), "", &mut |path, command| {
            let help = command.clone().render_long_help().to_string();
            assert!(command.get_about().is_some(), "{path} says nothing of what it does");
            let example = help.split("Example:").nth(1).unwrap_or_default();
            assert!(example.contains("lamppost "), "{path} has no example");
        });
    }

    #[test]
    fn every_option_says_what_it_is() {
        every_command(&tree(), "", &mut |path, command| {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {}", argument.get_id());
            }
        });
    }
}
