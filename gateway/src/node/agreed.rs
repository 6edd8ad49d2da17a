//! The node's part where several validators agree on each block: what waits is offered, and leaves when a block with it
//! is committed, whoever proposed that.

use std::collections::{HashMap, HashSet};
use std::mem;

use devices::{DeviceId, TransactionId};
use ledger::block::{Block, BlockResults};
use ledger::instruction::InstructionRefusal;
use ledger::state::State;
use ledger::transaction::{Refused, VerifiedTransaction};

use super::pool::{Pool, Waiting};
use super::{Effect, Node, Pending, block_events, named, precheck, submit_error, turned};
use crate::admit::Turned;
use crate::limits;
use crate::shared::Submitted;
use crate::verify::Verified;
use crate::workers::Cores;

/// A block in the hand of one who may decide it, with the state behind it.
#[derive(Debug)]
pub struct Made {
    /// The block.
    pub block: Block,
    /// What it does.
    pub results: BlockResults,
    /// The state after it.
    pub state: State,
}

impl Node {
    /// A node that decides nothing alone.
    pub fn agreeing() -> Node {
        Node { pool: Some(Pool::default()), ..Node::default() }
    }

    /// What waits for a block that others agree on.
    pub fn pool(&self) -> Option<&Pool> {
        self.pool.as_ref()
    }

    /// The same, to take batches from.
    pub fn pool_mut(&mut self) -> Option<&mut Pool> {
        self.pool.as_mut()
    }

    /// Puts what was verified into the pool; what the state refuses already is settled by what is durable.
    pub(super) fn take_into_pool(
        &mut self,
        state: &State,
        now: u64,
        verified: Vec<Verified>,
        effects: &mut Vec<Effect>,
    ) {
        let (good, refused): (Vec<_>, Vec<_>) =
            verified.into_iter().partition(|verified| precheck(state, now, &verified.transaction).is_ok());
        if let Some(pool) = &mut self.pool {
            good.into_iter().for_each(|verified| pool.push(now, verified));
        }
        self.refuse_all(state, now, &refused, effects);
    }

    /// Builds a block of what waits, on a copy of the state; nothing leaves the pool but what the copy refuses for good.
    pub fn propose(&mut self, state: &State, now: u64, effects: &mut Vec<Effect>) -> Made {
        let mut after = state.clone();
        let mut builder = after.begin_with(now, &Cores);
        for (reason, count) in devices::Refusal::ALL.into_iter().zip(self.refused) {
            (0..count).for_each(|_| builder.refuse(reason));
        }
        let mut refused = Vec::new();
        for (id, waiting) in self.pool.iter().flat_map(Pool::iter) {
            if !builder.has_room(waiting.transaction.bytes().len()) {
                break;
            }
            // Judged before it is executed, so that the seal counts no refusal twice.
            let judged = match precheck_at(builder.state(), builder.time_unix_milliseconds(), waiting) {
                Ok(()) => builder.execute(&waiting.transaction).map(|_| ()),
                Err(refusal) => Err(refusal),
            };
            if let Err(why) = judged {
                refused.push((*id, why));
            }
        }
        let (block, results) = builder.finish();
        // Of too many rounds the last ones are remembered: one of the first that is decided tells its counts twice.
        if self.proposed.len() == limits::BLOCKS_SEEN_MAX {
            self.proposed.remove(0);
        }
        self.proposed.push(block.seal.id());
        self.drop_refused(state, now, refused, effects);
        Made { block, results, state: after }
    }

    /// Refuses those of the pool's instructions that a copy of the state does not carry out: for one who proposes nothing
    /// and whose submitters wait for an answer.
    pub fn try_instructions(&mut self, state: &State, now: u64, effects: &mut Vec<Effect>) {
        let is_instruction =
            |waiting: &&Waiting| matches!(waiting.transaction, VerifiedTransaction::Instruction(_));
        let Some(pool) = &self.pool else { return };
        if !pool.iter().any(|(_, waiting)| is_instruction(&waiting)) {
            return;
        }
        let mut copy = state.clone();
        let mut builder = copy.begin_with(now.min(state.next_settlement_unix_milliseconds() - 1), &Cores);
        let mut refused = Vec::new();
        for (id, waiting) in pool.iter().filter(|(_, waiting)| is_instruction(waiting)) {
            if !builder.has_room(waiting.transaction.bytes().len()) {
                break;
            }
            if let Err(why) = builder.execute(&waiting.transaction) {
                refused.push((*id, why));
            }
        }
        let _not_a_block = builder.finish();
        self.drop_refused(state, now, refused, effects);
    }

    fn drop_refused(
        &mut self,
        state: &State,
        now: u64,
        refused: Vec<(TransactionId, Refused)>,
        effects: &mut Vec<Effect>,
    ) {
        let settled = self.turn_all(state, now, refused, effects);
        effects.extend(self.acknowledge(state, settled, state.log_size()));
    }

    /// Refuses what the durable state makes impossible: after a start, what the outbox held may be on the ledger.
    pub fn drop_gone(&mut self, state: &State, now: u64, effects: &mut Vec<Effect>) {
        let gone = self.gone(state, now);
        self.drop_refused(state, now, gone, effects);
    }

    /// Takes refused ones out of the pool; gives the devices of which something is settled by that.
    fn turn_all(
        &mut self,
        state: &State,
        now: u64,
        refused: Vec<(TransactionId, Refused)>,
        effects: &mut Vec<Effect>,
    ) -> Vec<DeviceId> {
        let mut settled = Vec::new();
        for (id, why) in refused {
            let Some(waiting) = self.pool.as_mut().and_then(|pool| pool.remove(&id)) else { continue };
            self.turn_waiting(state, now, &waiting, why, &mut settled, effects);
        }
        settled
    }

    fn turn_waiting(
        &mut self,
        state: &State,
        now: u64,
        waiting: &Waiting,
        why: Refused,
        settled: &mut Vec<DeviceId>,
        effects: &mut Vec<Effect>,
    ) {
        let (named, size_bytes) = (named(&waiting.transaction), waiting.transaction.bytes().len());
        let turned: Turned = turned(named, why, size_bytes, None);
        settled.extend(self.settle(state, &turned));
        self.turn(now, &turned, effects);
        let answer = |ticket: &_| Effect::Answer(*ticket, Err(submit_error(why)));
        effects.extend(waiting.tickets.iter().map(answer));
    }

    /// A decided block is on the disk and `state` is the one behind it: what of the pool is in it has arrived, and what it
    /// makes impossible is refused. [`Node::durable`] gives the acks and answers.
    ///
    /// # Panics
    /// When the block before was not told as durable.
    pub fn commit(
        &mut self,
        state: &State,
        now: u64,
        block: &Block,
        results: &BlockResults,
        effects: &mut Vec<Effect>,
    ) {
        assert!(self.pending.is_none(), "one block is told as durable after the other");
        let mut pending = Pending { log_size: results.log_size, ..Pending::default() };
        for outcome in &results.outcomes {
            let Some(waiting) = self.pool.as_mut().and_then(|pool| pool.remove(&outcome.id())) else {
                continue;
            };
            pending.accepted.extend(named(&waiting.transaction));
            let submitted = Submitted { id: outcome.id(), index: outcome.index(), height: results.height };
            pending.answers.extend(waiting.tickets.into_iter().map(|ticket| (ticket, Ok(submitted))));
        }
        pending.events = block_events(block, results);
        // The counts that a proposer tells are its own; what was refused since stays to be told.
        if mem::take(&mut self.proposed).contains(&block.seal.id()) {
            for (count, told) in self.refused.iter_mut().zip(block.seal.refused) {
                *count = count.saturating_sub(told);
            }
        }
        let gone = self.gone(state, now);
        pending.replayed = self.turn_all(state, now, gone, effects);
        self.pending = Some(pending);
    }

    /// Those of the pool that no later block can take.
    fn gone(&self, state: &State, now: u64) -> Vec<(TransactionId, Refused)> {
        let Some(pool) = &self.pool else { return Vec::new() };
        let judged =
            pool.iter().filter_map(|(id, waiting)| Some((*id, precheck_at(state, now, waiting).err()?)));
        judged.collect()
    }

    /// Whether a block of this content was verified here before: those of its entries that are not in the pool are given
    /// with their places, for somebody to verify.
    pub fn known(
        &self,
        ids: &[Option<TransactionId>],
        entries: &[Vec<u8>],
    ) -> HashMap<usize, VerifiedTransaction<Vec<u8>>> {
        let Some(pool) = &self.pool else { return HashMap::new() };
        let mut seen = HashSet::new();
        let known = ids.iter().zip(entries).enumerate().filter_map(|(place, (id, entry))| {
            let id = id.as_ref().filter(|id| seen.insert(**id))?;
            let waiting = pool.get(id)?;
            // The id does not cover the signature.
            (waiting.transaction.bytes() == entry.as_slice()).then(|| (place, waiting.transaction.clone()))
        });
        known.collect()
    }
}

/// What one that waits is refused for without a block.
fn precheck_at(state: &State, now: u64, waiting: &Waiting) -> Result<(), Refused> {
    match &waiting.transaction {
        VerifiedTransaction::Reading(_) => {
            precheck(state, now, &waiting.transaction).map_err(Refused::Reading)
        }
        VerifiedTransaction::Instruction(signed) => {
            let counter = state
                .account(ledger::account::AccountId::of(signed.public_key()))
                .map_or(0, |account| account.counter);
            if signed.counter() <= counter {
                return Err(Refused::Instruction(InstructionRefusal::StaleCounter));
            }
            Ok(())
        }
    }
}
