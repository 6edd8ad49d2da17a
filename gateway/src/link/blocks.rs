//! Where a validator's door takes blocks from: what its host makes of log and state, in one place.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// A decided block as it is given to followers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The payload of its frame in the block log.
    pub payload: Vec<u8>,
    /// The signatures of those who decided it.
    pub certificate: Vec<u8>,
}

/// Reads the block at a height that is durable; `None` when it was pruned or cannot be read. It may block.
pub type ReadBlock = Arc<dyn Fn(u64) -> Option<Certified> + Send + Sync>;

/// What followers are given.
#[derive(Clone)]
pub struct Blocks {
    /// Reads a block.
    pub read: ReadBlock,
    /// Height of the last block that is durable.
    pub durable: watch::Receiver<u64>,
    /// The newest checkpoint that a quorum has signed; empty while there is none.
    pub checkpoint: watch::Receiver<Arc<str>>,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Blocks(to {})", *self.durable.borrow())
    }
}
