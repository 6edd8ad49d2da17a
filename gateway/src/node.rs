//! The node as a pure machine: `step(state, now, input)` gives effects and only looks at the state, `make_block` changes
//! it. It knows no clock, file, socket or thread; the host carries its effects out, and a simulation can do so just as well.

mod acks;
pub mod agreed;
pub mod pool;

use std::mem;

use devices::{Ack, DeviceId, Refusal, RefusedNotice, Sequence};
use ledger::block::{Block, BlockResults};
use ledger::merkle::Hash;
use ledger::state::State;
use ledger::transaction::{Outcome, Refused, VerifiedTransaction};

use crate::admit::{self, Arrival, Candidate, Ticket, Turned};
use crate::batch::Batch;
use crate::consensus::solo::{self, Proposal};
use crate::limits;
use crate::refusals::RefusedReading;
use crate::shared::{Event, SubmitError, Submitted};
use crate::verify::{Verdict, Verified};
use crate::workers::Cores;

use acks::{Notices, Settled};
use pool::Pool;

/// What happens to the node.
#[derive(Debug)]
pub enum Input {
    /// Transactions arrived.
    Received(Vec<Arrival>),
    /// A verification batch is done.
    Verified(Vec<Verdict>),
    /// Time passed.
    Tick,
    /// Whether the disk has room for another block. Without it none is made, not even an epoch's end: what is executed
    /// must be written.
    Room(bool),
}

/// What the node wants done, in order.
#[derive(Debug)]
pub enum Effect {
    /// Verify these and come back with [`Input::Verified`].
    Verify(Vec<Candidate>),
    /// Tell devices what is settled, one ack each.
    Acknowledge(Vec<(DeviceId, Ack)>),
    /// Tell a device what was refused.
    Notify(DeviceId, RefusedNotice),
    /// Answer somebody who waits.
    Answer(Ticket, Result<Submitted, SubmitError>),
    /// Count a refused reading.
    Refused(RefusedReading),
    /// Count a notice that the rate limit held back.
    Withheld,
    /// Count a refused instruction.
    InstructionRefused,
    /// Tell those who watch.
    Tell(Event),
}

/// The node's own state: what is between arrival and block.
#[derive(Default)]
pub struct Node {
    batch: Batch,
    /// Takes the batch's place where the node does not decide alone.
    pool: Option<Pool>,
    /// Ids of the blocks that this node proposed since the last one was committed.
    proposed: Vec<Hash>,
    settled: Settled,
    notices: Notices,
    /// Readings refused since the last block; its seal will say so.
    refused: [u64; 8],
    pending: Option<Pending>,
    is_full: bool,
}

/// A block that was executed and is being written.
#[derive(Default)]
struct Pending {
    log_size: u64,
    accepted: Vec<(DeviceId, Sequence)>,
    /// Devices whose refused readings are settled by this block or earlier ones.
    replayed: Vec<DeviceId>,
    answers: Vec<(Ticket, Result<Submitted, SubmitError>)>,
    events: Vec<Event>,
}

impl Node {
    /// Whether the disk has room for another block, as the node was last told; at first it has.
    pub fn has_room(&self) -> bool {
        !self.is_full
    }

    /// Verified transactions that wait for a block.
    pub fn batched(&self) -> usize {
        self.batch.len() + self.pool.as_ref().map_or(0, Pool::len)
    }

    /// Whether another verified batch may come in.
    pub fn takes_more(&self) -> bool {
        match &self.pool {
            Some(pool) => pool.has_room(),
            None => self.batch.len() + limits::VERIFY_BATCH_MAX <= limits::BATCH_MAX,
        }
    }

    /// When the node wants a [`Input::Tick`], Unix milliseconds: a block is due or an epoch ends. Never while there is no
    /// room for a block, nor where others decide too.
    pub fn wake_at(&self, state: &State) -> u64 {
        if self.is_full || self.pool.is_some() {
            return u64::MAX;
        }
        let settlement = state.next_settlement_unix_milliseconds();
        self.batch.due_at().map_or(settlement, |due| due.min(settlement))
    }

    /// Takes one input at `now` (Unix milliseconds) and gives what is to be done. Afterwards a block may be due.
    ///
    /// # Panics
    /// When an input comes between a block and its [`Node::durable`]: an ack could overtake its write.
    pub fn step(&mut self, state: &State, now: u64, input: Input) -> Vec<Effect> {
        assert!(self.pending.is_none(), "nothing may happen between a block's execution and its write");
        let mut effects = Vec::new();
        match input {
            Input::Received(arrivals) => self.receive(state, now, arrivals, &mut effects),
            Input::Verified(verdicts) => self.take_verdicts(state, now, verdicts, &mut effects),
            Input::Room(has_room) => self.is_full = !has_room,
            Input::Tick => {}
        }
        effects
    }

    /// Whether a block is to be made now.
    pub fn is_due(&self, state: &State, now: u64) -> bool {
        let epoch_over = now >= state.next_settlement_unix_milliseconds();
        !self.is_full && self.pool.is_none() && (epoch_over || self.batch.is_due(now))
    }

    fn receive(&mut self, state: &State, now: u64, arrivals: Vec<Arrival>, effects: &mut Vec<Effect>) {
        let mut candidates = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            match admit::admit(state, arrival) {
                Ok(candidate) => candidates.push(candidate),
                Err(turned) => self.turn(now, &turned, effects),
            }
        }
        if !candidates.is_empty() {
            effects.push(Effect::Verify(candidates));
        }
    }

    fn take_verdicts(&mut self, state: &State, now: u64, verdicts: Vec<Verdict>, effects: &mut Vec<Effect>) {
        let mut for_pool = Vec::new();
        for verdict in verdicts {
            match verdict {
                Ok(verified) if self.pool.is_some() => for_pool.push(verified),
                Ok(verified) => self.batch.push(now, verified),
                Err(turned) => self.turn(now, &turned, effects),
            }
        }
        if !for_pool.is_empty() {
            self.take_into_pool(state, now, for_pool, effects);
        }
    }

    /// What a verified but refused reading settles: a replay was settled before, a wrong time never gets better.
    /// Anything else may still be accepted later, and is sent again.
    fn settle(&mut self, state: &State, turned: &Turned) -> Option<DeviceId> {
        let (kid, sequence) = (turned.kid?, turned.sequence?);
        match turned.refused {
            Refused::Reading(Refusal::Replayed) => Some(kid),
            Refused::Reading(Refusal::TooOld | Refusal::InFuture) => {
                let window = state.device(kid)?.window;
                self.settled.refuse_for_good(kid, sequence, window).then_some(kid)
            }
            _ => None,
        }
    }

    /// Everything that follows a refusal, except what it settles.
    fn turn(&mut self, now: u64, turned: &Turned, effects: &mut Vec<Effect>) {
        // What a gateway brings was judged there, and comes again until it is final: that is no refusal to tell in a seal.
        let is_told = self.pool.is_none() || turned.ticket.is_some();
        if let Refused::Reading(refusal) = turned.refused
            && is_told
        {
            self.refused[refusal.index()] += 1;
        }
        self.report(now, turned, effects);
        if let Some(ticket) = turned.ticket {
            effects.push(Effect::Answer(ticket, Err(submit_error(turned.refused))));
        }
    }

    fn report(&mut self, now: u64, turned: &Turned, effects: &mut Vec<Effect>) {
        let Refused::Reading(reason) = turned.refused else {
            effects.push(Effect::InstructionRefused);
            return;
        };
        let (kid, sequence, known, size_bytes) =
            (turned.kid, turned.sequence, turned.known, turned.size_bytes);
        effects.push(Effect::Refused(RefusedReading { kid, sequence, known, reason, size_bytes }));
        effects.push(Effect::Tell(match kid {
            Some(kid) => Event::Refusal { kid, sequence, reason },
            None => return,
        }));
        let Some(kid) = kid else { return };
        if !self.notices.admits(now, kid) {
            effects.push(Effect::Withheld);
            return;
        }
        let notice = RefusedNotice { sequence: sequence.unwrap_or_default(), reason };
        effects.push(Effect::Notify(kid, notice));
    }

    /// Executes what waits, as far as it fits into one block, and gives the block: it has to be written, and then
    /// [`Node::durable`] to be asked. `None` when all that waited is refused and no epoch has ended: a flood of replays
    /// makes no blocks.
    ///
    /// # Panics
    /// When the block before is not durable yet.
    pub fn make_block(
        &mut self,
        state: &mut State,
        now: u64,
        effects: &mut Vec<Effect>,
    ) -> Option<(Block, BlockResults)> {
        assert!(self.pending.is_none(), "one block is written after the other");
        let waiting = self.batch.take();
        let epoch_over = now >= state.next_settlement_unix_milliseconds();
        if !epoch_over && waiting.iter().all(|verified| precheck(state, now, &verified.transaction).is_err())
        {
            self.refuse_all(state, now, &waiting, effects);
            return None;
        }
        let proposal = Proposal { time_unix_milliseconds: now, transactions: waiting };
        let decided = solo::decide(proposal, state.time_unix_milliseconds()).into_proposal();
        let mut builder = state.begin_with(decided.time_unix_milliseconds, &Cores);
        for (reason, count) in Refusal::ALL.into_iter().zip(mem::take(&mut self.refused)) {
            (0..count).for_each(|_| builder.refuse(reason));
        }
        let height = builder.state().height() + 1;
        let mut pending = Pending::with_capacity(decided.transactions.len());
        let mut refused = Vec::new();
        for Verified { transaction, ticket } in decided.transactions {
            let (named, size_bytes) = (named(&transaction), transaction.bytes().len());
            match builder.include(transaction) {
                Ok(outcome) => {
                    pending.accepted.extend(named);
                    let submitted = Submitted { id: outcome.id(), index: outcome.index(), height };
                    pending.answers.extend(ticket.map(|ticket| (ticket, Ok(submitted))));
                }
                Err(why) => refused.push(turned(named, why, size_bytes, ticket)),
            }
        }
        let (block, results) = builder.finish();
        for turned in refused {
            pending.replayed.extend(self.settle(state, &turned));
            self.report(now, &turned, effects);
            let answer = |ticket| (ticket, Err(submit_error(turned.refused)));
            pending.answers.extend(turned.ticket.map(answer));
        }
        pending.log_size = results.log_size;
        pending.events = block_events(&block, &results);
        self.pending = Some(pending);
        Some((block, results))
    }

    /// What follows from refusals that make no block: they are settled by what is durable already.
    fn refuse_all(&mut self, state: &State, now: u64, waiting: &[Verified], effects: &mut Vec<Effect>) {
        let mut settled = Vec::new();
        for verified in waiting {
            let Err(refusal) = precheck(state, now, &verified.transaction) else { continue };
            let size_bytes = verified.transaction.bytes().len();
            let named = named(&verified.transaction);
            let turned = turned(named, Refused::Reading(refusal), size_bytes, verified.ticket);
            settled.extend(self.settle(state, &turned));
            self.turn(now, &turned, effects);
        }
        effects.extend(self.acknowledge(state, settled, state.log_size()));
    }

    /// Acks, answers and events of the block that is now on the disk, and not a moment earlier: a device forgets what
    /// was acknowledged.
    pub fn durable(&mut self, state: &State) -> Vec<Effect> {
        let Some(pending) = self.pending.take() else { return Vec::new() };
        for (kid, sequence) in &pending.accepted {
            self.settled.accept(*kid, *sequence);
        }
        let settled = pending.accepted.iter().map(|(kid, _)| *kid).chain(pending.replayed).collect();
        let acks = self.acknowledge(state, settled, pending.log_size);
        let answers = pending.answers.into_iter().map(|(ticket, answer)| Effect::Answer(ticket, answer));
        acks.into_iter().chain(answers).chain(pending.events.into_iter().map(Effect::Tell)).collect()
    }

    /// One ack a device, however many of its readings were settled.
    fn acknowledge(&self, state: &State, mut kids: Vec<DeviceId>, log_size: u64) -> Option<Effect> {
        kids.sort_unstable();
        kids.dedup();
        let ack = |kid: DeviceId| {
            let window = self.settled.window(kid, state.device(kid)?.window);
            Some((kid, Ack { highest: window.highest()?, window: window.bits(), log_size }))
        };
        let acks: Vec<_> = kids.into_iter().filter_map(ack).collect();
        (!acks.is_empty()).then_some(Effect::Acknowledge(acks))
    }
}

impl Pending {
    fn with_capacity(transactions: usize) -> Pending {
        Pending { accepted: Vec::with_capacity(transactions), ..Pending::default() }
    }
}

/// What a verified reading is refused for without a block.
fn precheck(state: &State, now: u64, transaction: &VerifiedTransaction<Vec<u8>>) -> Result<(), Refusal> {
    match transaction {
        VerifiedTransaction::Reading(reading) => state.check(now, reading),
        VerifiedTransaction::Instruction(_) => Ok(()),
    }
}

/// The device and its number, where it is a reading.
fn named(transaction: &VerifiedTransaction<Vec<u8>>) -> Option<(DeviceId, Sequence)> {
    match transaction {
        VerifiedTransaction::Reading(reading) => Some((reading.kid(), reading.sequence())),
        VerifiedTransaction::Instruction(_) => None,
    }
}

fn turned(
    named: Option<(DeviceId, Sequence)>,
    refused: Refused,
    size_bytes: usize,
    ticket: Option<Ticket>,
) -> Turned {
    let (kid, sequence) = named.unzip();
    Turned { kid, sequence, known: kid.is_some(), refused, size_bytes, ticket }
}

fn submit_error(refused: Refused) -> SubmitError {
    match refused {
        Refused::Reading(refusal) => SubmitError::Reading(refusal),
        Refused::Instruction(refusal) => {
            SubmitError::Instruction { reason: refusal.as_str(), sentence: refusal.to_string() }
        }
    }
}

fn block_events(block: &Block, results: &BlockResults) -> Vec<Event> {
    let readings =
        results.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Reading { .. })).count() as u64;
    let mut events = vec![Event::Block {
        height: results.height,
        time_unix_milliseconds: results.time_unix_milliseconds,
        log_size: results.log_size,
        readings,
        instructions: results.outcomes.len() as u64 - readings,
    }];
    if let Some((epoch_from, epoch_to)) = block.seal.settled_epochs {
        let paid = results
            .statements
            .iter()
            .map(|statement| statement.paid_microtokens)
            .fold(0, u64::saturating_add);
        events.push(Event::Settlement {
            epoch_from,
            epoch_to,
            height: results.height,
            statements: results.statements.len() as u64,
            paid_microtokens: paid,
        });
    }
    events
}

#[cfg(test)]
mod tests;
