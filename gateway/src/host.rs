//! The loop that feeds the node, and the hands with which its effects are carried out: one thread, in the order that
//! `effects` keeps for every block: execute, write the log and wait for the disk, rows and index, checkpoint, and only
//! then acks, answers and events.

#[cfg(feature = "bft")]
pub mod agreed;
#[cfg(feature = "bft")]
mod follower;
mod hands;
mod pace;
#[cfg(feature = "bft")]
mod validator;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ledger::block::Seal;
use tokio::sync::{mpsc, oneshot};

use crate::admit::{Arrival, Ticket};
use crate::clock;
use crate::commander::Commander;
use crate::effects;
use crate::leaves::Leaves;
use crate::limits;
use crate::node::{Input, Node};
use crate::outbox::{self, outbox};
use crate::priority::stand_behind;
use crate::room::{self, Room, Space};
use crate::shared::{Parts, Shared, Submission, SubmitError, Submitted};
use crate::snapshot::{self, keeper::Keeper};
use crate::storage::{Opened, StorageError};
use crate::telemetry::{Queue, Telemetry};
use crate::verify::{Verdict, Verifier};

use hands::{Hands, Late, Signs};
use pace::Pace;

/// Where submissions go in and messages come out.
pub struct Ends {
    /// What everybody else reads and submits through.
    pub shared: Arc<Shared>,
    /// For those who bring envelopes in bulk.
    pub intake: mpsc::Sender<Submission>,
    /// Acks and refusal notices, for the broker.
    pub outbound: outbox::Receiver,
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
    /// The commands of before.
    #[error("the directory `commands` in the data directory cannot be used: {0}")]
    Commands(std::io::Error),
    /// The record of the votes.
    #[cfg(feature = "bft")]
    #[error(transparent)]
    Record(#[from] crate::consensus::bft::record::RecordError),
    /// The engine.
    #[cfg(feature = "bft")]
    #[error(transparent)]
    Engine(#[from] crate::consensus::bft::engine::EngineError),
    /// The outbox of a gateway.
    #[cfg(feature = "bft")]
    #[error(transparent)]
    Outbox(#[from] crate::link::store::StoreError),
    /// TLS with the validators.
    #[cfg(feature = "bft")]
    #[error(transparent)]
    Tls(#[from] crate::link::tls::TlsError),
    /// The door for gateways.
    #[cfg(feature = "bft")]
    #[error(transparent)]
    Door(#[from] crate::link::door::DoorError),
    /// The address of that door.
    #[cfg(feature = "bft")]
    #[error("the address {0} for gateways cannot be used: {1}")]
    DoorAddress(std::net::SocketAddr, std::io::Error),
    /// The configuration is another role's.
    #[cfg(feature = "bft")]
    #[error("the configuration is not of the role that was asked for")]
    NotOfSeveral,
}

struct Host {
    node: Node,
    hands: Hands,
    intake: mpsc::Receiver<Submission>,
    next_ticket: Ticket,
    keeper: Keeper,
    /// Brings durable blocks into the index.
    indexing: Option<JoinHandle<()>>,
    /// Bytes of the blocks that the start executed again: they are behind no snapshot yet.
    replayed_bytes: u64,
    log_bytes_at_snapshot: u64,
    snapshot_height: u64,
    snapshot_interval: snapshot::Interval,
}

/// A host that is not running yet, with the ends that its thread does not keep.
struct Prepared {
    host: Host,
    shared: Arc<Shared>,
    intake: mpsc::Sender<Submission>,
    outbound: outbox::Receiver,
}

/// Starts the host on a thread of its own.
///
/// # Errors
/// When the operating system gives no thread.
pub fn start(opened: Opened, telemetry: Arc<Telemetry>) -> Result<Ends, HostError> {
    let prepared = prepare(opened, telemetry, Node::default(), Signs::Alone)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    spawn(prepared, move |host, stopped| runtime.block_on(host.run(stopped)))
}

/// Runs a host on a thread of its own until it ends.
fn spawn(
    prepared: Prepared,
    run: impl FnOnce(&mut Host, oneshot::Receiver<()>) -> Result<(), StorageError> + Send + 'static,
) -> Result<Ends, HostError> {
    let Prepared { mut host, shared, intake, outbound } = prepared;
    let (stop, stopped) = oneshot::channel();
    let (finish, finished) = oneshot::channel();
    thread::Builder::new().name("host".to_owned()).spawn(move || {
        let result = run(&mut host, stopped);
        if let Err(error) = &result {
            tracing::error!(%error, "the node stops");
        }
        host.end_threads();
        // The directory's lock goes with the host, before anybody hears that it has ended.
        drop(host);
        let _nobody_waits = finish.send(result);
    })?;
    Ok(Ends { shared, intake, outbound, stop, finished })
}

fn prepare(
    opened: Opened,
    telemetry: Arc<Telemetry>,
    node: Node,
    signs: Signs,
) -> Result<Prepared, HostError> {
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
        replayed,
        snapshot_interval,
        disk_reserve_bytes,
        silent_after_seconds,
    } = opened;
    let (intake, intake_end) = mpsc::channel(limits::INTAKE_MAX);
    let (outbound, outbound_end) = outbox();
    let verifier = Verifier::start(&genesis.network)?;
    telemetry.queue_bound(Queue::Intake, limits::INTAKE_MAX);
    telemetry.queue_bound(Queue::Outbound, limits::OUTBOUND_MAX);
    telemetry.queue_bound(Queue::Batch, limits::BATCH_MAX);
    telemetry.queue_bound(Queue::Verify, verifier.capacity() as usize * limits::VERIFY_BATCH_MAX);
    telemetry.queue_bound(Queue::Index, limits::INDEX_QUEUE_ENTRIES_MAX);
    telemetry.height.set(as_gauge(durable.height));
    telemetry.log_size.set(as_gauge(durable.log_size));
    telemetry.devices.set(as_gauge(state.device_count() as u64));
    let commander =
        Commander::open(&directory.commands(), outbound.commands()).map_err(HostError::Commands)?;
    let leaves = Leaves::open(&directory.state(), genesis.hash());
    let parts = Parts {
        genesis,
        telemetry,
        log: log.reader(),
        index,
        rows,
        leaves,
        commander,
        silent_after_seconds,
        state,
        checkpoint,
        durable,
        refused_by_device,
        intake: intake.clone(),
    };
    let shared = Arc::new(Shared::new(parts));
    // Genesis has no commit of its own, and a crash may have come before the leaves of an epoch's end.
    if let Ok(Some(last)) = shared.entry(durable.log_size.saturating_sub(1))
        && let Ok(seal) = Seal::decode(&last.bytes)
    {
        shared.leaves.follow(&shared.state(), &seal);
    }
    let indexed = shared.clone();
    let indexing = thread::Builder::new().name("index".to_owned()).spawn(move || {
        stand_behind();
        serve_index(&indexed);
    })?;
    let keeper = Keeper::start(shared.clone(), directory.snapshots())?;
    let waiting = HashMap::new();
    // Until the first look: nobody is told that there is no space at all.
    let free_bytes = room::free_bytes(directory.root());
    shared.set_space(Space { full: false, free_bytes, reserve_bytes: disk_reserve_bytes });
    let (room, late) = (Room::in_directory(directory.root(), disk_reserve_bytes), Late::default());
    let hands = Hands {
        shared: shared.clone(),
        directory,
        log,
        room,
        late,
        signs,
        validator,
        verifier,
        outbound,
        waiting,
        pace: Pace::default(),
    };
    shared.beat();
    let host = Host {
        node,
        hands,
        intake: intake_end,
        next_ticket: 0,
        keeper,
        indexing: Some(indexing),
        replayed_bytes: replayed.bytes,
        log_bytes_at_snapshot: 0,
        // Without a snapshot the whole log was replayed: time for one soon.
        snapshot_height: snapshot_height.unwrap_or(0),
        snapshot_interval,
    };
    Ok(Prepared { host, shared, intake, outbound: outbound_end })
}

impl Host {
    async fn run(&mut self, mut stopped: oneshot::Receiver<()>) -> Result<(), StorageError> {
        let mut received = Vec::with_capacity(limits::VERIFY_BATCH_MAX);
        let mut stopping = false;
        loop {
            let now = clock::now_unix_milliseconds();
            let wake_at = self.node.wake_at(&self.hands.shared.state());
            // One millisecond more, because timers are not finer; a minute at most, because a clock may be set.
            let mut wait = Duration::from_millis(wake_at.saturating_sub(now).clamp(1, 60_000));
            if !self.node.has_room() {
                wait = wait.min(limits::DISK_LOOK);
            }
            let takes_more = self.takes_more();
            tokio::select! {
                biased;
                verdicts = self.hands.verifier.next(), if self.hands.verifier.under_way() > 0 => {
                    self.take_verdicts(verdicts)?;
                }
                count = self.intake.recv_many(&mut received, limits::VERIFY_BATCH_MAX), if takes_more => {
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
            if stopping && !self.node.has_room() {
                // What arrived and finds no room was promised to nobody.
                break;
            }
        }
        while self.hands.verifier.under_way() > 0 {
            let verdicts = self.hands.verifier.next().await;
            self.take_verdicts(verdicts)?;
        }
        let shared = self.hands.shared.clone();
        effects::flush(&mut self.node, &*shared, &mut self.hands)?;
        self.keeper.finish();
        self.hands.log.give_back_room();
        Ok(())
    }

    /// Whether another batch may come in, to be verified and to wait.
    fn takes_more(&self) -> bool {
        self.node.has_room()
            && self.hands.verifier.under_way() < self.hands.verifier.capacity()
            && self.node.takes_more()
    }

    fn take_verdicts(&mut self, verdicts: Vec<Verdict>) -> Result<(), StorageError> {
        self.hands.shared.telemetry.signatures.inc_by(verdicts.len() as u64);
        self.hands.pace.verified(verdicts.iter().filter(|verdict| verdict.is_ok()).count());
        self.step(Input::Verified(verdicts))
    }

    fn step(&mut self, input: Input) -> Result<(), StorageError> {
        let shared = self.hands.shared.clone();
        effects::step(&mut self.node, &*shared, &mut self.hands, input)?;
        self.keep_pace();
        self.keep_snapshots();
        Ok(())
    }

    /// Notes how long took what has left.
    fn keep_pace(&mut self) {
        let still_waiting = self.node.batched();
        if self.hands.pace.have_left(still_waiting) {
            let (now, shared) = (clock::monotonic(), &self.hands.shared);
            self.hands.pace.left(still_waiting, |taken, count| {
                shared.pulse.took(now.duration_since(taken), count as u64);
            });
        }
    }

    /// Has the state kept now and then.
    fn keep_snapshots(&mut self) {
        let shared = &self.hands.shared;
        let written = self.replayed_bytes + self.hands.log.written_bytes() - self.log_bytes_at_snapshot;
        let blocks = shared.durable().height.saturating_sub(self.snapshot_height);
        // A large state is kept less often, so that no more is written for it than for the log.
        let log_bytes = self.snapshot_interval.log_bytes.max(self.keeper.last_bytes());
        if written >= log_bytes || blocks >= self.snapshot_interval.blocks {
            self.keeper.request();
            self.replayed_bytes = 0;
            self.log_bytes_at_snapshot = self.hands.log.written_bytes();
            self.snapshot_height = shared.durable().height;
        }
    }

    /// Also after a failure: nobody works on the directory once its lock is gone.
    fn end_threads(&mut self) {
        self.hands.shared.index.close();
        self.keeper.end();
        self.hands.shared.leaves.wait();
        if let Some(indexing) = self.indexing.take() {
            let _panicked_and_said_so = indexing.join();
        }
    }

    fn show_queues(&self) {
        let telemetry = &self.hands.shared.telemetry;
        telemetry.queue_depth(Queue::Intake, self.intake.len());
        telemetry.queue_depth(Queue::Outbound, self.hands.outbound.len());
        telemetry.queue_depth(Queue::Index, self.hands.shared.index.behind());
        telemetry.queue_depth(Queue::Batch, self.node.batched());
        telemetry
            .queue_depth(Queue::Verify, self.hands.verifier.under_way() as usize * limits::VERIFY_BATCH_MAX);
        self.hands.shared.beat();
    }
}

/// Brings durable blocks into the index until it is closed.
fn serve_index(shared: &Shared) {
    shared.index.serve(|put| {
        if let Err(error) = put {
            tracing::error!(%error, "the index could not be written");
            shared.telemetry.index_errors.inc();
            shared.index.mark_for_rebuild();
        }
    });
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
