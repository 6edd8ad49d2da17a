//! The node as a pure machine: `step(state, now, input)` gives effects. It knows no clock, file, socket or thread; the
//! host carries its effects out, and a simulation can do so just as well.

mod acks;

use std::mem;

use devices::{DeviceId, Refusal, Sequence, Topic, TopicKind};
use ledger::block::{Block, BlockResults};
use ledger::state::State;
use ledger::transaction::{Outcome, Refused, VerifiedTransaction};

use crate::admit::{self, Arrival, Candidate, Ticket, Turned};
use crate::batch::Batch;
use crate::consensus::solo::{self, Proposal};
use crate::limits;
use crate::mqtt::Outbound;
use crate::shared::{Event, SubmitError, Submitted};
use crate::verify::{Verdict, Verified};

use acks::{Notices, Settled};

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
    /// The block of the last [`Effect::Commit`] is on the disk.
    Durable,
}

/// What the node wants done, in order.
#[derive(Debug)]
pub enum Effect {
    /// Verify these and come back with [`Input::Verified`].
    Verify(Vec<Candidate>),
    /// Write this block and come back with [`Input::Durable`], before anything else is given to the node.
    Commit(Box<(Block, BlockResults)>),
    /// Publish a message.
    Publish(Outbound),
    /// Answer somebody who waits.
    Answer(Ticket, Result<Submitted, SubmitError>),
    /// Count a refused reading.
    Refused {
        /// The device, where one is named.
        kid: Option<DeviceId>,
        /// Its number, where it could be read.
        sequence: Option<Sequence>,
        /// Whether the registry knows the device.
        known: bool,
        /// Why.
        reason: Refusal,
    },
    /// Count a notice that the rate limit held back.
    Withheld,
    /// Count a refused instruction.
    InstructionRefused,
    /// Tell those who watch.
    Tell(Event),
}

/// The node's own state: what is between arrival and block.
pub struct Node {
    network: String,
    batch: Batch,
    settled: Settled,
    notices: Notices,
    /// Readings refused since the last block; its seal will say so.
    refused: [u64; 8],
    pending: Option<Pending>,
    has_room: bool,
}

/// A block that was executed and is being written.
struct Pending {
    log_size: u64,
    accepted: Vec<(DeviceId, Sequence)>,
    /// Devices whose refused readings are settled by this block or earlier ones.
    replayed: Vec<DeviceId>,
    answers: Vec<(Ticket, Result<Submitted, SubmitError>)>,
    events: Vec<Event>,
}

impl Node {
    /// A node of this network with nothing under way.
    pub fn new(network: &str) -> Node {
        Node {
            network: network.to_owned(),
            batch: Batch::default(),
            settled: Settled::default(),
            notices: Notices::default(),
            refused: [0; 8],
            pending: None,
            has_room: true,
        }
    }

    /// Whether the disk has room for another block, as the node was last told; at first it has.
    pub fn has_room(&self) -> bool {
        self.has_room
    }

    /// Verified transactions that wait for a block.
    pub fn batched(&self) -> usize {
        self.batch.len()
    }

    /// When the node wants a [`Input::Tick`], Unix milliseconds: a block is due or an epoch ends. Never while there is no
    /// room for a block.
    pub fn wake_at(&self, state: &State) -> u64 {
        if !self.has_room {
            return u64::MAX;
        }
        let settlement = state.next_settlement_unix_milliseconds();
        self.batch.due_at().map_or(settlement, |due| due.min(settlement))
    }

    /// Takes one input at `now` (Unix milliseconds) and gives what is to be done.
    ///
    /// # Panics
    /// When an input comes between a commit and its [`Input::Durable`]: an ack could overtake its write.
    pub fn step(&mut self, state: &mut State, now: u64, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Durable => self.durable(state, &mut effects),
            Input::Room(has_room) => self.has_room = has_room,
            _ if self.pending.is_some() => {
                panic!("nothing may happen between a block's execution and its write")
            }
            Input::Received(arrivals) => self.receive(state, now, arrivals, &mut effects),
            Input::Verified(verdicts) => self.take_verdicts(state, now, verdicts, &mut effects),
            Input::Tick => {}
        }
        let epoch_over = now >= state.next_settlement_unix_milliseconds();
        if self.pending.is_none() && self.has_room && (epoch_over || self.batch.is_due(now)) {
            self.make_block(state, now, &mut effects);
        }
        effects
    }

    /// Closes whatever waits into a block, for a node that stops. Without room it stays as it is: nobody was told that it
    /// is accepted.
    pub fn flush(&mut self, state: &mut State, now: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.batch.is_empty() && self.has_room {
            self.make_block(state, now, &mut effects);
        }
        effects
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
        let mut settled = Vec::new();
        for verdict in verdicts {
            match verdict {
                Ok(verified) => match precheck(state, now, &verified) {
                    Ok(()) => self.batch.push(now, verified),
                    Err(turned) => {
                        settled.extend(self.settle(state, &turned));
                        self.turn(now, &turned, effects);
                    }
                },
                Err(turned) => self.turn(now, &turned, effects),
            }
        }
        self.acknowledge(state, settled, state.log_size(), effects);
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
        if let Refused::Reading(refusal) = turned.refused {
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
        let (kid, sequence, known) = (turned.kid, turned.sequence, turned.known);
        effects.push(Effect::Refused { kid, sequence, known, reason });
        effects.push(Effect::Tell(match kid {
            Some(kid) => Event::Refusal { kid, sequence, reason },
            None => return,
        }));
        let Some(kid) = kid else { return };
        if !self.notices.admits(now, kid) {
            effects.push(Effect::Withheld);
            return;
        }
        let notice = devices::RefusedNotice { sequence: sequence.unwrap_or_default(), reason };
        let mut payload = [0; devices::limits::REFUSED_NOTICE_BYTES_MAX];
        if let Ok(bytes) = notice.encode(&mut payload) {
            effects.push(self.message(kid, TopicKind::Refused, &payload[..bytes], false));
        }
    }

    fn make_block(&mut self, state: &mut State, now: u64, effects: &mut Vec<Effect>) {
        let (mut tickets, mut transactions) = (Vec::new(), Vec::new());
        for Verified { transaction, ticket } in self.batch.take() {
            tickets.push(ticket);
            transactions.push(transaction);
        }
        let proposal = Proposal { time_unix_milliseconds: now, transactions };
        let decided = solo::decide(proposal, state.time_unix_milliseconds()).into_proposal();
        let mut builder = state.begin(decided.time_unix_milliseconds);
        for (reason, count) in Refusal::ALL.into_iter().zip(mem::take(&mut self.refused)) {
            (0..count).for_each(|_| builder.refuse(reason));
        }
        let mut outcomes = Vec::with_capacity(decided.transactions.len());
        for transaction in &decided.transactions {
            outcomes.push(builder.execute(transaction));
        }
        let height = builder.state().height() + 1;
        let (block, results) = builder.finish();
        let mut pending = Pending {
            log_size: results.log_size,
            accepted: Vec::with_capacity(results.outcomes.len()),
            replayed: Vec::new(),
            answers: Vec::new(),
            events: block_events(&block, &results),
        };
        for ((transaction, outcome), ticket) in decided.transactions.iter().zip(outcomes).zip(tickets) {
            match outcome {
                Ok(outcome) => {
                    if let Outcome::Reading { kid, sequence, .. } = outcome {
                        pending.accepted.push((kid, sequence));
                    }
                    let submitted = Submitted { id: outcome.id(), index: outcome.index(), height };
                    pending.answers.extend(ticket.map(|ticket| (ticket, Ok(submitted))));
                }
                Err(refused) => {
                    let turned = turned(transaction, refused, ticket);
                    pending.replayed.extend(self.settle(state, &turned));
                    self.report(now, &turned, effects);
                    pending.answers.extend(ticket.map(|ticket| (ticket, Err(submit_error(refused)))));
                }
            }
        }
        effects.push(Effect::Commit(Box::new((block, results))));
        self.pending = Some(pending);
    }

    /// Acks, answers and events of the block that is now on the disk, and not a moment earlier: a device forgets what
    /// was acknowledged.
    fn durable(&mut self, state: &State, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending.take() else { return };
        for (kid, sequence) in &pending.accepted {
            self.settled.accept(*kid, *sequence);
        }
        let settled = pending.accepted.iter().map(|(kid, _)| *kid).chain(pending.replayed).collect();
        self.acknowledge(state, settled, pending.log_size, effects);
        effects.extend(pending.answers.into_iter().map(|(ticket, answer)| Effect::Answer(ticket, answer)));
        effects.extend(pending.events.into_iter().map(Effect::Tell));
    }

    /// One ack a device, however many of its readings were settled.
    fn acknowledge(&self, state: &State, mut kids: Vec<DeviceId>, log_size: u64, effects: &mut Vec<Effect>) {
        kids.sort_unstable();
        kids.dedup();
        for kid in kids {
            let Some(window) = state.device(kid).map(|device| self.settled.window(kid, device.window)) else {
                continue;
            };
            let Some(highest) = window.highest() else { continue };
            let ack = devices::Ack { highest, window: window.bits(), log_size };
            let mut payload = [0; devices::limits::ACK_BYTES_MAX];
            if let Ok(bytes) = ack.encode(&mut payload) {
                effects.push(self.message(kid, TopicKind::Ack, &payload[..bytes], true));
            }
        }
    }

    fn message(&self, kid: DeviceId, kind: TopicKind, payload: &[u8], retain: bool) -> Effect {
        let topic = Topic { network: &self.network, kid, kind }.to_string();
        Effect::Publish(Outbound { topic, payload: payload.to_vec(), retain })
    }
}

/// What a verified reading is refused for at once, so that a flood of replays makes no blocks.
fn precheck(state: &State, now: u64, verified: &Verified) -> Result<(), Box<Turned>> {
    let VerifiedTransaction::Reading(reading) = &verified.transaction else { return Ok(()) };
    state.check(now, reading).map_err(|refusal| {
        Box::new(turned(&verified.transaction, Refused::Reading(refusal), verified.ticket))
    })
}

fn turned(transaction: &VerifiedTransaction<Vec<u8>>, refused: Refused, ticket: Option<Ticket>) -> Turned {
    let (kid, sequence) = match transaction {
        VerifiedTransaction::Reading(reading) => (Some(reading.kid()), Some(reading.sequence())),
        VerifiedTransaction::Instruction(_) => (None, None),
    };
    Turned { kid, sequence, known: kid.is_some(), refused, ticket }
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

const _: () = assert!(limits::BLOCK_TRANSACTIONS_MAX <= ledger::limits::BLOCK_TRANSACTIONS_MAX);

#[cfg(test)]
mod tests;
