//! What happened last, for whoever looks into a failure; and a sum over all of it, so that two runs can be compared.

use std::collections::VecDeque;
use std::fmt::{self, Write};

/// Lines that are kept.
const LINES_KEPT: usize = 60;

/// The end of a run's story.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    lines: VecDeque<String>,
    sum: u64,
}

impl Trace {
    /// Adds a line; `at` is the world's time in milliseconds.
    pub fn note(&mut self, at: u64, what: fmt::Arguments<'_>) {
        let mut line = if self.lines.len() < LINES_KEPT { String::new() } else { self.oldest() };
        // Writing to a String does not fail.
        let _written = write!(line, "{:>9}.{:03}  {what}", at / 1_000, at % 1_000);
        for byte in line.bytes() {
            // FNV-1a: nobody attacks it.
            self.sum = (self.sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines.push_back(line);
    }

    fn oldest(&mut self) -> String {
        let mut line = self.lines.pop_front().unwrap_or_default();
        line.clear();
        line
    }

    /// A number that another run has only if the same things happened in it.
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
