//! `cargo xtask crash`: kill -9 of the release binary, round after round, and what came of it.

use crate::options::Options;
use crate::process::{self, Failure, say};
use crate::setup;

/// What `cargo xtask crash --help` says.
pub const HELP: &str = "\
Kills a node (kill -9) round after round: at work, at epochs' ends, while it starts, while it ends. Then reads its log,
its statements and its balances: what was acknowledged must be there, once, and paid once.

Usage: cargo xtask crash [--rounds N] [--seed N]

  --rounds N  how often it is killed; 1000 if nothing is said
  --seed N    where the moments of the kills come from; a fixed number if nothing is said

Example: cargo xtask crash --rounds 1000";

const ROUNDS: u64 = 1_000;
const SEED: u64 = 7;

/// Builds what is needed and runs the rounds; true if nothing was lost or paid twice.
///
/// # Errors
/// Wrong words, or a build that fails.
pub fn command(arguments: &[String]) -> Result<bool, Failure> {
    let mut options = Options::parse(arguments, &["--rounds", "--seed"])?;
    let rounds = options.number("--rounds", ROUNDS)?;
    let seed = options.number("--seed", SEED)?;
    options.nothing_else()?;
    setup::ensure_tools(&[setup::MAKE])?;
    say("building the release binary, which is what is killed, and the test that kills it");
    process::run(process::cargo().args(["build", "--release", "-p", "gateway", "--bin", "lamppost"]))?;
    process::run(process::cargo().args(["build", "-p", "e2e", "--bin", "crash"]))?;
    let mut crash = process::command(process::target_dir().join("debug/crash"));
    crash.env("LAMPPOST", process::target_dir().join("release/lamppost"));
    crash.args([rounds.to_string(), seed.to_string()]);
    let status = crash.status().map_err(|error| process::cannot_start(&crash, &error))?;
    Ok(status.success())
}
