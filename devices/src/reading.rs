//! A device's signed reading: decoded, then verified. Only verification builds a [`VerifiedReading`].
use core::ops::Deref;

use crate::cbor::EncodeError;
use crate::cose::{self, ContentType, Sign1, TransactionId};
use crate::identity::{DeviceId, PublicKey};
use crate::limits::{ENVELOPE_BYTES_MAX, READING_SIG_STRUCTURE_BYTES_MAX};
use crate::refusal::Refusal;
use crate::senml::{Extent, Pack};
use crate::sequence::Sequence;
use crate::signature::{self, Parts};

/// An envelope that is well formed in every byte, of which nobody has checked the signature yet.
///
/// It owns its buffer and keeps offsets, so it moves between threads without copying.
#[derive(Clone, Debug)]
pub struct SignedReading<B: AsRef<[u8]>> {
    parts: Parts<B>,
    sequence: Sequence,
    extent: Extent,
}

impl<B: AsRef<[u8]>> SignedReading<B> {
    /// Takes the envelope apart, or gives the buffer back with [`Refusal::Malformed`].
    ///
    /// ```
    /// use devices::{Refusal, SignedReading};
    /// assert!(matches!(SignedReading::decode(b"garbage"), Err((Refusal::Malformed, _))));
    /// ```
    pub fn decode(buffer: B) -> Result<SignedReading<B>, (Refusal, B)> {
        let bytes = buffer.as_ref();
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err((Refusal::Malformed, buffer));
        }
        let Ok(sign1) = Sign1::decode(bytes, ContentType::SenmlCbor) else {
            return Err((Refusal::Malformed, buffer));
        };
        let Ok((_, extent)) = Pack::decode_with_extent(sign1.payload) else {
            return Err((Refusal::Malformed, buffer));
        };
        let sequence = Sequence::from_cti(sign1.header.cti);
        let layout = sign1.layout(bytes);
        Ok(SignedReading { parts: Parts { kid: sign1.header.kid, layout, buffer }, sequence, extent })
    }

    /// The kid of the device that claims to have signed it.
    pub fn kid(&self) -> DeviceId {
        self.parts.kid
    }

    /// The device's number for it.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// What was measured.
    pub fn pack(&self) -> Pack<'_> {
        Pack::of_checked(self.parts.payload())
    }

    /// How many records were measured: 1 to 64.
    pub fn record_count(&self) -> u32 {
        self.extent.record_count
    }

    /// When the earliest and the latest of them were taken, in Unix seconds, where the pack says so.
    pub fn times_unix_seconds(&self) -> Option<(i64, i64)> {
        self.extent.times_unix_seconds
    }

    /// The whole envelope.
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

    /// The id that this envelope has as a transaction of `network`.
    pub fn transaction_id(&self, network: &str) -> TransactionId {
        self.parts.transaction_id(network)
    }

    /// Checks the signature under `key` by ZIP-215's rules; the buffer comes back with [`Refusal::Signature`].
    pub fn verify(self, key: &PublicKey, network: &str) -> Result<VerifiedReading<B>, (Refusal, B)> {
        let mut scratch = [0; READING_SIG_STRUCTURE_BYTES_MAX];
        if signature::verify(&self.parts, key, network, &mut scratch) {
            Ok(self.proven(*key, network))
        } else {
            Err((Refusal::Signature, self.into_inner()))
        }
    }

    /// The batch has seen the signature hold.
    pub(crate) fn proven(self, public_key: PublicKey, network: &str) -> VerifiedReading<B> {
        let transaction_id = self.transaction_id(network);
        VerifiedReading { signed: self, public_key, transaction_id }
    }
}

/// A reading whose signature holds under a key on a network.
#[derive(Clone, Debug)]
pub struct VerifiedReading<B: AsRef<[u8]>> {
    signed: SignedReading<B>,
    public_key: PublicKey,
    transaction_id: TransactionId,
}

impl<B: AsRef<[u8]>> VerifiedReading<B> {
    /// Takes a reading from this node's own log as verified, without checking its signature again.
    ///
    /// For nothing but the replay of a log that this node wrote: every entry was verified before it was written, and the
    /// log's checksums show that it is what was written. An audit verifies instead.
    pub fn from_own_log(signed: SignedReading<B>, key: &PublicKey, network: &str) -> VerifiedReading<B> {
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

impl<B: AsRef<[u8]>> Deref for VerifiedReading<B> {
    type Target = SignedReading<B>;

    fn deref(&self) -> &SignedReading<B> {
        &self.signed
    }
}
