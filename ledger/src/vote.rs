//! What validators sign while they agree on a block: votes and proposals, in deterministic CBOR. The first word parts
//! these bytes from everything else that the same key signs, the genesis document's hash from other networks.

use crate::encoding::{Read, encoded, write_option};
use crate::merkle::Hash;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader};

/// Which of a round's two votes it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VoteKind {
    /// The first: whether the proposal is one to decide.
    Prevote,
    /// The second: that more than two thirds said so. More than two thirds of these decide.
    Precommit,
}

impl VoteKind {
    /// The word in the signed bytes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prevote => "prevote",
            Self::Precommit => "precommit",
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let word = reader.text()?;
        let kind = [Self::Prevote, Self::Precommit].into_iter().find(|kind| kind.as_str() == word);
        kind.ok_or(DecodeError::Unexpected)
    }
}

/// What a vote's signature covers: `["lamppost/vote", genesis hash, kind, height, round, block id / null]`. Null stands for
/// no block.
#[must_use]
pub fn vote_bytes(
    genesis_hash: &Hash,
    kind: VoteKind,
    height: u64,
    round: u32,
    value: Option<Hash>,
) -> Vec<u8> {
    encoded(|writer| {
        writer.array_header(6)?;
        writer.text("lamppost/vote")?;
        writer.bytes(genesis_hash)?;
        writer.text(kind.as_str())?;
        writer.unsigned(height)?;
        writer.unsigned(round.into())?;
        write_option(writer, value, |writer, id| writer.bytes(&id))
    })
}

/// What a proposal's signature covers: `["lamppost/proposal", genesis hash, height, round, block id, proof-of-lock round /
/// null]`.
#[must_use]
pub fn proposal_bytes(
    genesis_hash: &Hash,
    height: u64,
    round: u32,
    value: &Hash,
    pol_round: Option<u32>,
) -> Vec<u8> {
    encoded(|writer| {
        writer.array_header(6)?;
        writer.text("lamppost/proposal")?;
        writer.bytes(genesis_hash)?;
        writer.unsigned(height)?;
        writer.unsigned(round.into())?;
        writer.bytes(value)?;
        write_option(writer, pol_round, |writer, round| writer.unsigned(round.into()))
    })
}
