//! The node as it runs in the simulation: its own `step`, its own state, its own log, its own verification and its own
//! order of effects, with simulated hands. It can die between any two effects, and starts from what the disk holds.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use devices::{Ack, DeviceId, Refusal, RefusedNotice, Sequence, SigningKey, TopicKind};
use gateway::admit::{Arrival, Candidate, Ticket};
use gateway::effects::{self, Hands, Kept};
use gateway::key_cache::KeyCache;
use gateway::log::{Log, Position};
use gateway::node::{Input, Node};
use gateway::outbox::{Message, Outbound};
use gateway::refusals::RefusedReading;
use gateway::shared::{Event, SubmitError, Submitted};
use gateway::{limits, storage, verify};
use ledger::block::{Block, BlockResults};
use ledger::checkpoint::Checkpoint;
use ledger::genesis::Genesis;
use ledger::merkle::{self, Frontier};
use ledger::note::Note;
use ledger::replay::Trust;
use ledger::state::State;

use crate::disk::SimulatedDisk;

/// Arrivals that the node takes at once.
const RECEIVED_AT_ONCE: usize = 16;
/// Batches that are verified at once.
const VERIFYING_MAX: usize = 2;
/// Milliseconds that verification takes.
const VERIFY_MILLISECONDS: u64 = 2;
/// Bytes that stay free on the disk.
const RESERVE_BYTES: u64 = 16 * 1024;
/// Times that a node may ask for room in one turn: some for each block.
const QUESTIONS_MAX: u64 = 10_000;
/// Arrivals that wait; more find the door closed.
const INTAKE_MAX: usize = 512;
/// Decompressed keys that are kept: fewer than there are devices, so that some are forgotten.
const KEYS_CACHED: u32 = 3;

/// Something that has an effect outside the process, in order.
#[derive(Debug)]
pub enum Happened {
    /// A block is on the disk.
    Written(Box<Block>),
    /// What the node says that the block did.
    Derived(Box<BlockResults>),
    /// A message went to the broker.
    Published {
        /// The device.
        kid: DeviceId,
        /// The topic.
        kind: TopicKind,
        /// The content.
        payload: Vec<u8>,
    },
    /// Somebody who waited has an answer.
    Answered(Ticket, Result<Submitted, SubmitError>),
    /// A reading was refused.
    Refused {
        /// The device.
        kid: Option<DeviceId>,
        /// Its number.
        sequence: Option<Sequence>,
        /// Why.
        reason: Refusal,
    },
}

/// Why a process does not start.
#[derive(Debug)]
pub enum StartError {
    /// It died meanwhile.
    Died,
    /// It refuses what it finds.
    Refused(String),
}

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// The process goes on.
    Running,
    /// It died between two effects.
    Died,
    /// It stopped, because its disk failed.
    Stopped(String),
}

/// A running node.
pub struct Process {
    node: Node,
    state: SimulatedState,
    hands: SimulatedHands,
    keys: KeyCache,
    intake: VecDeque<Arrival>,
    /// Nothing is done before, because the disk took its time.
    busy_until: u64,
    last_turn: u64,
    snapshot_height: u64,
}

/// One thread has no readers beside it: what it reads and writes at once it would deadlock on.
struct SimulatedState(RefCell<State>);

impl Kept for SimulatedState {
    fn read(&self) -> impl Deref<Target = State> {
        self.0.borrow()
    }

    fn write(&self) -> impl DerefMut<Target = State> {
        self.0.borrow_mut()
    }
}

struct SimulatedHands {
    disk: SimulatedDisk,
    log: Log,
    validator: SigningKey,
    clock: u64,
    /// When each batch's verdicts are there, in order.
    verifying: VecDeque<(u64, Vec<Candidate>)>,
    now: u64,
    /// How often room was asked for in this turn.
    asked: u64,
    happened: Vec<Happened>,
}

impl Process {
    /// Starts from what lies on the disk, in the order of the product: log, snapshot, replay, checkpoint.
    ///
    /// # Errors
    /// When it dies meanwhile, or refuses what it finds.
    pub fn start(
        disk: &SimulatedDisk,
        genesis: &Genesis,
        validator: &SigningKey,
    ) -> Result<Process, StartError> {
        let failed =
            |error: String| if disk.is_dead() { StartError::Died } else { StartError::Refused(error) };
        let promised = signed_checkpoint(disk).map_or(0, |checkpoint| checkpoint.size);
        let log = Log::on(Arc::new(disk.clone()), genesis.hash(), promised);
        let (mut log, _) = log.map_err(|error| failed(error.to_string()))?;
        if log.next_height() == 0 {
            let (_, block, _) = State::genesis(genesis);
            log.append(&block).map_err(|error| failed(error.to_string()))?;
        }
        let restored = newest_snapshot(disk, genesis, log.next_height());
        let snapshot_height = restored.as_ref().map_or(0, State::height);
        let state = replay(disk, genesis, restored, &log).map_err(failed)?;
        let checkpoint =
            storage::sign(&state.checkpoint(), validator).map_err(|error| failed(error.to_string()))?;
        keep_checkpoint(disk, &checkpoint).map_err(failed)?;
        let hands = SimulatedHands {
            disk: disk.clone(),
            log,
            validator: validator.clone(),
            clock: 0,
            verifying: VecDeque::new(),
            now: 0,
            asked: 0,
            happened: Vec::new(),
        };
        let (node, intake) = (Node::default(), VecDeque::new());
        let state = SimulatedState(RefCell::new(state));
        let keys = KeyCache::new(KEYS_CACHED);
        Ok(Process { node, state, hands, keys, intake, busy_until: 0, last_turn: 0, snapshot_height })
    }

    /// The state after the last block.
    pub fn state(&self) -> Ref<'_, State> {
        self.state.0.borrow()
    }

    /// The log, for reading.
    pub fn log(&self) -> &Log {
        &self.hands.log
    }

    /// Something arrived; `false` when there is no room for it.
    pub fn take(&mut self, arrival: Arrival) -> bool {
        let has_room = self.intake.len() < INTAKE_MAX;
        if has_room {
            self.intake.push_back(arrival);
        }
        has_room
    }

    /// When it wants to do something next, if nothing arrives before; its clock shows `unix_milliseconds`.
    pub fn next_at(&self, now: u64, unix_milliseconds: u64) -> u64 {
        let verdicts = self.hands.verifying.front().map_or(u64::MAX, |(at, _)| *at);
        let arrivals = if self.may_receive() { now } else { u64::MAX };
        // As the host's timer: at least a millisecond, at most a minute, because a clock may be set.
        let due = now + self.node.wake_at(&self.state()).saturating_sub(unix_milliseconds).min(60_000);
        let mut tick = due.max(self.last_turn + 1);
        if !self.node.has_room() {
            tick = tick.min(self.last_turn + limits::DISK_LOOK.as_millis() as u64);
        }
        verdicts.min(arrivals).min(tick).max(self.busy_until)
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.intake.is_empty() && self.hands.verifying.is_empty() && self.node.batched() == 0
    }

    fn may_receive(&self) -> bool {
        self.node.has_room() && !self.intake.is_empty() && self.hands.verifying.len() < VERIFYING_MAX
    }

    /// Does what is to be done at `now`; the node's clock shows `unix_milliseconds`.
    pub fn turn(&mut self, now: u64, unix_milliseconds: u64) -> (Vec<Happened>, Ending) {
        let input = if self.hands.verifying.front().is_some_and(|(at, _)| *at <= now) {
            let candidates = self.hands.verifying.pop_front().map(|(_, candidates)| candidates);
            Input::Verified(verify::verify(
                self.state().network(),
                &self.keys,
                candidates.unwrap_or_default(),
            ))
        } else if self.may_receive() {
            let count = self.intake.len().min(RECEIVED_AT_ONCE);
            Input::Received(self.intake.drain(..count).collect())
        } else {
            Input::Tick
        };
        (self.hands.clock, self.hands.now) = (unix_milliseconds, now);
        let result = effects::step(&mut self.node, &self.state, &mut self.hands, input);
        self.end_of_turn(now, result.map_err(|error| error.to_string()))
    }

    /// Stops in order: what was verified becomes blocks, and a snapshot is taken.
    pub fn stop(&mut self, now: u64, unix_milliseconds: u64) -> (Vec<Happened>, Ending) {
        (self.hands.clock, self.hands.now) = (unix_milliseconds, now);
        let mut result = Ok(());
        while result.is_ok()
            && let Some((_, candidates)) = self.hands.verifying.pop_front()
        {
            let verdicts = verify::verify(self.state().network(), &self.keys, candidates);
            let input = Input::Verified(verdicts);
            result = effects::step(&mut self.node, &self.state, &mut self.hands, input);
        }
        let result = result.and_then(|()| effects::flush(&mut self.node, &self.state, &mut self.hands));
        let stopped = self.end_of_turn(now, result.map_err(|error| error.to_string()));
        if stopped.1 == Ending::Running {
            self.snapshot();
            self.hands.log.give_back_room();
        }
        stopped
    }

    fn end_of_turn(&mut self, now: u64, result: Result<(), String>) -> (Vec<Happened>, Ending) {
        (self.last_turn, self.hands.asked) = (now, 0);
        self.busy_until = now + self.hands.disk.take_waited_milliseconds();
        let ending = match result {
            _ if self.hands.disk.is_dead() => Ending::Died,
            Ok(()) => Ending::Running,
            Err(error) => Ending::Stopped(error),
        };
        (std::mem::take(&mut self.hands.happened), ending)
    }

    /// Takes a snapshot when the last one is so many blocks old. `false` when the process died meanwhile.
    pub fn snapshot_after(&mut self, blocks: u64) -> bool {
        if self.state().height() >= self.snapshot_height + blocks {
            self.snapshot();
        }
        !self.hands.disk.is_dead()
    }

    fn snapshot(&mut self) {
        let height = self.state().height();
        self.snapshot_height = height;
        // A snapshot that cannot be written is no misfortune: the next one comes.
        let _none_taken = self.hands.disk.replace(&snapshot_name(height), &self.state().snapshot(), true);
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (waiting, verifying) = (self.intake.len(), self.hands.verifying.len());
        let room = if self.node.has_room() { "" } else { ", its disk is full" };
        write!(
            f,
            "the node has {waiting} arrivals, {verifying} batches, {} verified{room}",
            self.node.batched()
        )
    }
}

fn snapshot_name(height: u64) -> String {
    format!("{height:08}.snapshot")
}

/// The newest snapshot that the log reaches and that can be read.
fn newest_snapshot(disk: &SimulatedDisk, genesis: &Genesis, next_height: u64) -> Option<State> {
    disk.names(".snapshot").iter().rev().find_map(|name| {
        let height: u64 = name.strip_suffix(".snapshot")?.parse().ok()?;
        let state = State::restore(genesis, &disk.content(name)?).ok()?;
        (state.height() == height && height < next_height).then_some(state)
    })
}

/// Brings the state to the log's end, and holds the log against the last checkpoint that was signed.
fn replay(
    disk: &SimulatedDisk,
    genesis: &Genesis,
    restored: Option<State>,
    log: &Log,
) -> Result<State, String> {
    let signed = signed_checkpoint(disk);
    let (mut state, mut leaves, mut root_when_signed) = (restored, Frontier::new(), None);
    for block in log.reader().blocks() {
        let (_, height, block) = block.map_err(|error| error.to_string())?;
        let seal = block.seal.encode();
        for entry in block.entries.iter().chain([&seal]) {
            leaves.append(merkle::leaf_hash(entry));
        }
        if signed.as_ref().is_some_and(|signed| signed.size == leaves.size()) {
            root_when_signed = Some(leaves.root());
        }
        match &mut state {
            Some(state) if height <= state.height() => {}
            Some(state) => {
                state.replay(&block, Trust::OwnLog).map_err(|error| error.to_string())?;
            }
            None => {
                let (first, _) = State::replay_genesis(genesis, &block).map_err(|error| error.to_string())?;
                state = Some(first);
            }
        }
    }
    let state = state.ok_or("the log is empty")?;
    match signed {
        Some(signed) if root_when_signed != Some(signed.root) => {
            Err(format!("the log is not the one whose checkpoint of size {} was signed", signed.size))
        }
        _ => Ok(state),
    }
}

/// The checkpoint file may be older than the log: it is not waited for, and on a full disk it is left as it is.
fn keep_checkpoint(disk: &SimulatedDisk, checkpoint: &str) -> Result<(), String> {
    match disk.replace("checkpoint", checkpoint.as_bytes(), false) {
        Err(error) if !gateway::disk::is_full(&error) => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// A checkpoint that a loss of power left unreadable says nothing.
fn signed_checkpoint(disk: &SimulatedDisk) -> Option<Checkpoint> {
    let text = String::from_utf8(disk.content("checkpoint")?).ok()?;
    Checkpoint::parse(&Note::parse(&text).ok()?.text).ok()
}

impl Hands for SimulatedHands {
    type Error = String;

    fn now_unix_milliseconds(&mut self) -> u64 {
        self.clock
    }

    fn has_room(&mut self) -> Result<bool, String> {
        self.asked += 1;
        if self.asked > QUESTIONS_MAX {
            return Err("the node asks for room again and again and does nothing with it".to_owned());
        }
        if !self.disk.has_free(RESERVE_BYTES) {
            return Ok(false);
        }
        match self.log.make_room() {
            Err(error) if !error.is_full() => Err(error.to_string()),
            outcome => Ok(outcome.is_ok()),
        }
    }

    fn verify(&mut self, candidates: Vec<Candidate>) {
        if self.disk.burn() {
            self.verifying.push_back((self.now + VERIFY_MILLISECONDS, candidates));
        }
    }

    fn write(&mut self, block: &Block) -> Result<Position, String> {
        let position = self.log.append(block).map_err(|error| error.to_string())?;
        self.happened.push(Happened::Written(Box::new(block.clone())));
        Ok(position)
    }

    fn derive(&mut self, state: &State, _: Position, _: Block, results: BlockResults) -> Result<(), String> {
        let checkpoint =
            storage::sign(&state.checkpoint(), &self.validator).map_err(|error| error.to_string())?;
        keep_checkpoint(&self.disk, &checkpoint)?;
        self.happened.push(Happened::Derived(Box::new(results)));
        Ok(())
    }

    fn acknowledge(&mut self, acks: Vec<(DeviceId, Ack)>) {
        acks.into_iter().for_each(|(kid, ack)| self.publish(Outbound { kid, message: Message::Ack(ack) }));
    }

    fn notify(&mut self, kid: DeviceId, notice: RefusedNotice) {
        self.publish(Outbound { kid, message: Message::Refused(notice) });
    }

    fn answer(&mut self, ticket: Ticket, answer: Result<Submitted, SubmitError>) {
        if self.disk.burn() {
            self.happened.push(Happened::Answered(ticket, answer));
        }
    }

    fn refused(&mut self, refused: RefusedReading) {
        if self.disk.burn() {
            let RefusedReading { kid, sequence, reason, .. } = refused;
            self.happened.push(Happened::Refused { kid, sequence, reason });
        }
    }

    fn withheld(&mut self) {}

    fn instruction_refused(&mut self) {}

    fn tell(&mut self, _: Event) {}
}

impl SimulatedHands {
    fn publish(&mut self, message: Outbound) {
        if self.disk.burn() {
            let (kid, kind, payload) = (message.kid, message.kind(), message.payload());
            self.happened.push(Happened::Published { kid, kind, payload });
        }
    }
}
