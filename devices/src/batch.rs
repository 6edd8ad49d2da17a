//! Many signatures judged at once, with the verdicts that judging them one by one would give.
use alloc::vec::Vec;
use core::convert::Infallible;

use ed25519_zebra::batch::{Item, Verifier};
use ed25519_zebra::{Signature, VerificationKeyBytes};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256, Sha512};

use crate::identity::PublicKey;
use crate::limits::{READING_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES};
use crate::reading::{SignedReading, VerifiedReading};
use crate::refusal::Refusal;

/// One verdict: the reading verified, or the reason with the buffer.
pub type Verdict<B> = Result<VerifiedReading<B>, (Refusal, B)>;

/// Verifies each reading under the key beside it; the verdicts stand in the order of the readings.
///
/// A thousand readings a call cost about half of what 64 do, each.
pub fn verify_batch<B: AsRef<[u8]>>(
    network: &str,
    readings: Vec<(SignedReading<B>, PublicKey)>,
) -> Vec<Verdict<B>> {
    let mut batch = Batch::new(readings.len());
    for (reading, key) in &readings {
        let mut message = [0; READING_SIG_STRUCTURE_BYTES_MAX];
        match reading.signed_message(network, &mut message) {
            Ok(length) => batch.add(key, &message[..length], reading.signature()),
            // No network id is that long: nothing was ever signed for it.
            Err(_) => batch.add_hopeless(),
        }
    }
    let verdict = |((reading, key), holds): ((SignedReading<B>, PublicKey), bool)| {
        if holds { Ok(reading.proven(key, network)) } else { Err((Refusal::Signature, reading.into_inner())) }
    };
    readings.into_iter().zip(batch.judge()).map(verdict).collect()
}

/// Judges signatures over any messages, many at once; the answers are those of [`crate::signature::holds`], in order.
///
/// ```
/// use devices::SigningKey;
/// let key = SigningKey::from_seed([1; 32]);
/// let (good, bad) = (key.sign(b"message"), key.sign(b"another message"));
/// let public_key = key.public_key();
/// let answers = devices::batch::hold(&[(public_key, b"message", good), (public_key, b"message", bad)]);
/// assert_eq!(answers, [true, false]);
/// ```
pub fn hold(signatures: &[(PublicKey, &[u8], [u8; SIGNATURE_BYTES])]) -> Vec<bool> {
    let mut batch = Batch::new(signatures.len());
    signatures.iter().for_each(|(key, message, signature)| batch.add(key, message, signature));
    batch.judge()
}

struct Batch {
    items: Vec<Option<Item>>,
    /// A hash of all that is in the batch.
    transcript: Sha512,
}

impl Batch {
    fn new(capacity: usize) -> Batch {
        Batch { items: Vec::with_capacity(capacity), transcript: Sha512::new() }
    }

    fn add(&mut self, key: &PublicKey, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) {
        self.transcript.update(key.as_bytes());
        self.transcript.update((message.len() as u64).to_be_bytes());
        self.transcript.update(message);
        self.transcript.update(signature);
        let key = VerificationKeyBytes::from(*key.as_bytes());
        self.items.push(Some(Item::from((key, Signature::from_bytes(signature), message))));
    }

    fn add_hopeless(&mut self) {
        self.items.push(None);
    }

    /// ZIP-215's rules hold for a batch exactly if they hold for each member, so a batch that holds proves its members;
    /// one that does not is judged member by member.
    fn judge(self) -> Vec<bool> {
        let mut verifier = Verifier::new();
        self.items.iter().flatten().cloned().for_each(|item| verifier.queue(item));
        let together = verifier.verify(Coefficients::new(self.transcript)).is_ok();
        let alone = |item: Item| together || item.verify_single().is_ok();
        self.items.into_iter().map(|item| item.is_some_and(alone)).collect()
    }
}

/// The random coefficients of a batch, drawn from a hash of everything in it: who chooses the signatures does not choose
/// them (Fiat-Shamir), and no source of randomness is needed.
struct Coefficients {
    seed: [u8; 64],
    counter: u64,
}

impl Coefficients {
    fn new(seed: Sha512) -> Coefficients {
        Coefficients { seed: seed.finalize().into(), counter: 0 }
    }
}

impl TryRng for Coefficients {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let block =
                Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
            self.counter += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Coefficients {}
