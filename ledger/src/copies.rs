//! Copied series: a few hashes of short runs of values recognise a series wherever it is sent again, by another device or
//! a day later, whole or in part. Whoever sent it first, in the log's order, is the original.

use crate::encoding::{Read, Written, array_of};
use crate::limits::{
    COPIED_ONE_IN, SAMPLES_MAX, SAMPLES_MEAN, SAMPLES_MIN, SAMPLES_OF_ORIGINAL_MIN, SHINGLE_DISTINCT_MIN,
    SHINGLE_VALUES,
};
use crate::series::Intake;
use crate::workers::{Workers, in_parts, ranges};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
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
    /// Those that are kept; for long there is none.
    kept: Option<Box<Kept>>,
}

/// The hashes that are kept of a series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    /// By hash.
    samples: Vec<Sample>,
    /// The hashes of the epoch before, in order.
    before: Vec<u32>,
}

impl Kept {
    fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl Shingles {
    fn samples(&self) -> &[Sample] {
        self.kept.as_deref().map_or(&[], |kept| &kept.samples)
    }

    fn before(&self) -> &[u32] {
        self.kept.as_deref().map_or(&[], |kept| &kept.before)
    }

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
        let samples = &mut self.kept.get_or_insert_default().samples;
        let Err(place) = samples.binary_search_by_key(&sample.hash, |kept| kept.hash) else { return };
        if samples.len() >= SAMPLES_MAX {
            if place >= SAMPLES_MAX {
                return;
            }
            samples.pop();
        }
        samples.reserve_exact(1);
        samples.insert(place, sample);
    }

    /// What the next epoch must know of this one.
    pub(crate) fn carried_over(self) -> Self {
        let before = self.samples().iter().map(|sample| sample.hash).collect();
        Self { kept: Kept { before, samples: Vec::new() }.boxed(), ..Self::default() }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        writer.array_header(SHINGLE_VALUES)?;
        self.recent.iter().try_for_each(|hash| writer.unsigned((*hash).into()))?;
        writer.unsigned(self.values.into())?;
        writer.array_header(self.samples().len().saturating_mul(2))?;
        for sample in self.samples() {
            writer.unsigned(sample.hash.into())?;
            writer.unsigned(sample.order.into())?;
        }
        writer.array_header(self.before().len())?;
        self.before().iter().try_for_each(|hash| writer.unsigned((*hash).into()))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 4)?;
        array_of(reader, SHINGLE_VALUES)?;
        let (mut shingles, mut kept) = (Self::default(), Kept::default());
        for hash in &mut shingles.recent {
            *hash = reader.unsigned_32()?;
        }
        shingles.values = u8::try_from(reader.unsigned()?).map_err(|_| DecodeError::OutOfRange)?;
        let numbers = reader.array_header()?;
        for _ in 0..numbers / 2 {
            kept.samples.push(Sample { hash: reader.unsigned_32()?, order: reader.unsigned_32()? });
        }
        for _ in 0..reader.array_header()? {
            kept.before.push(reader.unsigned_32()?);
        }
        let in_order = kept.samples.is_sorted_by(|one, next| one.hash < next.hash)
            && kept.before.is_sorted_by(|one, next| one < next);
        let bounded = kept.samples.len() <= SAMPLES_MAX
            && kept.before.len() <= SAMPLES_MAX
            && usize::from(shingles.values) <= SHINGLE_VALUES
            && numbers.is_multiple_of(2);
        shingles.kept = kept.boxed();
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
    sender: u32,
}

/// How long ago a hash of the epoch before counts: longer than any envelope of this one.
const BEFORE: u64 = u64::MAX;

/// A hash that a sender has from another one, or from itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    by: u32,
    from: u32,
}

/// The senders whose series is to a quarter another's, or their own of the epoch before, by place, and whose. `order` is
/// the next envelope's. Senders stand in the order of their kids.
pub(crate) fn originals(senders: &[Sender<'_>], order: u32, workers: &dyn Workers) -> Vec<(usize, DeviceId)> {
    let hashes = 1_usize << HASH_RANGE_BITS;
    // Hashes are spread evenly, so each part has a range of them.
    let parts = in_parts(workers, ranges(workers, hashes, 1), |range| taken(senders, order, &range));
    let mut taken: Vec<Taken> = parts.into_iter().flatten().collect();
    taken.sort_unstable();
    let original = |taken: &[Taken]| {
        let by = usize::try_from(taken.first()?.by).ok()?;
        Some((by, senders.get(original_of(senders.get(by)?, taken)?)?.kid))
    };
    taken.chunk_by(|one, next| one.by == next.by).filter_map(original).collect()
}

/// Leading bits of a hash that say which part it belongs to.
const HASH_RANGE_BITS: u32 = 16;

/// What was taken of the hashes whose leading bits lie in a range.
fn taken(senders: &[Sender<'_>], order: u32, range: &Range<usize>) -> Vec<Taken> {
    let mut claims: Vec<Claim> = Vec::new();
    let is_here = |hash: u32| {
        let leading = hash.checked_shr(u32::BITS.saturating_sub(HASH_RANGE_BITS)).unwrap_or(0);
        usize::try_from(leading).is_ok_and(|leading| range.contains(&leading))
    };
    for (sender, Sender { shingles, .. }) in (0_u32..).zip(senders) {
        // The counter may wrap within an epoch: only how long ago an envelope came is compared.
        let age = |sample: &Sample| u64::from(order.wrapping_sub(sample.order));
        let samples = shingles.samples().iter().map(|sample| (sample.hash, age(sample)));
        let all = samples.chain(shingles.before().iter().map(|hash| (*hash, BEFORE)));
        let claim = |(hash, age)| Claim { hash, recency: core::cmp::Reverse(age), sender };
        claims.extend(all.filter(|(hash, _)| is_here(*hash)).map(claim));
    }
    claims.sort_unstable();
    claims.chunk_by(|one, next| one.hash == next.hash).flat_map(taken_of_one_hash).collect()
}

/// Who has a hash from whom: what follows its first claim is a copy of it, and what a sender itself had in the epoch
/// before is a replay.
fn taken_of_one_hash(claims: &[Claim]) -> impl Iterator<Item = Taken> {
    let split = claims.partition_point(|claim| claim.recency.0 == BEFORE);
    let (before, samples) = claims.split_at_checked(split).unwrap_or_default();
    let first = claims.first().map(|claim| claim.sender);
    samples.iter().filter_map(move |claim| {
        let own = before.binary_search_by_key(&claim.sender, |claim| claim.sender).is_ok();
        let from = if own { claim.sender } else { first.filter(|first| *first != claim.sender)? };
        Some(Taken { by: claim.sender, from })
    })
}

/// The sender whom most of what one has `taken`, sorted, is from, if it explains enough of its series.
fn original_of(sender: &Sender<'_>, taken: &[Taken]) -> Option<usize> {
    let samples = sender.shingles.samples().len();
    if samples < SAMPLES_MIN {
        return None;
    }
    // One hash in common is chance among many devices; two with the same device are not.
    let by_original =
        taken.chunk_by(|one, next| one.from == next.from).filter(|one| one.len() >= SAMPLES_OF_ORIGINAL_MIN);
    let (mut explained, mut most) = (0_usize, (0_usize, None));
    for group in by_original {
        explained = explained.saturating_add(group.len());
        if group.len() > most.0 {
            most = (group.len(), group.first().map(|taken| taken.from));
        }
    }
    let copied = explained.saturating_mul(COPIED_ONE_IN) >= samples;
    most.1.filter(|_| copied).and_then(|original| usize::try_from(original).ok())
}
