//! `cargo xtask fuzz`: libFuzzer over the decoders' entry points, with the nightly compiler and cargo-fuzz.

use crate::options::Options;
use crate::process::{self, Failure, say};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `cargo xtask fuzz --help` says.
pub const HELP: &str = "\
Feeds every decoder, and the log's recovery, with what libFuzzer finds. The claims are those that `cargo xtask test
decoders` holds on altered inputs in every run: tests/decoders has them. Needs a nightly compiler and cargo-fuzz.

Usage: cargo xtask fuzz [TARGET…] [--seconds N]

  TARGET       only these; all of fuzz/fuzz_targets/ if none is named
  --seconds N  how long each is fed; 60 if nothing is said

Example: cargo xtask fuzz envelope log --seconds 600";

const SECONDS: u64 = 60;
/// Longer than any decoder takes, so that bounds are met too.
const INPUT_BYTES_MAX: &str = "-max_len=20000";

/// Builds the targets and runs one after the other; true if none found anything.
///
/// # Errors
/// What is missing on this machine, and what to type; or a target that does not exist.
pub fn command(arguments: &[String]) -> Result<bool, Failure> {
    let mut options = Options::parse(arguments, &["--seconds"])?;
    let seconds = options.number("--seconds", SECONDS)?;
    let known = targets();
    let chosen = match options.names() {
        names if names.is_empty() => known.clone(),
        names => names,
    };
    options.nothing_else()?;
    if let Some(unknown) = chosen.iter().find(|name| !known.contains(name)) {
        return Err(Failure::new(format!("there is no target `{unknown}`; there are {}", known.join(", "))));
    }
    ensure_fuzzer()?;
    let directory = process::target_dir().join("fuzz");
    let corpus = directory.join("corpus");
    say("writing the valid inputs that each target begins with");
    process::run(process::cargo().args(["run", "-q", "-p", "decoders", "--bin", "seeds"]).arg(&corpus))?;
    process::run(&mut fuzz("build", &directory))?;
    let mut found_nothing = true;
    for target in &chosen {
        found_nothing &= run(target, seconds, &directory)?;
    }
    Ok(found_nothing)
}

/// The targets' names, in order.
pub fn targets() -> Vec<String> {
    let directory = fs::read_dir(process::root().join("fuzz/fuzz_targets"));
    let files = directory.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut names: Vec<String> =
        files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

fn ensure_fuzzer() -> Result<(), Failure> {
    let has_nightly =
        process::succeeds(process::command("rustup").args(["run", "nightly", "rustc", "--version"]));
    let has_fuzz =
        process::succeeds(process::command("rustup").args(["run", "nightly", "cargo", "fuzz", "--version"]));
    let missing = match (has_nightly, has_fuzz) {
        (true, true) => return Ok(()),
        (true, false) => "cargo install cargo-fuzz --locked",
        (false, true) => "rustup toolchain install nightly --profile minimal",
        (false, false) => {
            "rustup toolchain install nightly --profile minimal && cargo install cargo-fuzz --locked"
        }
    };
    Err(Failure::new(format!("fuzzing needs a nightly compiler and cargo-fuzz; type: {missing}")))
}

/// `cargo fuzz SUBCOMMAND`: without a sanitizer, because nothing of ours is unsafe, but with every assertion.
fn fuzz(subcommand: &str, directory: &Path) -> Command {
    let mut command = process::command("rustup");
    command.args([
        "run",
        "nightly",
        "cargo",
        "fuzz",
        subcommand,
        "--sanitizer",
        "none",
        "--debug-assertions",
    ]);
    command.arg("--target-dir").arg(directory);
    command
}

/// Feeds one target; true if it found nothing.
fn run(target: &str, seconds: u64, directory: &Path) -> Result<bool, Failure> {
    let log = directory.join(format!("{target}.log"));
    let findings = directory.join("findings").join(target);
    let unwritable =
        |error: std::io::Error| Failure::new(format!("{} cannot be written: {error}", log.display()));
    fs::create_dir_all(&findings).map_err(unwritable)?;
    let file = File::create(&log).map_err(unwritable)?;
    let mut command = fuzz("run", directory);
    command.arg(target).arg(directory.join("corpus").join(target));
    command.args(["--", &format!("-max_total_time={seconds}"), INPUT_BYTES_MAX, "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    command.stdout(Stdio::null()).stderr(file);
    let status = command.status().map_err(|error| process::cannot_start(&command, &error))?;
    let said = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    let executed = statistic(&said, "stat::number_of_executed_units:");
    let verdict = if status.success() { "ok" } else { "FOUND" };
    println!("{target:<14} {verdict:<5} {executed:>12} inputs in {seconds} s");
    if !status.success() {
        let found: Vec<PathBuf> =
            fs::read_dir(&findings).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        say(&format!("{} has what was said, {found:?} what was found", log.display()));
    }
    Ok(status.success())
}

/// The number behind a line's beginning in what libFuzzer says at its end; 0 where it said nothing.
fn statistic(said: &str, beginning: &str) -> u64 {
    let line = said.lines().rev().find_map(|line| line.strip_prefix(beginning));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_executed_is_read_from_the_last_lines() {
        let said = "#2 INITED\nstat::number_of_executed_units: 1234\nstat::average_exec_per_sec:     20\n";
        assert_eq!(statistic(said, "stat::number_of_executed_units:"), 1_234);
        assert_eq!(statistic("it crashed", "stat::number_of_executed_units:"), 0);
    }

    #[test]
    fn every_target_is_built_by_the_manifest() -> std::io::Result<()> {
        let manifest = fs::read_to_string(process::root().join("fuzz/Cargo.toml"))?;
        for target in targets() {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "fuzz/Cargo.toml builds {target}");
        }
        Ok(())
    }
}
