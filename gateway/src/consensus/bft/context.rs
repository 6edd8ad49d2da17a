//! The engine's words for our things: a height is a block's, a value is a block's id, an address is a validator's key.

use std::fmt;
use std::sync::Arc;

use arc_malachitebft_app_channel::app::types::core as engine;
use arc_malachitebft_signing_ed25519::{Ed25519, PublicKey as EngineKey};
use bytes::Bytes;
use engine::{LinearTimeouts, NilOrVal, Round, SignedExtension, VoteType};
use ledger::merkle::Hash;
use ledger::validators::Validators;

use crate::consensus::proposer_of;

/// A block's height; the first that is agreed on is 1, because genesis is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl engine::Height for Height {
    const ZERO: Self = Height(0);
    const INITIAL: Self = Height(1);

    fn increment_by(&self, n: u64) -> Self {
        Height(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Height)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// A validator's public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 32]);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl engine::Address for Address {}

/// What is agreed on: SHA-256 of the block's seal, which commits to everything before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub Hash);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl engine::Value for BlockId {
    type Id = BlockId;

    fn id(&self) -> BlockId {
        *self
    }
}

/// One validator, as the engine counts it: everyone has one vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    address: Address,
    key: EngineKey,
}

impl engine::Validator<Lamppost> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &EngineKey {
        &self.key
    }

    fn voting_power(&self) -> u64 {
        1
    }
}

/// The validators of a height, in the ledger's order, in which they take turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet(Arc<[Validator]>);

impl ValidatorSet {
    /// The ledger's validators.
    pub fn of(validators: &Validators) -> ValidatorSet {
        let validator = |key: &ledger::note::VerifierKey| {
            let bytes = *key.key().as_bytes();
            // What the ledger takes as a key is a point of the curve, and the engine asks for no more.
            Some(Validator { address: Address(bytes), key: EngineKey::from_bytes(bytes).ok()? })
        };
        ValidatorSet(validators.keys().iter().filter_map(validator).collect())
    }
}

impl engine::ValidatorSet<Lamppost> for ValidatorSet {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.0.len() as u64
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        self.0.iter().find(|validator| validator.address == *address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.0.get(index)
    }
}

/// A vote on a block, or on none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// In which half of the round.
    pub kind: VoteType,
    /// For which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// For which block.
    pub value: NilOrVal<BlockId>,
    /// Whose.
    pub address: Address,
}

impl engine::Vote<Lamppost> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }

    fn extension(&self) -> Option<&SignedExtension<Lamppost>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Lamppost>> {
        None
    }

    fn extend(self, _extension: SignedExtension<Lamppost>) -> Self {
        self
    }
}

/// A proposer's word for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// For which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// Which block.
    pub value: BlockId,
    /// The earlier round in which more than two thirds voted for it, if any.
    pub pol_round: Round,
    /// Whose.
    pub address: Address,
}

impl engine::Proposal<Lamppost> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockId {
        &self.value
    }

    fn take_value(self) -> BlockId {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }
}

/// What validators tell one another beside votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Begins a block's bytes.
    Begin {
        /// Which block.
        height: Height,
        /// In which round it is proposed.
        round: Round,
        /// The earlier round in which more than two thirds voted for it, if any.
        valid_round: Round,
        /// Who proposed it first.
        proposer: Address,
        /// Bytes that follow.
        bytes: u32,
    },
    /// The next of a block's bytes.
    Bytes(Bytes),
    /// A validator's signature under the checkpoint of what it committed: no part of a block.
    Checkpoint {
        /// Entries in the log.
        size: u64,
        /// Root over them.
        root: Hash,
        /// Whose.
        address: Address,
        /// Over the note's text.
        signature: [u8; 64],
    },
    /// Something waits for a block of this height: those who rest begin it.
    Wake(Height),
}

impl engine::ProposalPart<Lamppost> for Part {
    fn is_first(&self) -> bool {
        matches!(self, Part::Begin { .. })
    }

    // The stream's end is a message of its own.
    fn is_last(&self) -> bool {
        false
    }
}

/// Ties these words together for the engine.
#[derive(Debug, Clone, Copy)]
pub struct Lamppost;

impl engine::Context for Lamppost {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = LinearTimeouts;
    type Value = BlockId;
    type Vote = Vote;
    type Extension = Bytes;
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, set: &'a ValidatorSet, height: Height, round: Round) -> &'a Validator {
        let turn = proposer_of(set.0.len(), height.0, round.as_u32().unwrap_or_default());
        set.0.get(turn).expect("the engine refuses an empty set before it asks whose turn it is")
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockId,
        pol_round: Round,
        address: Address,
    ) -> Proposal {
        Proposal { height, round, value, pol_round, address }
    }

    fn new_prevote(&self, height: Height, round: Round, value: NilOrVal<BlockId>, address: Address) -> Vote {
        Vote { kind: VoteType::Prevote, height, round, value, address }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockId>,
        address: Address,
    ) -> Vote {
        Vote { kind: VoteType::Precommit, height, round, value, address }
    }
}
