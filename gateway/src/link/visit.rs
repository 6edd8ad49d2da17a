//! One connection of a gateway at a validator's door: what it submits is judged and answered, and decided blocks are
//! written to it in order from the height that it asked for. The network's pace is the follower's: nothing piles up.

use std::future::ready;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::batch::{Batch, BatchError};
use super::blocks::Certified;
use super::door::{Entrance, Hall};
use super::judge::Verdict;
use super::message::{Reason, ToGateway, ToValidator};
use super::wire::{self, WireError};
use crate::limits::{LINK_ANSWERS_MAX, LINK_PULSE, LINK_SILENCE_MAX, LINK_TO_VALIDATOR_BYTES_MAX};

/// A connection that was admitted.
pub(super) struct Visit {
    pub(super) hall: Arc<Hall>,
    pub(super) entrance: Arc<Entrance>,
}

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum VisitError {
    /// The connection.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A batch that cannot even be named in an answer.
    #[error("the gateway submitted what is no batch: {0}")]
    Batch(#[from] BatchError),
    /// The validator is stopping.
    #[error("the validator is stopping")]
    Stopping,
}

impl VisitError {
    fn is_violation(&self) -> bool {
        match self {
            VisitError::Wire(error) => matches!(error, WireError::TooLong { .. } | WireError::Malformed(_)),
            VisitError::Batch(_) => true,
            VisitError::Stopping => false,
        }
    }
}

impl Visit {
    /// Serves the connection until it ends, and says why it did.
    pub(super) async fn serve(&self, stream: impl AsyncRead + AsyncWrite) -> VisitError {
        let (reader, writer) = tokio::io::split(stream);
        let (answer, answers) = mpsc::channel(LINK_ANSWERS_MAX);
        let (follow, followed) = watch::channel(None);
        let ended = tokio::select! {
            ended = self.read(reader, answer, follow) => ended,
            ended = self.write(writer, answers, followed) => ended,
        };
        let error = ended.err().unwrap_or(VisitError::Stopping);
        if error.is_violation() {
            self.hall.figures.violations.add(1);
        }
        error
    }

    async fn read(
        &self,
        mut reader: impl AsyncRead + Unpin,
        answer: mpsc::Sender<ToGateway>,
        follow: watch::Sender<Option<u64>>,
    ) -> Result<(), VisitError> {
        loop {
            let message = wire::read(&mut reader, LINK_TO_VALIDATOR_BYTES_MAX, LINK_SILENCE_MAX).await?;
            match ToValidator::decode(&message).map_err(WireError::from)? {
                ToValidator::Alive => {}
                ToValidator::Follow { from_height } => {
                    follow.send_replace(Some(from_height));
                }
                ToValidator::Submit(bytes) => {
                    // While answers wait to be written, nothing more is read.
                    let answered = answer.send(self.judge(&bytes)?).await;
                    answered.map_err(|_| VisitError::Stopping)?;
                }
            }
        }
    }

    /// The answer to a batch; an error where it does not even say which it is.
    fn judge(&self, bytes: &[u8]) -> Result<ToGateway, BatchError> {
        let batch = Batch::decode(bytes)?;
        let sequence = batch.sequence();
        let refuse = |reason: Reason, retry_after_milliseconds| ToGateway::Refused {
            sequence,
            reason,
            retry_after_milliseconds,
        };
        let count = |reason: Reason| {
            self.hall.figures.batches_refused[reason.index()].add(1);
            refuse(reason, 0)
        };
        if batch.kid() != self.entrance.key.kid() {
            return Ok(count(Reason::NotAdmitted));
        }
        let Ok(batch) = batch.verify(&self.entrance.key, &self.hall.network) else {
            return Ok(count(Reason::Malformed));
        };
        Ok(match self.entrance.submit(batch) {
            Verdict::HandOn | Verdict::Repeated => ToGateway::Taken { sequence },
            Verdict::Refused { reason, retry_after_milliseconds } => refuse(reason, retry_after_milliseconds),
        })
    }

    async fn write(
        &self,
        mut writer: impl AsyncWrite + Unpin,
        mut answers: mpsc::Receiver<ToGateway>,
        mut follow: watch::Receiver<Option<u64>>,
    ) -> Result<(), VisitError> {
        let mut durable = self.hall.blocks.durable.clone();
        let mut checkpoint = self.hall.blocks.checkpoint.clone();
        let mut next = None;
        let mut pulse = interval(LINK_PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let height = *durable.borrow_and_update();
            let is_behind = next.is_some_and(|next| next <= height);
            let is_following = next.is_some() && !is_behind;
            let message = tokio::select! {
                biased;
                Some(answer) = answers.recv() => answer,
                changed = follow.changed() => {
                    changed.map_err(|_| VisitError::Stopping)?;
                    next = *follow.borrow_and_update();
                    checkpoint.mark_changed();
                    continue;
                }
                _ = pulse.tick() => ToGateway::Tip { height },
                () = ready(()), if is_behind => {
                    let block = self.block(next.unwrap_or_default()).await;
                    // After a gap nothing follows: the gateway asks another validator, or from elsewhere.
                    next = next.filter(|_| matches!(block, ToGateway::Block { .. })).map(|next| next + 1);
                    block
                }
                changed = checkpoint.changed(), if is_following => {
                    changed.map_err(|_| VisitError::Stopping)?;
                    let note = checkpoint.borrow_and_update().clone();
                    if note.is_empty() {
                        continue;
                    }
                    ToGateway::Checkpoint(note.as_ref().to_owned())
                }
                changed = durable.changed(), if !is_behind => {
                    changed.map_err(|_| VisitError::Stopping)?;
                    continue;
                }
            };
            let is_block = matches!(message, ToGateway::Block { .. });
            wire::write(&mut writer, &message.encode().map_err(WireError::from)?).await?;
            self.hall.figures.blocks_given.add(is_block.into());
        }
    }

    async fn block(&self, height: u64) -> ToGateway {
        let read = self.hall.blocks.read.clone();
        match tokio::task::spawn_blocking(move || read(height)).await {
            Ok(Some(Certified { payload, certificate })) => ToGateway::Block { height, payload, certificate },
            Ok(None) | Err(_) => ToGateway::Absent { height },
        }
    }
}
