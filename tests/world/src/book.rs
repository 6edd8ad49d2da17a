//! Every token, counted beside the ledger: what was issued, and who holds it after every transfer.

use std::collections::BTreeMap;

use ledger::account::AccountId;
use ledger::block::BlockResults;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::state::State;

use crate::checker::Violation;

/// Balances as the transfers give them.
pub struct Book {
    supply: AccountId,
    balances: BTreeMap<AccountId, i128>,
    /// What genesis gave and instructions in the log issued.
    issued: u128,
}

impl Book {
    /// Before genesis is posted.
    pub fn of(genesis: &Genesis) -> Book {
        Book {
            supply: AccountId::supply(&genesis.network),
            balances: BTreeMap::new(),
            issued: u128::from(genesis.pool_microtokens) + u128::from(genesis.treasury_microtokens),
        }
    }

    /// An instruction came into the log.
    pub fn instructed(&mut self, instruction: &Instruction) {
        if let Instruction::Issue { amount_microtokens, .. } = instruction {
            self.issued += u128::from(*amount_microtokens);
        }
    }

    /// Posts a block's transfers.
    ///
    /// # Errors
    /// When an account gives what it does not have.
    pub fn post(&mut self, results: &BlockResults) -> Result<(), Violation> {
        for record in &results.transfers {
            let amount = i128::from(record.transfer.amount_microtokens);
            *self.balances.entry(record.transfer.debit).or_default() -= amount;
            *self.balances.entry(record.transfer.credit).or_default() += amount;
        }
        match self.balances.iter().find(|(id, balance)| **balance < 0 && **id != self.supply) {
            Some((id, balance)) => Err(format!("{id} holds {balance} micro-tokens")),
            None => Ok(()),
        }
    }

    /// Whether the ledger's accounts hold what the transfers gave them, and all together what was issued.
    ///
    /// # Errors
    /// The first difference.
    pub fn agrees(&self, state: &State) -> Result<(), Violation> {
        let mut held = 0_u128;
        for (id, account) in state.accounts() {
            let balance = if id == self.supply { 0 } else { account.balance() };
            held += u128::from(balance);
            let expected = self.balances.get(&id).copied().unwrap_or_default();
            if id != self.supply && i128::from(balance) != expected {
                return Err(format!("{id} holds {balance}, its transfers give {expected}"));
            }
        }
        if held != self.issued || u128::from(state.issued_microtokens()) != self.issued {
            return Err(format!(
                "accounts hold {held}, the ledger says {}, {} were issued",
                state.issued_microtokens(),
                self.issued
            ));
        }
        Ok(())
    }
}
