//! A gateway: brings the validators what devices send, and follows the blocks that they decide. It believes a block because
//! more than two thirds of the validators that it knows have signed for it, and executes it like anybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use devices::{PublicKey, SignedInstruction, SignedReading, TransactionId};
use ledger::block::Block;
use ledger::certificate::Certificate;
use ledger::checkpoint::SignedCheckpoint;
use ledger::note::Note;
use ledger::replay::Trust;
use ledger::state::State;
use ledger::transaction::VerifiedTransaction;
use tokio::sync::{mpsc, oneshot};

use super::agreed::key_of;
use super::hands::Signs;
use super::{Ends, Host, HostError};
use crate::clock;
use crate::configuration::Gateway;
use crate::consensus::bft::context::BlockId;
use crate::consensus::proposer_of;
use crate::consensus::status::{Role as NodeRole, Status, Stuck, ValidatorStatus};
use crate::effects;
use crate::limits;
use crate::link::batch::Batch;
use crate::link::client::{Client, Followed, Peer, Running, Settings};
use crate::link::store::{self, Store};
use crate::log::decode_block;
use crate::node::agreed::Made;
use crate::node::{Input, Node};
use crate::storage::{Opened, StorageError};
use crate::telemetry::Telemetry;
use crate::verify::Verified;
use crate::workers::Cores;

/// What a gateway has beside its host.
struct Follower {
    client: Client,
    followed: mpsc::Receiver<Followed>,
    /// What the batches of the outbox hold that is not final.
    batches: BTreeMap<u64, Vec<TransactionId>>,
    /// Checkpoints of more than this node has, by their size.
    checkpoints: BTreeMap<u64, String>,
    /// How many changes of the validators the client knows.
    version: u64,
    /// Names and keys of those whose doors are known.
    peers: Vec<(String, PublicKey)>,
    /// A block for which the disk has no room, with its certificate: nothing comes behind it before it is written.
    held: Option<(u64, Made, Vec<u8>)>,
}

/// Starts a gateway, on the running tokio runtime.
pub(super) fn start(
    opened: Opened,
    telemetry: Arc<Telemetry>,
    name: &str,
    gateway: &Gateway,
) -> Result<Ends, HostError> {
    let key = opened.validator.clone();
    let network = opened.genesis.network.clone();
    let store::Opened { store, dropped } =
        Store::open(&opened.directory.outbox(), &key, &network, clock::now_unix_milliseconds())?;
    for file in dropped {
        tracing::warn!(file = %file.display(), "a batch that a crash tore was dropped; nothing in it was promised");
    }
    let peers = peers(&opened, gateway);
    let (validators, version) = (keys(&opened.state), opened.state.validators().version());
    let named = peers.iter().map(|peer| (peer.name.clone(), peer.public_key)).collect();
    let settings = Settings { key, peers, validators, next_height: opened.durable.height + 1 };
    let Running { client, followed } = Client::start(settings, store)?;
    let prepared = super::prepare(opened, telemetry, Node::agreeing(), Signs::WithOthers)?;
    prepared.shared.consensus.begin(Status {
        role: NodeRole::Gateway,
        name: name.to_owned(),
        height: prepared.shared.durable().height + 1,
        round: 0,
        proposer: None,
        validators: Vec::new(),
        last_block_unix_milliseconds: prepared.shared.state().time_unix_milliseconds(),
        stuck: None,
    });
    let (batches, checkpoints) = (BTreeMap::new(), BTreeMap::new());
    let mut follower = Follower { client, followed, batches, checkpoints, version, peers: named, held: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    super::spawn(prepared, move |host, stopped| runtime.block_on(follower.run(host, stopped)))
}

/// All validators in the ledger's order.
fn keys(state: &State) -> Vec<PublicKey> {
    state.validators().keys().iter().map(|key| *key.key()).collect()
}

/// The validators' doors.
fn peers(opened: &Opened, gateway: &Gateway) -> Vec<Peer> {
    let peer = |peer: &crate::configuration::Peer| {
        let public_key = key_of(peer, &opened.state)?;
        Some(Peer { name: peer.name.clone(), address: peer.address.to_string(), public_key })
    };
    gateway.validators.iter().filter_map(peer).collect()
}

impl Follower {
    async fn run(&mut self, host: &mut Host, mut stopped: oneshot::Receiver<()>) -> Result<(), StorageError> {
        self.recall(host);
        let mut received = Vec::with_capacity(limits::VERIFY_BATCH_MAX);
        let mut looked = clock::monotonic();
        loop {
            let takes_more = host.takes_more();
            let wait = self.wait(host);
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                followed = self.followed.recv(), if self.held.is_none() => match followed {
                    Some(followed) => self.take(host, followed)?,
                    None => return Err(StorageError::Ended("the link to the validators")),
                },
                verdicts = host.hands.verifier.next(), if host.hands.verifier.under_way() > 0 => {
                    host.take_verdicts(verdicts)?;
                }
                count = host.intake.recv_many(&mut received, limits::VERIFY_BATCH_MAX), if takes_more => {
                    if count == 0 {
                        break;
                    }
                    host.receive(&mut received)?;
                }
                () = tokio::time::sleep(wait) => {
                    host.step(Input::Tick)?;
                    if let Some((height, made, certificate)) = self.held.take() {
                        self.commit(host, height, made, &certificate)?;
                    }
                }
            }
            self.submit(host);
            host.show_queues();
            if looked.elapsed() >= limits::AGREEMENT_LOOK {
                looked = clock::monotonic();
                self.look(host);
            }
        }
        host.keeper.finish();
        host.hands.log.give_back_room();
        Ok(())
    }

    /// How long nothing may happen before somebody looks.
    fn wait(&self, host: &Host) -> Duration {
        if self.held.is_some() {
            return limits::DISK_LOOK;
        }
        let oldest = host.node.pool().and_then(|pool| pool.oldest_unsubmitted());
        let may = self.client.has_room() && !self.is_crowded();
        let Some(since) = oldest.filter(|_| may) else { return limits::AGREEMENT_LOOK };
        let due = since.saturating_add(limits::BATCH_AGE_MAX_MILLISECONDS);
        Duration::from_millis(due.saturating_sub(clock::now_unix_milliseconds()).max(1))
    }

    /// What was in the outbox when the node stopped waits again.
    fn recall(&mut self, host: &mut Host) {
        let now = clock::now_unix_milliseconds();
        for sequence in self.client.unsettled() {
            let transactions = match self.client.transactions(sequence) {
                Ok(transactions) => transactions.unwrap_or_default(),
                Err(error) => {
                    tracing::error!(%error, sequence, "a batch of the outbox cannot be read");
                    continue;
                }
            };
            let shared = host.hands.shared.clone();
            let known = transactions.into_iter().filter_map(|bytes| verified_before(&shared.state(), bytes));
            let known: Vec<_> = known.collect();
            self.batches.insert(sequence, known.iter().map(VerifiedTransaction::id).collect());
            if let Some(pool) = host.node.pool_mut() {
                known.into_iter().for_each(|transaction| {
                    pool.push_submitted(now, Verified { transaction, ticket: None });
                });
            }
        }
        let mut effects = Vec::new();
        host.node.drop_gone(&host.hands.shared.state(), now, &mut effects);
        effects::carry_out(&mut host.hands, effects);
        self.settle(host);
    }

    /// Whether as many batches are not final as go to the validators at once.
    fn is_crowded(&self) -> bool {
        self.batches.len() >= limits::LINK_UNDER_WAY_MAX
    }

    /// Puts what waits into batches, once enough or for long enough.
    fn submit(&mut self, host: &mut Host) {
        let now = clock::now_unix_milliseconds();
        let shared = host.hands.shared.clone();
        while self.client.has_room() {
            let Some(pool) = host.node.pool() else { return };
            let Some(since) = pool.oldest_unsubmitted() else { return };
            let is_full = pool.unsubmitted() >= limits::LINK_BATCH_TRANSACTIONS_MAX;
            let is_old = now < since || now - since >= limits::BATCH_AGE_MAX_MILLISECONDS;
            // Where more batches wait than are under way, a small one would only take a large one's place.
            if !is_full && (!is_old || self.is_crowded()) {
                return;
            }
            let mut effects = Vec::new();
            host.node.try_instructions(&shared.state(), now, &mut effects);
            effects::carry_out(&mut host.hands, effects);
            let Some(pool) = host.node.pool_mut() else { return };
            let bytes_max = limits::LINK_BATCH_BYTES_MAX - limits::LINK_BATCH_OVERHEAD_BYTES;
            let (ids, batch) =
                pool.take_for_batch(bytes_max, limits::LINK_BATCH_TRANSACTIONS_MAX, Batch::bytes_of);
            if batch.is_empty() {
                return;
            }
            match self.client.submit(&batch) {
                Ok(sequence) => {
                    self.batches.insert(sequence, ids);
                }
                Err(error) => {
                    pool.unsubmit(&ids);
                    tracing::warn!(%error, "a batch could not be kept: it waits");
                    return;
                }
            }
        }
    }

    fn take(&mut self, host: &mut Host, followed: Followed) -> Result<(), StorageError> {
        match followed {
            Followed::Block { height, payload, certificate } => {
                if height != host.hands.shared.durable().height + 1 {
                    return Ok(());
                }
                match execute(host, &payload, &certificate) {
                    Ok(made) => self.commit(host, height, made, &certificate)?,
                    Err(why) => {
                        tracing::error!(height, why, "a block that a validator gave is refused");
                        self.client.refuse_block(height);
                    }
                }
            }
            Followed::Checkpoint(note) => self.take_checkpoint(host, note)?,
            Followed::GivenUp(sequence) => {
                let ids = self.batches.remove(&sequence).unwrap_or_default();
                if let Some(pool) = host.node.pool_mut() {
                    pool.unsubmit(&ids);
                }
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        host: &mut Host,
        height: u64,
        made: Made,
        certificate: &[u8],
    ) -> Result<(), StorageError> {
        let mut made = Some(made);
        if !host.commit(&mut made, certificate)? {
            // No room: the block waits, and nothing is taken in. Whoever gave it is not to blame.
            self.held = made.map(|made| (height, made, certificate.to_vec()));
            return Ok(());
        }
        attend(host, height, certificate);
        let state = host.hands.shared.state();
        if state.validators().version() != self.version {
            self.version = state.validators().version();
            self.client.set_validators(keys(&state));
        }
        drop(state);
        self.settle(host);
        self.publish_checkpoint(host)
    }

    /// Forgets the batches of which nothing waits any more.
    fn settle(&mut self, host: &Host) {
        let Some(pool) = host.node.pool() else { return };
        let mut settled = Vec::new();
        for (sequence, ids) in &mut self.batches {
            ids.retain(|id| pool.get(id).is_some());
            if ids.is_empty() {
                settled.push(*sequence);
            }
        }
        for sequence in settled {
            self.batches.remove(&sequence);
            self.client.settled(sequence);
        }
    }

    /// A checkpoint is published once this node has what it covers.
    fn take_checkpoint(&mut self, host: &mut Host, note: String) -> Result<(), StorageError> {
        let size = super::agreed::signed_size(&note);
        if size > host.hands.shared.checkpoint_and_size().1 {
            self.checkpoints.insert(size, note);
            while self.checkpoints.len() > limits::CHECKPOINTS_GATHERED_MAX {
                self.checkpoints.pop_first();
            }
        }
        self.publish_checkpoint(host)
    }

    fn publish_checkpoint(&mut self, host: &mut Host) -> Result<(), StorageError> {
        let shared = host.hands.shared.clone();
        let log_size = shared.durable().log_size;
        let covered =
            self.checkpoints.range(..=log_size).next_back().map(|(size, note)| (*size, note.clone()));
        let Some((size, text)) = covered else { return Ok(()) };
        self.checkpoints = self.checkpoints.split_off(&(size + 1));
        let state = shared.state();
        let signed =
            Note::parse(&text).ok().and_then(|note| SignedCheckpoint::verify(&note, state.handovers()).ok());
        drop(state);
        let is_ours = |signed: &SignedCheckpoint| {
            shared.rows.root(size).is_ok_and(|root| root == signed.checkpoint().root)
        };
        match signed.filter(is_ours) {
            Some(_) => host.hands.publish_checkpoint(text),
            None => {
                tracing::error!(
                    size,
                    "a checkpoint that a validator gave is not of this log, or not signed by enough"
                );
                Ok(())
            }
        }
    }

    /// Who is connected, for pages and metrics.
    fn look(&self, host: &Host) {
        let link = self.client.status();
        host.hands.shared.telemetry.link.show_client(&self.client);
        let shared = &host.hands.shared;
        let state = shared.state();
        let connected = |name: &str| {
            let key = state.validators().named(name).map(|key| *key.key());
            let of_key = self.peers.iter().find(|(_, peer)| Some(*peer) == key).map(|(name, _)| name);
            link.peers.iter().any(|peer| peer.is_connected && Some(&peer.name) == of_key)
        };
        let before = shared.consensus.status().map(|status| status.validators).unwrap_or_default();
        let validator = |name: &str| {
            let before = before.iter().find(|one| one.name == name);
            ValidatorStatus {
                name: name.to_owned(),
                is_self: false,
                is_connected: connected(name),
                missed_proposals: before.map_or(0, |one| one.missed_proposals),
                last_signed_height: before.and_then(|one| one.last_signed_height),
            }
        };
        let validators: Vec<_> = state.validators().keys().iter().map(|key| validator(key.name())).collect();
        let missing: Vec<String> = validators
            .iter()
            .filter(|validator| !validator.is_connected)
            .map(|validator| validator.name.clone())
            .collect();
        let now = clock::now_unix_milliseconds();
        shared.consensus.update(|status| {
            let still = now.saturating_sub(status.last_block_unix_milliseconds);
            status.stuck = match still >= limits::STUCK_AFTER.as_millis() as u64 {
                true if shared.space().full => Some(Stuck::Disk),
                true if !missing.is_empty() => Some(Stuck::NoQuorum { missing: missing.clone() }),
                _ => None,
            };
            status.validators = validators;
        });
    }
}

/// Notes who signed for a block, and whose turns went by before it: its certificate tells a gateway both.
fn attend(host: &Host, height: u64, certificate: &[u8]) {
    let shared = &host.hands.shared;
    let state = shared.state();
    let keys = state.validators().keys();
    let certificate = Certificate::decode(certificate).ok();
    let round = certificate.as_ref().map_or(0, |certificate| certificate.round);
    let turn =
        |height, round| keys.get(proposer_of(keys.len(), height, round)).map(|key| key.name().to_owned());
    let missed: Vec<String> =
        (0..round.min(limits::MISSED_TURNS_COUNTED_MAX)).filter_map(|round| turn(height, round)).collect();
    let has_signed = |name: &str| {
        let key = keys.iter().find(|key| key.name() == name).map(|key| *key.key());
        let signatures = certificate.iter().flat_map(|certificate| &certificate.signatures);
        key.is_some_and(|key| signatures.into_iter().any(|(signer, _)| *signer == key))
    };
    shared.consensus.update(|status| {
        status.height = height + 1;
        status.proposer = turn(height + 1, 0);
        status.last_block_unix_milliseconds = clock::now_unix_milliseconds();
        status.stuck = None;
        for one in &mut status.validators {
            one.missed_proposals += missed.iter().filter(|name| **name == one.name).count() as u64;
            if has_signed(&one.name) {
                one.last_signed_height = Some(height);
            }
        }
    });
}

/// Whether enough of the validators that this node knows have signed for a block, and what executing it gives.
fn execute(host: &Host, payload: &[u8], certificate: &[u8]) -> Result<Made, String> {
    let state = host.hands.shared.state();
    let block: Block = decode_block(payload)?;
    let certificate = Certificate::decode(certificate).map_err(|_| "its certificate is none".to_owned())?;
    let id = BlockId(block.seal.id());
    if (certificate.height, BlockId(certificate.block_id)) != (block.seal.height, id) {
        return Err("its certificate is of another block".to_owned());
    }
    certificate.verify(state.genesis_hash(), state.validators()).map_err(|error| error.to_string())?;
    let mut after = state.clone();
    drop(state);
    // Those who signed have verified every signature in it: more than two thirds vouch as the own log does.
    let results = after.replay_with(&block, Trust::OwnLog, &Cores).map_err(|error| error.to_string())?;
    Ok(Made { block, results, state: after })
}

/// A transaction of the own outbox, which was verified before it was put there.
fn verified_before(state: &State, bytes: Vec<u8>) -> Option<VerifiedTransaction<Vec<u8>>> {
    match SignedReading::decode(bytes) {
        Ok(reading) => {
            let key = *state.device_key(reading.kid())?;
            let verified = devices::VerifiedReading::from_own_log(reading, &key, state.network());
            Some(VerifiedTransaction::Reading(verified))
        }
        Err((_, bytes)) => {
            let instruction = SignedInstruction::decode(bytes).ok()?;
            let key = state.account_key(instruction.kid()).or(instruction.key()).copied()?;
            let verified = devices::VerifiedInstruction::from_own_log(instruction, &key, state.network());
            Some(VerifiedTransaction::Instruction(verified))
        }
    }
}
