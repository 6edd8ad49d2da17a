//! `cargo xtask mutants`: shows that the simulation can fail. Deliberate bugs are put into a copy of the sources, and the
//! simulation must find each of them. The product itself knows nothing of this.
//!
//! All bugs stand in the copy at once, each behind a number that is chosen when the copy is started, so that it is
//! built once; without a number it is the product as it is, and must find nothing.

mod list;

pub use list::MUTANTS;

use crate::options::Options;
use crate::process::{self, Failure, say};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::{fs, io};

/// What `cargo xtask mutants --help` says.
pub const HELP: &str = "\
Puts deliberate bugs into a copy of the sources and runs the simulation with each: every one must be found. Fails when one
is not, or when the place of one has changed so that it no longer fits.

Usage: cargo xtask mutants [--seeds N]

  --seeds N  seeds that a bug may hide in, at most (300)

Example: cargo xtask mutants";

/// Seeds in which a bug may hide.
const SEEDS: u64 = 300;
/// Seeds in which the copy without a bug must find nothing.
const CONTROL_SEEDS: u64 = 20;
/// The environment variable that chooses a bug in the copy.
const CHOICE: &str = "MUTANT";

/// A deliberate bug.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// One word.
    pub name: &'static str,
    /// The file, from the root.
    pub path: &'static str,
    /// Text that stands in the file once; what is altered lies between « and ».
    pub place: &'static str,
    /// What stands there instead.
    pub altered: &'static str,
}

/// Makes the copy, builds it, and runs it with each bug; true if all were found.
///
/// # Errors
/// Wrong words, a bug that fits no more, or a copy that does not build.
pub fn command(arguments: &[String]) -> Result<bool, Failure> {
    let mut options = Options::parse(arguments, &["--seeds"])?;
    let seeds = options.number("--seeds", SEEDS)?;
    options.nothing_else()?;
    let copy = Copy::make()?;
    let program = copy.build()?;
    let control = copy.run(&program, 0, CONTROL_SEEDS)?;
    if !control.status.success() {
        return Err(Failure::new(format!("without a bug the simulation fails: {}", verdict(&control))));
    }
    let mut survivors = Vec::new();
    for (number, mutant) in (1..).zip(MUTANTS) {
        let output = copy.run(&program, number, seeds)?;
        if output.status.success() {
            survivors.push(mutant.name);
            println!("{:<36} NOT FOUND in {seeds} seeds", mutant.name);
        } else {
            println!("{:<36} {}", mutant.name, verdict(&output));
        }
    }
    println!("{} of {} bugs found", MUTANTS.len() - survivors.len(), MUTANTS.len());
    if !survivors.is_empty() {
        say(&format!("not found: {}", survivors.join(", ")));
    }
    Ok(survivors.is_empty())
}

/// What the simulation says of its failure: the line that names the seed.
fn verdict(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().rev().find(|line| line.starts_with("seed "));
    let line = line.or_else(|| said.lines().last()).unwrap_or("it said nothing");
    line.chars().take(120).collect()
}

/// The sources with all bugs in them.
struct Copy {
    root: PathBuf,
}

impl Copy {
    /// Writes what differs from the last copy, so that only that is built again, and removes what is no source any more.
    fn make() -> Result<Copy, Failure> {
        let copy = Copy { root: process::target_dir().join("mutants") };
        let listed =
            process::output(process::command("git").args(["ls-files", "-co", "--exclude-standard"]))?;
        let mut sources = BTreeSet::from([copy.root.join(MUTATION_FILE)]);
        for name in listed.lines().filter(|name| is_source(name)) {
            let content = fs::read(process::root().join(name)).map_err(|error| failed(name, &error))?;
            let content = match String::from_utf8(content) {
                Ok(text) => altered(name, text)?.into_bytes(),
                Err(bytes) => bytes.into_bytes(),
            };
            copy.write(name, &content)?;
            sources.insert(copy.root.join(name));
        }
        copy.write(MUTATION_FILE, MUTATION.as_bytes())?;
        keep_only(&copy.root, &sources)?;
        Ok(copy)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.root.join(name);
        if fs::read(&path).is_ok_and(|found| found == content) {
            return Ok(());
        }
        let directory = path.parent().unwrap_or(&self.root);
        let written = fs::create_dir_all(directory).and_then(|()| fs::write(&path, content));
        written.map_err(|error| failed(name, &error))
    }

    /// Builds beside the product: dependencies are shared, the rooms have a version of their own and so do not meet.
    fn build(&self) -> Result<PathBuf, Failure> {
        let mut cargo = process::cargo();
        cargo.args(["build", "--quiet", "--offline", "--package", "world", "--bin", "mutants"]);
        cargo.arg("--manifest-path").arg(self.root.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(process::target_dir());
        process::run(&mut cargo)?;
        Ok(process::target_dir().join("debug/mutants"))
    }

    fn run(&self, program: &Path, number: usize, seeds: u64) -> Result<Output, Failure> {
        let mut command = process::command(program);
        command.env(CHOICE, number.to_string()).args(["--seeds", &seeds.to_string()]);
        command.output().map_err(|error| process::cannot_start(&command, &error))
    }
}

/// Removes every other file under `directory`: cargo takes a file for a test by where it lies.
fn keep_only(directory: &Path, sources: &BTreeSet<PathBuf>) -> Result<(), Failure> {
    let failed = |error: io::Error| failed(&directory.display().to_string(), &error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            keep_only(&path, sources)?;
        } else if !sources.contains(&path) {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}

fn failed(name: &str, error: &io::Error) -> Failure {
    Failure::new(format!("{name} cannot be copied: {error}"))
}

/// What cargo needs to build the simulation.
fn is_source(name: &str) -> bool {
    let beginnings = ["devices/", "firmware/", "ledger/", "gateway/", "dashboard/", "tests/", "xtask/"];
    ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"].contains(&name)
        || beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// The file with its bugs, and with what chooses one of them.
fn altered(name: &str, text: String) -> Result<String, Failure> {
    let mut text = match name {
        // A version of its own gives the copy's rooms other file names in the shared target directory.
        "Cargo.toml" => {
            let text = put(name, &text, "version = \"0.1.0\"", "version = \"0.1.0-mutants\"")?;
            // Nobody reads the copy: its form is nobody's business.
            put(name, &text, "[workspace.lints.rust]", "[workspace.lints.rust]\nunused_parens = \"allow\"")?
        }
        "tests/world/Cargo.toml" => put(name, &text, "name = \"simulate\"", "name = \"mutants\"")?,
        "devices/src/lib.rs" => text + "\n/// Which deliberate bug is on.\npub mod mutation;\n",
        "tests/world/src/main.rs" => put(name, &text, MAIN, &format!("{MAIN}\n    {CHOOSE}"))?,
        _ => text,
    };
    for (number, mutant) in (1..).zip(MUTANTS).filter(|(_, mutant)| mutant.path == name) {
        text = mutant.put_into(&text, number)?;
    }
    Ok(text)
}

fn put(name: &str, text: &str, place: &str, instead: &str) -> Result<String, Failure> {
    match text.matches(place).count() {
        1 => Ok(text.replacen(place, instead, 1)),
        count => Err(Failure::new(format!("{name} holds `{place}` {count} times instead of once"))),
    }
}

impl Mutant {
    /// The text with this bug in it, on when its number is chosen.
    fn put_into(&self, text: &str, number: usize) -> Result<String, Failure> {
        let no_place = || Failure::new(format!("the bug {} has no place between « and »", self.name));
        let (before, rest) = self.place.split_once('«').ok_or_else(no_place)?;
        let (original, after) = rest.split_once('»').ok_or_else(no_place)?;
        let altered = self.altered;
        let choice = format!("if ::devices::mutation::is({number}) {{ {altered} }} else {{ {original} }}");
        // What ends in a semicolon is a statement; anything else is part of an expression.
        let choice = if original.ends_with(';') { choice } else { format!("({choice})") };
        let place = [before, original, after].concat();
        put(self.path, text, &place, &[before, &choice, after].concat())
            .map_err(|failure| Failure::new(format!("the bug {} no longer fits: {failure}", self.name)))
    }
}

const MAIN: &str = "fn main() -> ExitCode {";
const CHOOSE: &str = "\
if let Some(number) = std::env::var(\"MUTANT\").ok().and_then(|number| number.parse().ok()) {
        devices::mutation::choose(number);
    }";
const MUTATION_FILE: &str = "devices/src/mutation.rs";

const MUTATION: &str = "\
//! Which deliberate bug is on: this file is in no product.

use core::sync::atomic::{AtomicU32, Ordering};

static CHOSEN: AtomicU32 = AtomicU32::new(0);

/// Turns one on.
pub fn choose(number: u32) {
    CHOSEN.store(number, Ordering::Relaxed);
}

/// Whether it is on.
pub fn is(number: u32) -> bool {
    CHOSEN.load(Ordering::Relaxed) == number
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_still_has_its_place() -> Result<(), Failure> {
        for mutant in MUTANTS {
            let text = fs::read_to_string(process::root().join(mutant.path));
            let text = text.map_err(|error| failed(mutant.path, &error))?;
            mutant.put_into(&text, 1)?;
        }
        Ok(())
    }

    #[test]
    fn what_is_no_source_any_more_goes() {
        let directory = process::target_dir().join(format!("mutants-test-{}", std::process::id()));
        let tests = directory.join("tests");
        fs::create_dir_all(&tests).expect("a directory can be made");
        let (old, new) = (tests.join("old.rs"), tests.join("new.rs"));
        for file in [&old, &new] {
            fs::write(file, "").expect("a file can be written");
        }
        let kept = keep_only(&directory, &BTreeSet::from([new.clone()]));
        let left = (old.exists(), new.exists());
        fs::remove_dir_all(&directory).expect("it can be removed");
        assert!(kept.is_ok());
        assert_eq!(left, (false, true));
    }

    #[test]
    fn a_place_that_is_gone_is_a_failure() {
        let mutant = Mutant { name: "gone", path: "ledger/src/lib.rs", place: "«nowhere»", altered: "" };
        assert!(mutant.put_into("somewhere", 1).is_err_and(|failure| failure.to_string().contains("gone")));
    }
}
