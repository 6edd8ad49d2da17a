//! One seed from beginning to end, and what a failure says.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checker::Violation;
use crate::city::City;
use crate::faults::Faults;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Runs that this report is of.
    pub seeds: u64,
    /// Steps.
    pub steps: u64,
    /// Simulated milliseconds.
    pub milliseconds: u64,
    /// Blocks.
    pub blocks: u64,
    /// Readings on the ledger.
    pub readings: u64,
    /// Instructions on the ledger.
    pub instructions: u64,
    /// Statements.
    pub statements: u64,
    /// What went wrong on purpose.
    pub faults: Faults,
    /// A number that stands for everything that happened.
    pub sum: u64,
}

impl Report {
    /// Adds another run's.
    pub fn add(&mut self, other: &Report) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.milliseconds += other.milliseconds;
        self.blocks += other.blocks;
        self.readings += other.readings;
        self.instructions += other.instructions;
        self.statements += other.statements;
        self.faults.add(&other.faults);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.milliseconds / 3_600_000;
        writeln!(f, "{} seeds, {} steps, {hours} simulated hours", self.seeds, self.steps)?;
        writeln!(
            f,
            "{} blocks, {} readings, {} instructions, {} statements",
            self.blocks, self.readings, self.instructions, self.statements
        )?;
        self.faults.fmt(f)
    }
}

/// A claim that did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that shows it again.
    pub seed: u64,
    /// Which claim.
    pub what: Violation,
    /// What happened last.
    pub trace: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, what, trace } = self;
        write!(f, "{trace}seed {seed}: {what}\nagain: cargo xtask simulate --seeds 1 --from {seed}")
    }
}

/// Runs one seed.
///
/// # Errors
/// The claim that did not hold; a broken invariant of the product counts as one.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    let failure = |what: Violation, trace: String| Box::new(Failure { seed, what, trace });
    let mut city = City::of(seed).map_err(|what| failure(what, String::new()))?;
    // The city is given up after a panic, so nobody sees what it left half done.
    let ended = catch_unwind(AssertUnwindSafe(|| city.run()));
    let ended = ended.unwrap_or_else(|panic| Err(format!("the node panicked: {}", words(&*panic))));
    ended.map_err(|what| failure(what, city.trace().to_string()))?;
    let (blocks, readings, instructions, statements) = city.checker().counts();
    let (steps, milliseconds, sum) = (city.steps(), city.now(), city.trace().sum());
    let faults = city.faults();
    Ok(Report { seeds: 1, steps, milliseconds, blocks, readings, instructions, statements, faults, sum })
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}
