//! How several validators agree, for the pages that say so.

/// What a node is for a network of several validators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NodeRole {
    /// It votes on blocks.
    #[default]
    Validator,
    /// It brings envelopes and follows the blocks.
    Gateway,
}

/// How several validators agree, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agreement {
    /// What this node is.
    pub role: NodeRole,
    /// Its name.
    pub name: String,
    /// The height that is being decided.
    pub height: u64,
    /// The round in it; above 0 where a turn failed.
    pub round: u64,
    /// Whose turn it is.
    pub proposer: Option<String>,
    /// How many validators must agree.
    pub quorum: u64,
    /// All of them, in the order in which they take turns.
    pub validators: Vec<Attendance>,
    /// When the last block was committed here.
    pub last_block_milliseconds: u64,
    /// Why no block comes, a part of a sentence; `None` while blocks do.
    pub stuck: Option<String>,
    /// The change of the validators that is agreed on, a part of a sentence: `add museum`.
    pub change: Option<String>,
    /// Contradictions that were shown to the ledger, the oldest first.
    pub misbehaviours: Vec<Misbehaviour>,
}

/// One validator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attendance {
    /// Its name.
    pub name: String,
    /// Whether this node is it.
    pub is_self: bool,
    /// Whether this node has a connection to it.
    pub is_connected: bool,
    /// Its turns that went by without a block of it, since this node's start.
    pub missed_proposals: u64,
    /// The last height that it signed, as far as this node saw.
    pub last_signed_height: Option<u64>,
}

impl Attendance {
    /// Whether it takes part, as far as this node can tell.
    pub fn is_present(&self) -> bool {
        self.is_self || self.is_connected
    }
}

/// That a validator signed two things of which it may sign one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Misbehaviour {
    /// Its name, or its key where it is none any more.
    pub validator: String,
    /// What it signed two of: `prevotes`, `precommits`, `proposals`, `checkpoints`.
    pub kind: String,
    /// The height; of checkpoints the log's size.
    pub height: u64,
    /// The round; 0 of checkpoints.
    pub round: u64,
    /// The transaction that carries the evidence.
    pub transaction: Option<String>,
}
