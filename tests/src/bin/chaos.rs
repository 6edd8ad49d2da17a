//! The process behind `cargo xtask chaos`: every scenario in as many rounds as asked, from one seed, with a line for each.

use e2e::network::scenario::{SCENARIOS, Scenario, Setting};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: chaos ROUNDS SEED [SCENARIO…]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [rounds, seed, names @ ..] = words.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (Ok(rounds), Ok(seed)) = (rounds.parse(), seed.parse()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let chosen: Option<Vec<&Scenario>> = match names {
        [] => Some(SCENARIOS.iter().collect()),
        names => names.iter().map(|name| Scenario::named(name)).collect(),
    };
    let Some(chosen) = chosen else {
        let known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        eprintln!("there are the scenarios {}", known.join(", "));
        return ExitCode::from(2);
    };
    println!("{rounds} rounds each, seed {seed}");
    let setting = Setting { rounds, seed };
    let failed = chosen.iter().filter(|scenario| !holds(scenario, setting)).count();
    println!("{} of {} scenarios hold", chosen.len() - failed, chosen.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one and says what came of it; one that panics does not end the others.
fn holds(scenario: &Scenario, setting: Setting) -> bool {
    let began = Instant::now();
    let ended = std::panic::catch_unwind(|| scenario.run(setting));
    let seconds = began.elapsed().as_secs();
    let (holds, said) = match ended {
        Ok(Some(verdict)) => (verdict.is_clean(), verdict.to_string()),
        Ok(None) => (true, "not possible on this machine".to_owned()),
        Err(_) => (false, "it broke off".to_owned()),
    };
    println!("{} {:<16} {seconds:>5} s  {said}", if holds { "ok    " } else { "FAILED" }, scenario.name);
    holds
}
