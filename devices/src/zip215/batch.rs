//! Many signatures at once: the sum, its coefficients, and the search for the members that spoil it.
use alloc::vec::Vec;
use core::iter::once;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use sha2::{Digest, Sha256};

use super::{Claim, DecompressedKey};
use crate::limits::SIGNATURE_BYTES;

/// Parts of a batch that fails are halved and asked again until they have gone through this many sums a member, on
/// average; what is not settled then is judged alone. One bad member of 1024 takes one more; where two or more are bad,
/// judging alone is as cheap. When all are, it takes half as long again as judging each alone from the beginning.
pub const HALVING_MAX: usize = 2;
/// Parts of this many members or fewer are judged member by member: a sum of so few costs as much.
const ALONE_MAX: usize = 16;

/// Signatures to judge together. The answers are those of [`DecompressedKey::holds`] for each.
///
/// ```
/// use devices::{DecompressedKey, SigningKey, zip215::Batch};
/// let key = SigningKey::from_seed([1; 32]);
/// let decompressed = DecompressedKey::new(&key.public_key());
/// let mut batch = Batch::new(2);
/// batch.add(&decompressed, b"message", &key.sign(b"message"));
/// batch.add(&decompressed, b"message", &key.sign(b"another message"));
/// assert_eq!(batch.judge(), [true, false]);
/// ```
pub struct Batch<'a> {
    /// Those whose signature is made of a point and a scalar, each with its place among all.
    members: Vec<(usize, Claim<'a>)>,
    count: usize,
    /// A hash of all members.
    transcript: Sha256,
}

impl<'a> Batch<'a> {
    /// An empty batch with room for `capacity` signatures.
    pub fn new(capacity: usize) -> Batch<'a> {
        Batch { members: Vec::with_capacity(capacity), count: 0, transcript: Sha256::new() }
    }

    /// Adds the claim that `signature` over `message` holds under `key`.
    pub fn add(&mut self, key: &'a DecompressedKey, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) {
        if let Some((claim, hash)) = Claim::new(key, message, signature) {
            self.transcript.update(hash);
            self.transcript.update(claim.s.as_bytes());
            self.members.push((self.count, claim));
        }
        self.count += 1;
    }

    /// Adds one that holds under no key.
    pub fn add_hopeless(&mut self) {
        self.count += 1;
    }

    /// Whether each holds, in the order in which they were added.
    pub fn judge(self) -> Vec<bool> {
        let coefficients = coefficients(self.transcript, self.members.len());
        let mut members: Vec<Member<'_>> = self
            .members
            .iter()
            .zip(coefficients)
            .map(|((place, claim), z)| Member { place: *place, claim, z })
            .collect();
        // Those of one key beside each other: their terms are added up before the sum. Two keys that begin alike may mix,
        // and then less is added up.
        members.sort_unstable_by_key(|member| member.claim.key.beginning());
        let mut search =
            Search { answers: alloc::vec![false; self.count], budget: HALVING_MAX * members.len() };
        if Member::hold_together(&members) {
            search.settle_as_good(&members);
        } else {
            search.halve(&members);
        }
        search.answers
    }
}

/// 128 bits for each of `count` members, two from each block of SHA-256 over the hash of all of them.
fn coefficients(transcript: Sha256, count: usize) -> impl Iterator<Item = Scalar> {
    let seed = transcript.finalize();
    let two = move |number: usize| {
        let block = Sha256::new().chain_update(seed).chain_update((number as u64).to_be_bytes()).finalize();
        let scalar = |half: &[u8]| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(half);
            Scalar::from(u128::from_le_bytes(bytes))
        };
        [scalar(&block[..16]), scalar(&block[16..])]
    };
    (0..count.div_ceil(2)).flat_map(two)
}

struct Member<'a> {
    place: usize,
    claim: &'a Claim<'a>,
    z: Scalar,
}

impl Member<'_> {
    /// Whether the members' sum `8 · ((−Σ z·s)·B + Σ z·R + Σ z·k·A)` is zero; those of one key must stand together.
    fn hold_together(members: &[Member<'_>]) -> bool {
        let mut base = Scalar::ZERO;
        let mut scalars = Vec::with_capacity(2 * members.len());
        let mut points = Vec::with_capacity(2 * members.len());
        for run in members.chunk_by(|one, other| one.claim.key.key == other.claim.key.key) {
            let mut of_key = Scalar::ZERO;
            for Member { claim, z, .. } in run {
                base -= z * claim.s;
                of_key += z * claim.k;
                scalars.push(*z);
                points.push(&claim.nonce);
            }
            scalars.push(of_key);
            points.push(&run[0].claim.key.point);
        }
        let scalars = once(&base).chain(&scalars);
        let points = once(&ED25519_BASEPOINT_POINT).chain(points.iter().copied());
        EdwardsPoint::vartime_multiscalar_mul(scalars, points).mul_by_cofactor().is_identity()
    }
}

/// The way through the parts of a batch that does not hold.
struct Search {
    answers: Vec<bool>,
    /// Members that may still go through a sum.
    budget: usize,
}

impl Search {
    /// Settles a part of which nothing is known; gives whether all of it holds.
    fn settle(&mut self, members: &[Member<'_>]) -> bool {
        if self.is_for_one_by_one(members) {
            return self.judge_alone(members);
        }
        self.budget -= members.len();
        if Member::hold_together(members) { self.settle_as_good(members) } else { self.halve(members) }
    }

    /// Settles a part that is known not to hold; gives false.
    fn halve(&mut self, members: &[Member<'_>]) -> bool {
        if self.is_for_one_by_one(members) {
            return self.judge_alone(members);
        }
        let (one, other) = members.split_at(members.len() / 2);
        // If the first half holds, what spoils the sum is in the second: no need to ask.
        if self.settle(one) {
            self.halve(other)
        } else {
            self.settle(other)
        };
        false
    }

    fn is_for_one_by_one(&self, members: &[Member<'_>]) -> bool {
        members.len() <= ALONE_MAX || members.len() > self.budget
    }

    fn judge_alone(&mut self, members: &[Member<'_>]) -> bool {
        let mut all = true;
        for Member { place, claim, .. } in members {
            self.answers[*place] = claim.holds();
            all &= self.answers[*place];
        }
        all
    }

    fn settle_as_good(&mut self, members: &[Member<'_>]) -> bool {
        members.iter().for_each(|member| self.answers[member.place] = true);
        true
    }
}
