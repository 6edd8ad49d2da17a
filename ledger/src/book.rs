//! Double entry: every transfer is posted to two accounts, and all accounts together hold the supply.

use crate::account::{Account, AccountId};
use crate::sharded::{Sharded, shard_of};
use crate::statement::Statement;
use crate::transfer::{Transfer, TransferReason};
use crate::workers::{Workers, in_parts};
use alloc::sync::Arc;
use alloc::vec::Vec;
use devices::identity::{DeviceId, PublicKey};

/// Why nothing was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostingError {
    /// Nothing to post.
    #[error("the amount is zero")]
    ZeroAmount,
    /// Both sides are one account.
    #[error("the two accounts are the same")]
    SameAccount,
    /// The supply account takes nothing back.
    #[error("the supply account cannot receive")]
    ToSupply,
    /// A correction would take back more than was paid as rewards.
    #[error("the account was not paid that much as rewards")]
    ExceedsRewards,
    /// More than the account holds.
    #[error("the account does not hold that much")]
    InsufficientBalance,
    /// More tokens than a u64 counts.
    #[error("the supply would exceed what a u64 counts")]
    SupplyExceeded,
}

/// All accounts, and the sums that must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    supply: AccountId,
    pool: AccountId,
    accounts: Sharded<AccountId, Account>,
    /// Who signs under which first eight bytes; follows from the accounts' keys.
    kids: Sharded<DeviceId, AccountId>,
    debits_posted: u128,
    credits_posted: u128,
    /// Sum of all balances, kept as transfers are posted.
    held: u128,
}

impl Book {
    /// An empty book whose tokens come from `supply` and whose rewards come from `pool`.
    pub(crate) fn new(supply: AccountId, pool: AccountId) -> Self {
        let (accounts, kids) = (Sharded::new(), Sharded::new());
        Self { supply, pool, accounts, kids, debits_posted: 0, credits_posted: 0, held: 0 }
    }

    /// A book of accounts read from a snapshot; `None` when the sums do not agree, a key is not its account's, or two
    /// keys share a kid.
    pub(crate) fn from_accounts(
        supply: AccountId,
        pool: AccountId,
        accounts: Sharded<AccountId, Account>,
    ) -> Option<Self> {
        let mut book = Self::new(supply, pool);
        for (id, key) in accounts.iter().filter_map(|(id, account)| Some((*id, account.key.as_ref()?))) {
            if AccountId::of(key) != id || book.kids.insert(id.kid(), id).is_some() {
                return None;
            }
        }
        book.accounts = accounts;
        (book.debits_posted, book.credits_posted, book.held) = book.sums()?;
        let agree = book.debits_posted == book.credits_posted && book.held == u128::from(book.try_issued()?);
        agree.then_some(book)
    }

    /// Debits, credits and balances summed over every account; `None` when a holder owes or a sum overflows.
    fn sums(&self) -> Option<(u128, u128, u128)> {
        self.accounts.iter().try_fold((0_u128, 0_u128, 0_u128), |(debits, credits, held), (id, account)| {
            let balance = match *id == self.supply {
                true => 0,
                false => account.credits_posted.checked_sub(account.debits_posted)?,
            };
            let debits = debits.checked_add(account.debits_posted)?;
            Some((debits, credits.checked_add(account.credits_posted)?, held.checked_add(balance)?))
        })
    }

    /// The account, once anything was posted to it or a key came with it.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// All accounts in order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.accounts.iter().map(|(id, account)| (*id, account))
    }

    /// The same, as they are shelved.
    pub(crate) fn shards(&self) -> &Sharded<AccountId, Account> {
        &self.accounts
    }

    /// Which account signs under these eight bytes.
    #[must_use]
    pub fn account_of_kid(&self, kid: DeviceId) -> Option<AccountId> {
        self.kids.get(&kid).copied()
    }

    /// What the account holds; zero for one that nothing was posted to.
    #[must_use]
    pub fn balance(&self, id: AccountId) -> u64 {
        self.accounts.get(&id).map_or(0, Account::balance)
    }

    /// Tokens ever issued, in micro-tokens.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.try_issued().expect("issuing beyond a u64 was refused")
    }

    fn try_issued(&self) -> Option<u64> {
        let Some(supply) = self.accounts.get(&self.supply) else { return Some(0) };
        supply.debits_posted.checked_sub(supply.credits_posted)?.try_into().ok()
    }

    /// Notes the key and the counter of an instruction that is being executed.
    pub(crate) fn sign_in(&mut self, id: AccountId, key: PublicKey, counter: u64) {
        let account = self.accounts.or_default(id);
        account.counter = counter;
        account.key = Some(key);
        if self.account_of_kid(id.kid()) != Some(id) {
            self.kids.insert(id.kid(), id);
        }
    }

    /// Whether [`Self::post`] would take the transfer.
    pub(crate) fn check(&self, transfer: &Transfer) -> Result<(), PostingError> {
        let amount = transfer.amount_microtokens;
        if amount == 0 {
            return Err(PostingError::ZeroAmount);
        }
        if transfer.debit == transfer.credit {
            return Err(PostingError::SameAccount);
        }
        if transfer.credit == self.supply {
            return Err(PostingError::ToSupply);
        }
        // Before the supply's branch: a correction never makes tokens, since the supply account was paid no rewards.
        if self.takes_back(transfer) && self.rewards(transfer.debit) < u128::from(amount) {
            return Err(PostingError::ExceedsRewards);
        }
        if transfer.debit == self.supply {
            return self.issued().checked_add(amount).map(drop).ok_or(PostingError::SupplyExceeded);
        }
        if self.balance(transfer.debit) < amount { Err(PostingError::InsufficientBalance) } else { Ok(()) }
    }

    /// Whether it is a correction that takes rewards back into the pool.
    fn takes_back(&self, transfer: &Transfer) -> bool {
        matches!(transfer.reason, TransferReason::Correct { .. }) && transfer.credit == self.pool
    }

    fn rewards(&self, id: AccountId) -> u128 {
        self.accounts.get(&id).map_or(0, |account| account.rewards_microtokens)
    }

    /// Notes what of a posting is a reward, now or no longer: only so much can a correction take back.
    fn note_rewards(&mut self, transfer: &Transfer) {
        let amount = u128::from(transfer.amount_microtokens);
        let (lost, gained) = match transfer.reason {
            TransferReason::Reward { .. } => (0, amount),
            // What others sent to an escrow account was no reward.
            TransferReason::Claim { .. } => {
                let rewards = amount.min(self.rewards(transfer.debit));
                (rewards, rewards)
            }
            TransferReason::Correct { .. } if transfer.credit == self.pool => (amount, 0),
            TransferReason::Correct { .. } => (0, amount),
            TransferReason::Genesis | TransferReason::Issue | TransferReason::Transfer { .. } => return,
        };
        let giver = self.accounts.or_default(transfer.debit);
        let left = giver.rewards_microtokens.checked_sub(lost);
        giver.rewards_microtokens = left.expect("a correction takes back at most what was paid");
        let taker = self.accounts.or_default(transfer.credit);
        let sum = taker.rewards_microtokens.checked_add(gained);
        taker.rewards_microtokens = sum.expect("2^64 transfers of 2^64 are out of reach");
    }

    /// Posts both sides, or neither.
    pub(crate) fn post(&mut self, transfer: &Transfer) -> Result<(), PostingError> {
        self.check(transfer)?;
        let amount = u128::from(transfer.amount_microtokens);
        let add = |sum: u128| sum.checked_add(amount).expect("2^64 transfers of 2^64 are out of reach");
        let giver = self.accounts.or_default(transfer.debit);
        giver.debits_posted = add(giver.debits_posted);
        let taker = self.accounts.or_default(transfer.credit);
        taker.credits_posted = add(taker.credits_posted);
        self.debits_posted = add(self.debits_posted);
        self.credits_posted = add(self.credits_posted);
        // Between two holders nothing changes in sum; only issuing adds.
        if transfer.debit == self.supply {
            self.held = add(self.held);
        }
        self.note_rewards(transfer);
        Ok(())
    }

    /// Posts every reward of an epoch, as [`Self::post`] would post a transfer from the pool for each statement that pays.
    ///
    /// # Panics
    /// When the pool does not hold them all, or a payee cannot be paid: the shares are such that it does and they can.
    pub(crate) fn pay_rewards(&mut self, statements: &[Statement], workers: &dyn Workers) {
        let payees = || statements.iter().filter(|statement| statement.paid_microtokens > 0);
        let total = payees().map(|it| u128::from(it.paid_microtokens)).fold(0, u128::saturating_add);
        if total == 0 {
            return;
        }
        let (pool, supply) = (self.pool, self.supply);
        assert!(u128::from(self.balance(pool)) >= total, "the shares never exceed the pool");
        let add = |sum: u128, amount: u128| {
            sum.checked_add(amount).expect("2^64 transfers of 2^64 are out of reach")
        };
        let giver = self.accounts.or_default(pool);
        giver.debits_posted = add(giver.debits_posted, total);
        let (mut begins, bits) = (0_usize, self.accounts.bits());
        let mut parts = Vec::new();
        for part in self.accounts.parts_mut(workers) {
            let ends = begins.saturating_add(part.len());
            parts.push((begins..ends, part));
            begins = ends;
        }
        // Each part passes over all payees, and pays those whose accounts are its own.
        in_parts(workers, parts, |(shards, part)| {
            for statement in payees() {
                let (payee, amount) = (statement.payee, u128::from(statement.paid_microtokens));
                assert!(payee != pool && payee != supply, "rewards are paid to holders");
                let shard = shard_of(&payee, bits).checked_sub(shards.start);
                if let Some(shard) = shard.and_then(|shard| part.get_mut(shard)) {
                    let taker = Arc::make_mut(shard).entry(payee).or_default();
                    taker.credits_posted = add(taker.credits_posted, amount);
                    taker.rewards_microtokens = add(taker.rewards_microtokens, amount);
                }
            }
        });
        self.accounts.count_again();
        self.debits_posted = add(self.debits_posted, total);
        self.credits_posted = add(self.credits_posted, total);
    }

    /// Crashes unless debits equal credits and the balances' sum is the supply. Constant work: the running sums.
    pub(crate) fn assert_balanced(&self) {
        assert_eq!(self.debits_posted, self.credits_posted, "debits must equal credits");
        assert_eq!(self.held, u128::from(self.issued()), "the balances' sum must be the supply");
    }

    /// The same over every account, from nothing but what was posted to each.
    pub(crate) fn assert_balanced_in_full(&self) {
        self.assert_balanced();
        let running = (self.debits_posted, self.credits_posted, self.held);
        assert_eq!(self.sums(), Some(running), "the running sums must be those of the accounts");
    }
}

#[cfg(test)]
mod tests;
