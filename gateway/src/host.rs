//! The loop that feeds the node, and the hands with which its effects are carried out: one thread, in the order that
//! `effects` keeps for every block: execute, write the log and wait for the disk, rows and index, checkpoint, and only
//! then acks, answers and events.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use devices::{DeviceId, Refusal, Sequence, SigningKey};
use ledger::block::{Block, BlockResults};
use ledger::state::State;
use tokio::sync::{mpsc, oneshot};

use crate::admit::{Arrival, Candidate, Ticket};
use crate::clock;
use crate::data_dir::DataDir;
use crate::effects::{self, Hands};
use crate::limits;
use crate::log::{Log, Position};
use crate::mqtt::Outbound;
use crate::node::{Input, Node};
use crate::shared::{Durable, Event, Parts, Shared, Submission, SubmitError, Submitted};
use crate::snapshot;
use crate::storage::{self, Opened, StorageError};
use crate::telemetry::{Queue, Telemetry};
use crate::verify::Verifier;

/// Where submissions go in and messages come out.
pub struct Ends {
    /// What everybody else reads and submits through.
    pub shared: Arc<Shared>,
    /// For those who bring envelopes in bulk.
    pub intake: mpsc::Sender<Submission>,
    /// Acks and refusal notices, for the broker.
    pub outbound: mpsc::Receiver<Outbound>,
    /// Dropped or sent to stop the node; what arrived before is still handled.
    pub stop: oneshot::Sender<()>,
    /// Ends when the node has stopped and everything is on disk.
    pub finished: oneshot::Receiver<Result<(), StorageError>>,
}

/// The host could not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No threads.
    #[error("the operating system gave no thread: {0}")]
    Thread(#[from] std::io::Error),
}

struct Host {
    node: Node,
    hands: RealHands,
    intake: mpsc::Receiver<Submission>,
    next_ticket: Ticket,
    log_bytes_at_snapshot: u64,
    snapshot_height: u64,
}

/// Disk, threads and channels.
struct RealHands {
    shared: Arc<Shared>,
    directory: DataDir,
    log: Log,
    validator: SigningKey,
    verifier: Verifier,
    outbound: mpsc::Sender<Outbound>,
    waiting: HashMap<Ticket, oneshot::Sender<Result<Submitted, SubmitError>>>,
}

/// Starts the host on a thread of its own.
///
/// # Errors
/// When the operating system gives no thread.
pub fn start(opened: Opened, telemetry: Arc<Telemetry>) -> Result<Ends, HostError> {
    let Opened {
        directory,
        genesis,
        validator,
        log,
        rows,
        index,
        state,
        durable,
        checkpoint,
        refused_by_device,
        snapshot_height,
    } = opened;
    let (intake, intake_end) = mpsc::channel(limits::INTAKE_MAX);
    let (outbound, outbound_end) = mpsc::channel(limits::OUTBOUND_MAX);
    let node = Node::new(&genesis.network);
    let verifier = Verifier::start(&genesis.network)?;
    telemetry.queue_bound(Queue::Intake, limits::INTAKE_MAX);
    telemetry.queue_bound(Queue::Outbound, limits::OUTBOUND_MAX);
    telemetry.queue_bound(Queue::Batch, limits::BATCH_MAX);
    telemetry.queue_bound(Queue::Verify, verifier.capacity() as usize * limits::VERIFY_BATCH_MAX);
    telemetry.height.set(as_gauge(durable.height));
    telemetry.log_size.set(as_gauge(durable.log_size));
    telemetry.devices.set(as_gauge(state.device_count() as u64));
    let parts = Parts {
        genesis,
        telemetry,
        log: log.reader(),
        index,
        rows,
        state,
        checkpoint,
        durable,
        refused_by_device,
        intake: intake.clone(),
    };
    let shared = Arc::new(Shared::new(parts));
    let (stop, stopped) = oneshot::channel();
    let (finish, finished) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let waiting = HashMap::new();
    let hands = RealHands { shared: shared.clone(), directory, log, validator, verifier, outbound, waiting };
    let mut host = Host {
        node,
        hands,
        intake: intake_end,
        next_ticket: 0,
        log_bytes_at_snapshot: 0,
        // Without a snapshot the whole log was replayed: time for one soon.
        snapshot_height: snapshot_height.unwrap_or(0),
    };
    thread::Builder::new().name("host".to_owned()).spawn(move || {
        let result = runtime.block_on(host.run(stopped));
        if let Err(error) = &result {
            tracing::error!(%error, "the node stops");
        }
        // The directory's lock goes with the host, before anybody hears that it has ended.
        drop(host);
        let _nobody_waits = finish.send(result);
    })?;
    Ok(Ends { shared, intake, outbound: outbound_end, stop, finished })
}

impl Host {
    async fn run(&mut self, mut stopped: oneshot::Receiver<()>) -> Result<(), StorageError> {
        let mut received = Vec::with_capacity(limits::VERIFY_BATCH_MAX);
        let mut stopping = false;
        loop {
            let now = clock::now_unix_milliseconds();
            let wake_at = self.node.wake_at(&self.hands.shared.state());
            // One millisecond more, because timers are not finer; a minute at most, because a clock may be set.
            let wait = Duration::from_millis(wake_at.saturating_sub(now).clamp(1, 60_000));
            let has_room = self.hands.verifier.under_way() < self.hands.verifier.capacity()
                && self.node.batched() + limits::VERIFY_BATCH_MAX <= limits::BATCH_MAX;
            tokio::select! {
                biased;
                verdicts = self.hands.verifier.next(), if self.hands.verifier.under_way() > 0 => {
                    self.hands.shared.telemetry.signatures.inc_by(verdicts.len() as u64);
                    self.step(Input::Verified(verdicts))?;
                }
                count = self.intake.recv_many(&mut received, limits::VERIFY_BATCH_MAX), if has_room => {
                    if count == 0 {
                        break;
                    }
                    let (waiting, next_ticket) = (&mut self.hands.waiting, &mut self.next_ticket);
                    let arrivals: Vec<Arrival> =
                        received.drain(..).map(|submission| take(submission, waiting, next_ticket)).collect();
                    self.hands.shared.telemetry.received.inc_by(arrivals.len() as u64);
                    self.step(Input::Received(arrivals))?;
                }
                _ = &mut stopped, if !stopping => {
                    stopping = true;
                    // What arrived is still handled; what comes now is told that the node stops.
                    self.intake.close();
                }
                () = tokio::time::sleep(wait) => self.step(Input::Tick)?,
            }
            self.show_queues();
        }
        while self.hands.verifier.under_way() > 0 {
            let verdicts = self.hands.verifier.next().await;
            self.step(Input::Verified(verdicts))?;
        }
        let shared = self.hands.shared.clone();
        effects::flush(&mut self.node, &mut shared.state_mut(), &mut self.hands)?;
        self.snapshot();
        Ok(())
    }

    fn step(&mut self, input: Input) -> Result<(), StorageError> {
        let shared = self.hands.shared.clone();
        // Held until the block is on the disk: whoever reads sees only what is durable.
        effects::step(&mut self.node, &mut shared.state_mut(), &mut self.hands, input)?;
        let written = self.hands.log.written_bytes() - self.log_bytes_at_snapshot;
        let blocks = shared.durable().height.saturating_sub(self.snapshot_height);
        if written >= limits::SNAPSHOT_LOG_BYTES || blocks >= limits::SNAPSHOT_BLOCKS {
            self.snapshot();
        }
        Ok(())
    }

    /// Index first, then rows, then the state: a start uses a snapshot only with an index that reaches it.
    fn snapshot(&mut self) {
        let durable = self.hands.shared.durable();
        let flushed = self.hands.shared.index.flush(durable.height, &self.hands.shared.refused_snapshot());
        let bytes = self.hands.shared.state().snapshot();
        let genesis_hash = self.hands.shared.genesis.hash();
        if let Err(error) = flushed {
            tracing::error!(%error, "no snapshot was taken");
            self.hands.shared.telemetry.index_errors.inc();
        } else if let Err(error) = self.hands.shared.rows.sync() {
            tracing::error!(%error, "no snapshot was taken");
        } else if let Err(error) =
            snapshot::write(&self.hands.directory.snapshots(), genesis_hash, durable.height, &bytes)
        {
            tracing::error!(%error, "no snapshot was taken");
        }
        // Also after a failure: the next try comes after the next interval, not with every block.
        self.log_bytes_at_snapshot = self.hands.log.written_bytes();
        self.snapshot_height = durable.height;
    }

    fn show_queues(&self) {
        let telemetry = &self.hands.shared.telemetry;
        telemetry.queue_depth(Queue::Intake, self.intake.len());
        telemetry.queue_depth(Queue::Outbound, limits::OUTBOUND_MAX - self.hands.outbound.capacity());
        telemetry.queue_depth(Queue::Batch, self.node.batched());
        telemetry
            .queue_depth(Queue::Verify, self.hands.verifier.under_way() as usize * limits::VERIFY_BATCH_MAX);
    }
}

impl Hands for RealHands {
    type Error = StorageError;

    fn now_unix_milliseconds(&mut self) -> u64 {
        clock::now_unix_milliseconds()
    }

    fn verify(&mut self, candidates: Vec<Candidate>) {
        self.verifier.submit(candidates);
    }

    fn write(&mut self, block: &Block) -> Result<Position, StorageError> {
        let began = clock::monotonic();
        let before = self.log.written_bytes();
        let position = self.log.append(block)?;
        let telemetry = &self.shared.telemetry;
        telemetry.block_seconds.observe(began.elapsed().as_secs_f64());
        telemetry.log_bytes.inc_by(self.log.written_bytes() - before);
        Ok(position)
    }

    fn derive(
        &mut self,
        state: &State,
        position: Position,
        block: &Block,
        results: &BlockResults,
    ) -> Result<(), StorageError> {
        self.shared.rows.append(results.first_index, &results.leaf_hashes)?;
        if let Err(error) = storage::put(&self.shared.index, &self.shared.genesis, position, block, results) {
            tracing::error!(%error, "the index could not be written");
            self.shared.telemetry.index_errors.inc();
            self.shared.index.mark_for_rebuild();
        }
        let checkpoint = storage::sign(&state.checkpoint(), &self.validator)?;
        self.directory.write_checkpoint(&checkpoint)?;
        let (height, log_size) = (results.height, results.log_size);
        let durable = Durable { height, log_size, time_unix_milliseconds: results.time_unix_milliseconds };
        self.shared.publish(durable, checkpoint);
        self.count(state, results);
        Ok(())
    }

    /// Never waits: a broker that does not take acks must not stop intake. A dropped ack is published again when the
    /// device repeats what it is missing.
    fn publish(&mut self, message: Outbound) {
        let is_ack = message.retain;
        let telemetry = &self.shared.telemetry;
        match self.outbound.try_send(message) {
            Ok(()) if is_ack => drop(telemetry.acks.inc()),
            Ok(()) => {}
            Err(_) => drop(telemetry.outbound_dropped.inc()),
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Result<Submitted, SubmitError>) {
        if let Some(reply) = self.waiting.remove(&ticket) {
            let _gave_up = reply.send(answer);
        }
    }

    fn refused(&mut self, kid: Option<DeviceId>, _: Option<Sequence>, known: bool, reason: Refusal) {
        self.shared.telemetry.refused(reason, 1);
        if let Some(kid) = kid.filter(|_| known) {
            self.shared.count_refusal(kid, reason);
        }
    }

    fn withheld(&mut self) {
        self.shared.telemetry.notices_withheld.inc();
    }

    fn instruction_refused(&mut self) {
        self.shared.telemetry.refused_instructions.inc();
    }

    fn tell(&mut self, event: Event) {
        self.shared.tell(event);
    }
}

impl RealHands {
    fn count(&self, state: &State, results: &BlockResults) {
        let telemetry = &self.shared.telemetry;
        telemetry.block_transactions.observe(results.outcomes.len() as f64);
        let (mut envelopes, mut records, mut instructions) = (0, 0, 0);
        for outcome in &results.outcomes {
            match outcome {
                ledger::transaction::Outcome::Reading { records: more, .. } => {
                    envelopes += 1;
                    records += u64::from(*more);
                }
                ledger::transaction::Outcome::Instruction { .. } => instructions += 1,
            }
        }
        telemetry.accepted_envelopes.inc_by(envelopes);
        telemetry.accepted_records.inc_by(records);
        telemetry.accepted_instructions.inc_by(instructions);
        telemetry.height.set(as_gauge(results.height));
        telemetry.log_size.set(as_gauge(results.log_size));
        telemetry.devices.set(as_gauge(state.device_count() as u64));
    }
}

fn take(
    submission: Submission,
    waiting: &mut HashMap<Ticket, oneshot::Sender<Result<Submitted, SubmitError>>>,
    next_ticket: &mut Ticket,
) -> Arrival {
    let ticket = submission.reply.map(|reply| {
        *next_ticket += 1;
        waiting.insert(*next_ticket, reply);
        *next_ticket
    });
    Arrival { bytes: submission.bytes, topic_kid: submission.topic_kid, ticket }
}

fn as_gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
