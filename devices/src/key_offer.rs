//! A device's answer to `rotate_key`, on its `proof` topic: the next key, and that the device has it.
//!
//! The proof in it is what the ledger's `rotate_key` carries, signed by the next key. That alone would let whoever can publish
//! to the topic offer a key of their own, so the whole is a COSE_Sign1 by the device's present key. Its external_aad ends
//! with `/proof`, and its cti is the counter of the command that it answers.

use crate::cbor::{DecodeError, Reader, Writer};
use crate::cose::{self, ContentType, Header, SealError, Sign1};
use crate::identity::{DeviceId, PublicKey, SigningKey};
use crate::limits::{
    KEY_OFFER_BYTES_MAX, KEY_OFFER_PAYLOAD_BYTES_MAX, KEY_OFFER_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES,
};
use crate::refusal::Refusal;
use crate::signature;

/// The end of the external_aad, after `lamppost/1/{network}`.
const PURPOSE: &str = "/proof";

/// A key that shall take the place of a device's present one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyOffer {
    /// The counter of the command that asked for it.
    pub counter: u64,
    /// The key's generation, from 1.
    pub generation: u32,
    /// The key.
    pub public_key: PublicKey,
    /// [`crate::Possession::Rotation`], signed by that key for the account that asked.
    pub proof: [u8; SIGNATURE_BYTES],
}

impl KeyOffer {
    /// Signs with the device's present key and writes the COSE_Sign1 into `out`; returns its length.
    ///
    /// # Errors
    /// When the network id is none or `out` too short.
    pub fn sign(&self, present: &SigningKey, network: &str, out: &mut [u8]) -> Result<usize, SealError> {
        let mut payload = [0; KEY_OFFER_PAYLOAD_BYTES_MAX];
        let mut writer = Writer::new(&mut payload);
        writer.array_header(3)?;
        writer.unsigned(self.generation.into())?;
        writer.bytes(self.public_key.as_bytes())?;
        writer.bytes(&self.proof)?;
        let length = writer.position();
        let header = Header {
            content_type: ContentType::Cbor,
            kid: present.kid(),
            cti: self.counter.to_be_bytes(),
            key: None,
        };
        let mut scratch = [0; KEY_OFFER_SIG_STRUCTURE_BYTES_MAX];
        cose::seal_with(present, PURPOSE, network, &header, &payload[..length], &mut scratch, out)
    }

    /// The device that claims to offer the key: the kid in the header.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn kid(bytes: &[u8]) -> Result<DeviceId, Refusal> {
        decode(bytes).map(|(sign1, _)| sign1.header.kid)
    }

    /// Takes the offer of the device whose present key is `present`.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] or [`Refusal::Signature`]. Whether the proof in it holds is the ledger's to judge.
    pub fn verify(bytes: &[u8], present: &PublicKey, network: &str) -> Result<KeyOffer, Refusal> {
        let (sign1, offer) = decode(bytes)?;
        let signature = bytes.last_chunk().ok_or(Refusal::Malformed)?;
        let mut scratch = [0; KEY_OFFER_SIG_STRUCTURE_BYTES_MAX];
        let length = cose::sig_structure_for(PURPOSE, sign1.protected, network, sign1.payload, &mut scratch)
            .map_err(|_| Refusal::Malformed)?;
        let is_theirs = sign1.header.kid == present.kid();
        if is_theirs && signature::holds(present, &scratch[..length], signature) {
            Ok(offer)
        } else {
            Err(Refusal::Signature)
        }
    }
}

fn decode(bytes: &[u8]) -> Result<(Sign1<'_>, KeyOffer), Refusal> {
    if bytes.len() > KEY_OFFER_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let sign1 = Sign1::decode(bytes, ContentType::Cbor).map_err(|_| Refusal::Malformed)?;
    if sign1.header.key.is_some() {
        return Err(Refusal::Malformed);
    }
    let counter = u64::from_be_bytes(sign1.header.cti);
    let offer = read(counter, sign1.payload).map_err(|_| Refusal::Malformed)?;
    Ok((sign1, offer))
}

fn read(counter: u64, payload: &[u8]) -> Result<KeyOffer, DecodeError> {
    let mut reader = Reader::new(payload);
    if reader.array_header()? != 3 {
        return Err(DecodeError::Unexpected);
    }
    let generation = reader.unsigned_32()?;
    let public_key = PublicKey::from_bytes(*reader.byte_array()?).map_err(|_| DecodeError::OutOfRange)?;
    let proof = *reader.byte_array()?;
    reader.end()?;
    if generation == 0 {
        Err(DecodeError::OutOfRange)
    } else {
        Ok(KeyOffer { counter, generation, public_key, proof })
    }
}
