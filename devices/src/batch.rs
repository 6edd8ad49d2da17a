//! Many envelopes verified at once, with the verdicts that verifying them one by one would give.
use alloc::vec::Vec;

use crate::cbor::EncodeError;
use crate::identity::DeviceId;
use crate::instruction::{SignedInstruction, VerifiedInstruction};
use crate::limits::{INSTRUCTION_SIG_STRUCTURE_BYTES_MAX, READING_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES};
use crate::reading::{SignedReading, VerifiedReading};
use crate::zip215::{self, DecompressedKey};

/// A decoded envelope, of which nobody has checked the signature yet.
#[derive(Clone, Debug)]
pub enum Signed<B: AsRef<[u8]>> {
    /// A device's reading.
    Reading(SignedReading<B>),
    /// An account's instruction.
    Instruction(SignedInstruction<B>),
}

/// An envelope whose signature holds; made by verification alone.
#[derive(Clone, Debug)]
pub enum Verified<B: AsRef<[u8]>> {
    /// A device's reading.
    Reading(VerifiedReading<B>),
    /// An account's instruction.
    Instruction(VerifiedInstruction<B>),
}

/// One verdict: the envelope verified, or given back because its signature does not hold.
pub type Verdict<B> = Result<Verified<B>, Signed<B>>;

impl<B: AsRef<[u8]>> Signed<B> {
    /// The kid of who claims to have signed it.
    pub fn kid(&self) -> DeviceId {
        match self {
            Signed::Reading(reading) => reading.kid(),
            Signed::Instruction(instruction) => instruction.kid(),
        }
    }

    fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        match self {
            Signed::Reading(reading) => reading.signature(),
            Signed::Instruction(instruction) => instruction.signature(),
        }
    }

    fn signed_message(&self, network: &str, out: &mut [u8]) -> Result<usize, EncodeError> {
        match self {
            Signed::Reading(reading) => reading.signed_message(network, out),
            Signed::Instruction(instruction) => instruction.signed_message(network, out),
        }
    }

    fn proven(self, key: &DecompressedKey, network: &str) -> Verified<B> {
        let key = *key.public_key();
        match self {
            Signed::Reading(reading) => Verified::Reading(reading.proven(key, network)),
            Signed::Instruction(instruction) => Verified::Instruction(instruction.proven(key, network)),
        }
    }
}

/// Verifies each envelope under the key in the same place; the verdicts stand in the order of the envelopes. One without a
/// key does not hold.
///
/// A thousand envelopes a call cost about half of what 64 do, each.
pub fn verify_batch<'a, B: AsRef<[u8]>>(
    network: &'a str,
    envelopes: Vec<Signed<B>>,
    keys: &'a [DecompressedKey],
) -> impl ExactSizeIterator<Item = Verdict<B>> + use<'a, B> {
    let mut message = [0; SIG_STRUCTURE_BYTES_MAX];
    let mut batch = zip215::Batch::new(envelopes.len());
    for (place, envelope) in envelopes.iter().enumerate() {
        match (keys.get(place), envelope.signed_message(network, &mut message)) {
            (Some(key), Ok(length)) => batch.add(key, &message[..length], envelope.signature()),
            // No network id is that long: nothing was ever signed for it.
            _ => batch.add_hopeless(),
        }
    }
    let answers = batch.judge().into_iter().enumerate();
    envelopes.into_iter().zip(answers).map(move |(envelope, (place, holds))| match keys.get(place) {
        Some(key) if holds => Ok(envelope.proven(key, network)),
        _ => Err(envelope),
    })
}

/// Judges signatures over any messages, many at once; the answers are those of [`DecompressedKey::holds`], in order.
pub fn hold(signatures: &[(DecompressedKey, &[u8], [u8; SIGNATURE_BYTES])]) -> Vec<bool> {
    let mut batch = zip215::Batch::new(signatures.len());
    signatures.iter().for_each(|(key, message, signature)| batch.add(key, message, signature));
    batch.judge()
}

const SIG_STRUCTURE_BYTES_MAX: usize =
    if INSTRUCTION_SIG_STRUCTURE_BYTES_MAX > READING_SIG_STRUCTURE_BYTES_MAX {
        INSTRUCTION_SIG_STRUCTURE_BYTES_MAX
    } else {
        READING_SIG_STRUCTURE_BYTES_MAX
    };
