//! `cargo xtask test`: sets the machine up, runs the suites, and closes with the counts.

use crate::process::{Failure, say};
use crate::suite::{self, Run};
use crate::suites::{self, SUITES, Suite};
use crate::tally::Tally;
use std::time::Instant;

/// What `cargo xtask test --help` says.
pub const HELP: &str = "\
Does all the set-up, runs every test, and ends with `N passed, N failed`.

Usage: cargo xtask test [SUITE…] [--list] [--keep-going] [--verbose]

  SUITE         only these suites; all of them if none is named
  --list        names the suites and what each proves
  --keep-going  goes on after a suite that failed
  --verbose     shows the runners' output, which else goes to target/xtask/SUITE.log

Example: cargo xtask test unit journey --keep-going";

/// What was typed.
#[derive(Debug, Default)]
struct Choice {
    suites: Vec<&'static Suite>,
    list: bool,
    keep_going: bool,
    verbose: bool,
}

impl Choice {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut choice = Choice::default();
        for argument in arguments {
            match argument.as_str() {
                "--list" => choice.list = true,
                "--keep-going" => choice.keep_going = true,
                "--verbose" => choice.verbose = true,
                name => match suites::named(name) {
                    Some(suite) => choice.suites.push(suite),
                    None => {
                        return Err(Failure::new(format!("there is no suite `{name}`; --list names them")));
                    }
                },
            }
        }
        if choice.suites.is_empty() {
            choice.suites.extend(SUITES);
        }
        Ok(choice)
    }
}

/// Runs what was asked for; true if nothing failed.
///
/// # Errors
/// A suite that does not exist, or set-up that this machine does not allow.
pub fn command(arguments: &[String]) -> Result<bool, Failure> {
    let choice = Choice::parse(arguments)?;
    if choice.list {
        for suite in SUITES {
            println!("{:<10} {}", suite.name, suite.about);
        }
        return Ok(true);
    }
    let started = Instant::now();
    suites::set_up(&choice.suites)?;
    let (total, lines, not_run) = run_all(&choice)?;
    println!();
    for line in lines {
        println!("{line}");
    }
    if !not_run.is_empty() {
        println!("not run after the failure: {}", not_run.join(" "));
    }
    println!("in {:.0} s", started.elapsed().as_secs_f64());
    println!("{total}");
    Ok(total.failed == 0)
}

/// The sum, a line for each suite that ran, and the names of those that did not.
fn run_all(choice: &Choice) -> Result<(Tally, Vec<String>, Vec<&'static str>), Failure> {
    let mut total = Tally::default();
    let mut lines = Vec::new();
    for (position, suite) in choice.suites.iter().enumerate() {
        say(&format!("{}: {}", suite.name, suite.about));
        let mut run = Run::start(suite.name, choice.verbose)?;
        (suite.steps)(&mut run);
        let line = suite::line(suite.name, run.elapsed(), run.tally());
        println!("{line}");
        lines.push(line);
        total += run.tally();
        if run.tally().failed > 0 && !choice.keep_going {
            return Ok((
                total,
                lines,
                choice.suites[position + 1..].iter().map(|suite| suite.name).collect(),
            ));
        }
    }
    Ok((total, lines, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Choice, Failure> {
        Choice::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_name_every_suite_runs() -> Result<(), Failure> {
        assert_eq!(parse(&[])?.suites.len(), SUITES.len());
        assert_eq!(parse(&["--keep-going"])?.suites.len(), SUITES.len());
        Ok(())
    }

    #[test]
    fn a_suite_can_be_run_alone() -> Result<(), Failure> {
        let choice = parse(&["unit"])?;
        assert_eq!(choice.suites.iter().map(|suite| suite.name).collect::<Vec<_>>(), ["unit"]);
        Ok(())
    }

    #[test]
    fn a_mistyped_suite_is_named() {
        assert!(parse(&["jurney"]).is_err_and(|failure| failure.to_string().contains("`jurney`")));
    }
}
