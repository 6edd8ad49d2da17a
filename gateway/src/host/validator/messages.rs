//! What the engine asks, and what it is answered.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use arc_malachitebft_app_channel::app::consensus::Role as EngineRole;
use arc_malachitebft_app_channel::app::engine::host::{HeightParams, SyncedValueOutcome};
use arc_malachitebft_app_channel::app::types::core::{Round, Validity};
use arc_malachitebft_app_channel::app::types::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::sync::RawDecidedValue;
use arc_malachitebft_app_channel::app::types::{LocallyProposedValue, PeerId, ProposedValue};
use arc_malachitebft_app_channel::{AppMsg, Reply};
use bytes::Bytes;

use super::{Agreement, Decided, Seen, rest::Rest};
use crate::clock;
use crate::consensus::bft::checkpoints::Signed;
use crate::consensus::bft::context::{Address, BlockId, Height, Lamppost, Part};
use crate::consensus::bft::engine;
use crate::consensus::bft::parts::Assembled;
use crate::host::Host;
use crate::limits;
use crate::storage::StorageError;

impl Agreement {
    pub(super) async fn answer(
        &mut self,
        host: &mut Host,
        question: AppMsg<Lamppost>,
    ) -> Result<(), StorageError> {
        match question {
            AppMsg::ConsensusReady { reply } => {
                self.begin(host).await;
                let _engine_gone = reply.send((self.height(host), self.params(host)));
            }
            AppMsg::StartedRound { height, round, proposer, role, reply_value } => {
                self.started(host, height, round, proposer, role);
                let _engine_gone = reply_value.send(self.recall(host, height, round));
            }
            AppMsg::GetValue { height, round, timeout: _, reply } => {
                self.propose(host, height, round, reply).await;
            }
            AppMsg::ReceivedProposalPart { from: _, published_by, part, reply } => {
                let value = self.take_part(host, published_by, part).await?;
                let _engine_gone = reply.send(value);
            }
            AppMsg::Decided { certificate, reply, .. } => {
                self.commit(host, Decided { certificate, reply }).await?;
            }
            AppMsg::Finalized { certificate, evidence, reply, .. } => {
                self.report_all(host, &evidence)?;
                self.rest = Some(Rest::begin(certificate.height, reply));
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let outcome = self.take_synced(host, height, round, proposer, value_bytes);
                let _engine_gone = reply.send(outcome);
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let _engine_gone = reply.send(decided(host, range));
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let first = host.hands.shared.log.first_height().max(1);
                let _engine_gone = reply.send(Height(first));
            }
            AppMsg::RestreamProposal { height, round, valid_round, address, value_id } => {
                self.restream(host, height, round, valid_round, address, value_id).await;
            }
            // Nobody extends votes here.
            AppMsg::ExtendVote { reply, .. } => {
                let _engine_gone = reply.send(None);
            }
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let refused = Err(
                    arc_malachitebft_app_channel::app::consensus::VoteExtensionError::InvalidVoteExtension,
                );
                let verdicts = extensions.into_iter().map(|(address, _)| (address, refused.clone()));
                let _engine_gone = reply.send(verdicts.collect());
            }
        }
        Ok(())
    }

    /// The height that is being decided.
    pub(super) fn height(&self, host: &Host) -> Height {
        Height(host.hands.shared.durable().height + 1)
    }

    pub(super) fn params(&self, host: &Host) -> HeightParams<Lamppost> {
        let state = host.hands.shared.state();
        let soon = clock::now_unix_milliseconds().saturating_add(limits::SETTLEMENT_SOON_MILLISECONDS);
        // The block that closes an epoch settles every device before its transactions: who proposes does it, and then the
        // others.
        let devices = match soon >= state.next_settlement_unix_milliseconds() {
            true => u32::try_from(state.device_count()).unwrap_or(u32::MAX),
            false => 0,
        };
        let more = limits::SETTLEMENT_PER_DEVICE.saturating_mul(devices);
        engine::height_params(state.validators(), self.block_time, more)
    }

    /// A round begins: pages say whose turn it is, and who missed theirs.
    fn started(&self, host: &Host, height: Height, round: Round, proposer: Address, role: EngineRole) {
        tracing::debug!(%height, %round, %proposer, ?role, "a round begins");
        let state = host.hands.shared.state();
        let name = |address: &Address| {
            let found = state.validators().keys().iter().find(|key| *key.key().as_bytes() == address.0);
            found.map(|key| key.name().to_owned())
        };
        let missed = round.as_u32().unwrap_or_default().checked_sub(1).map(|before| {
            let turn = crate::consensus::proposer_of(state.validators().len(), height.0, before);
            state.validators().keys().get(turn).map(|key| key.name().to_owned())
        });
        host.hands.shared.consensus.update(|status| {
            status.height = height.0;
            status.round = round.as_u32().unwrap_or_default();
            status.proposer = name(&proposer);
            let missed = missed.flatten();
            let validator =
                status.validators.iter_mut().find(|validator| Some(&validator.name) == missed.as_ref());
            if let Some(validator) = validator {
                validator.missed_proposals += 1;
            }
        });
    }

    /// Takes what another validator published: a part of a block, its signature under a checkpoint, or a call to wake.
    async fn take_part(
        &mut self,
        host: &mut Host,
        publisher: Option<PeerId>,
        message: StreamMessage<Part>,
    ) -> Result<Option<ProposedValue<Lamppost>>, StorageError> {
        let Some(publisher) = publisher.and_then(|peer| self.validator(host, peer)) else { return Ok(None) };
        match message.content.as_data() {
            Some(Part::Wake(height)) => {
                if *height >= self.height(host) {
                    self.wake(host);
                }
                return Ok(None);
            }
            Some(Part::Checkpoint { size, root, address, signature }) => {
                let signed = Signed { size: *size, root: *root, address: *address, signature: *signature };
                let gathered = self.checkpoints.take(signed, host.hands.shared.state().validators());
                self.gathered(host, gathered)?;
                return Ok(None);
            }
            Some(Part::Begin { height, .. }) if *height >= self.height(host) => self.wake(host),
            _ => {}
        }
        let Some(assembled) = self.assembly.take(publisher, message) else { return Ok(None) };
        let height = self.height(host);
        if assembled.height > height {
            if self.ahead.len() == limits::BLOCKS_AHEAD_MAX {
                self.ahead.pop_front();
            }
            self.ahead.push_back(assembled);
            return Ok(None);
        }
        if assembled.height < height || self.decided.is_some() {
            return Ok(None);
        }
        Ok(self.judge_proposed(host, assembled, Some(clock::now_unix_milliseconds())))
    }

    /// The validator that is behind a name in the engine's network.
    fn validator(&self, host: &Host, peer: PeerId) -> Option<Address> {
        let state = host.hands.shared.state();
        let mut addresses = state.validators().keys().iter().map(|key| *key.key().as_bytes());
        addresses.find(|key| engine::peer_id(key) == peer).map(Address)
    }

    /// Judges a block that is proposed, and keeps it before anybody votes for it. `now` (Unix milliseconds) bounds its time.
    pub(super) fn judge_proposed(
        &mut self,
        host: &Host,
        assembled: Assembled,
        now: Option<u64>,
    ) -> Option<ProposedValue<Lamppost>> {
        let (id, is_right) = self.judge_once(host, &assembled.bytes, now)?;
        if is_right && let Err(error) = self.proposals.keep(id, &assembled) {
            // What is not kept is not voted for: after a crash nobody would know what the vote was for.
            tracing::error!(%error, "a proposed block could not be kept: no vote for it");
            return None;
        }
        let Assembled { height, round, valid_round, proposer, .. } = assembled;
        Some(self.remember(Seen { round, valid_round, proposer, id, is_right }).value(height))
    }

    /// A decided block that this node missed: the engine has verified its certificate.
    fn take_synced(
        &mut self,
        host: &Host,
        height: Height,
        round: Round,
        proposer: Address,
        bytes: Bytes,
    ) -> SyncedValueOutcome<Lamppost> {
        if height != self.height(host) || self.decided.is_some() {
            return SyncedValueOutcome::LocalTransientError;
        }
        let Some((id, is_right)) = self.judge_once(host, &bytes, None) else {
            return SyncedValueOutcome::PeerFault;
        };
        let seen = Seen { round, valid_round: Round::Nil, proposer, id, is_right };
        SyncedValueOutcome::Verdict(self.remember(seen).value(height))
    }

    /// What was seen of a height before: on the disk before a crash, or while the height before was not decided yet.
    fn recall(&mut self, host: &Host, height: Height, round: Round) -> Vec<ProposedValue<Lamppost>> {
        if height != self.height(host) {
            return Vec::new();
        }
        if self.recalled != height {
            self.recalled = height;
            // Judged right before it was kept: a clock that was set back since makes none of it premature, and what this
            // node proposed in a round it never proposes otherwise.
            for (_, block) in self.proposals.of_height(height) {
                let _remembered = self.judge_proposed(host, block, None);
            }
            let (of_height, of_next): (VecDeque<_>, _) =
                self.ahead.drain(..).partition(|block| block.height <= height);
            self.ahead = of_next;
            let now = clock::now_unix_milliseconds();
            for block in of_height.into_iter().filter(|block| block.height == height) {
                let _remembered = self.judge_proposed(host, block, Some(now));
            }
        }
        let of_round = self.seen.iter().filter(|seen| seen.round == round);
        of_round.map(|seen| seen.value(height)).collect()
    }
}

impl Seen {
    pub(super) fn value(&self, height: Height) -> ProposedValue<Lamppost> {
        ProposedValue {
            height,
            round: self.round,
            valid_round: self.valid_round,
            proposer: self.proposer,
            value: self.id,
            validity: Validity::from_bool(self.is_right),
        }
    }
}

/// Decided blocks with their certificates, as many as go into one answer.
fn decided(host: &Host, range: RangeInclusive<Height>) -> Vec<RawDecidedValue<Lamppost>> {
    let (shared, mut bytes) = (&host.hands.shared, 0);
    let last = range.end().0.min(shared.durable().height);
    let mut values = Vec::new();
    for height in (range.start().0..=last).take(limits::SYNC_BLOCKS_MAX) {
        let Some(value) = super::blocks::stored(shared, height) else { break };
        bytes += value.value_bytes.len();
        if bytes > limits::SYNC_BYTES_MAX && !values.is_empty() {
            break;
        }
        values.push(value);
    }
    values
}

/// What this node proposes.
pub(super) fn proposed(
    reply: Reply<LocallyProposedValue<Lamppost>>,
    height: Height,
    round: Round,
    id: BlockId,
) {
    let _engine_gone = reply.send(LocallyProposedValue::new(height, round, id));
}
