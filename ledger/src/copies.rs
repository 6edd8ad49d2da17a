//! Copied series: a few hashes of short runs of values recognise a series wherever it is sent again, by another device or
//! a day later, whole or in part. Whoever sent it first, in the log's order, is the original.

use crate::encoding::{Read, Written, array_of};
use crate::limits::{
    COPIED_ONE_IN, SAMPLES_MAX, SAMPLES_MEAN, SAMPLES_MIN, SAMPLES_OF_ORIGINAL_MIN, SHINGLE_DISTINCT_MIN,
    SHINGLE_VALUES,
};
use crate::series::Intake;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::DeviceId;

/// A kept hash, and the place of its envelope in the log's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    hash: u32,
    order: u32,
}

/// What recognises a series: the least hashes of its runs of six values, of which four differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shingles {
    /// Hashes of the last values, the newest last.
    recent: [u32; SHINGLE_VALUES],
    /// How many of them there are.
    values: u8,
    /// By hash.
    samples: Vec<Sample>,
    /// The hashes of the epoch before, in order.
    before: Vec<u32>,
}

impl Shingles {
    /// Takes the next value, whatever it is worth.
    pub(crate) fn note(&mut self, nanos: i128, intake: &Intake<'_>, interval_seconds: u32) {
        self.recent.rotate_left(1);
        if let Some(newest) = self.recent.last_mut() {
            *newest = hash_of_value(nanos);
        }
        if usize::from(self.values) < SHINGLE_VALUES {
            self.values = self.values.saturating_add(1);
            if usize::from(self.values) < SHINGLE_VALUES {
                return;
            }
        }
        let hash = hash_of_shingle(&self.recent);
        if u64::from(hash) < sampled_below(intake.epoch_seconds, interval_seconds)
            && distinct(&self.recent) >= SHINGLE_DISTINCT_MIN
        {
            self.keep(Sample { hash, order: intake.order });
        }
    }

    fn keep(&mut self, sample: Sample) {
        // The first time counts.
        let Err(place) = self.samples.binary_search_by_key(&sample.hash, |kept| kept.hash) else { return };
        if self.samples.len() >= SAMPLES_MAX {
            if place >= SAMPLES_MAX {
                return;
            }
            self.samples.pop();
        }
        self.samples.reserve_exact(1);
        self.samples.insert(place, sample);
    }

    /// What the next epoch must know of this one.
    pub(crate) fn carried_over(self) -> Self {
        let before = self.samples.iter().map(|sample| sample.hash).collect();
        Self { before, ..Self::default() }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        writer.array_header(SHINGLE_VALUES)?;
        self.recent.iter().try_for_each(|hash| writer.unsigned((*hash).into()))?;
        writer.unsigned(self.values.into())?;
        writer.array_header(self.samples.len().saturating_mul(2))?;
        for sample in &self.samples {
            writer.unsigned(sample.hash.into())?;
            writer.unsigned(sample.order.into())?;
        }
        writer.array_header(self.before.len())?;
        self.before.iter().try_for_each(|hash| writer.unsigned((*hash).into()))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 4)?;
        array_of(reader, SHINGLE_VALUES)?;
        let mut shingles = Self::default();
        for hash in &mut shingles.recent {
            *hash = reader.unsigned_32()?;
        }
        shingles.values = u8::try_from(reader.unsigned()?).map_err(|_| DecodeError::OutOfRange)?;
        let numbers = reader.array_header()?;
        for _ in 0..numbers / 2 {
            shingles.samples.push(Sample { hash: reader.unsigned_32()?, order: reader.unsigned_32()? });
        }
        for _ in 0..reader.array_header()? {
            shingles.before.push(reader.unsigned_32()?);
        }
        let in_order = shingles.samples.is_sorted_by(|one, next| one.hash < next.hash)
            && shingles.before.is_sorted_by(|one, next| one < next);
        let bounded = shingles.samples.len() <= SAMPLES_MAX
            && shingles.before.len() <= SAMPLES_MAX
            && usize::from(shingles.values) <= SHINGLE_VALUES
            && numbers.is_multiple_of(2);
        if in_order && bounded { Ok(shingles) } else { Err(DecodeError::OutOfRange) }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output.
const fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[allow(clippy::cast_possible_truncation, reason = "the halves of a word are what is meant")]
fn hash_of_value(nanos: i128) -> u32 {
    let [low, high] = [nanos as u64, (nanos >> 64) as u64];
    (mixed(low ^ high.rotate_left(32)) >> 32) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "the upper half of a word is what is meant")]
fn hash_of_shingle(values: &[u32; SHINGLE_VALUES]) -> u32 {
    let folded = values.iter().fold(0x9e37_79b9_7f4a_7c15_u64, |bits, value| {
        (bits ^ u64::from(*value)).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(29)
    });
    (mixed(folded) >> 32) as u32
}

fn distinct(values: &[u32; SHINGLE_VALUES]) -> usize {
    let first = |(at, value): &(usize, &u32)| !values.iter().take(*at).any(|before| before == *value);
    values.iter().enumerate().filter(first).count()
}

/// Hashes below this are kept: about [`SAMPLES_MEAN`] an epoch of a device that sends one record an interval.
fn sampled_below(epoch_seconds: i64, interval_seconds: u32) -> u64 {
    let seconds = u64::try_from(epoch_seconds).unwrap_or(0);
    let records = seconds.checked_div(interval_seconds.into()).unwrap_or(0);
    let divisor = records.checked_div(SAMPLES_MEAN).unwrap_or(1).max(1);
    (1_u64 << 32).checked_div(divisor).unwrap_or(1 << 32)
}

/// A device and its series of the quantity in question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'t> {
    pub(crate) kid: DeviceId,
    pub(crate) shingles: &'t Shingles,
}

/// One hash as somebody sent it: first by hash, then the earliest, then in the order of kids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    hash: u32,
    /// Envelopes accepted since, negated to sort: the epoch before counts as the longest ago.
    recency: core::cmp::Reverse<u64>,
    sender: usize,
}

/// For each sender whose series is to a quarter another's, or its own of the epoch before: whose. `order` is the next
/// envelope's. Senders stand in the order of their kids.
pub(crate) fn originals(senders: &[Sender<'_>], order: u32) -> Vec<Option<DeviceId>> {
    let mut claims: Vec<Claim> = Vec::new();
    for (sender, Sender { shingles, .. }) in senders.iter().enumerate() {
        let claim = |hash, age| Claim { hash, recency: core::cmp::Reverse(age), sender };
        // The counter may wrap within an epoch: only how long ago an envelope came is compared.
        let age = |sample: &Sample| u64::from(order.wrapping_sub(sample.order));
        claims.extend(shingles.samples.iter().map(|sample| claim(sample.hash, age(sample))));
        claims.extend(shingles.before.iter().map(|hash| claim(*hash, u64::MAX)));
    }
    claims.sort_unstable();
    // What follows the first of a hash is a copy of it.
    claims.dedup_by_key(|claim| claim.hash);
    senders.iter().enumerate().map(|(at, sender)| original_of(at, sender, senders, &claims)).collect()
}

fn original_of(at: usize, sender: &Sender<'_>, senders: &[Sender<'_>], first: &[Claim]) -> Option<DeviceId> {
    let samples = &sender.shingles.samples;
    if samples.len() < SAMPLES_MIN {
        return None;
    }
    let mut taken: Vec<usize> = samples
        .iter()
        .filter_map(|sample| {
            if sender.shingles.before.binary_search(&sample.hash).is_ok() {
                return Some(at);
            }
            let place = first.binary_search_by_key(&sample.hash, |claim| claim.hash).ok()?;
            first.get(place).map(|claim| claim.sender).filter(|original| *original != at)
        })
        .collect();
    taken.sort_unstable();
    // One hash in common is chance among many devices; two with the same device are not.
    let by_original =
        taken.chunk_by(|one, next| one == next).filter(|one| one.len() >= SAMPLES_OF_ORIGINAL_MIN);
    let (mut explained, mut most) = (0_usize, (0_usize, None));
    for group in by_original {
        explained = explained.saturating_add(group.len());
        if group.len() > most.0 {
            most = (group.len(), group.first().copied());
        }
    }
    let copied = explained.saturating_mul(COPIED_ONE_IN) >= samples.len();
    most.1.filter(|_| copied).and_then(|original| senders.get(original)).map(|original| original.kid)
}
