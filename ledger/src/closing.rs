//! What a block does at an epoch's end: pays what the statements say, and hashes them when the seal's index is known.

use crate::encoding::{Written, encoded_into};
use crate::execute::BlockBuilder;
use crate::merkle::leaf_hash;
use crate::span::Span;
use crate::statement::Statement;
use crate::transfer::{Transfer, TransferReason, TransferRecord};
use crate::workers::{Workers, in_parts, slices_mut, worth};
use alloc::sync::Arc;
use alloc::vec::Vec;
use devices::cbor::Writer;

/// Leaves below which hands are not worth sharing the work.
const PART_MIN: usize = 1_024;

impl BlockBuilder<'_> {
    /// Closes the running epoch and all empty ones up to `epoch`, which the block belongs to.
    pub(crate) fn settle(&mut self, epoch: u64) {
        let last_epoch = epoch.saturating_sub(1);
        let workers = worth(self.workers, self.state.device_count());
        let (statements, settlement) = self.state.settle(self.height, epoch, workers);
        let pool = self.state.constants.pool;
        self.state.book.pay_rewards(&statements, workers);
        let paying = statements.iter().filter(|statement| statement.paid_microtokens > 0).count();
        self.transfers.reserve_exact(paying);
        self.transfers.extend(statements.iter().filter(|statement| statement.paid_microtokens > 0).map(
            |statement| TransferRecord {
                transfer: Transfer {
                    debit: pool,
                    credit: statement.payee,
                    amount_microtokens: statement.paid_microtokens,
                    reason: TransferReason::Reward { kid: statement.kid, epoch: statement.epoch },
                },
                height: self.height,
                time_unix_milliseconds: self.time_unix_milliseconds,
                entry_index: 0,
            },
        ));
        self.statements = statements;
        let pool_after = self.state.balance_microtokens(pool);
        assert_eq!(pool_after, settlement.remainder_microtokens, "what is not paid stays in the pool");
        self.settlement = Some(settlement);
        self.settled_epochs = Some((self.state.epoch, last_epoch));
        self.state.epoch = epoch;
        Arc::make_mut(&mut self.state.tariffs).begin_epoch(epoch);
    }

    /// Settlement is proven by the seal, whose index is known only now; then the results' root can be taken.
    pub(crate) fn place_settlement(&mut self, seal_index: u64) {
        let workers = worth(self.workers, self.transfers.len());
        for span in hashed(
            workers,
            self.results.size(),
            &mut self.transfers,
            |record| {
                let by_seal =
                    matches!(record.transfer.reason, TransferReason::Reward { .. } | TransferReason::Genesis);
                if by_seal {
                    record.entry_index = seal_index;
                }
            },
            TransferRecord::write,
        ) {
            span.extend(&mut self.results);
        }
        for span in hashed(
            workers,
            self.results.size(),
            &mut self.statements,
            |statement| statement.seal_index = seal_index,
            Statement::write,
        ) {
            span.extend(&mut self.results);
        }
        if let Some(settlement) = &self.settlement {
            encoded_into(&mut self.scratch, |writer| settlement.write(writer));
            self.results.append(leaf_hash(&self.scratch));
        }
    }
}

/// Finishes each item and hashes its encoding: the stretches of a tree that ends at `begin` now.
fn hashed<T: Send>(
    workers: &dyn Workers,
    begin: u64,
    items: &mut [T],
    finish: impl Fn(&mut T) + Sync,
    write: impl Fn(&T, &mut Writer<'_>) -> Written + Sync,
) -> Vec<Span> {
    let mut at = begin;
    let mut parts = Vec::new();
    for part in slices_mut(workers, items, PART_MIN) {
        let begins = at;
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        parts.push((begins, part));
    }
    in_parts(workers, parts, |(begins, part)| {
        let (mut span, mut scratch) = (Span::beginning_at(begins), Vec::new());
        for item in part {
            finish(item);
            encoded_into(&mut scratch, |writer| write(item, writer));
            span.append(leaf_hash(&scratch));
        }
        span
    })
}
