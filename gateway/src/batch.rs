//! Batching: verified transactions that wait for their block, closed by count, bytes or age. Pure: time is handed in.

use std::collections::VecDeque;

use crate::limits;
use crate::verify::Verified;

/// The waiting room before a block.
#[derive(Debug, Default)]
pub struct Batch {
    waiting: VecDeque<(u64, Verified)>,
    bytes: usize,
}

impl Batch {
    /// Adds a transaction that was verified at `now` (Unix milliseconds).
    pub fn push(&mut self, now: u64, verified: Verified) {
        self.bytes += verified.transaction.bytes().len();
        self.waiting.push_back((now, verified));
    }

    /// Transactions that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the oldest has waited long enough, Unix milliseconds.
    pub fn due_at(&self) -> Option<u64> {
        self.waiting.front().map(|(since, _)| since.saturating_add(limits::BLOCK_AGE_MAX_MILLISECONDS))
    }

    /// Whether a block should be made now: enough transactions, enough bytes, or one that waited long enough. A clock
    /// that was set back makes it due as well.
    pub fn is_due(&self, now: u64) -> bool {
        let aged = self
            .waiting
            .front()
            .is_some_and(|(since, _)| now < *since || now - since >= limits::BLOCK_AGE_MAX_MILLISECONDS);
        aged || self.waiting.len() >= limits::BLOCK_TRANSACTIONS_MAX || self.bytes >= limits::BLOCK_BYTES_MAX
    }

    /// Takes what fits into one block, oldest first.
    pub fn take(&mut self) -> Vec<Verified> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while taken.len() < limits::BLOCK_TRANSACTIONS_MAX
            && let Some((_, next)) = self.waiting.front()
        {
            bytes += next.transaction.bytes().len();
            if bytes > limits::BLOCK_BYTES_MAX {
                break;
            }
            if let Some((_, verified)) = self.waiting.pop_front() {
                self.bytes -= verified.transaction.bytes().len();
                taken.push(verified);
            }
        }
        taken
    }
}
