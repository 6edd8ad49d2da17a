//! The host's hands: the node's effects on real disk, threads and channels.

use std::collections::HashMap;
use std::sync::Arc;

use devices::{Ack, DeviceId, RefusedNotice, SigningKey};
use ledger::block::{Block, BlockResults};
use ledger::merkle::Hash;
use ledger::state::State;
use ledger::transaction::Outcome;
use tokio::sync::oneshot;

use super::as_gauge;
use super::pace::Pace;
use crate::admit::{Candidate, Ticket};
use crate::clock;
use crate::data_dir::DataDir;
use crate::effects;
use crate::log::{Log, Position};
use crate::outbox;
use crate::refusals::RefusedReading;
use crate::room::Room;
use crate::shared::{Durable, Event, Shared, SubmitError, Submitted};
use crate::storage::{self, StorageError};
use crate::verify::Verifier;

/// Disk, threads and channels.
pub(super) struct Hands {
    pub(super) shared: Arc<Shared>,
    pub(super) directory: DataDir,
    pub(super) log: Log,
    pub(super) room: Room,
    pub(super) late: Late,
    pub(super) signs: Signs,
    pub(super) validator: SigningKey,
    pub(super) verifier: Verifier,
    pub(super) outbound: outbox::Sender,
    pub(super) waiting: HashMap<Ticket, oneshot::Sender<Result<Submitted, SubmitError>>>,
    pub(super) pace: Pace,
}

/// Who signs checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signs {
    /// This node alone: with the block.
    Alone,
    /// Several: a checkpoint is published once enough of them have signed it.
    #[cfg(feature = "bft")]
    WithOthers,
}

/// What is derived from the last block and found the disk full: no further block is made until it is kept.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// First index and leaf hashes.
    rows: Option<(u64, Vec<Hash>)>,
    checkpoint: bool,
}

impl effects::Hands for Hands {
    type Error = StorageError;

    fn now_unix_milliseconds(&mut self) -> u64 {
        clock::now_unix_milliseconds()
    }

    fn has_room(&mut self) -> Result<bool, StorageError> {
        let has_room = self.room.look(&mut self.log)? && self.catch_up()?;
        let mut space = self.room.space();
        space.full = !has_room;
        self.shared.set_space(space);
        Ok(has_room)
    }

    fn verify(&mut self, candidates: Vec<Candidate>) {
        self.pace.taken(clock::monotonic());
        self.verifier.submit(candidates);
    }

    fn write(&mut self, block: &Block) -> Result<Position, StorageError> {
        self.write_certified(block, None)
    }

    fn derive(
        &mut self,
        state: &State,
        position: Position,
        block: Block,
        results: BlockResults,
    ) -> Result<(), StorageError> {
        if !self.append_rows(results.first_index, &results.leaf_hashes)? {
            self.late.rows = Some((results.first_index, results.leaf_hashes.clone()));
        }
        let checkpoint = match self.signs {
            Signs::Alone => Some(storage::sign(&state.checkpoint(), &self.validator)?),
            #[cfg(feature = "bft")]
            Signs::WithOthers => None,
        };
        if let Some(checkpoint) = &checkpoint {
            self.late.checkpoint = !storage::keep_checkpoint(&self.directory, checkpoint)?;
        }
        if block.seal.settled_epochs.is_some() {
            storage::keep_validators(&self.directory, state)?;
        }
        let (height, log_size) = (results.height, results.log_size);
        let durable = Durable { height, log_size, time_unix_milliseconds: results.time_unix_milliseconds };
        self.count(state, &results);
        // Before anybody hears of the block, so that whoever does finds what is in it.
        self.shared.index.enqueue(storage::entry(position, &block, results));
        match checkpoint {
            Some(checkpoint) => self.shared.publish(durable, checkpoint),
            None => self.shared.publish_durable(durable),
        }
        self.shared.leaves.follow(state, &block.seal);
        Ok(())
    }

    /// Never waits: a broker that does not take acks must not stop intake.
    fn acknowledge(&mut self, acks: Vec<(DeviceId, Ack)>) {
        let dropped = self.outbound.acknowledge(&acks) as u64;
        self.shared.telemetry.acks.inc_by(acks.len() as u64 - dropped);
        self.shared.telemetry.outbound_dropped.inc_by(dropped);
    }

    fn notify(&mut self, kid: DeviceId, notice: RefusedNotice) {
        if !self.outbound.notify(kid, notice) {
            self.shared.telemetry.outbound_dropped.inc();
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Result<Submitted, SubmitError>) {
        if let Some(reply) = self.waiting.remove(&ticket) {
            let _gave_up = reply.send(answer);
        }
    }

    fn refused(&mut self, refused: RefusedReading) {
        self.shared.telemetry.refused(refused.reason, 1);
        self.shared.refusals.note(clock::now_unix_milliseconds(), refused);
        if let Some(kid) = refused.kid.filter(|_| refused.known) {
            self.shared.count_refusal(kid, refused.reason);
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

impl Hands {
    /// Writes a block, with the certificate of those who agreed on it where there are several, and waits for the disk.
    pub(super) fn write_certified(
        &mut self,
        block: &Block,
        certificate: Option<&[u8]>,
    ) -> Result<Position, StorageError> {
        let began = clock::monotonic();
        let before = self.log.written_bytes();
        let position = self.log.append_certified(block, certificate)?;
        let telemetry = &self.shared.telemetry;
        telemetry.block_seconds.observe(began.elapsed().as_secs_f64());
        telemetry.log_bytes.inc_by(self.log.written_bytes() - before);
        Ok(position)
    }

    /// Publishes a checkpoint that enough validators signed.
    #[cfg(feature = "bft")]
    pub(super) fn publish_checkpoint(&mut self, note: String) -> Result<(), StorageError> {
        self.late.checkpoint = !storage::keep_checkpoint(&self.directory, &note)?;
        self.shared.publish_checkpoint(note);
        Ok(())
    }

    /// Keeps what found the disk full before; gives whether everything is kept now.
    fn catch_up(&mut self) -> Result<bool, StorageError> {
        if let Some((first_index, leaves)) = self.late.rows.take()
            && !self.append_rows(first_index, &leaves)?
        {
            self.late.rows = Some((first_index, leaves));
        }
        if self.late.checkpoint {
            self.late.checkpoint = !storage::keep_checkpoint(&self.directory, &self.shared.checkpoint())?;
        }
        Ok(self.late.rows.is_none() && !self.late.checkpoint)
    }

    /// Whether the rows took the hashes; a full disk is no reason to stop.
    fn append_rows(&self, first_index: u64, leaves: &[Hash]) -> Result<bool, StorageError> {
        match self.shared.rows.append(first_index, leaves) {
            Ok(()) => Ok(true),
            Err(error) if error.is_full() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn count(&self, state: &State, results: &BlockResults) {
        let telemetry = &self.shared.telemetry;
        telemetry.block_transactions.observe(results.outcomes.len() as f64);
        let (mut envelopes, mut records, mut instructions) = (0, 0, 0);
        for outcome in &results.outcomes {
            match outcome {
                Outcome::Reading { records: more, .. } => {
                    envelopes += 1;
                    records += u64::from(*more);
                }
                Outcome::Instruction { .. } => instructions += 1,
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
