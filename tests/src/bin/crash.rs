//! The process behind `cargo xtask crash`: kill -9 for as many rounds as asked, with a line of progress now and then.

use e2e::crash::{self, Report};
use std::process::ExitCode;
use std::time::Instant;

/// Rounds between two lines of progress.
const PROGRESS_ROUNDS: u32 = 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Option<Vec<u64>> = words.iter().map(|word| word.parse().ok()).collect();
    let Some(&[rounds, seed]) = numbers.as_deref() else {
        eprintln!("usage: crash ROUNDS SEED");
        return ExitCode::from(2);
    };
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let began = Instant::now();
    let tell = |report: &Report| {
        if report.rounds().is_multiple_of(PROGRESS_ROUNDS) {
            let seconds = began.elapsed().as_secs();
            eprintln!("{} of {rounds} rounds in {seconds} s: {}", report.rounds(), report.progress());
        }
    };
    let report = crash::run(directory.path(), rounds, seed, tell);
    println!("seed {seed}, {} s\n{report}", began.elapsed().as_secs());
    if report.is_clean() {
        return ExitCode::SUCCESS;
    }
    // What contradicts a promise is kept, to be looked at.
    eprintln!("the node's data stay in {}", directory.keep().display());
    ExitCode::FAILURE
}
