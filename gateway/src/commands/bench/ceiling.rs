//! What a node cannot exceed: nothing but the signatures of its load, in batches on all cores, by ed25519-zebra or by the
//! node's own verifier, whichever is faster here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::thread;

use devices::{DecompressedKey, SignedReading};
use ed25519_zebra::batch::{Item, Verifier};
use ed25519_zebra::{Signature, VerificationKeyBytes};
use fleet::load::{self, LoadReader};
use rand_core::{TryCryptoRng, TryRng};

use super::say;
use crate::clock;
use crate::limits;
use crate::storage::NETWORK_DEFAULT;

/// Envelopes of the load that are verified again and again: each device's at least once, where they are many.
const ENVELOPES: usize = 131_072;

/// A key, what it signed, and the signature. The node keeps keys decompressed; zebra does not.
type Prepared = (DecompressedKey, Vec<u8>, [u8; 64]);

/// Signatures a second, and whose verifier gave them.
pub struct Ceiling {
    /// Signatures a second.
    pub per_second: f64,
    /// By whom.
    pub by: &'static str,
}

/// Verifies the beginning of a load for so many seconds with each verifier.
///
/// # Errors
/// When the load cannot be read.
pub fn verification(load: &Path, devices: u32, seconds: f64) -> anyhow::Result<Ceiling> {
    say("measuring the ceiling: signatures alone, on all cores");
    let prepared = prepare(load, devices)?;
    let batches: Vec<&[Prepared]> = prepared.chunks(limits::VERIFY_BATCH_MAX).collect();
    let zebra = on_all_cores(&batches, seconds, by_zebra);
    let own = on_all_cores(&batches, seconds, by_the_node);
    Ok(match own > zebra {
        true => Ceiling { per_second: own, by: "batch verification on all cores, the node's own verifier" },
        false => Ceiling { per_second: zebra, by: "batch verification on all cores, ed25519-zebra" },
    })
}

fn prepare(load: &Path, devices: u32) -> anyhow::Result<Vec<Prepared>> {
    let keys: HashMap<_, _> = load::keys(&super::SECRET, devices)?
        .into_iter()
        .map(|key| (key.kid, DecompressedKey::new(&key.public_key)))
        .collect();
    let mut reader = LoadReader::open(load)?;
    let mut prepared = Vec::with_capacity(ENVELOPES);
    while prepared.len() < ENVELOPES
        && let Some((kid, envelope)) = reader.take()?
    {
        let mut message = vec![0; devices::limits::READING_SIG_STRUCTURE_BYTES_MAX];
        let Ok(reading) = SignedReading::decode(envelope) else { continue };
        let (Ok(length), Some(key)) = (reading.signed_message(NETWORK_DEFAULT, &mut message), keys.get(&kid))
        else {
            continue;
        };
        message.truncate(length);
        prepared.push((*key, message, *reading.signature()));
    }
    Ok(prepared)
}

fn on_all_cores(batches: &[&[Prepared]], seconds: f64, verify: fn(&[Prepared]) -> usize) -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let began = clock::monotonic();
    let verified: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let mine = batches.iter().skip(core).step_by(cores).cycle();
                let in_time = move |_: &&&[Prepared]| began.elapsed().as_secs_f64() < seconds;
                scope.spawn(move || mine.take_while(in_time).map(|batch| verify(batch)).sum::<usize>())
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum()
    });
    verified as f64 / began.elapsed().as_secs_f64()
}

fn by_the_node(batch: &[Prepared]) -> usize {
    let borrowed: Vec<_> =
        batch.iter().map(|(key, message, signature)| (*key, &message[..], *signature)).collect();
    devices::batch::hold(&borrowed).into_iter().filter(|holds| *holds).count()
}

fn by_zebra(batch: &[Prepared]) -> usize {
    let mut verifier = Verifier::new();
    for (key, message, signature) in batch {
        let key = VerificationKeyBytes::from(*key.public_key().as_bytes());
        verifier.queue(Item::from((key, Signature::from_bytes(signature), message)));
    }
    if verifier.verify(Coefficients(batch.len() as u64)).is_ok() { batch.len() } else { 0 }
}

/// Numbers that nobody has to guess: whose signatures these are is known, only the time is asked for (splitmix64).
struct Coefficients(u64);

impl TryRng for Coefficients {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(word ^ word >> 31)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Coefficients {}
