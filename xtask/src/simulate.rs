//! `cargo xtask simulate`: seeded cities in an optimised build, as many as asked for.

use crate::process::{self, Failure};
use std::process::Command;

/// What `cargo xtask simulate --help` says.
pub const HELP: &str = "\
Runs simulated cities: devices, broker, node, disk and clock on one thread from one seed each, with faults of every kind
and a checker after every step. Stops at the first claim that does not hold and names its seed.

Usage: cargo xtask simulate [--seeds N] [--from SEED]

  --seeds N    how many (300)
  --from SEED  the first one (0)

Example: cargo xtask simulate --seeds 1 --from 7";

/// Builds and runs the simulation.
///
/// # Errors
/// A seed that fails, or one of the words.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    process::run(&mut simulation(&["--release"], arguments))
}

/// The simulation as a command, built by this profile.
pub fn simulation(profile: &[&str], arguments: &[String]) -> Command {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--package", "world", "--bin", "simulate"]).args(profile);
    command.arg("--").args(arguments);
    command
}
