//! The judge of a pruned log's beginning: everything that stays is checked, and what cannot be checked is counted.

use ledger::block::{Entry, Seal};
use ledger::genesis::Genesis;
use ledger::merkle::{Frontier, Hash};
use ledger::pruned::{PrunedBlock, PrunedFault};
use ledger::snapshot::SnapshotError;
use ledger::state::State;

/// What does not hold in the pruned part of a log.
#[derive(Debug, thiserror::Error)]
pub enum PrunedAuditError {
    /// A block.
    #[error("{place}, pruned block {height}: {fault}")]
    Block {
        /// Where it was read from.
        place: String,
        /// Its height.
        height: u64,
        /// What is wrong.
        fault: PrunedFault,
    },
    /// The blocks are not those from genesis on, one after another.
    #[error("{place}: pruned block {found} stands where {expected} must")]
    Order {
        /// Where it was read from.
        place: String,
        /// What the seal says.
        found: u64,
        /// What follows.
        expected: u64,
    },
    /// The state at the base cannot be read.
    #[error("the state at the base: {0}")]
    State(#[from] SnapshotError),
    /// The state at the base is not the one that the base's seal commits to.
    #[error("the state at the base is not the one whose root block {0}'s seal holds")]
    StateRoot(u64),
    /// An instruction's signature.
    #[error("{place}, pruned block {height}: the signature of instruction {index} does not hold")]
    Signature {
        /// Where it was read from.
        place: String,
        /// Its block.
        height: u64,
        /// Its log index.
        index: u64,
    },
}

/// What was found in the pruned part: what holds, and what nobody can verify again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrunedFindings {
    /// Blocks whose hashes lead to the roots in their seals.
    pub blocks: u64,
    /// Entries in them.
    pub entries: u64,
    /// Readings that were erased: neither their signatures nor their worth can be verified.
    pub erased_readings: u64,
    /// Instructions, each with its signature verified.
    pub instructions: u64,
    /// Statements that lead to the results roots; whether the readings earned them cannot be verified.
    pub statements: u64,
    /// Paid by them, micro-tokens.
    pub paid_microtokens: u128,
    /// Epochs settled.
    pub settled_epochs: u64,
    /// Time of the base, Unix milliseconds.
    pub time_unix_milliseconds: u64,
}

/// Takes what stays of pruned blocks in order, then the state at the base.
pub struct PrunedAudit {
    genesis: Genesis,
    state: State,
    log: Frontier,
    last: Option<Seal>,
    findings: PrunedFindings,
}

impl PrunedAudit {
    /// Begins with the state at the base, as it is stored: the keys in it verify the instructions, and its root is
    /// compared at the end.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn new(genesis: &Genesis, base_state: &[u8]) -> Result<PrunedAudit, PrunedAuditError> {
        let state = State::restore(genesis, base_state)?;
        let (log, findings) = (Frontier::new(), PrunedFindings::default());
        Ok(PrunedAudit { genesis: genesis.clone(), state, log, last: None, findings })
    }

    /// Log index of the next block's first entry.
    pub fn next_index(&self) -> u64 {
        self.log.size()
    }

    /// Takes what stays of the next block, with the leaf hashes of its entries and its seal.
    ///
    /// # Errors
    /// What does not hold.
    pub fn take(
        &mut self,
        place: &str,
        block: &PrunedBlock,
        leaves: &[Hash],
    ) -> Result<(), PrunedAuditError> {
        let (height, first_index) = (block.seal.height, self.log.size());
        if height != self.findings.blocks {
            let (place, expected) = (place.to_owned(), self.findings.blocks);
            return Err(PrunedAuditError::Order { place, found: height, expected });
        }
        if height == 0 && block.seal != State::genesis(&self.genesis).1.seal {
            let (place, fault) = (place.to_owned(), PrunedFault::LogRoot);
            return Err(PrunedAuditError::Block { place, height, fault });
        }
        block.verify(leaves, &mut self.log).map_err(|fault| PrunedAuditError::Block {
            place: place.to_owned(),
            height,
            fault,
        })?;
        for (entry, index) in block.entries.iter().zip(first_index..) {
            let Some(Entry::Instruction(instruction)) = entry.as_deref().and_then(Entry::decode) else {
                continue;
            };
            if self.state.verify_instruction(instruction).is_err() {
                return Err(PrunedAuditError::Signature { place: place.to_owned(), height, index });
            }
            self.findings.instructions += 1;
        }
        self.count(block);
        self.last = Some(block.seal.clone());
        Ok(())
    }

    fn count(&mut self, block: &PrunedBlock) {
        let findings = &mut self.findings;
        findings.blocks += 1;
        findings.entries = self.log.size();
        findings.erased_readings += block.erased();
        findings.settled_epochs += block.seal.settled_epochs.map_or(0, |(first, last)| last - first + 1);
        findings.time_unix_milliseconds = block.seal.time_unix_milliseconds;
        let Some(results) = &block.results else { return };
        findings.statements += results.statements.len() as u64;
        let paid = results.statements.iter().map(|statement| u128::from(statement.paid_microtokens));
        findings.paid_microtokens += paid.sum::<u128>();
    }

    /// Compares the state with the root in the base's seal; gives it for the blocks that follow.
    ///
    /// # Errors
    /// When it is another state.
    pub fn finish(self) -> Result<(State, PrunedFindings), PrunedAuditError> {
        let height = self.state.height();
        let holds = self.last.as_ref().is_some_and(|seal| {
            seal.height == height
                && seal.state_root == Some(self.state.state_root())
                && (self.state.log_size(), self.state.root()) == (self.log.size(), self.log.root())
        });
        if holds { Ok((self.state, self.findings)) } else { Err(PrunedAuditError::StateRoot(height)) }
    }
}
