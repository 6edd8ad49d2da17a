//! The proof that a block was decided: the precommits of more than two thirds of the validators of its height.

use crate::encoding::{Read, Written, array_of, decoded, encoded};
use crate::instruction::read_key;
use crate::limits::VALIDATORS_MAX;
use crate::merkle::Hash;
use crate::validators::Validators;
use crate::vote::{VoteKind, vote_bytes};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::PublicKey;
use devices::signature;

/// Why a certificate proves nothing, in the order in which things are checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The bytes are no certificate.
    #[error("the certificate cannot be read: {0}")]
    Encoding(#[from] DecodeError),
    /// A signature by a key that is none of the validators'.
    #[error("the certificate carries a signature with the key {0}, which is no validator's of its height")]
    Stranger(PublicKey),
    /// The same validator twice.
    #[error("the certificate carries two signatures of {0:?}")]
    SignedTwice(String),
    /// A signature that does not hold.
    #[error("the certificate's signature of {0:?} does not hold")]
    Signature(String),
    /// Too few validators.
    #[error("{good} of the validators signed the certificate, {needed} must")]
    Quorum {
        /// How many did.
        good: usize,
        /// How many must.
        needed: usize,
    },
}

/// That a block was decided at a height, in a round; nothing of it is proven before [`Certificate::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The block's number.
    pub height: u64,
    /// The round in which it was decided.
    pub round: u32,
    /// The block's id.
    pub block_id: Hash,
    /// Who signed the precommit, and the signatures. Encoded in ascending order of the keys' bytes.
    pub signatures: Vec<(PublicKey, [u8; 64])>,
}

impl Certificate {
    /// The certificate in deterministic CBOR, whatever the order of its signatures.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut signatures: Vec<_> = self.signatures.iter().collect();
        signatures.sort_unstable_by_key(|(key, _)| *key.as_bytes());
        encoded(|writer| {
            writer.array_header(5)?;
            writer.text("lamppost/certificate")?;
            writer.unsigned(self.height)?;
            writer.unsigned(self.round.into())?;
            writer.bytes(&self.block_id)?;
            writer.array_header(signatures.len())?;
            signatures.into_iter().try_for_each(|signature| write_signature(writer, signature))
        })
    }

    /// Reads what [`Self::encode`] wrote: at most one signature for each validator that a network can have, in ascending
    /// order of the keys.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decoded(bytes, Self::read)
    }

    /// Checks that more than two thirds of the validators of the block's height signed its precommit. That the block is
    /// the one that `block_id` names is the caller's to compare.
    ///
    /// # Errors
    /// The first thing that fails, by name.
    pub fn verify(&self, genesis_hash: &Hash, validators: &Validators) -> Result<(), CertificateError> {
        let names = self.signers(validators)?;
        let message =
            vote_bytes(genesis_hash, VoteKind::Precommit, self.height, self.round, Some(self.block_id));
        for (name, (key, signature)) in names.iter().zip(&self.signatures) {
            if !signature::holds(key, &message, signature) {
                return Err(CertificateError::Signature((*name).to_string()));
            }
        }
        let (good, needed) = (names.len(), validators.quorum());
        if good < needed { Err(CertificateError::Quorum { good, needed }) } else { Ok(()) }
    }

    /// Names of those who signed: each a validator, none twice.
    fn signers<'v>(&self, validators: &'v Validators) -> Result<Vec<&'v str>, CertificateError> {
        let mut names: Vec<&str> = Vec::new();
        for (key, _) in &self.signatures {
            let name = validators.get(key).ok_or(CertificateError::Stranger(*key))?.name();
            if names.contains(&name) {
                return Err(CertificateError::SignedTwice(name.to_string()));
            }
            names.push(name);
        }
        Ok(names)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 5)?;
        if reader.text()? != "lamppost/certificate" {
            return Err(DecodeError::Unexpected);
        }
        let (height, round) = (reader.unsigned()?, reader.unsigned_32()?);
        let block_id = *reader.byte_array()?;
        let count = reader.array_header()?;
        if count > VALIDATORS_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let mut signatures: Vec<(PublicKey, [u8; 64])> = Vec::with_capacity(count);
        for _ in 0..count {
            array_of(reader, 2)?;
            let key = read_key(reader)?;
            if signatures.last().is_some_and(|(last, _)| last.as_bytes() >= key.as_bytes()) {
                return Err(DecodeError::KeyOrder);
            }
            signatures.push((key, *reader.byte_array()?));
        }
        Ok(Self { height, round, block_id, signatures })
    }
}

fn write_signature(writer: &mut Writer<'_>, (key, signature): &(PublicKey, [u8; 64])) -> Written {
    writer.array_header(2)?;
    writer.bytes(key.as_bytes())?;
    writer.bytes(signature)
}
