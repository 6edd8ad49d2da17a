//! An account's signed instruction: the same signature form as a reading, with a counter instead of (boot, count).
use core::ops::Deref;

use crate::cbor::{EncodeError, Reader};
use crate::cose::{self, ContentType, Sign1, TransactionId};
use crate::identity::{DeviceId, PublicKey};
use crate::limits::{INSTRUCTION_BYTES_MAX, INSTRUCTION_SIG_STRUCTURE_BYTES_MAX};
use crate::refusal::Refusal;
use crate::signature::{self, Parts};

/// A well-formed instruction, of which nobody has checked the signature yet. Its payload is one deterministic CBOR item.
#[derive(Clone, Debug)]
pub struct SignedInstruction<B: AsRef<[u8]>> {
    parts: Parts<B>,
    counter: u64,
    key: Option<PublicKey>,
}

impl<B: AsRef<[u8]>> SignedInstruction<B> {
    /// Takes the instruction apart, or gives the buffer back with [`Refusal::Malformed`].
    pub fn decode(buffer: B) -> Result<SignedInstruction<B>, (Refusal, B)> {
        let bytes = buffer.as_ref();
        if bytes.len() > INSTRUCTION_BYTES_MAX {
            return Err((Refusal::Malformed, buffer));
        }
        let Ok(sign1) = Sign1::decode(bytes, ContentType::Cbor) else {
            return Err((Refusal::Malformed, buffer));
        };
        let mut reader = Reader::new(sign1.payload);
        if reader.item().and_then(|_| reader.end()).is_err() {
            return Err((Refusal::Malformed, buffer));
        }
        let counter = u64::from_be_bytes(sign1.header.cti);
        let (kid, key) = (sign1.header.kid, sign1.header.key);
        let layout = sign1.layout(bytes);
        Ok(SignedInstruction { parts: Parts { kid, layout, buffer }, counter, key })
    }

    /// The first eight bytes of the account that claims to have signed it.
    pub fn kid(&self) -> DeviceId {
        self.parts.kid
    }

    /// The account's own, strictly increasing number for it.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// The account's key, where the header carries it; its kid is [`SignedInstruction::kid`].
    pub fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// One deterministic CBOR item.
    pub fn payload(&self) -> &[u8] {
        self.parts.payload()
    }

    /// The whole COSE_Sign1.
    pub fn envelope(&self) -> &[u8] {
        self.parts.bytes()
    }

    /// The buffer it was decoded from.
    pub fn into_inner(self) -> B {
        self.parts.buffer
    }

    /// The 64 bytes of the signature.
    pub fn signature(&self) -> &[u8; 64] {
        self.parts.signature()
    }

    /// Writes what the signature covers, the Sig_structure for `network`, into `out`; returns its length.
    pub fn signed_message(&self, network: &str, out: &mut [u8]) -> Result<usize, EncodeError> {
        cose::sig_structure(self.parts.protected(), network, self.parts.payload(), out)
    }

    /// The id that this instruction has as a transaction of `network`.
    pub fn transaction_id(&self, network: &str) -> TransactionId {
        self.parts.transaction_id(network)
    }

    /// Checks the signature under `key` by ZIP-215's rules; the buffer comes back with [`Refusal::Signature`].
    pub fn verify(self, key: &PublicKey, network: &str) -> Result<VerifiedInstruction<B>, (Refusal, B)> {
        let mut scratch = [0; INSTRUCTION_SIG_STRUCTURE_BYTES_MAX];
        if signature::verify(&self.parts, key, network, &mut scratch) {
            Ok(self.proven(*key, network))
        } else {
            Err((Refusal::Signature, self.into_inner()))
        }
    }

    /// The batch has seen the signature hold.
    pub(crate) fn proven(self, public_key: PublicKey, network: &str) -> VerifiedInstruction<B> {
        let transaction_id = self.transaction_id(network);
        VerifiedInstruction { signed: self, public_key, transaction_id }
    }
}

/// An instruction whose signature holds under a key on a network.
#[derive(Clone, Debug)]
pub struct VerifiedInstruction<B: AsRef<[u8]>> {
    signed: SignedInstruction<B>,
    public_key: PublicKey,
    transaction_id: TransactionId,
}

impl<B: AsRef<[u8]>> VerifiedInstruction<B> {
    /// Takes an instruction from this node's own log as verified, without checking its signature again.
    /// For the same use and with the same reason as [`crate::VerifiedReading::from_own_log`].
    pub fn from_own_log(
        signed: SignedInstruction<B>,
        key: &PublicKey,
        network: &str,
    ) -> VerifiedInstruction<B> {
        signed.proven(*key, network)
    }

    /// The key it was verified under.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Its id as a transaction, computed once.
    pub fn transaction_id(&self) -> TransactionId {
        self.transaction_id
    }

    /// The buffer it was decoded from.
    pub fn into_inner(self) -> B {
        self.signed.into_inner()
    }
}

impl<B: AsRef<[u8]>> Deref for VerifiedInstruction<B> {
    type Target = SignedInstruction<B>;

    fn deref(&self) -> &SignedInstruction<B> {
        &self.signed
    }
}
