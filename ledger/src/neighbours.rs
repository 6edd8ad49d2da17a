//! Comparing a device with the others around it: its means over parts of the epoch against the median of theirs. Coarse on
//! purpose; honest devices of one city differ a lot, what is compared is what they do not.

use crate::cell::Cell;
use crate::encoding::{Read, Written, array_of};
use crate::factor::{Comparison, Disagreement};
use crate::limits::{NEIGHBOURS_MIN, SLOT_RECORDS_MIN, SLOTS, SLOTS_JUDGED_MIN};
use crate::signed_96::Signed96;
use crate::tariff::NeighbourTolerance;
use crate::workers::{Workers, in_parts, slices};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use devices::cbor::{Reader, Writer};

/// Nano-units of a micro-unit.
const NANOS_OF_A_MICRO: i128 = 1_000;
/// Cells below which hands are not worth sharing the work.
const PART_MIN: usize = 64;

/// Sums and counts of the plausible records in each sixth of the epoch, in micro-units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    sums: [Signed96; SLOTS],
    counts: [u32; SLOTS],
}

impl Slots {
    /// Takes a plausible record by the seconds since the epoch began into the slots, made for the first one; outside the
    /// epoch it has no slot.
    pub(crate) fn note(slots: &mut Option<Box<Self>>, since_seconds: i64, epoch_seconds: i64, micros: i128) {
        let (Ok(since), Ok(epoch)) = (u64::try_from(since_seconds), u64::try_from(epoch_seconds)) else {
            return;
        };
        let slot = since.saturating_mul(SLOTS as u64).checked_div(epoch);
        let slot = slot.and_then(|slot| usize::try_from(slot).ok());
        let Some(slot) = slot.filter(|slot| *slot < SLOTS) else { return };
        let slots = slots.get_or_insert_default();
        if let (Some(sum), Some(count)) = (slots.sums.get_mut(slot), slots.counts.get_mut(slot)) {
            *sum = Signed96::nearest(sum.get().saturating_add(micros));
            *count = count.saturating_add(1);
        }
    }

    /// A slot's mean, rounded down; absent when too few records make it.
    fn mean(&self, slot: usize) -> Option<i128> {
        let count = self.counts.get(slot).copied().filter(|count| *count >= SLOT_RECORDS_MIN)?;
        self.sums.get(slot)?.get().checked_div_euclid(count.into())
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(SLOTS.saturating_mul(2))?;
        for (sum, count) in self.sums.iter().zip(self.counts) {
            sum.write(writer)?;
            writer.unsigned(count.into())?;
        }
        Ok(())
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, SLOTS.saturating_mul(2))?;
        let mut slots = Self::default();
        for (sum, count) in slots.sums.iter_mut().zip(&mut slots.counts) {
            (*sum, *count) = (Signed96::read(reader)?, reader.unsigned_32()?);
        }
        Ok(slots)
    }
}

/// A device with a position, and its means of the quantity in question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbour<'t> {
    /// Which series it is, for whoever asks.
    pub(crate) which: usize,
    /// Its cell of the finest resolution.
    pub(crate) cell: Cell,
    pub(crate) slots: &'t Slots,
}

/// One slot of a device and of its neighbourhood.
#[derive(Clone, Copy, Debug)]
struct Pair {
    slot: usize,
    own: i128,
    reference: i128,
}

/// Compares every device with the others of its cell, the finest one of these `resolutions` in which there are enough
/// of them, and gives those that disagree. Where there are never enough nothing is said.
pub(crate) fn disagreements(
    mut neighbours: Vec<Neighbour<'_>>,
    tolerance: NeighbourTolerance,
    resolutions: RangeInclusive<u8>,
    workers: &dyn Workers,
) -> Vec<(usize, Disagreement)> {
    // Who has no mean is compared with nobody, and nobody with it.
    neighbours.retain(|neighbour| (0..SLOTS).any(|slot| neighbour.slots.mean(slot).is_some()));
    // A cell's index begins with those of the cells that it lies in: sorted once, the members of each follow one another.
    neighbours.sort_unstable_by_key(|neighbour| (neighbour.cell, neighbour.which));
    let coarsest = *resolutions.start();
    let cells: Vec<&[Neighbour<'_>]> = neighbours.chunk_by(of_one_cell(coarsest)).collect();
    let parts = slices(workers, &cells, PART_MIN);
    let found = in_parts(workers, parts, |cells: &[&[Neighbour<'_>]]| -> Vec<(usize, Disagreement)> {
        cells.iter().flat_map(|members| judged(members, tolerance, resolutions.clone())).collect()
    });
    found.into_iter().flatten().collect()
}

fn of_one_cell<'t>(resolution: u8) -> impl Fn(&Neighbour<'t>, &Neighbour<'t>) -> bool {
    move |one, next| one.cell.parent(resolution) == next.cell.parent(resolution)
}

/// The members of a cell of the coarsest resolution that disagree.
fn judged(
    neighbours: &[Neighbour<'_>],
    tolerance: NeighbourTolerance,
    resolutions: RangeInclusive<u8>,
) -> Vec<(usize, Disagreement)> {
    let mut found = Vec::new();
    let mut waiting: Vec<bool> = alloc::vec![true; neighbours.len()];
    for resolution in resolutions.rev() {
        let mut waits = waiting.as_mut_slice();
        for members in neighbours.chunk_by(of_one_cell(resolution)) {
            let (here, after) = waits.split_at_mut_checked(members.len()).unwrap_or_default();
            waits = after;
            if members.len() <= NEIGHBOURS_MIN || !here.contains(&true) {
                continue;
            }
            for ((member, waits), pairs) in members.iter().zip(here).zip(compared(members)) {
                if *waits && pairs.len() >= SLOTS_JUDGED_MIN {
                    *waits = false;
                    found.extend(judge(&pairs, tolerance).map(|disagreement| (member.which, disagreement)));
                }
            }
        }
    }
    found
}

/// For each member of a cell the slots in which both it and at least three others have a mean.
fn compared(members: &[Neighbour<'_>]) -> Vec<Vec<Pair>> {
    let mut pairs: Vec<Vec<Pair>> = alloc::vec![Vec::new(); members.len()];
    for slot in 0..SLOTS {
        let mean = |(at, member): (usize, &Neighbour<'_>)| Some((member.slots.mean(slot)?, at));
        let mut means: Vec<(i128, usize)> = members.iter().enumerate().filter_map(mean).collect();
        if means.len() <= NEIGHBOURS_MIN {
            continue;
        }
        means.sort_unstable();
        for (rank, (own, at)) in means.iter().enumerate() {
            if let (Some(reference), Some(pairs)) = (median_without(&means, rank), pairs.get_mut(*at)) {
                pairs.push(Pair { slot, own: *own, reference });
            }
        }
    }
    pairs
}

/// The median of sorted means but for the one at `rank`: the middle one, or the mean of the two, rounded down.
fn median_without(means: &[(i128, usize)], rank: usize) -> Option<i128> {
    let other = |at: usize| {
        let at = if at < rank { at } else { at.saturating_add(1) };
        means.get(at).map(|(mean, _)| *mean)
    };
    let others = means.len().checked_sub(1)?;
    let upper = other(others / 2)?;
    if !others.is_multiple_of(2) {
        return Some(upper);
    }
    let lower = other((others / 2).checked_sub(1)?)?;
    Some(lower.saturating_add(upper).div_euclid(2))
}

/// The first comparison that fails.
fn judge(pairs: &[Pair], tolerance: NeighbourTolerance) -> Option<Disagreement> {
    let (own, reference) = sums(pairs.iter());
    match tolerance {
        NeighbourTolerance::Difference { level_max } => {
            let slots = i128::try_from(pairs.len()).ok()?;
            let apart = own.saturating_sub(reference).saturating_abs();
            let limit = level_max.nanos().div_euclid(NANOS_OF_A_MICRO);
            let beyond = apart > limit.saturating_mul(slots);
            beyond.then(|| Disagreement {
                comparison: Comparison::Difference,
                found: u64::try_from(apart.checked_div_euclid(slots).unwrap_or(0)).unwrap_or(u64::MAX),
                limit: u64::try_from(limit).unwrap_or(u64::MAX),
            })
        }
        NeighbourTolerance::Ratio {
            level_min_permille,
            level_max_permille,
            ends_max_permille,
            thirds_max_permille,
        } => {
            let level = above(Comparison::LevelHigh, own, reference, level_max_permille)
                .or_else(|| below(own, reference, level_min_permille));
            level.or_else(|| drift(pairs, ends_max_permille)).or_else(|| shape(pairs, thirds_max_permille))
        }
    }
}

fn sums<'p>(pairs: impl Iterator<Item = &'p Pair>) -> (i128, i128) {
    pairs.fold((0, 0), |(own, reference), pair| {
        (own.saturating_add(pair.own), reference.saturating_add(pair.reference))
    })
}

/// Whether part·1000 > whole·limit, both at least zero; then also by how much.
fn above(comparison: Comparison, part: i128, whole: i128, limit: u32) -> Option<Disagreement> {
    let scaled = part.saturating_mul(1_000);
    if scaled <= whole.saturating_mul(limit.into()) {
        return None;
    }
    let found = scaled.checked_div(whole).and_then(|found| u64::try_from(found).ok());
    Some(Disagreement { comparison, found: found.unwrap_or(u64::MAX), limit: limit.into() })
}

fn below(part: i128, whole: i128, limit: u32) -> Option<Disagreement> {
    let scaled = part.saturating_mul(1_000);
    if scaled >= whole.saturating_mul(limit.into()) {
        return None;
    }
    let found = scaled.checked_div(whole).and_then(|found| u64::try_from(found).ok()).unwrap_or(0);
    Some(Disagreement { comparison: Comparison::LevelLow, found, limit: limit.into() })
}

/// How the device changed from the first to the last slot, as a multiple of how its neighbourhood did, either way.
fn drift(pairs: &[Pair], limit: u32) -> Option<Disagreement> {
    let (first, last) = (pairs.first()?, pairs.last()?);
    apart(Comparison::Drift, (last.own, last.reference), (first.own, first.reference), limit)
}

/// The same between any two thirds of the epoch.
fn shape(pairs: &[Pair], limit: u32) -> Option<Disagreement> {
    let third = |third: usize| sums(pairs.iter().filter(move |pair| pair.slot / 2 == third));
    let thirds = [third(0), third(1), third(2)];
    let [one, two, three] = thirds;
    [(one, two), (one, three), (two, three)]
        .into_iter()
        .find_map(|(one, other)| apart(Comparison::Shape, one, other, limit))
}

/// Own ÷ reference of one time against that of another, either way round.
fn apart(
    comparison: Comparison,
    (own, reference): (i128, i128),
    (other_own, other_reference): (i128, i128),
    limit: u32,
) -> Option<Disagreement> {
    let one = own.saturating_mul(other_reference);
    let other = other_own.saturating_mul(reference);
    above(comparison, one, other, limit).or_else(|| above(comparison, other, one, limit))
}
