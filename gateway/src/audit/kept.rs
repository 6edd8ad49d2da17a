//! What an audit keeps of what it recomputed, so that it can be compared with what a node says.

use std::collections::VecDeque;

use devices::TransactionId;
use ledger::block::{BlockResults, Seal};
use ledger::statement::Statement;

use crate::limits::AUDIT_STATEMENTS_MAX;

/// A recomputed statement and the seal that posted it.
#[derive(Debug, Clone)]
pub struct KeptStatement {
    /// The statement.
    pub statement: Statement,
    /// The id of its seal.
    pub seal: TransactionId,
}

/// The newest statements, as many as the audit may hold.
#[derive(Debug, Default)]
pub struct Kept {
    statements: VecDeque<KeptStatement>,
    forgotten: u64,
}

impl Kept {
    /// Takes the statements of a block; the oldest ones make room.
    pub(super) fn take(&mut self, seal: &Seal, results: &BlockResults) {
        if results.statements.is_empty() {
            return;
        }
        let seal = TransactionId(seal.id());
        let kept =
            results.statements.iter().map(|statement| KeptStatement { statement: statement.clone(), seal });
        self.statements.extend(kept);
        while self.statements.len() > AUDIT_STATEMENTS_MAX {
            self.statements.pop_front();
            self.forgotten += 1;
        }
    }

    /// The statements, oldest first.
    pub fn statements(&self) -> impl ExactSizeIterator<Item = &KeptStatement> {
        self.statements.iter()
    }

    /// Statements that were recomputed, but are too many to be compared.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}
