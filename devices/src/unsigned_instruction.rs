//! An account's instruction before it is signed, for a key that this code does not reach: in a browser, on a token.

use crate::cbor::Reader;
use crate::cose::{self, ContentType, Header, SealError};
use crate::identity::PublicKey;
use crate::limits::{INSTRUCTION_BYTES_MAX, INSTRUCTION_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES};

/// What an account asks, with everything of it but the signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnsignedInstruction<'a> {
    /// The account's key.
    pub key: PublicKey,
    /// The account's own number for it, strictly increasing.
    pub counter: u64,
    /// One deterministic CBOR item.
    pub payload: &'a [u8],
    /// Whether the header brings the key: an account's first instruction does, because a ledger knows accounts by their
    /// thumbprints.
    pub carries_key: bool,
}

impl UnsignedInstruction<'_> {
    /// Writes what the key has to sign into `out`; returns its length.
    ///
    /// ```
    /// use devices::{SignedInstruction, SigningKey, UnsignedInstruction, limits::INSTRUCTION_SIG_STRUCTURE_BYTES_MAX};
    /// let key = SigningKey::from_seed([1; 32]);
    /// let payload = [0x81, 0x63, b'a', b's', b'k'];
    /// let asked = UnsignedInstruction { key: key.public_key(), counter: 7, payload: &payload, carries_key: true };
    /// let (mut message, mut envelope) = ([0; INSTRUCTION_SIG_STRUCTURE_BYTES_MAX], [0; 512]);
    /// let length = asked.message("devnet", &mut message)?;
    /// let signature = key.sign(&message[..length]);
    /// let length = asked.join("devnet", &signature, &mut envelope)?;
    /// let signed = SignedInstruction::decode(&envelope[..length]).unwrap();
    /// assert!(signed.verify(&key.public_key(), "devnet").is_ok());
    /// # Ok::<(), devices::SealError>(())
    /// ```
    ///
    /// # Errors
    /// When the network id is none, the payload not one item, or something too long.
    pub fn message(&self, network: &str, out: &mut [u8]) -> Result<usize, SealError> {
        let mut unsigned = [0; INSTRUCTION_BYTES_MAX];
        cose::message_of(out, |sign| self.seal(network, &mut unsigned, sign))
    }

    /// Joins it with the signature that was made elsewhere over [`UnsignedInstruction::message`] and writes the COSE_Sign1
    /// into `out`; returns its length.
    ///
    /// # Errors
    /// As [`UnsignedInstruction::message`]. Whether the signature holds is not looked at.
    pub fn join(
        &self,
        network: &str,
        signature: &[u8; SIGNATURE_BYTES],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        self.seal(network, out, |_| *signature)
    }

    /// Writes the COSE_Sign1 into `out`; `sign` gets what the signature covers.
    pub(crate) fn seal(
        &self,
        network: &str,
        out: &mut [u8],
        sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES],
    ) -> Result<usize, SealError> {
        let mut reader = Reader::new(self.payload);
        reader.item().and_then(|_| reader.end()).map_err(SealError::Payload)?;
        if self.payload.len() > INSTRUCTION_BYTES_MAX {
            return Err(SealError::TooLong);
        }
        let header = Header {
            content_type: ContentType::Cbor,
            kid: self.key.kid(),
            cti: self.counter.to_be_bytes(),
            key: self.carries_key.then_some(self.key),
        };
        let mut scratch = [0; INSTRUCTION_SIG_STRUCTURE_BYTES_MAX];
        let length = cose::seal("", network, &header, self.payload, &mut scratch, out, sign)?;
        if length > INSTRUCTION_BYTES_MAX { Err(SealError::TooLong) } else { Ok(length) }
    }
}
