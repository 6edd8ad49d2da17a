//! Entries of the log and the blocks they are in.

use super::{Measurement, Network, Refused, Sequence, Transfer};

/// The page of one entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransactionPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// 64 hex digits.
    pub id: String,
    /// Place in the log.
    pub index: u64,
    /// Block.
    pub height: u64,
    /// Block time.
    pub time_milliseconds: u64,
    /// The entry's bytes in lower-case hex.
    pub raw: String,
    /// What it says.
    pub body: TransactionBody,
    /// The first transfers it caused, in the order of execution; a seal may have many.
    pub transfers: Vec<Transfer>,
    /// How many it caused in all.
    pub transfers_total: u64,
    /// The corrections of it that were posted since, oldest first.
    pub corrections: Vec<Transfer>,
}

/// An entry, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionBody {
    /// A device's envelope.
    Reading {
        /// The device.
        kid: String,
        /// The device's own number of it.
        sequence: Sequence,
        /// The records, resolved.
        records: Vec<Measurement>,
    },
    /// An account's instruction.
    Instruction {
        /// Who signed it.
        account: String,
        /// The account's own counter.
        counter: u64,
        /// `transfer`, `enrol`, ...
        name: String,
        /// What it asks, in a sentence; names in it are as they came.
        sentence: String,
        /// Its arguments by name, as text, in order.
        arguments: Vec<(String, String)>,
    },
    /// A block's seal.
    Seal(SealBody),
}

impl Default for TransactionBody {
    fn default() -> Self {
        Self::Seal(SealBody::default())
    }
}

/// What a seal says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealBody {
    /// Entries of the block, the seal not counted.
    pub entries: u64,
    /// Refused in this block, by reason.
    pub refused: Refused,
    /// Hex.
    pub results_root: String,
    /// Hex; at block 0 and at an epoch's end.
    pub state_root: Option<String>,
    /// Epochs this block settled, first and last.
    pub settled_epochs: Option<(u64, u64)>,
    /// How the pool and the payments of those epochs add up, where they are known.
    pub settlement: Option<Settlement>,
}

/// How a settlement adds up: what was paid and what remained are the pool before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settlement {
    /// What the pool held before.
    pub pool_before_microtokens: u64,
    /// What all statements' lines came to.
    pub due_microtokens: u64,
    /// What the cells' budgets cut.
    pub cut_by_cells_microtokens: u64,
    /// What the pool's share cut.
    pub cut_by_pool_microtokens: u64,
    /// What was posted.
    pub paid_microtokens: u64,
    /// What stayed in the pool.
    pub remainder_microtokens: u64,
}

/// The page of one block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockPage {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// Height.
    pub height: u64,
    /// Block time.
    pub time_milliseconds: u64,
    /// Index of its first entry.
    pub first_index: u64,
    /// Log size after it.
    pub log_size: u64,
    /// Its seal's id.
    pub seal_transaction: String,
    /// What the seal says.
    pub seal: SealBody,
    /// The entries asked for.
    pub entries: Vec<BlockEntry>,
}

/// One entry of a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockEntry {
    /// Place in the log.
    pub index: u64,
    /// Transaction id.
    pub id: String,
    /// `reading`, or the instruction's name.
    pub kind: String,
    /// The device that sent it, for readings.
    pub kid: Option<String>,
    /// The account that signed it, for instructions.
    pub account: Option<String>,
    /// Records in it, for readings.
    pub records: u64,
}
