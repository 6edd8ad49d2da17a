//! Signatures in bulk, for load alone: a tenth of the price of careful ones, at the price of the key.
//!
//! Each nonce is the one before plus one, and each key is the one before plus one, so that a point costs an addition
//! and the encodings of many cost one inversion together. Who sees two such signatures knows the key: what is signed
//! here is verified like anything else, but the keys are worth nothing.

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::{EdwardsPoint, Scalar};
use devices::cbor::{EncodeError, Reader, Writer};
use devices::cose::sig_structure;
use devices::limits::{INSTRUCTION_BYTES_MAX, INSTRUCTION_SIG_STRUCTURE_BYTES_MAX};
use devices::{DeviceId, PublicKey, Sequence, SigningKey};
use sha2::{Digest as _, Sha512};

use super::PlanError;

/// Signatures made together.
const TOGETHER: usize = 256;
/// The protected header ends with `8: kid` and `15: {7: cti}`: where the kid lies, from the end.
const KID_FROM_END: usize = 20;
/// Bytes of a kid and of a cti.
const NAME_BYTES: usize = 8;

/// A key for load.
#[derive(Clone, Copy, Debug)]
pub struct BulkKey {
    scalar: Scalar,
    /// Its public half.
    pub public_key: PublicKey,
    /// Its name.
    pub kid: DeviceId,
}

impl BulkKey {
    /// The key that an ordinary signer has; its secret is given away with the first two signatures.
    pub fn of(key: &SigningKey) -> BulkKey {
        let public_key = key.public_key();
        let hash = Sha512::digest(key.to_seed());
        let mut lower = [0; 32];
        lower.copy_from_slice(&hash[..32]);
        let scalar = Scalar::from_bytes_mod_order(curve25519_dalek::scalar::clamp_integer(lower));
        BulkKey { scalar, public_key, kid: public_key.kid() }
    }
}

fn scalar(label: &[u8], secret: &[u8; 32], number: u64) -> Scalar {
    let hash = Sha512::new().chain_update(label).chain_update(secret).chain_update(number.to_be_bytes());
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// The keys with these numbers, the same for the same secret.
///
/// # Errors
/// Never for a secret that anybody drew: one key in 2^252 is weak.
pub fn keys(secret: &[u8; 32], numbers: std::ops::Range<u64>) -> Result<Vec<BulkKey>, PlanError> {
    let count = numbers.end.saturating_sub(numbers.start) as usize;
    let mut next = scalar(b"lamppost load key", secret, 0) + Scalar::from(numbers.start);
    let mut point = EdwardsPoint::mul_base(&next);
    let (mut scalars, mut points) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        scalars.push(next);
        points.push(point);
        next += Scalar::ONE;
        point += ED25519_BASEPOINT_POINT;
    }
    let encoded = EdwardsPoint::compress_batch_alloc(&points);
    let pairs = scalars.into_iter().zip(encoded);
    pairs
        .map(|(scalar, encoded)| {
            let public_key = PublicKey::from_bytes(encoded.to_bytes()).map_err(|_| PlanError::Key)?;
            Ok(BulkKey { scalar, public_key, kid: public_key.kid() })
        })
        .collect()
}

/// One thing to sign.
pub(super) struct Unsigned<'a> {
    pub(super) key: &'a BulkKey,
    pub(super) cti: [u8; NAME_BYTES],
    pub(super) payload: Vec<u8>,
}

/// Signs many, one nonce after another.
pub struct BulkSigner {
    network: String,
    protected: Vec<u8>,
    nonce: Scalar,
    point: EdwardsPoint,
}

impl BulkSigner {
    /// A signer of readings; `number` tells its nonces from those of others with the same secret.
    ///
    /// # Errors
    /// When the network's id is none.
    pub(super) fn of_readings(
        network: &str,
        secret: &[u8; 32],
        number: u64,
    ) -> Result<BulkSigner, PlanError> {
        // A reading of anybody's shows what a header looks like.
        let (mut pack, mut envelope) = ([0; 32], [0; 256]);
        let one = devices::Record::of(devices::Value::Number(devices::Decimal::ZERO));
        let base = devices::Base { name: Some("temp"), unit: Some("Cel"), ..devices::Base::default() };
        let length = devices::encode_pack(&base, &[one], &mut pack)?;
        let sequence = Sequence { boot: 1, count: 0 };
        let key = SigningKey::from_seed(*secret);
        let length = devices::sign_reading(&key, network, sequence, &pack[..length], &mut envelope)?;
        BulkSigner::like(network, &envelope[..length], secret, number)
    }

    /// A signer of instructions.
    ///
    /// # Errors
    /// When the network's id is none.
    pub fn of_instructions(network: &str, secret: &[u8; 32], number: u64) -> Result<BulkSigner, PlanError> {
        let mut bytes = [0; 256];
        let key = SigningKey::from_seed(*secret);
        let length = devices::sign_instruction(&key, network, 1, &[0x80], false, &mut bytes)?;
        BulkSigner::like(network, &bytes[..length], secret, number)
    }

    fn like(network: &str, envelope: &[u8], secret: &[u8; 32], number: u64) -> Result<BulkSigner, PlanError> {
        let mut reader = Reader::new(envelope);
        let protected = reader.tag().and_then(|_| reader.array_header()).and_then(|_| reader.bytes());
        let protected = protected.map_err(|_| PlanError::Header)?.to_vec();
        let nonce = scalar(b"lamppost load nonce", secret, number);
        let point = EdwardsPoint::mul_base(&nonce);
        Ok(BulkSigner { network: network.to_owned(), protected, nonce, point })
    }

    /// Signs an instruction for each payload, with the counters from `counter` on.
    ///
    /// # Errors
    /// When a payload is longer than an instruction may be.
    pub fn instructions(
        &mut self,
        key: &BulkKey,
        counter: u64,
        payloads: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, PlanError> {
        let unsigned = (counter..).zip(payloads).map(|(counter, payload)| Unsigned {
            key,
            cti: counter.to_be_bytes(),
            payload,
        });
        let mut signed = Vec::new();
        self.sign(&unsigned.collect::<Vec<_>>(), |_, bytes| signed.push(bytes.to_vec()))?;
        Ok(signed)
    }

    /// Signs all of them and hands each on, in order.
    pub(super) fn sign(
        &mut self,
        all: &[Unsigned<'_>],
        mut each: impl FnMut(&BulkKey, &[u8]),
    ) -> Result<(), PlanError> {
        let mut out = [0; INSTRUCTION_BYTES_MAX];
        let mut message = [0; INSTRUCTION_SIG_STRUCTURE_BYTES_MAX];
        for some in all.chunks(TOGETHER) {
            let mut points = Vec::with_capacity(some.len());
            for _ in some {
                points.push(self.point);
                self.point += ED25519_BASEPOINT_POINT;
            }
            for (unsigned, point) in some.iter().zip(EdwardsPoint::compress_batch_alloc(&points)) {
                let length = self.seal(unsigned, point.as_bytes(), &mut message, &mut out)?;
                self.nonce += Scalar::ONE;
                each(unsigned.key, &out[..length]);
            }
        }
        Ok(())
    }

    /// R, k = SHA-512(R, A, M) and s = r + k a of RFC 8032 §5.1.6, in the envelope's place for them.
    fn seal(
        &mut self,
        unsigned: &Unsigned<'_>,
        point: &[u8; 32],
        message: &mut [u8],
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let Unsigned { key, cti, payload } = unsigned;
        let end = self.protected.len();
        self.protected[end - KID_FROM_END..][..NAME_BYTES].copy_from_slice(key.kid.as_bytes());
        self.protected[end - NAME_BYTES..].copy_from_slice(cti);
        let length = sig_structure(&self.protected, &self.network, payload, message)?;
        let hash = Sha512::new().chain_update(point).chain_update(key.public_key.as_bytes());
        let hash =
            Scalar::from_bytes_mod_order_wide(&hash.chain_update(&message[..length]).finalize().into());
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(point);
        signature[32..].copy_from_slice((self.nonce + hash * key.scalar).as_bytes());
        let mut writer = Writer::new(out);
        writer.tag(18)?;
        writer.array_header(4)?;
        writer.bytes(&self.protected)?;
        writer.map_header(0)?;
        writer.bytes(payload)?;
        writer.bytes(&signature)?;
        Ok(writer.position())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::SignedInstruction;

    #[test]
    fn an_instruction_signed_in_bulk_is_the_keys_own() {
        let operator = SigningKey::from_seed([9; 32]);
        let mut signer = BulkSigner::of_instructions("devnet", &[1; 32], 0).unwrap();
        let payloads = vec![vec![0x81, 0x01], vec![0x80]];
        let signed = signer.instructions(&BulkKey::of(&operator), 41, payloads).unwrap();
        for (bytes, counter) in signed.into_iter().zip(41..) {
            let signed = SignedInstruction::decode(bytes).map_err(|(why, _)| why).unwrap();
            assert_eq!((signed.counter(), signed.kid()), (counter, operator.public_key().kid()));
            assert!(signed.verify(&operator.public_key(), "devnet").is_ok());
        }
    }

    #[test]
    fn keys_are_the_same_from_wherever_they_are_counted() {
        let all = keys(&[7; 32], 0..10).unwrap();
        let some = keys(&[7; 32], 4..6).unwrap();
        assert_eq!(all[4].kid, some[0].kid);
        assert_ne!(all[4].kid, all[5].kid);
    }
}
