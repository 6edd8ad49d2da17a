//! `cargo xtask bench`: everything that is measured, medians of several runs, and the tables and plots of the documents.

use crate::process::{self, Failure, say};
use crate::setup::{self, MAKE, MOSQUITTO};

/// What `cargo xtask bench --help` says.
pub const HELP: &str = "\
Measures this machine with the release build: `lamppost bench` of every kind, each several times. Prints the table, and
writes README's, gateway/docs/benchmarks.md and the plots. Takes all cores: let nothing else run beside it.

Usage: cargo xtask bench [--runs N] [--only NAME]... [--soak MINUTES] [--no-documents | --no-measurements]

  --runs N        how often each is measured (5)
  --only NAME     only this: ingest, mqtt, mqtt-10, mosquitto, settlement, audit, store, million, idle, open-pages,
                  start, query, pages, overload;
                  the others' figures stay those of the last time (target/bench/results.json)
  --soak MINUTES  a long run at 80 % of the maximum; alone, unless --only names others
  --no-documents  prints the table and writes nothing
  --no-measurements  writes the documents again from what was measured last

Example: cargo xtask bench --runs 1 --only ingest --no-documents";

/// Installs and builds what is needed, and measures.
///
/// # Errors
/// A measurement that fails, or one of the words.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    setup::ensure_tools(&[MAKE, MOSQUITTO])?;
    say("building the release binary, which is what is measured, and the program that repeats it");
    process::run(process::cargo().args(["build", "--release", "-p", "gateway", "--bin", "lamppost"]))?;
    process::run(process::cargo().args(["build", "-p", "benchmarks"]))?;
    let mut benchmarks = process::command(process::target_dir().join("debug/benchmarks"));
    benchmarks.arg(process::root()).arg(process::target_dir().join("release/lamppost")).args(arguments);
    process::run(&mut benchmarks)
}
