//! How the validators' agreement stands, as pages, metrics and alerts tell it. Empty where one validator alone decides.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a node is for its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It votes on blocks.
    Validator,
    /// It follows the blocks that the validators decide, and brings them what devices send.
    Gateway,
}

impl Role {
    /// The role's word in configurations, metrics and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Validator => "validator",
            Role::Gateway => "gateway",
        }
    }
}

/// One validator, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorStatus {
    /// Its name in the genesis document, or in the instruction that added it.
    pub name: String,
    /// Whether it is this node.
    pub is_self: bool,
    /// Whether this node has a connection to it.
    pub is_connected: bool,
    /// Rounds that were its turn and that went by without a block of it, since this node's start.
    pub missed_proposals: u64,
    /// The last height whose certificate carries its signature, as far as this node saw.
    pub last_signed_height: Option<u64>,
}

/// Why no block comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// Too few validators take part.
    #[error("no quorum: {} not heard of", .missing.join(", "))]
    NoQuorum {
        /// Those of whom nothing is heard.
        missing: Vec<String>,
    },
    /// The record of this node's own votes cannot be written or read: it votes no more, so that it never votes twice.
    #[error("the record of this node's votes (wal) failed: {0}")]
    Wal(String),
    /// There is no room for another block.
    #[error("the disk is full")]
    Disk,
    /// The clock of this node differs so far from the blocks' time that it judges the others' blocks to be from the future.
    #[error("this node's clock is {behind_seconds} s behind the validators' blocks")]
    Clock {
        /// How far.
        behind_seconds: u64,
    },
}

impl Stuck {
    /// Every cause's word.
    pub const WORDS: [&str; 4] = ["no_quorum", "wal", "disk", "clock"];

    /// The cause's word in metrics and the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Stuck::NoQuorum { .. } => "no_quorum",
            Stuck::Wal(_) => "wal",
            Stuck::Disk => "disk",
            Stuck::Clock { .. } => "clock",
        }
    }
}

/// How the agreement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What this node is.
    pub role: Role,
    /// Its name.
    pub name: String,
    /// The height that is being decided.
    pub height: u64,
    /// The round in it; above 0 where a proposer was missing or its block was refused.
    pub round: u32,
    /// Whose turn it is.
    pub proposer: Option<String>,
    /// All of them, in the order in which they take turns.
    pub validators: Vec<ValidatorStatus>,
    /// When the last block was committed here, Unix milliseconds.
    pub last_block_unix_milliseconds: u64,
    /// Why no block comes, once none has come for [`crate::limits::STUCK_AFTER`].
    pub stuck: Option<Stuck>,
}

/// Where the host writes the status and everybody else reads it.
#[derive(Debug, Default)]
pub struct Board {
    status: Mutex<Option<Status>>,
}

impl Board {
    /// How it stands; nothing where one validator alone decides.
    pub fn status(&self) -> Option<Status> {
        self.lock().clone()
    }

    /// Puts the first status up.
    pub fn begin(&self, status: Status) {
        *self.lock() = Some(status);
    }

    /// Changes it, where there is one.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        if let Some(status) = self.lock().as_mut() {
            change(status);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Status>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_height_names_who_is_missing() {
        let stuck = Stuck::NoQuorum { missing: vec!["city".to_owned(), "utility".to_owned()] };
        assert_eq!(stuck.to_string(), "no quorum: city, utility not heard of");
    }

    #[test]
    fn a_lone_validator_has_no_status_to_change() {
        let board = Board::default();
        board.update(|status| status.height = 7);
        assert_eq!(board.status(), None);
    }
}
