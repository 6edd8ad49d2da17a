//! `cargo xtask up`: builds the release binary and becomes it.

use crate::assets;
use crate::process::{self, Failure, say};
use crate::setup;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What `cargo xtask up --help` says before the binary's own help.
pub const HELP: &str = "\
Builds the release binary and starts it: broker, gateway, ledger, dashboard and virtual devices in one process.

Usage: cargo xtask up [OPTIONS of `lamppost up`]

Example: cargo xtask up --devices 3 --epoch 20";

/// Hands its process over, so that ctrl-c and SIGTERM reach the node itself.
///
/// # Errors
/// Only where cargo cannot be started; otherwise this does not return.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let asks_for_help = arguments.iter().any(|argument| argument == "--help" || argument == "-h");
    if asks_for_help {
        println!("{HELP}\n");
    } else {
        say("needs nothing but Rust, and Node for charts, map and live pages");
        setup::ensure_tools(&[setup::MAKE])?;
        assets::ensure_if_possible();
        say("building the release binary (some minutes the first time), then starting it");
    }
    // Neither the directory nor standard input are changed: the node lies where it was asked for.
    let mut cargo = Command::new(process::cargo().get_program());
    cargo.args(["run", "--release", "--package", "gateway", "--bin", "lamppost", "--manifest-path"]);
    cargo.arg(process::root().join("Cargo.toml")).args(["--", "up"]).args(arguments);
    say(&format!("$ {}", process::shown(&cargo)));
    let error = cargo.exec();
    Err(process::cannot_start(&cargo, &error))
}
