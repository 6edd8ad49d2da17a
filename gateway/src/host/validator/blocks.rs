//! Blocks as they come and go: proposed here, streamed to the others, committed, given to those who are behind.

use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::LocallyProposedValue;
use arc_malachitebft_app_channel::app::types::core::{
    CommitCertificate, ExtendedCommitCertificate, ExtendedCommitSignature, Round,
};
use arc_malachitebft_app_channel::app::types::streaming::StreamId;
use arc_malachitebft_app_channel::app::types::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::sync::RawDecidedValue;
use arc_malachitebft_app_channel::{NetworkMsg, Reply};
use arc_malachitebft_signing_ed25519::Signature;
use bytes::Bytes;
use devices::PublicKey;
use ledger::block::Block;
use ledger::certificate::Certificate;

use super::{Agreement, Decided, Seen};
use crate::clock;
use crate::consensus::bft::checkpoints::{Gathered, Signed};
use crate::consensus::bft::context::{Address, BlockId, Height, Lamppost, Part};
use crate::consensus::bft::judge::{Fault, Judged};
use crate::consensus::bft::parts::{self, Assembled};
use crate::effects;
use crate::host::Host;
use crate::limits;
use crate::log::{decode_block, encode_block};
use crate::node::agreed::Made;
use crate::shared::Shared;
use crate::storage::StorageError;

impl Agreement {
    /// The engine begins: what this node committed last is signed once more, because nobody may have heard it.
    pub(super) async fn begin(&mut self, host: &mut Host) {
        let (checkpoint, validators) = {
            let state = host.hands.shared.state();
            (state.checkpoint(), state.validators().clone())
        };
        let gathered = self.checkpoints.commit(checkpoint, &validators);
        let signed = self.sign_checkpoint(host).await;
        for gathered in [Some(gathered), signed].into_iter().flatten() {
            if let Err(error) = self.gathered(host, gathered) {
                tracing::error!(%error, "a checkpoint could not be kept");
            }
        }
    }

    /// Proposes a block of what waits, or the one that was proposed in this round before a crash. Without room on the disk
    /// there is none: the others pass this node's turn.
    pub(super) async fn propose(
        &mut self,
        host: &mut Host,
        height: Height,
        round: Round,
        reply: Reply<LocallyProposedValue<Lamppost>>,
    ) {
        if height != self.height(host) || !host.node.has_room() {
            return;
        }
        let before = self
            .seen
            .iter()
            .find(|seen| seen.round == round && seen.proposer == self.address && seen.is_right);
        if let Some(id) = before.map(|seen| seen.id) {
            super::messages::proposed(reply, height, round, id);
            self.restream(host, height, round, Round::Nil, self.address, id).await;
            return;
        }
        let (shared, mut effects) = (host.hands.shared.clone(), Vec::new());
        let made = host.node.propose(&shared.state(), clock::now_unix_milliseconds(), &mut effects);
        effects::carry_out(&mut host.hands, effects);
        let Some(bytes) = encode_block(&made.block) else { return };
        let id = BlockId(made.block.seal.id());
        let (valid_round, proposer) = (Round::Nil, self.address);
        let assembled = Assembled { height, round, valid_round, proposer, bytes };
        if let Err(error) = self.proposals.keep(id, &assembled) {
            tracing::error!(%error, "a block could not be kept: none is proposed");
            return;
        }
        self.keep_executed(id, made);
        self.remember(Seen { round, valid_round, proposer, id, is_right: true });
        super::messages::proposed(reply, height, round, id);
        self.stream(assembled).await;
    }

    /// Publishes once more a block that is proposed again.
    pub(super) async fn restream(
        &mut self,
        host: &Host,
        height: Height,
        round: Round,
        valid_round: Round,
        proposer: Address,
        id: BlockId,
    ) {
        if height != self.height(host) {
            return;
        }
        let Some(bytes) = self.executed.get(&id).and_then(|made| encode_block(&made.block)) else { return };
        self.stream(Assembled { height, round, valid_round, proposer, bytes }).await;
    }

    async fn stream(&mut self, block: Assembled) {
        let Assembled { height, round, valid_round, proposer, bytes } = block;
        let Ok(announced) = u32::try_from(bytes.len()) else { return };
        let begin = Part::Begin { height, round, valid_round, proposer, bytes: announced };
        let id = self.stream_id();
        for message in parts::stream(begin, &Bytes::from(bytes), &id) {
            self.send(message).await;
        }
    }

    /// Publishes what is no part of a block.
    pub(super) async fn publish(&mut self, part: Part) {
        let id = self.stream_id();
        self.send(StreamMessage::new(id, 0, StreamContent::Data(part))).await;
    }

    async fn send(&mut self, message: StreamMessage<Part>) {
        let _engine_gone = self.network.send(NetworkMsg::PublishProposalPart(message)).await;
    }

    /// Never the same twice, also not after a restart: the time is in it.
    fn stream_id(&mut self) -> StreamId {
        self.streams += 1;
        let mut id = [0; limits::STREAM_ID_BYTES];
        id[..8].copy_from_slice(&clock::now_unix_milliseconds().to_be_bytes());
        id[8..16].copy_from_slice(&self.streams.to_be_bytes());
        StreamId::new(Bytes::copy_from_slice(&id))
    }

    /// Judges a block's bytes, unless the same block was judged before: its id and whether it is right. `None` where the
    /// bytes say nothing about any block.
    pub(super) fn judge_once(
        &mut self,
        host: &Host,
        bytes: &[u8],
        now: Option<u64>,
    ) -> Option<(BlockId, bool)> {
        let block = decode_block(bytes).inspect_err(|why| tracing::warn!(why, "garbage for a block")).ok()?;
        let id = BlockId(block.seal.id());
        // The same seal with other entries is garbage, which the judge tells.
        if self.executed.get(&id).is_some_and(|made| made.block == block) {
            return Some((id, true));
        }
        match self.judge.judge(&host.node, &host.hands.shared.state(), block, now) {
            Judged::Garbage(why) => {
                tracing::warn!(why, "garbage for a block");
                None
            }
            Judged::Wrong(id, fault) => {
                tracing::warn!(block = %id, %fault, "a block is refused");
                if let Fault::Ahead(milliseconds) = *fault {
                    // Perhaps it is this node's clock: then the others decide the block, and it is the right one.
                    super::watching::note_ahead(host, milliseconds);
                    self.ahead_noted = Some(clock::now_unix_milliseconds());
                    return None;
                }
                Some((id, false))
            }
            Judged::Right(id, made) => {
                self.keep_executed(id, *made);
                Some((id, true))
            }
        }
    }

    /// Whether a block was refused lately for its time.
    fn is_clock_in_doubt(&self) -> bool {
        let since = |noted: u64| clock::now_unix_milliseconds().saturating_sub(noted);
        self.ahead_noted.is_some_and(|noted| u128::from(since(noted)) < limits::STUCK_AFTER.as_millis())
    }

    /// Keeps an executed block until the height is decided; one that finds no room is executed again when it is needed.
    fn keep_executed(&mut self, id: BlockId, made: Made) {
        if self.executed.len() < limits::BLOCKS_JUDGED_MAX {
            self.executed.insert(id, made);
        }
    }

    /// Remembers what was said of a block of the height.
    pub(super) fn remember(&mut self, seen: Seen) -> &Seen {
        let is_same =
            |other: &Seen| (other.id, other.round, other.proposer) == (seen.id, seen.round, seen.proposer);
        let place = self.seen.iter().position(is_same);
        let place = place.unwrap_or_else(|| {
            if self.seen.len() >= limits::BLOCKS_SEEN_MAX {
                // Wrong ones first, then the oldest.
                self.seen.remove(self.seen.iter().position(|seen| !seen.is_right).unwrap_or(0));
            }
            self.seen.push(seen);
            self.seen.len() - 1
        });
        &self.seen[place]
    }

    /// Commits a decided block and begins to gather signatures under its checkpoint. Without room it waits.
    pub(super) async fn commit(&mut self, host: &mut Host, decided: Decided) -> Result<(), StorageError> {
        let Decided { certificate, reply } = decided;
        let Some(made) = self.made(host, &certificate) else {
            tracing::error!(height = %certificate.height, "a block was decided that this node does not have: it waits to be sent it");
            return Ok(());
        };
        let validators = host.hands.shared.state().validators().clone();
        let written = ledger_certificate(&certificate);
        let Some(bytes) = written.as_ref().map(Certificate::encode) else {
            tracing::error!(height = %certificate.height, "the engine gave a certificate that is none");
            return Ok(());
        };
        let mut made = Some(made);
        if !host.commit(&mut made, &bytes)? {
            self.executed.extend(made.map(|made| (certificate.value_id, made)));
            self.decided = Some(Decided { certificate, reply });
            return Ok(());
        }
        self.seen.clear();
        self.executed.clear();
        let next = Height(certificate.height.0 + 1);
        self.assembly.forget_below(next);
        self.proposals.forget_below(next);
        self.durable.send_replace(certificate.height.0);
        super::watching::committed(host, &certificate, self.is_clock_in_doubt());
        let checkpoint = host.hands.shared.state().checkpoint();
        let gathered = self.checkpoints.commit(checkpoint, &validators);
        self.gathered(host, gathered)?;
        if let Some(gathered) = self.sign_checkpoint(host).await {
            self.gathered(host, gathered)?;
        }
        let _engine_gone = reply.send(());
        Ok(())
    }

    /// The decided block, executed.
    fn made(&mut self, host: &Host, certificate: &CommitCertificate<Lamppost>) -> Option<Made> {
        if certificate.height != self.height(host) {
            return None;
        }
        if let Some(made) = self.executed.remove(&certificate.value_id) {
            return Some(made);
        }
        // Voted for before a crash, or one of too many of this height.
        let kept = self.proposals.of_height(certificate.height);
        let (_, block) = kept.into_iter().find(|(id, _)| *id == certificate.value_id)?;
        let block = decode_block(&block.bytes).ok()?;
        match self.judge.judge(&host.node, &host.hands.shared.state(), block, None) {
            Judged::Right(id, made) if id == certificate.value_id => Some(*made),
            _ => None,
        }
    }

    /// Signs what this node committed last, and tells the others.
    async fn sign_checkpoint(&mut self, host: &Host) -> Option<Gathered> {
        let (checkpoint, validators) = {
            let state = host.hands.shared.state();
            (state.checkpoint(), state.validators().clone())
        };
        let address = self.address;
        if !self.votes || !validators.contains(&self.key.public_key()) {
            return None;
        }
        let signature = self.key.sign(checkpoint.body().as_bytes());
        let (size, root) = (checkpoint.size, checkpoint.root);
        self.publish(Part::Checkpoint { size, root, address, signature }).await;
        Some(self.checkpoints.take(Signed { size, root, address, signature }, &validators))
    }

    /// What came of a signature under a checkpoint.
    pub(super) fn gathered(&mut self, host: &mut Host, gathered: Gathered) -> Result<(), StorageError> {
        match gathered {
            Gathered::Waiting => Ok(()),
            Gathered::Enough(note) => {
                self.signed.send_replace(note.as_str().into());
                host.hands.publish_checkpoint(note)
            }
            Gathered::Conflict(evidence) => self.report(host, *evidence),
        }
    }
}

/// The engine's certificate in the ledger's form.
fn ledger_certificate(certificate: &CommitCertificate<Lamppost>) -> Option<Certificate> {
    let signature = |of: &arc_malachitebft_app_channel::app::types::core::CommitSignature<Lamppost>| {
        Some((PublicKey::from_bytes(of.address.0).ok()?, of.signature.to_bytes()))
    };
    let mut signatures: Vec<_> =
        certificate.commit_signatures.iter().map(signature).collect::<Option<_>>()?;
    signatures.sort_unstable_by_key(|(key, _)| *key.as_bytes());
    Some(Certificate {
        height: certificate.height.0,
        round: certificate.round.as_u32()?,
        block_id: certificate.value_id.0,
        signatures,
    })
}

/// A stored block with its certificate.
pub(super) fn certified(shared: &Shared, height: u64) -> Option<(Block, Vec<u8>)> {
    let place = shared.index.block(height).ok()??;
    let (block, certificate) = shared.log.read_certified(place.position).ok()?;
    Some((block, certificate?))
}

/// The same for a validator that is behind.
pub(super) fn stored(shared: &Shared, height: u64) -> Option<RawDecidedValue<Lamppost>> {
    let (block, certificate) = certified(shared, height)?;
    let certificate = Certificate::decode(&certificate).ok()?;
    let signature = |(key, signature): &(PublicKey, [u8; 64])| ExtendedCommitSignature {
        address: Address(*key.as_bytes()),
        signature: Signature::from_bytes(*signature),
        extension: None,
    };
    let certificate = ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: BlockId(certificate.block_id),
        commit_signatures: certificate.signatures.iter().map(signature).collect(),
    };
    Some(RawDecidedValue::new(encode_block(&block)?.into(), certificate))
}
