//! A line on a terminal that says how much of a copy is done; silent elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

use crate::clock;

/// How often the line changes at most.
const BETWEEN: Duration = Duration::from_millis(100);

/// The line.
#[derive(Debug)]
pub struct CopyProgress {
    on: bool,
    last: Option<Instant>,
}

impl CopyProgress {
    /// A line on stderr, where that is a terminal.
    pub fn new() -> CopyProgress {
        CopyProgress { on: stderr().is_terminal(), last: None }
    }

    /// Shows how many bytes are copied, of how many.
    pub fn show(&mut self, bytes: u64, of: u64) {
        if !self.on || self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            return;
        }
        self.last = Some(clock::monotonic());
        let percent = bytes.saturating_mul(100).checked_div(of).unwrap_or(100).min(100);
        let _terminal = write!(stderr(), "\r{percent:>3} %  {bytes} of {of} bytes copied");
    }
}

impl Default for CopyProgress {
    fn default() -> CopyProgress {
        CopyProgress::new()
    }
}

impl Drop for CopyProgress {
    fn drop(&mut self) {
        if self.on && self.last.is_some() {
            let _terminal = write!(stderr(), "\r\x1b[K");
        }
    }
}
