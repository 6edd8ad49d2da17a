//! What the doors (HTTP, dashboard) read and submit: one handle on the state, the log, the index and the checkpoint.
//!
//! Everything answered here is durable: the state's lock is held from a block's execution until its write is on disk.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use devices::{DeviceId, Refusal, TransactionId};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::state::State;
use ledger::state_proof::StateProofError;
use ledger::statement::Statement;
use ledger::transfer::TransferRecord;
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::commander::Commander;
use crate::consensus::status::Board;
use crate::effects::Kept;
use crate::events::{EventId, Events, Watcher};
use crate::index::{Index, IndexError};
use crate::leaves::{Leaves, LeavesError};
use crate::log::{LogError, LogReader};
use crate::proofs;
use crate::pulse::Pulse;
use crate::refusals::Refusals;
use crate::room::Space;
use crate::rows::{Rows, RowsError};
use crate::running::Running;
use crate::stored::Entries;
use crate::telemetry::Telemetry;

pub use crate::events::Event;
pub use crate::stored::{StoredBlock, StoredEntry};

/// What is on disk: every reader may rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Durable {
    /// Height of the last block.
    pub height: u64,
    /// Entries in the log.
    pub log_size: u64,
    /// Time of the last block, Unix milliseconds.
    pub time_unix_milliseconds: u64,
}

/// Where a submitted transaction came to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// The transaction's id.
    pub id: TransactionId,
    /// Its place in the log.
    pub index: u64,
    /// The height of its block.
    pub height: u64,
}

/// Why a submitted transaction did not enter the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// A reading was refused, with the contract's reason.
    #[error("the reading was refused: {}", .0.as_str())]
    Reading(Refusal),
    /// An instruction was refused.
    #[error("the instruction was refused: {sentence}")]
    Instruction {
        /// One word in snake_case, for programs.
        reason: &'static str,
        /// One sentence, for people.
        sentence: String,
    },
    /// The node is stopping.
    #[error("the node is stopping, submit again when it is back")]
    Stopping,
    /// There is no room for another block.
    #[error("the disk is full: the node accepts nothing until there is room again; submit again later")]
    Full,
    /// The disk failed; the node stops.
    #[error("the node could not write its log and stopped")]
    Storage,
}

/// One transaction on its way in.
#[derive(Debug)]
pub struct Submission {
    /// The device that the topic named, where it came by MQTT.
    pub topic_kid: Option<DeviceId>,
    /// The bytes, as they were received.
    pub bytes: Vec<u8>,
    /// Where the answer goes, where somebody waits for it.
    pub reply: Option<oneshot::Sender<Result<Submitted, SubmitError>>>,
}

/// A stored thing could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The Merkle rows.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The rows give a proof that does not hold.
    #[error("the Merkle rows are damaged; delete the directory `rows` in the data directory and start again")]
    RowsDamaged,
    /// The state's leaves.
    #[error(transparent)]
    Leaves(#[from] LeavesError),
    /// The leaves give a proof that does not hold.
    #[error("the state's leaves on disk are damaged and are made anew at the next epoch's end: {0}")]
    StateProof(StateProofError),
    /// The reading was erased.
    #[error("the reading at log index {0} was erased by pruning; its hash stays in the log's tiles")]
    Pruned(u64),
    /// Index and log do not agree.
    #[error(
        "the index names an entry that the log does not hold; delete the index directory and start again"
    )]
    Disagree,
}

/// The handle that HTTP, the dashboard and the commands share.
pub struct Shared {
    /// The genesis document.
    pub genesis: Genesis,
    /// Counters and gauges.
    pub telemetry: Arc<Telemetry>,
    /// The block log, for reading.
    pub log: LogReader,
    /// The queries' index.
    pub index: Index,
    /// The Merkle rows, for proofs and tiles.
    pub rows: Rows,
    /// The state's leaves at the last epoch's end, for proofs of balances.
    pub leaves: Leaves,
    /// The last refused readings of each reason.
    pub refusals: Refusals,
    /// What happened lately.
    pub pulse: Pulse,
    /// Where owners command their devices.
    pub commander: Commander,
    /// Seconds without an accepted reading after which a device counts as silent.
    pub silent_after_seconds: u64,
    /// How the validators' agreement stands, where there are several.
    pub consensus: Board,
    state: RwLock<State>,
    checkpoint: RwLock<Arc<str>>,
    durable: RwLock<Durable>,
    space: RwLock<Space>,
    refused_by_device: Mutex<HashMap<DeviceId, [u64; 8]>>,
    /// The running epoch, as pages ask for it.
    pub(crate) running: Arc<Running>,
    events: Arc<Events>,
    intake: mpsc::Sender<Submission>,
}

/// What `Shared` is made of.
pub struct Parts {
    /// The genesis document.
    pub genesis: Genesis,
    /// Counters and gauges.
    pub telemetry: Arc<Telemetry>,
    /// The block log, for reading.
    pub log: LogReader,
    /// The queries' index.
    pub index: Index,
    /// The Merkle rows.
    pub rows: Rows,
    /// The state's leaves at the last epoch's end.
    pub leaves: Leaves,
    /// Where owners command their devices.
    pub commander: Commander,
    /// Seconds without an accepted reading after which a device counts as silent.
    pub silent_after_seconds: u64,
    /// The state after the last durable block.
    pub state: State,
    /// The signed checkpoint of that block.
    pub checkpoint: String,
    /// That block.
    pub durable: Durable,
    /// Refusals by device so far.
    pub refused_by_device: HashMap<DeviceId, [u64; 8]>,
    /// Where submissions go.
    pub intake: mpsc::Sender<Submission>,
}

impl Kept for Shared {
    fn read(&self) -> impl Deref<Target = State> {
        self.state()
    }

    fn write(&self) -> impl DerefMut<Target = State> {
        self.state_mut()
    }
}

impl Shared {
    /// Joins the parts.
    pub fn new(parts: Parts) -> Shared {
        // Numbers go on from one start of the node to the next, because the time does.
        let events = Events::new(clock::now_unix_milliseconds().saturating_mul(1_000), parts.durable.height);
        Shared {
            genesis: parts.genesis,
            telemetry: parts.telemetry,
            log: parts.log,
            index: parts.index,
            rows: parts.rows,
            leaves: parts.leaves,
            refusals: Refusals::default(),
            pulse: Pulse::default(),
            commander: parts.commander,
            silent_after_seconds: parts.silent_after_seconds,
            consensus: Board::default(),
            state: RwLock::new(parts.state),
            checkpoint: RwLock::new(parts.checkpoint.into()),
            durable: RwLock::new(parts.durable),
            space: RwLock::default(),
            refused_by_device: Mutex::new(parts.refused_by_device),
            running: Arc::default(),
            events: Arc::new(events),
            intake: parts.intake,
        }
    }

    /// Devices of which nothing was accepted since then are silent at `now`; both Unix milliseconds.
    pub fn heard_since(&self, now_unix_milliseconds: u64) -> u64 {
        now_unix_milliseconds.saturating_sub(self.silent_after_seconds.saturating_mul(1_000))
    }

    /// The ledger's state after the last durable block. Hold it shortly: blocks wait.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, for the host that executes blocks.
    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last signed checkpoint (a C2SP signed note), only ever of what is durable.
    pub fn checkpoint(&self) -> Arc<str> {
        self.checkpoint.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last durable block.
    pub fn durable(&self) -> Durable {
        *self.durable.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much disk space there is; while it is not enough, nothing is accepted.
    pub fn space(&self) -> Space {
        *self.space.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes how much disk space there is.
    pub(crate) fn set_space(&self, space: Space) {
        *self.space.write().unwrap_or_else(PoisonError::into_inner) = space;
        self.telemetry.disk_full.set(space.full.into());
        self.telemetry.disk_free_bytes.set(i64::try_from(space.free_bytes).unwrap_or(i64::MAX));
    }

    /// Publishes what became durable.
    pub(crate) fn publish(&self, durable: Durable, checkpoint: String) {
        *self.checkpoint.write().unwrap_or_else(PoisonError::into_inner) = checkpoint.into();
        self.publish_durable(durable);
    }

    /// Publishes what became durable and is not signed by enough validators yet.
    pub(crate) fn publish_durable(&self, durable: Durable) {
        *self.durable.write().unwrap_or_else(PoisonError::into_inner) = durable;
    }

    /// Publishes the checkpoint of what is durable already, signed by more than two thirds of the validators.
    #[cfg(feature = "bft")]
    pub(crate) fn publish_checkpoint(&self, checkpoint: String) {
        *self.checkpoint.write().unwrap_or_else(PoisonError::into_inner) = checkpoint.into();
    }

    /// Tells those who watch. Nobody watching is no error.
    pub(crate) fn tell(&self, event: Event) {
        self.events.tell(event);
    }

    /// Events after the last one that a reader has heard; from now on for one that has heard none.
    pub fn watch(&self, last: Option<EventId>) -> Watcher {
        Watcher::new(self.events.clone(), last)
    }

    /// Submits one transaction (an envelope or an instruction) and waits until it is durable or refused.
    ///
    /// # Errors
    /// The refusal, or that the node is stopping or has no room on its disk.
    pub async fn submit(&self, bytes: Vec<u8>) -> Result<Submitted, SubmitError> {
        self.enqueue(bytes).await?.await.unwrap_or(Err(SubmitError::Stopping))
    }

    /// Submits one transaction and gives the answer's receiver, for those who submit many in order. Waits only while the
    /// intake is full.
    ///
    /// # Errors
    /// That the node is stopping or has no room on its disk.
    pub async fn enqueue(
        &self,
        bytes: Vec<u8>,
    ) -> Result<oneshot::Receiver<Result<Submitted, SubmitError>>, SubmitError> {
        if self.space().full {
            return Err(SubmitError::Full);
        }
        let (reply, answer) = oneshot::channel();
        let submission = Submission { topic_kid: None, bytes, reply: Some(reply) };
        self.intake.send(submission).await.map_err(|_| SubmitError::Stopping)?;
        Ok(answer)
    }

    /// Remembers the counters every few seconds, so that what happened lately can be told.
    pub(crate) fn beat(&self) {
        self.pulse.beat(clock::monotonic(), || self.telemetry.counts());
    }

    /// Refused readings of one device by reason, in the order of `Refusal::ALL`.
    pub fn refused_of(&self, kid: DeviceId) -> [u64; 8] {
        self.refused().get(&kid).copied().unwrap_or_default()
    }

    /// Counts a refusal of a device that the registry knows.
    pub(crate) fn count_refusal(&self, kid: DeviceId, reason: Refusal) {
        let mut refused = self.refused();
        let counts = refused.entry(kid).or_default();
        counts[reason.index()] = counts[reason.index()].saturating_add(1);
    }

    /// All refusal counts, for the index to keep.
    pub(crate) fn refused_snapshot(&self) -> Vec<(DeviceId, [u64; 8])> {
        self.refused().iter().map(|(kid, counts)| (*kid, *counts)).collect()
    }

    fn refused(&self) -> MutexGuard<'_, HashMap<DeviceId, [u64; 8]>> {
        self.refused_by_device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a transaction (or a seal) by its id; `None` while it is not durable.
    ///
    /// # Errors
    /// When the index or the log cannot be read.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<StoredEntry>, ReadError> {
        for index in self.index.find(id)? {
            if let Some(entry) = self.entry(index)?
                && entry.id == *id
            {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The entry at a log index; `None` beyond the end.
    ///
    /// # Errors
    /// When the index or the log cannot be read.
    pub fn entry(&self, index: u64) -> Result<Option<StoredEntry>, ReadError> {
        if index >= self.durable().log_size {
            return Ok(None);
        }
        Entries::of(self).at(index).map(Some)
    }

    /// At most `count` entries from a log index on; fewer where the log ends.
    ///
    /// # Errors
    /// When the index or the log cannot be read.
    pub fn entries(&self, from: u64, count: u64) -> Result<Vec<StoredEntry>, ReadError> {
        let mut entries = Entries::of(self);
        (from..from.saturating_add(count).min(self.durable().log_size))
            .map(|index| entries.at(index))
            .collect()
    }

    /// A block by height; `None` beyond the end.
    ///
    /// # Errors
    /// When the index or the log cannot be read.
    pub fn block(&self, height: u64) -> Result<Option<StoredBlock>, ReadError> {
        if height > self.durable().height {
            return Ok(None);
        }
        let place = self.index.block(height)?.ok_or(ReadError::Disagree)?;
        StoredBlock::read(self, &place).map(Some)
    }

    /// The receipt (C2SP tlog-proof) of an entry; `None` while it is not durable.
    ///
    /// # Errors
    /// When the log or the rows cannot be read.
    pub fn receipt(&self, id: &TransactionId) -> Result<Option<String>, ReadError> {
        let Some(entry) = self.transaction(id)? else { return Ok(None) };
        // Among several validators an entry is durable a moment before enough of them have signed for it.
        if entry.index >= self.checkpoint_and_size().1 {
            return Ok(None);
        }
        Ok(Some(proofs::receipt(self, entry)?.to_string()))
    }

    /// The checkpoint with the log size it is signed for; 0 while nobody has signed one.
    pub fn checkpoint_and_size(&self) -> (Arc<str>, u64) {
        let checkpoint = self.checkpoint();
        let size = checkpoint.lines().nth(1).and_then(|line| line.parse().ok());
        let size = size.filter(|_| checkpoint.contains("\n\u{2014} ")).unwrap_or_default();
        (checkpoint, size)
    }

    /// A device's first `most` accepted readings whose block time lies in a range (Unix milliseconds), oldest first.
    ///
    /// # Errors
    /// When the index or the log cannot be read.
    pub fn readings(
        &self,
        kid: DeviceId,
        times: &Range<u64>,
        most: usize,
    ) -> Result<Vec<StoredEntry>, ReadError> {
        let end = self.index.first_index_at(times.end)?.min(self.durable().log_size);
        let indexes = self.index.first_index_at(times.start)?..end;
        let mut entries = Entries::of(self);
        self.index.readings(kid, indexes, most)?.into_iter().map(|index| entries.at(index)).collect()
    }

    /// A device's newest `most` accepted readings, oldest first.
    ///
    /// # Errors
    /// When the index or the log cannot be read.
    pub fn last_readings(&self, kid: DeviceId, most: usize) -> Result<Vec<StoredEntry>, ReadError> {
        let (size, mut entries) = (self.durable().log_size, Entries::of(self));
        let indexes = self.index.last_readings(kid, most)?;
        indexes.into_iter().filter(|index| *index < size).map(|index| entries.at(index)).collect()
    }

    /// A device's newest `most` statements of the epochs that begin in a range of time (Unix milliseconds), newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statements_of_device(
        &self,
        kid: DeviceId,
        times: &Range<u64>,
        most: usize,
    ) -> Result<Vec<Statement>, ReadError> {
        Ok(self.index.statements_of_device(kid, self.epochs_beginning_in(times), most)?)
    }

    /// The newest `most` statements that paid an account, of the epochs that begin in a range of time, newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn statements_of_account(
        &self,
        account: AccountId,
        times: &Range<u64>,
        most: usize,
    ) -> Result<Vec<Statement>, ReadError> {
        Ok(self.index.statements_of_account(account, self.epochs_beginning_in(times), most)?)
    }

    /// An account's newest `most` transfers whose block time lies in a range (Unix milliseconds), newest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn transfers(
        &self,
        account: AccountId,
        times: &Range<u64>,
        most: usize,
    ) -> Result<Vec<TransferRecord>, ReadError> {
        let heights = self.index.height_at(times.start)?..self.index.height_at(times.end)?;
        Ok(self.index.transfers(account, heights, most)?)
    }

    fn epochs_beginning_in(&self, times: &Range<u64>) -> Range<u64> {
        let first_at = |time: u64| {
            let since = time.saturating_sub(self.genesis.time_unix_milliseconds);
            since.div_ceil(self.genesis.epoch_milliseconds().max(1))
        };
        first_at(times.start)..first_at(times.end)
    }
}

/// All of time, for queries that ask for no range.
pub const ALWAYS: Range<u64> = 0..u64::MAX;

/// The epoch that a time lies in; genesis begins epoch 0.
pub fn epoch_at(genesis: &Genesis, time_unix_milliseconds: u64) -> u64 {
    let since = time_unix_milliseconds.saturating_sub(genesis.time_unix_milliseconds);
    since / genesis.epoch_milliseconds().max(1)
}
