//! What another tariff would have paid: each epoch settled twice, by its own tariff and by the new one, both times from the
//! pool as it was before that epoch. The command executes the log from genesis; a node may begin at one of its snapshots.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use ledger::account::AccountId;
use ledger::block::{Block, BlockResults};
use ledger::replay::Divergence;
use ledger::state::State;
use ledger::tariff::Tariff;
use ledger::token::Tokens;
use ledger::trial::Trial;

/// What somebody was paid, and would have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pay {
    /// By the tariff in force, micro-tokens.
    pub was_microtokens: u64,
    /// By the new one.
    pub would_be_microtokens: u64,
}

impl Pay {
    /// The difference in tokens, with its sign.
    pub fn difference(&self) -> String {
        let more = self.would_be_microtokens.checked_sub(self.was_microtokens);
        match more {
            Some(0) => Tokens(0).to_string(),
            Some(more) => format!("+{}", Tokens(more)),
            None => format!("-{}", Tokens(self.was_microtokens.saturating_sub(self.would_be_microtokens))),
        }
    }

    /// The difference in micro-tokens.
    pub fn difference_microtokens(&self) -> String {
        (i128::from(self.would_be_microtokens) - i128::from(self.was_microtokens)).to_string()
    }
}

/// Everybody's pay over some epochs.
#[derive(Debug, Default)]
pub struct Comparison {
    /// By account.
    pub payees: BTreeMap<AccountId, Pay>,
}

impl Comparison {
    fn add(&mut self, results: &BlockResults, epochs: &RangeInclusive<u64>, pay: fn(&mut Pay) -> &mut u64) {
        for statement in results.statements.iter().filter(|one| epochs.contains(&one.epoch)) {
            let sum = pay(self.payees.entry(statement.payee).or_default());
            *sum = sum.saturating_add(statement.paid_microtokens);
        }
    }

    /// All of them together.
    pub fn total(&self) -> Pay {
        let sum = |pay: fn(&Pay) -> u64| self.payees.values().map(pay).fold(0, u64::saturating_add);
        Pay {
            was_microtokens: sum(|pay| pay.was_microtokens),
            would_be_microtokens: sum(|pay| pay.would_be_microtokens),
        }
    }
}

/// A comparison under way: it takes the log's blocks one after another.
#[derive(Debug)]
pub struct DryRun {
    tariff: Tariff,
    epochs: RangeInclusive<u64>,
    comparison: Comparison,
    trial: Option<Trial>,
}

impl DryRun {
    /// Settles these epochs anew by this tariff.
    pub fn new(tariff: Tariff, epochs: RangeInclusive<u64>) -> DryRun {
        DryRun { tariff, epochs, comparison: Comparison::default(), trial: None }
    }

    /// Takes the next block, which lies in `epoch`; `execute` executes it on the state before it, which is of an epoch
    /// before the first one. Breaks off when the last epoch is settled.
    ///
    /// # Errors
    /// What `execute` says, or that the block does not follow.
    pub fn take<E: From<Divergence>>(
        &mut self,
        state: &mut Option<State>,
        epoch: u64,
        block: &Block,
        execute: impl FnOnce(&mut Option<State>) -> Result<BlockResults, E>,
    ) -> Result<ControlFlow<()>, E> {
        // A block that begins an epoch settles the one before on the old copy, and opens a new copy for its own.
        let begins = |state: &&State| state.height() == 0 || epoch > state.epoch();
        let next = state.as_ref().filter(begins).filter(|_| self.epochs.contains(&epoch));
        let next = next.map(|state| state.trial(&self.tariff));
        let results = execute(state)?;
        self.comparison.add(&results, &self.epochs, |pay| &mut pay.was_microtokens);
        if let Some(copy) = &mut self.trial {
            let tried = copy.run(block)?;
            self.comparison.add(&tried, &self.epochs, |pay| &mut pay.would_be_microtokens);
        }
        if let Some(mut next) = next {
            next.run(block)?;
            self.trial = Some(next);
        } else if state.as_ref().is_some_and(|state| !self.epochs.contains(&state.epoch())) {
            self.trial = None;
        }
        Ok(if epoch > *self.epochs.end() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// What it came to.
    pub fn finish(self) -> Comparison {
        self.comparison
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_its_sign_and_every_microtoken() {
        let pay = |was_microtokens, would_be_microtokens| Pay { was_microtokens, would_be_microtokens };
        assert_eq!(pay(5, 5).difference(), "0.000000");
        assert_eq!(pay(5, 1_000_006).difference(), "+1.000001");
        assert_eq!(pay(1_000_006, 5).difference(), "-1.000001");
        assert_eq!(pay(u64::MAX, 0).difference_microtokens(), format!("-{}", u64::MAX));
    }
}
