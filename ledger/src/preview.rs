//! The running epoch as it stands: what would be settled if it ended now, by the very function that will settle it.

use crate::account::AccountId;
use crate::settlement::Settlement;
use crate::state::State;
use crate::statement::Statement;
use crate::workers::Sequential;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use devices::identity::DeviceId;

/// What the running epoch comes to so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    statements: Vec<Statement>,
    settlement: Settlement,
    pending: BTreeMap<AccountId, u64>,
}

impl Preview {
    /// The statements as they stand, in the order of kids; no seal has posted them.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// A device's statements, one for each of its owners; none when it has sent nothing in this epoch.
    #[must_use]
    pub fn statements_of(&self, kid: DeviceId) -> &[Statement] {
        let from = self.statements.partition_point(|statement| statement.kid < kid);
        let to = self.statements.partition_point(|statement| statement.kid <= kid);
        self.statements.get(from..to).unwrap_or_default()
    }

    /// What a device would be paid, all its owners together, in micro-tokens.
    #[must_use]
    pub fn paid_microtokens(&self, kid: DeviceId) -> u64 {
        let paid = self.statements_of(kid).iter().map(|statement| statement.paid_microtokens);
        paid.fold(0, u64::saturating_add)
    }

    /// What an account would be paid, in micro-tokens.
    #[must_use]
    pub fn pending_microtokens(&self, payee: AccountId) -> u64 {
        self.pending.get(&payee).copied().unwrap_or(0)
    }

    /// What all statements come to.
    #[must_use]
    pub fn settlement(&self) -> &Settlement {
        &self.settlement
    }
}

impl State {
    /// What the running epoch comes to if it ends at the last block's time. It takes as long as a settlement: callers
    /// that ask often keep the answer until the next block.
    #[must_use]
    pub fn preview(&self) -> Preview {
        self.preview_at(self.time_unix_milliseconds())
    }

    /// The same for another time of the running epoch: only fewer or more readings would have been expected until then.
    #[must_use]
    pub fn preview_at(&self, ends_unix_milliseconds: u64) -> Preview {
        let (statements, settlement) =
            self.settlement_at(ends_unix_milliseconds, self.height(), self.epoch(), &Sequential);
        let mut pending: BTreeMap<AccountId, u64> = BTreeMap::new();
        for statement in &statements {
            let sum = pending.entry(statement.payee).or_default();
            *sum = sum.saturating_add(statement.paid_microtokens);
        }
        Preview { statements, settlement, pending }
    }
}
