//! The host of a node of several: a validator that votes on blocks, or a gateway that follows them. Both commit blocks that
//! are decided elsewhere than in their own node, in one order: the log with the certificate, the state, what is derived, and
//! only then acks and answers.

use std::sync::Arc;

use devices::PublicKey;
use ledger::checkpoint::Checkpoint;
use ledger::note::Note;
use ledger::state::State;

use super::{Ends, Host, HostError, take};
use crate::admit::Arrival;
use crate::clock;
use crate::configuration::{Configuration, Peer, Role};
use crate::effects::{self, Hands as _};
use crate::node::Input;
use crate::node::agreed::Made;
use crate::shared::Submission;
use crate::storage::{Opened, StorageError};
use crate::telemetry::Telemetry;

/// Starts a validator, on the running tokio runtime.
///
/// # Errors
/// What keeps it from starting.
pub async fn start_validator(
    opened: Opened,
    telemetry: Arc<Telemetry>,
    configuration: &Configuration,
) -> Result<Ends, HostError> {
    super::validator::start(opened, telemetry, configuration).await
}

/// Starts a gateway, on the running tokio runtime.
///
/// # Errors
/// What keeps it from starting.
pub fn start_gateway(
    opened: Opened,
    telemetry: Arc<Telemetry>,
    configuration: &Configuration,
) -> Result<Ends, HostError> {
    let Role::Gateway(gateway) = &configuration.role else { return Err(HostError::NotOfSeveral) };
    super::follower::start(opened, telemetry, &configuration.name, gateway)
}

impl Host {
    /// Commits a decided block. `false` when the disk has no room for it: nothing has changed, and it is tried again.
    pub(super) fn commit(
        &mut self,
        made: &mut Option<Made>,
        certificate: &[u8],
    ) -> Result<bool, StorageError> {
        let shared = self.hands.shared.clone();
        if !self.hands.has_room()? {
            return Ok(false);
        }
        let Some(Made { block, results, state }) = made.take() else { return Ok(true) };
        let position = match self.hands.write_certified(&block, Some(certificate)) {
            Ok(position) => position,
            Err(StorageError::Log(error)) if error.is_full() => {
                *made = Some(Made { block, results, state });
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        *shared.state_mut() = state;
        let now = clock::now_unix_milliseconds();
        let mut effects = Vec::new();
        self.node.commit(&shared.state(), now, &block, &results, &mut effects);
        self.hands.derive(&shared.state(), position, block, results)?;
        effects.extend(self.node.durable(&shared.state()));
        effects::carry_out(&mut self.hands, effects);
        self.keep_pace();
        self.keep_snapshots();
        Ok(true)
    }

    /// Envelopes and instructions that came in, to the node.
    pub(super) fn receive(&mut self, received: &mut Vec<Submission>) -> Result<(), StorageError> {
        let (waiting, next_ticket) = (&mut self.hands.waiting, &mut self.next_ticket);
        let arrivals: Vec<Arrival> =
            received.drain(..).map(|submission| take(submission, waiting, next_ticket)).collect();
        self.hands.shared.telemetry.received.inc_by(arrivals.len() as u64);
        self.step(Input::Received(arrivals))
    }
}

/// The key of a validator that the configuration names: the ledger's, or the configuration's for one that is not there yet.
pub(super) fn key_of(peer: &Peer, state: &State) -> Option<PublicKey> {
    let key = peer.public_key.or_else(|| state.validators().named(&peer.name).map(|key| *key.key()));
    if key.is_none() {
        tracing::warn!(peer = %peer.name, "no validator of this name is in the ledger, and the configuration gives no key: it is left out");
    }
    key
}

/// Up to which size of the log enough validators' signatures are known at the start.
pub(super) fn signed_size(checkpoint: &str) -> u64 {
    let note = Note::parse(checkpoint).ok().filter(|note| !note.signatures.is_empty());
    note.and_then(|note| Checkpoint::parse(&note.text).ok()).map_or(0, |checkpoint| checkpoint.size)
}
