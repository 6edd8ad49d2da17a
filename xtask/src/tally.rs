//! How many tests passed, counted from what the test runners themselves say.

use std::fmt;
use std::ops::AddAssign;

/// Counts of one runner, one suite or the whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests, and checks that are not tests (a lint run counts one), that succeeded.
    pub passed: u64,
    /// Those that did not.
    pub failed: u64,
    /// Those that did not run, each for a reason that was said.
    pub skipped: u64,
}

impl Tally {
    /// One check that succeeded.
    pub const PASSED: Tally = Tally { passed: 1, failed: 0, skipped: 0 };
    /// One check that failed.
    pub const FAILED: Tally = Tally { passed: 0, failed: 1, skipped: 0 };
    /// One check that did not run.
    pub const SKIPPED: Tally = Tally { passed: 0, failed: 0, skipped: 1 };

    /// Adds up the lines `test result: ok. 3 passed; 0 failed; 1 ignored; …` in the output of `cargo test`.
    ///
    /// A runner that failed without a failed test (it did not compile, or it died) counts as one failure, and one
    /// that succeeded without a single result line counts as one too: a suite that tests nothing proves nothing.
    pub fn of_cargo_test(output: &str, succeeded: bool) -> Tally {
        let mut tally = Tally::default();
        for line in output.lines() {
            if let Some(counts) = line.trim_start().strip_prefix("test result: ") {
                tally += Tally::of_result_line(counts);
            }
        }
        let proves_nothing = tally == Tally::default();
        if tally.failed == 0 && (!succeeded || proves_nothing) {
            tally.failed = 1;
        }
        tally
    }

    fn of_result_line(counts: &str) -> Tally {
        let mut tally = Tally::default();
        let parts = counts.split(['.', ';']).map(str::trim);
        for (number, word) in parts.filter_map(|part| part.split_once(' ')) {
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => tally.passed += number,
                "failed" => tally.failed += number,
                "ignored" => tally.skipped += number,
                _ => {}
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(formatter, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_RUNNERS: &str = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.01s\n\
        test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";

    #[test]
    fn the_counts_of_every_runner_are_added_up() {
        assert_eq!(Tally::of_cargo_test(TWO_RUNNERS, false), Tally { passed: 5, failed: 1, skipped: 1 });
    }

    #[test]
    fn a_runner_that_does_not_compile_is_a_failure() {
        assert_eq!(Tally::of_cargo_test("error[E0425]: cannot find value", false), Tally::FAILED);
    }

    #[test]
    fn a_runner_that_tests_nothing_is_a_failure() {
        assert_eq!(Tally::of_cargo_test("", true), Tally::FAILED);
        let empty =
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(Tally::of_cargo_test(empty, true), Tally::FAILED);
    }

    #[test]
    fn the_closing_line_has_its_exact_form() {
        assert_eq!(Tally { passed: 12, failed: 0, skipped: 0 }.to_string(), "12 passed, 0 failed");
        assert_eq!(Tally { passed: 12, failed: 1, skipped: 2 }.to_string(), "12 passed, 1 failed, 2 skipped");
    }
}
