//! What a validator does that no honest one does goes on the ledger: two statements under its signature that contradict each
//! other. Whoever sees it reports it; the ledger takes it once.

use arc_malachitebft_app_channel::app::types::MisbehaviorEvidence;
use arc_malachitebft_app_channel::app::types::core::{
    NilOrVal, SignedProposal as EngineProposal, SignedVote as EngineVote, VoteType,
};
use devices::PublicKey;
use ledger::account::AccountId;
use ledger::evidence::{Evidence, SignedProposal, SignedVote};
use ledger::instruction::Instruction;
use ledger::limits::MISBEHAVIOURS_PER_VALIDATOR_MAX;
use ledger::vote::VoteKind;

use super::Agreement;
use crate::admit::Arrival;
use crate::clock;
use crate::consensus::bft::context::Lamppost;
use crate::host::Host;
use crate::node::Input;
use crate::storage::StorageError;

impl Agreement {
    /// Reports what the engine saw during a height.
    pub(super) fn report_all(
        &mut self,
        host: &mut Host,
        seen: &MisbehaviorEvidence<Lamppost>,
    ) -> Result<(), StorageError> {
        let votes =
            seen.votes.iter().flat_map(|(_, pairs)| pairs).filter_map(|(one, other)| votes(one, other));
        let proposals = seen.proposals.iter().flat_map(|(_, pairs)| pairs);
        let proposals = proposals.filter_map(|(one, other)| self::proposals(one, other));
        for evidence in votes.chain(proposals).collect::<Vec<_>>() {
            self.report(host, evidence)?;
        }
        Ok(())
    }

    /// Reports one contradiction: as an instruction of this validator, like anybody's.
    pub(super) fn report(&mut self, host: &mut Host, evidence: Evidence) -> Result<(), StorageError> {
        tracing::error!(
            validator = %evidence.validator(), kind = evidence.kind().as_str(), place = ?evidence.place(),
            "a validator contradicts itself"
        );
        let own = self.key.public_key();
        let bytes = {
            let state = host.hands.shared.state();
            let known: Vec<_> = state
                .misbehaviours()
                .iter()
                .filter(|known| known.validator == *evidence.validator())
                .collect();
            let is_known = known.len() >= MISBEHAVIOURS_PER_VALIDATOR_MAX
                || known.iter().any(|known| known.is_shown_by(&evidence));
            if is_known || !self.votes || !state.validators().contains(&own) {
                return Ok(());
            }
            let account = state.account(AccountId::of(&own));
            let counter = account.map_or(0, |account| account.counter);
            self.reports = self.reports.max(counter).saturating_add(1).max(clock::now_unix_milliseconds());
            let payload = Instruction::ReportMisbehaviour { evidence: Box::new(evidence) }.encode();
            let mut envelope = vec![0; devices::limits::INSTRUCTION_BYTES_MAX];
            let is_new = account.is_none_or(|account| account.key.is_none());
            let length = devices::sign_instruction(
                &self.key,
                state.network(),
                self.reports,
                &payload,
                is_new,
                &mut envelope,
            );
            envelope.truncate(length.unwrap_or_default());
            envelope
        };
        host.step(Input::Received(vec![Arrival { bytes, topic_kid: None, ticket: None }]))
    }
}

fn votes(one: &EngineVote<Lamppost>, other: &EngineVote<Lamppost>) -> Option<Evidence> {
    let said = |vote: &EngineVote<Lamppost>| SignedVote {
        value: match vote.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(id) => Some(id.0),
        },
        signature: vote.signature.to_bytes(),
    };
    Some(Evidence::Votes {
        validator: PublicKey::from_bytes(one.address.0).ok()?,
        kind: match one.kind {
            VoteType::Prevote => VoteKind::Prevote,
            VoteType::Precommit => VoteKind::Precommit,
        },
        height: one.height.0,
        round: one.round.as_u32()?,
        first: said(one),
        second: said(other),
    })
}

fn proposals(one: &EngineProposal<Lamppost>, other: &EngineProposal<Lamppost>) -> Option<Evidence> {
    let said = |proposal: &EngineProposal<Lamppost>| SignedProposal {
        value: proposal.value.0,
        pol_round: proposal.pol_round.as_u32(),
        signature: proposal.signature.to_bytes(),
    };
    Some(Evidence::Proposals {
        validator: PublicKey::from_bytes(one.address.0).ok()?,
        height: one.height.0,
        round: one.round.as_u32()?,
        first: said(one),
        second: said(other),
    })
}
