//! The suites `several` and `network`: what the others build without, the features `bft` and `byzantine`. The binary lies
//! under a name of its own.

use crate::process;
use crate::suite::Run;
use crate::{chaos, setup, suites};
use std::process::Command;

/// Lint and tests of the gateway with those features, and of a network that is set up with the binary.
pub fn suite(run: &mut Run) {
    if run.outcome(setup::ensure_component("clippy")) {
        let mut clippy = gateway("clippy");
        clippy.args(["--all-targets", "--", "-D", "warnings"]);
        run.check(clippy);
    }
    let mut rooms = gateway("test");
    rooms.args(["--no-fail-fast", "--lib", "--bins", "--tests"]);
    run.tests(rooms);
    with_binary(run, &["--test", "several"]);
}

/// Four validators and a gateway as processes, and every way to mistreat them.
pub fn mistreated(run: &mut Run) {
    with_binary(run, &["--test", "machines", "--test", "network"]);
}

/// Tests of the whole with the binary of several, which is another one than everybody else's.
fn with_binary(run: &mut Run, tests: &[&str]) {
    if !run.prepare(chaos::build(false)) {
        return;
    }
    match chaos::keep(false) {
        Err(failure) => {
            run.outcome(Err(failure));
        }
        Ok(binary) if suites::build(run) => {
            let mut command = process::cargo();
            command.args(["test", "--workspace", "--no-fail-fast"]).args(tests).env("LAMPPOST", binary);
            run.tests(command);
        }
        Ok(_) => {}
    }
}

/// A task of cargo on the gateway with the consensus of several.
fn gateway(task: &str) -> Command {
    let mut command = process::cargo();
    command.args([task, "--package", "gateway", "--features", "byzantine"]);
    command
}
