//! `cargo xtask bench`: everything that is measured, medians of several runs, and the tables and plots of the documents.

use crate::options::Options;
use crate::process::{self, Failure, say};
use crate::setup::{self, MAKE, MOSQUITTO};
use crate::{chaos, testnet};

/// What `cargo xtask bench --help` says.
pub const HELP: &str = "\
Measures this machine with the release build: `lamppost bench` of every kind, each several times. Prints the table, and
writes README's, gateway/docs/benchmarks.md and the plots. Takes all cores: let nothing else run beside it.

Usage: cargo xtask bench [--runs N] [--only NAME]... [--soak MINUTES] [--no-documents | --no-measurements]
       cargo xtask bench network [--seconds S] [--blocks N]

  --runs N        how often each is measured (5)
  --only NAME     only this: ingest, mqtt, mqtt-10, mosquitto, settlement, audit, store, million, idle, open-pages,
                  start, query, pages, overload;
                  the others' figures stay those of the last time (target/bench/results.json)
  --soak MINUTES  a long run at 80 % of the maximum; alone, unless --only names others
  --no-documents  prints the table and writes nothing
  --no-measurements  writes the documents again from what was measured last

  network         four validators and a gateway on this machine, beside one node alone: how long a reading takes to be
                  final, how much goes through, how soon blocks go on without one, how fast a node catches up, memory.
                  Prints its table, and writes nothing
  --seconds S     of each phase under load (60)
  --blocks N      that a node is behind when it comes back (10000)

Example: cargo xtask bench --runs 1 --only ingest --no-documents";

const SECONDS: u64 = 60;
const BLOCKS_BEHIND: u64 = 10_000;

/// Installs and builds what is needed, and measures.
///
/// # Errors
/// A measurement that fails, or one of the words.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    if let Some(("network", rest)) = arguments.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        return network(rest);
    }
    setup::ensure_tools(&[MAKE, MOSQUITTO])?;
    say("building the release binary, which is what is measured, and the program that repeats it");
    process::run(process::cargo().args(["build", "--release", "-p", "gateway", "--bin", "lamppost"]))?;
    process::run(process::cargo().args(["build", "-p", "benchmarks"]))?;
    let mut benchmarks = process::command(process::target_dir().join("debug/benchmarks"));
    benchmarks.arg(process::root()).arg(process::target_dir().join("release/lamppost")).args(arguments);
    process::run(&mut benchmarks)
}

/// The figures of several nodes, by the release binary that knows several.
fn network(arguments: &[String]) -> Result<(), Failure> {
    let mut options = Options::parse(arguments, &["--seconds", "--blocks"])?;
    let seconds = options.number("--seconds", SECONDS)?;
    let blocks = options.number("--blocks", BLOCKS_BEHIND)?;
    options.nothing_else()?;
    setup::ensure_tools(&[chaos::TOOLS, &[MAKE]].concat())?;
    let binary = testnet::build()?;
    process::run(process::cargo().args(["build", "-p", "e2e", "--bin", "network_figures"]))?;
    let mut figures = process::command(process::target_dir().join("debug/network_figures"));
    process::run(figures.env("LAMPPOST", binary).args([seconds.to_string(), blocks.to_string()]))
}
