//! ZIP-215's verdict on Ed25519 signatures, one alone or many at once, over curve25519-dalek.
//!
//! A signature `(R, s)` over `M` holds under a key `A` exactly if `R` decodes to a point of the curve (by another encoding
//! than the canonical one too), `s` is a number below the order ℓ of the prime-order group, and with
//! `k = SHA-512(R ‖ A ‖ M) mod ℓ`
//!
//! > 8 · (s·B − R − k·A) = 0.
//!
//! **Many at once.** Let `E = s·B − R − k·A` be what a member leaves over. With a coefficient `z` for each member, one sum over
//! many points asks whether `8 · Σ z·E = 0`, which costs a fraction of asking for each. If all members hold, every `8·E` is
//! zero and so is the sum, whatever the coefficients and whatever components of small order `R` and `A` carry: that is what
//! the factor 8 is for. If a member does not hold, its `8·E` is a point of order ℓ, and whatever the other members are, at
//! most one value of its `z` modulo ℓ makes the sum zero: a `z` of 128 random bits hits it once in 2^128 times.
//!
//! **Coefficients without randomness** (Fiat–Shamir). They are hashed from all that is in the batch, so whoever chooses
//! the signatures cannot choose the coefficients: any other member gives others. What is hashed is each member's whole
//! 64-byte `SHA-512(R ‖ A ‖ M)` and its `s`. The first commits to `R`, `A` and `M` (the first two have fixed lengths), so
//! messages are passed over once only. An attacker who tries 2^n batches finds a wrong verdict with probability 2^(n−128).
//!
//! **Bad members are found by halving**, with the same coefficients: a batch of n has fewer than 2n parts that are ever
//! asked, so one of them answers wrongly with probability below 2n / 2^128. What is left at the end is judged alone, by the
//! equation itself. The work is bounded: see [`HALVING_MAX`].
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use sha2::{Digest, Sha512};

use crate::identity::PublicKey;
use crate::limits::SIGNATURE_BYTES;

#[cfg(feature = "batch")]
mod batch;
#[cfg(feature = "batch")]
pub use batch::{Batch, HALVING_MAX};

/// A public key beside the point that it encodes. Finding the point is a third of judging one signature of a batch: who
/// sees a key often keeps this.
#[derive(Clone, Copy, Debug)]
pub struct DecompressedKey {
    key: PublicKey,
    point: EdwardsPoint,
}

impl DecompressedKey {
    /// Decompresses `key`. Nothing else makes one: the point is always the key's.
    ///
    /// ```
    /// use devices::{DecompressedKey, SigningKey};
    /// let key = SigningKey::from_seed([1; 32]);
    /// let decompressed = DecompressedKey::new(&key.public_key());
    /// assert!(decompressed.holds(b"message", &key.sign(b"message")));
    /// assert!(!decompressed.holds(b"another", &key.sign(b"message")));
    /// ```
    pub fn new(key: &PublicKey) -> DecompressedKey {
        let point = CompressedEdwardsY(*key.as_bytes()).decompress();
        DecompressedKey {
            key: *key,
            point: point.expect("a public key is made of nothing but a point's encoding"),
        }
    }

    /// The key.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The key's first bytes as a number, by which keys are sorted faster than by all of them.
    #[cfg(feature = "batch")]
    fn beginning(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *self.key.as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Whether `signature` over `message` holds under this key by ZIP-215's rules.
    pub fn holds(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        Claim::new(self, message, signature).is_some_and(|(claim, _)| claim.holds())
    }

    /// The same verdict, slower, with the one table that signing needs as well: a table of the base point's odd multiples
    /// is several kilobytes of flash, and a device judges few signatures.
    pub fn holds_without_tables(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        Claim::new(self, message, signature).is_some_and(|(claim, _)| claim.holds_without_tables())
    }
}

/// ℓ = 2^252 + 27742317777372353535851937790883648493, little-endian (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The scalar of these bytes, if it is a number below ℓ. It is made by the reduction that the hash needs as well, which
/// leaves such a number as it is: another one would be two kilobytes of a device's flash.
fn scalar_below_order(bytes: &[u8; 32]) -> Option<Scalar> {
    if !bytes.iter().rev().lt(ORDER.iter().rev()) {
        return None;
    }
    let mut wide = [0; 64];
    wide[..32].copy_from_slice(bytes);
    Some(Scalar::from_bytes_mod_order_wide(&wide))
}

/// By doubling and adding, which takes less flash and less stack than any table. Nothing in it is secret.
#[inline(never)]
fn multiple_of(point: &EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
    let mut multiple = EdwardsPoint::identity();
    for byte in scalar.as_bytes().iter().rev() {
        for bit in (0..8).rev() {
            multiple += multiple;
            if byte >> bit & 1 == 1 {
                multiple += point;
            }
        }
    }
    multiple
}

#[inline(never)]
fn hash_of(parts: [&[u8]; 3]) -> [u8; 64] {
    let mut hash = Sha512::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// That a key has signed a message, in numbers and points.
struct Claim<'a> {
    key: &'a DecompressedKey,
    nonce: EdwardsPoint,
    k: Scalar,
    s: Scalar,
}

impl<'a> Claim<'a> {
    /// The claim and `SHA-512(R ‖ A ‖ M)`; nothing when R is no point or s no scalar, which no message makes right.
    fn new(
        key: &'a DecompressedKey,
        message: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Option<(Claim<'a>, [u8; 64])> {
        let (nonce, s) = signature.split_first_chunk::<32>()?;
        let s = scalar_below_order(s.try_into().ok()?)?;
        let hash = hash_of([nonce, key.key.as_bytes(), message]);
        let nonce = CompressedEdwardsY(*nonce).decompress()?;
        Some((Claim { key, nonce, k: Scalar::from_bytes_mod_order_wide(&hash), s }, hash))
    }

    /// The equation itself.
    fn holds(&self) -> bool {
        let nonce = EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &-self.key.point, &self.s);
        (nonce - self.nonce).mul_by_cofactor().is_identity()
    }

    /// The equation itself, in additions but for the multiple of the base point.
    fn holds_without_tables(&self) -> bool {
        let multiple = multiple_of(&self.key.point, &self.k);
        let left = EdwardsPoint::mul_base(&self.s) + -(self.nonce + multiple);
        (0..3).fold(left, |left, _| left + left).is_identity()
    }
}
