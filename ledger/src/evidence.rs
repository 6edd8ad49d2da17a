//! Proof that a validator contradicted itself: two statements under its signature of which an honest one makes one at
//! most. Whoever holds the genesis document can judge it; what follows from it is for people to decide.

use crate::checkpoint::Checkpoint;
use crate::encoding::{Read, Written, array_of, decoded, encoded, read_option, write_option};
use crate::instruction::read_key;
use crate::merkle::Hash;
use crate::vote::{VoteKind, proposal_bytes, vote_bytes};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::PublicKey;
use devices::signature;

/// Why evidence shows nothing, in the order in which things are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The two statements are the same one.
    #[error("the two statements do not contradict each other: they say the same")]
    NoConflict,
    /// The first signature does not hold.
    #[error("the signature of the first statement does not hold under the key that it names")]
    FirstSignature,
    /// The second signature does not hold.
    #[error("the signature of the second statement does not hold under the key that it names")]
    SecondSignature,
}

/// What a validator voted for, and its signature over the vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedVote {
    /// The block's id; `None` for no block, which is a vote too.
    pub value: Option<Hash>,
    /// Over [`vote_bytes`].
    pub signature: [u8; 64],
}

/// What a validator proposed, and its signature over the proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedProposal {
    /// The block's id.
    pub value: Hash,
    /// The proof-of-lock round that the proposal names.
    pub pol_round: Option<u32>,
    /// Over [`proposal_bytes`].
    pub signature: [u8; 64],
}

/// What a validator said of the log at a size, and its signature over the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedRoot {
    /// The log's root.
    pub root: Hash,
    /// Over the checkpoint's text.
    pub signature: [u8; 64],
}

/// Two signed statements of one validator, of which it should have made one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// `["votes", key, kind, height, round, [block id / null, signature], [block id / null, signature]]`.
    Votes {
        /// Whose votes.
        validator: PublicKey,
        /// Which of the round's two votes.
        kind: VoteKind,
        /// Of which block number.
        height: u64,
        /// In which round.
        round: u32,
        /// One vote.
        first: SignedVote,
        /// The other.
        second: SignedVote,
    },
    /// `["proposals", key, height, round, [block id, round / null, signature], [block id, round / null, signature]]`.
    Proposals {
        /// Whose proposals.
        validator: PublicKey,
        /// Of which block number.
        height: u64,
        /// In which round.
        round: u32,
        /// One proposal.
        first: SignedProposal,
        /// The other.
        second: SignedProposal,
    },
    /// `["checkpoints", key, size, [root, signature], [root, signature]]`.
    Checkpoints {
        /// Whose signatures.
        validator: PublicKey,
        /// Entries that both checkpoints speak of.
        size: u64,
        /// One root.
        first: SignedRoot,
        /// The other.
        second: SignedRoot,
    },
}

/// What a validator did twice and differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MisbehaviourKind {
    /// It prevoted for two blocks of one round.
    Prevotes,
    /// It precommitted to two blocks of one round.
    Precommits,
    /// It made two proposals in one round.
    Proposals,
    /// It signed two roots of one size.
    Checkpoints,
}

impl MisbehaviourKind {
    const ALL: [Self; 4] = [Self::Prevotes, Self::Precommits, Self::Proposals, Self::Checkpoints];

    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prevotes => "prevotes",
            Self::Precommits => "precommits",
            Self::Proposals => "proposals",
            Self::Checkpoints => "checkpoints",
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let word = reader.text()?;
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(DecodeError::Unexpected)
    }
}

impl fmt::Display for MisbehaviourKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Evidence {
    /// Whose contradiction it shows.
    #[must_use]
    pub fn validator(&self) -> &PublicKey {
        match self {
            Self::Votes { validator, .. }
            | Self::Proposals { validator, .. }
            | Self::Checkpoints { validator, .. } => validator,
        }
    }

    /// What was done twice.
    #[must_use]
    pub fn kind(&self) -> MisbehaviourKind {
        match self {
            Self::Votes { kind: VoteKind::Prevote, .. } => MisbehaviourKind::Prevotes,
            Self::Votes { kind: VoteKind::Precommit, .. } => MisbehaviourKind::Precommits,
            Self::Proposals { .. } => MisbehaviourKind::Proposals,
            Self::Checkpoints { .. } => MisbehaviourKind::Checkpoints,
        }
    }

    /// Where: the height and round, or the size of the log and 0.
    #[must_use]
    pub fn place(&self) -> (u64, u32) {
        match self {
            Self::Votes { height, round, .. } | Self::Proposals { height, round, .. } => (*height, *round),
            Self::Checkpoints { size, .. } => (*size, 0),
        }
    }

    /// Checks that the statements differ and that the validator signed both; gives its key. Whether that key was ever a
    /// validator's is the caller's to know.
    ///
    /// # Errors
    /// The first thing that fails.
    pub fn verify(&self, genesis_hash: &Hash, origin: &str) -> Result<PublicKey, EvidenceError> {
        if !self.conflicts() {
            return Err(EvidenceError::NoConflict);
        }
        let [(first, first_signature), (second, second_signature)] = self.statements(genesis_hash, origin);
        let key = self.validator();
        if !signature::holds(key, &first, &first_signature) {
            return Err(EvidenceError::FirstSignature);
        }
        if !signature::holds(key, &second, &second_signature) {
            return Err(EvidenceError::SecondSignature);
        }
        Ok(*key)
    }

    fn conflicts(&self) -> bool {
        match self {
            Self::Votes { first, second, .. } => first.value != second.value,
            Self::Proposals { first, second, .. } => {
                (first.value, first.pol_round) != (second.value, second.pol_round)
            }
            Self::Checkpoints { first, second, .. } => first.root != second.root,
        }
    }

    /// The bytes that the two signatures cover, each with its signature.
    fn statements(&self, genesis_hash: &Hash, origin: &str) -> [(Vec<u8>, [u8; 64]); 2] {
        match self {
            Self::Votes { kind, height, round, first, second, .. } => [first, second]
                .map(|vote| (vote_bytes(genesis_hash, *kind, *height, *round, vote.value), vote.signature)),
            Self::Proposals { height, round, first, second, .. } => [first, second].map(|proposal| {
                let SignedProposal { value, pol_round, signature } = proposal;
                (proposal_bytes(genesis_hash, *height, *round, value, *pol_round), *signature)
            }),
            Self::Checkpoints { size, first, second, .. } => [first, second].map(|signed| {
                let checkpoint = Checkpoint { origin: origin.to_owned(), size: *size, root: signed.root };
                (checkpoint.body().into_bytes(), signed.signature)
            }),
        }
    }

    /// The evidence in deterministic CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decoded(bytes, Self::read)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self {
            Self::Votes { validator, kind, height, round, first, second } => {
                writer.array_header(7)?;
                writer.text("votes")?;
                writer.bytes(validator.as_bytes())?;
                writer.text(kind.as_str())?;
                writer.unsigned(*height)?;
                writer.unsigned((*round).into())?;
                [first, second].into_iter().try_for_each(|vote| vote.write(writer))
            }
            Self::Proposals { validator, height, round, first, second } => {
                writer.array_header(6)?;
                writer.text("proposals")?;
                writer.bytes(validator.as_bytes())?;
                writer.unsigned(*height)?;
                writer.unsigned((*round).into())?;
                [first, second].into_iter().try_for_each(|proposal| proposal.write(writer))
            }
            Self::Checkpoints { validator, size, first, second } => {
                writer.array_header(5)?;
                writer.text("checkpoints")?;
                writer.bytes(validator.as_bytes())?;
                writer.unsigned(*size)?;
                [first, second].into_iter().try_for_each(|root| root.write(writer))
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let items = reader.array_header()?;
        let word = reader.text()?;
        let validator = read_key(reader)?;
        match (word, items) {
            ("votes", 7) => Ok(Self::Votes {
                validator,
                kind: VoteKind::read(reader)?,
                height: reader.unsigned()?,
                round: reader.unsigned_32()?,
                first: SignedVote::read(reader)?,
                second: SignedVote::read(reader)?,
            }),
            ("proposals", 6) => Ok(Self::Proposals {
                validator,
                height: reader.unsigned()?,
                round: reader.unsigned_32()?,
                first: SignedProposal::read(reader)?,
                second: SignedProposal::read(reader)?,
            }),
            ("checkpoints", 5) => Ok(Self::Checkpoints {
                validator,
                size: reader.unsigned()?,
                first: SignedRoot::read(reader)?,
                second: SignedRoot::read(reader)?,
            }),
            _ => Err(DecodeError::Unexpected),
        }
    }
}

impl SignedVote {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(2)?;
        write_option(writer, self.value, |writer, value| writer.bytes(&value))?;
        writer.bytes(&self.signature)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        let value = read_option(reader, |reader| reader.byte_array().copied())?;
        Ok(Self { value, signature: *reader.byte_array()? })
    }
}

impl SignedProposal {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(3)?;
        writer.bytes(&self.value)?;
        write_option(writer, self.pol_round, |writer, round| writer.unsigned(round.into()))?;
        writer.bytes(&self.signature)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 3)?;
        let value = *reader.byte_array()?;
        let pol_round = read_option(reader, Reader::unsigned_32)?;
        Ok(Self { value, pol_round, signature: *reader.byte_array()? })
    }
}

impl SignedRoot {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(2)?;
        writer.bytes(&self.root)?;
        writer.bytes(&self.signature)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        Ok(Self { root: *reader.byte_array()?, signature: *reader.byte_array()? })
    }
}
