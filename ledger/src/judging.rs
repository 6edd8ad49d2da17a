//! What settlement finds by looking at the devices' series beside one another: for each quantity whose texture is not a
//! sensor's, who disagrees with the neighbours, and who sent what another had sent. Most series are found to be nothing of
//! the kind, so only those that are something are kept.

use crate::copies::{Sender, originals};
use crate::factor::Disagreement;
use crate::neighbours::{Neighbour, disagreements};
use crate::quality::Judgement;
use crate::registry::Device;
use crate::series::Series;
use crate::tariff::{Quantity, Tariff};
use crate::workers::{Workers, in_parts, ranges};
use alloc::vec;
use alloc::vec::Vec;
use devices::identity::DeviceId;

/// Series below which hands are not worth sharing the work.
const PART_MIN: usize = 1_024;

/// A device that sent something, and its place among these.
pub(crate) type Sent<'s> = (usize, &'s Series);

/// What was found of every device, in the order in which they were given.
#[derive(Debug)]
pub(crate) struct Judgements {
    /// By quantity of the tariff, then by device.
    found: Vec<Vec<(usize, Judgement)>>,
}

impl Judgements {
    /// Looks at all devices, in the order of their kids. `order` is the next envelope's. O(n log n).
    pub(crate) fn of(
        tariff: &Tariff,
        devices: &[(DeviceId, &Device)],
        order: u32,
        workers: &dyn Workers,
    ) -> Self {
        let sent = by_quantity(tariff, devices, workers);
        let judged = |(quantity, sent): (&Quantity, &Vec<Sent<'_>>)| {
            let mut found = disagreements_of(tariff, quantity, devices, sent, workers);
            let senders: Vec<Sender<'_>> = sent
                .iter()
                .filter_map(|(at, series)| {
                    Some(Sender { kid: devices.get(*at)?.0, shingles: &series.shingles })
                })
                .collect();
            for (which, original) in originals(&senders, order, workers) {
                let place = found.partition_point(|(at, _)| *at < which);
                match found.get_mut(place).filter(|(at, _)| *at == which) {
                    Some((_, judgement)) => judgement.original = Some(original),
                    None => found.insert(
                        place,
                        (which, Judgement { original: Some(original), ..Judgement::default() }),
                    ),
                }
            }
            let device = |(which, judgement): (usize, Judgement)| Some((sent.get(which)?.0, judgement));
            found.into_iter().filter_map(device).collect()
        };
        Self { found: tariff.quantities.iter().zip(&sent).map(judged).collect() }
    }

    /// What was found of the series of a quantity.
    pub(crate) fn get(&self, device: usize, place: u8) -> Judgement {
        let found = self.found.get(usize::from(place)).map_or(&[][..], Vec::as_slice);
        let at = found.binary_search_by_key(&device, |(at, _)| *at);
        at.ok().and_then(|at| found.get(at)).map_or_else(Judgement::default, |(_, judgement)| *judgement)
    }
}

/// For each quantity who sent it.
fn by_quantity<'s>(
    tariff: &Tariff,
    devices: &[(DeviceId, &'s Device)],
    workers: &dyn Workers,
) -> Vec<Vec<Sent<'s>>> {
    let of_range = |range: core::ops::Range<usize>| {
        let mut sent: Vec<Vec<Sent<'s>>> = vec![Vec::new(); tariff.quantities.len()];
        for (at, (_, device)) in range.clone().zip(devices.get(range).unwrap_or_default()) {
            for series in device.tally.series() {
                if let Some(sent) = sent.get_mut(usize::from(series.place)) {
                    sent.push((at, series));
                }
            }
        }
        sent
    };
    let parts = in_parts(workers, ranges(workers, devices.len(), PART_MIN), of_range);
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    for part in parts {
        all.iter_mut().zip(part).for_each(|(all, mut part)| all.append(&mut part));
    }
    all
}

/// What is wrong with each series by itself, or else beside its neighbours', by its place among those `sent`.
fn disagreements_of(
    tariff: &Tariff,
    quantity: &Quantity,
    devices: &[(DeviceId, &Device)],
    sent: &[Sent<'_>],
    workers: &dyn Workers,
) -> Vec<(usize, Judgement)> {
    let mut found: Vec<(usize, Disagreement)> = Vec::new();
    if let Some(bounds) = quantity.texture {
        let judged = |(which, (_, series)): (usize, &Sent<'_>)| {
            Some((which, series.texture.as_deref()?.judge(bounds)?))
        };
        found.extend(sent.iter().enumerate().filter_map(judged));
    }
    if let Some(tolerance) = quantity.neighbours {
        let placed: Vec<Neighbour<'_>> = sent
            .iter()
            .enumerate()
            .filter_map(|(which, (at, series))| {
                let cell = devices.get(*at)?.1.cell?;
                Some(Neighbour { which, cell, slots: series.slots.as_deref()? })
            })
            .collect();
        let resolutions = tariff.neighbour_resolution_min..=tariff.neighbour_resolution;
        found.extend(disagreements(placed, tolerance, resolutions, workers));
    }
    // What is wrong by itself comes first, and a stable sort keeps it there.
    found.sort_by_key(|(which, _)| *which);
    found.dedup_by_key(|(which, _)| *which);
    let judgement = |(which, disagreement)| {
        (which, Judgement { disagreement: Some(disagreement), ..Judgement::default() })
    };
    found.into_iter().map(judgement).collect()
}
