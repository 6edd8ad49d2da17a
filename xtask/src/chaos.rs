//! `cargo xtask chaos`: a network of several operators, mistreated for as many rounds as asked, by the release binary.

use crate::options::Options;
use crate::process::{self, Failure, say};
use crate::setup::{self, Tool};
use std::path::PathBuf;
use std::process::Command;

/// What `cargo xtask chaos --help` says.
pub const HELP: &str = "\
Runs four validators and a gateway as processes, each in a network namespace of its own where this machine allows it, and
kills, restarts, cuts off, slows, fills and misleads them under load. After each scenario all nodes must tell one story:
no fork, nothing acknowledged lost, each reading paid once, and every node's audit agrees.

Usage: cargo xtask chaos [--rounds N] [--seed N] [SCENARIO…]

  --rounds N  how often each fault is repeated; 10 if nothing is said
  --seed N    where order and moments come from; a fixed number if nothing is said
  SCENARIO    of killed-in-turn, rolling-restart, two-down, all-killed, gateway-killed, halves, one-cut-off, one-way,
              slow-and-lossy, clock-ahead, clock-behind, disk-full, wiped, fifth, signs-twice, wrong-results,
              forged-reading, garbage-parts; all of them if none is named

Example: cargo xtask chaos --rounds 3 halves one-way";

const ROUNDS: u32 = 10;
const SEED: u64 = 7;

/// What makes machines of one, cuts their links and sets their clocks.
pub const TOOLS: &[Tool] = &[setup::IPROUTE, setup::NFTABLES, setup::FAKETIME, setup::PYTHON];

/// Builds what is needed and runs the scenarios; true if all of them hold.
///
/// # Errors
/// Wrong words, or a build that fails.
pub fn command(arguments: &[String]) -> Result<bool, Failure> {
    let mut options = Options::parse(arguments, &["--rounds", "--seed"])?;
    let rounds = options.number("--rounds", ROUNDS)?;
    let seed = options.number("--seed", SEED)?;
    let names = options.names();
    options.nothing_else()?;
    setup::ensure_tools(&[TOOLS, &[setup::MAKE]].concat())?;
    say("building the release binary with a validator that can misbehave, and the test that mistreats it");
    process::run(&mut build(true))?;
    let binary = keep(true)?;
    process::run(process::cargo().args(["build", "-p", "e2e", "--bin", "chaos"]))?;
    let mut chaos = process::command(process::target_dir().join("debug/chaos"));
    chaos.env("LAMPPOST", binary).args([rounds.to_string(), seed.to_string()]).args(names);
    let status = chaos.status().map_err(|error| process::cannot_start(&chaos, &error))?;
    Ok(status.success())
}

/// Builds the product with the consensus of several, and with a validator that misbehaves where it is asked to.
pub fn build(is_release: bool) -> Command {
    let mut build = process::cargo();
    build.args(["build", "-p", "gateway", "--bin", "lamppost", "--features", "byzantine"]);
    if is_release {
        build.arg("--release");
    }
    build
}

/// Keeps what was built beside cargo's own binary, which the next build replaces by one without either.
///
/// # Errors
/// A disk that cannot be written.
pub fn keep(is_release: bool) -> Result<PathBuf, Failure> {
    let directory = process::target_dir().join(if is_release { "release" } else { "debug" });
    let (built, kept) = (directory.join("lamppost"), directory.join("lamppost-byzantine"));
    // A copy under another name first: somebody may be running the last one.
    let new = directory.join("lamppost-byzantine.new");
    let copied = std::fs::copy(&built, &new).and_then(|_| std::fs::rename(&new, &kept));
    copied.map_err(|error| Failure::new(format!("{} cannot be kept: {error}", built.display())))?;
    Ok(kept)
}
