//! Signs and verifies what validators say: votes, proposals, and that a connection is theirs.

use arc_malachitebft_app_channel::app::types::core::{
    NilOrVal, Round, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType,
};
use arc_malachitebft_app_channel::{Signer, Verifier};
use arc_malachitebft_signing::{Error, VerificationResult};
use arc_malachitebft_signing_ed25519::{PublicKey as EngineKey, Signature};
use async_trait::async_trait;
use bytes::Bytes;
use devices::SigningKey;
use ledger::merkle::Hash;
use ledger::vote::{VoteKind, proposal_bytes, vote_bytes};

use super::context::{Lamppost, Proposal, Vote};

/// What is signed of a vote.
pub fn signed_vote_bytes(genesis_hash: &Hash, vote: &Vote) -> Vec<u8> {
    let kind = match vote.kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    };
    let value = match vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(id.0),
    };
    vote_bytes(genesis_hash, kind, vote.height.0, number(vote.round), value)
}

/// What is signed of a proposal.
pub fn signed_proposal_bytes(genesis_hash: &Hash, proposal: &Proposal) -> Vec<u8> {
    let (height, round) = (proposal.height.0, number(proposal.round));
    proposal_bytes(genesis_hash, height, round, &proposal.value.0, proposal.pol_round.as_u32())
}

/// A round that a message of a round carries is always one.
fn number(round: Round) -> u32 {
    round.as_u32().unwrap_or_default()
}

/// Verifies for one network.
#[derive(Debug, Clone, Copy)]
pub struct Judge {
    genesis_hash: Hash,
}

impl Judge {
    /// For the network of a genesis document.
    pub fn new(genesis_hash: Hash) -> Judge {
        Judge { genesis_hash }
    }
}

fn judged(bytes: &[u8], signature: &Signature, key: &EngineKey) -> Result<VerificationResult, Error> {
    Ok(VerificationResult::from_bool(key.verify(bytes, signature).is_ok()))
}

#[async_trait]
impl Verifier<Lamppost> for Judge {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &Signature,
        key: &EngineKey,
    ) -> Result<VerificationResult, Error> {
        judged(&signed_vote_bytes(&self.genesis_hash, vote), signature, key)
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Signature,
        key: &EngineKey,
    ) -> Result<VerificationResult, Error> {
        judged(&signed_proposal_bytes(&self.genesis_hash, proposal), signature, key)
    }

    // Nobody extends votes here.
    async fn verify_signed_vote_extension(
        &self,
        _scope: &VoteExtensionScope<Lamppost>,
        _extension: &Bytes,
        _signature: &Signature,
        _key: &EngineKey,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<Lamppost>,
    ) -> Result<VerificationResult, Error> {
        match proof.decoded_public_key() {
            Ok(key) => judged(&proof.preimage(), &proof.signature, &key),
            Err(_) => Ok(VerificationResult::Invalid),
        }
    }
}

/// Signs with the validator's key.
pub struct Pen {
    genesis_hash: Hash,
    key: SigningKey,
}

impl Pen {
    /// For a validator of the network of a genesis document.
    pub fn new(genesis_hash: Hash, key: SigningKey) -> Pen {
        Pen { genesis_hash, key }
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        Signature::from_bytes(self.key.sign(bytes))
    }
}

#[async_trait]
impl Signer<Lamppost> for Pen {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<Lamppost, Vote>, Error> {
        let signature = self.sign(&signed_vote_bytes(&self.genesis_hash, &vote));
        Ok(SignedMessage::new(vote, signature))
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedMessage<Lamppost, Proposal>, Error> {
        let signature = self.sign(&signed_proposal_bytes(&self.genesis_hash, &proposal));
        Ok(SignedMessage::new(proposal, signature))
    }

    async fn sign_vote_extension(
        &self,
        _scope: VoteExtensionScope<Lamppost>,
        _extension: Bytes,
    ) -> Result<SignedMessage<Lamppost, Bytes>, Error> {
        Err(Error::from_source("nobody extends votes here"))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Lamppost>, Error> {
        let signature = self.sign(&ValidatorProof::<Lamppost>::signing_bytes(&public_key, &peer_id));
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}
