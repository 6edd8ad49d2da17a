//! What the link counts, for metrics and pages: plain atomic numbers that a host reads when it is asked.

use std::sync::atomic::{AtomicU64, Ordering};

use super::message::Reason;

/// A number that only grows, or goes up and down.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// Adds to it.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Takes from it what was added before.
    pub fn subtract(&self, number: u64) {
        self.0.fetch_sub(number, Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a validator's door counts since its start, over all gateways.
#[derive(Debug, Default)]
pub struct DoorFigures {
    /// Batches that were taken for the first time.
    pub batches_taken: Figure,
    /// Their transactions.
    pub transactions_taken: Figure,
    /// Batches that were taken before.
    pub batches_repeated: Figure,
    /// Batches that were refused, in the order of [`Reason::ALL`].
    pub batches_refused: [Figure; Reason::ALL.len()],
    /// Blocks that were written to followers.
    pub blocks_given: Figure,
    /// Connections that ended in the handshake, or for which there was none to spare.
    pub turned_away: Figure,
    /// Connections that ended because the gateway broke the rules.
    pub violations: Figure,
    /// Transactions that were taken and wait for the intake, now.
    pub transactions_waiting: Figure,
}

/// What a gateway's client counts since its start, over all validators.
#[derive(Debug, Default)]
pub struct ClientFigures {
    /// Times a batch was written to a validator.
    pub batches_sent: Figure,
    /// Times a validator took a batch.
    pub batches_taken: Figure,
    /// Times a validator refused one, in the order of [`Reason::ALL`].
    pub batches_refused: [Figure; Reason::ALL.len()],
    /// Batches that were given up because more than f validators say that they are none.
    pub batches_given_up: Figure,
    /// Blocks that were handed to the host.
    pub blocks_followed: Figure,
    /// Blocks that the host refused.
    pub blocks_refused: Figure,
    /// Connections that were lost or could not be made.
    pub reconnects: Figure,
}
