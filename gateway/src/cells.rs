//! Devices by cell, for maps: their counts and earnings from one look at the state, and no position of any of them.

use std::collections::HashMap;

use devices::DeviceId;
use ledger::cell::Cell;
use ledger::preview::Preview;
use ledger::registry::Device;

use crate::reads::DeviceStatus;
use crate::running::Look;

/// A cell at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellFigures {
    /// The cell.
    pub cell: Cell,
    /// Its devices by `DeviceStatus::index`.
    pub devices: [u64; 4],
    /// What their statements paid, micro-tokens.
    pub earned_microtokens: u64,
    /// What they would be paid if the epoch closed now, micro-tokens.
    pub estimate_microtokens: u64,
}

/// All cells at one moment.
#[derive(Debug, Clone)]
pub struct Cells {
    /// Those with most devices first.
    pub cells: Vec<CellFigures>,
    /// Their H3 resolution.
    pub resolution: u8,
    /// The tariff's.
    pub tariff_resolution: u8,
    /// Devices whose position is not known, by `DeviceStatus::index`.
    pub unplaced: [u64; 4],
}

/// A cell that was asked for.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its figures.
    pub figures: CellFigures,
    /// Its first devices, in the order of their kids.
    pub kids: Vec<DeviceId>,
}

impl CellFigures {
    fn empty(cell: Cell) -> CellFigures {
        CellFigures { cell, devices: [0; 4], earned_microtokens: 0, estimate_microtokens: 0 }
    }

    fn count(&mut self, heard_since: u64, preview: &Preview, kid: DeviceId, device: &Device) {
        self.devices[DeviceStatus::of(device, heard_since).index()] += 1;
        self.earned_microtokens = self.earned_microtokens.saturating_add(device.earned_microtokens);
        self.estimate_microtokens = self.estimate_microtokens.saturating_add(preview.paid_microtokens(kid));
    }

    fn add(&mut self, other: &CellFigures) {
        for (sum, more) in self.devices.iter_mut().zip(other.devices) {
            *sum += more;
        }
        self.earned_microtokens = self.earned_microtokens.saturating_add(other.earned_microtokens);
        self.estimate_microtokens = self.estimate_microtokens.saturating_add(other.estimate_microtokens);
    }

    fn total(&self) -> u64 {
        self.devices.iter().sum()
    }
}

/// The tariff's cells, or larger ones where there would be more than `most`. Devices that were not heard since then are
/// silent.
pub fn all(look: &Look<'_>, heard_since: u64, most: usize) -> Cells {
    let (state, preview) = (&look.state, &look.preview);
    let tariff_resolution = state.tariff().cell_resolution;
    let mut cells: HashMap<Cell, CellFigures> = HashMap::new();
    let mut unplaced = [0; 4];
    for (kid, device) in state.devices() {
        match device.cell {
            None => unplaced[DeviceStatus::of(device, heard_since).index()] += 1,
            Some(cell) => {
                let cell = cell.parent(tariff_resolution);
                let figures = cells.entry(cell).or_insert_with(|| CellFigures::empty(cell));
                figures.count(heard_since, preview, kid, device);
            }
        }
    }
    let mut resolution = tariff_resolution;
    // There are 122 cells of resolution 0.
    while cells.len() > most && resolution > 0 {
        resolution -= 1;
        cells = coarser(&cells, resolution);
    }
    let mut cells: Vec<CellFigures> = cells.into_values().collect();
    cells.sort_by_key(|figures| (std::cmp::Reverse(figures.total()), figures.cell));
    Cells { cells, resolution, tariff_resolution, unplaced }
}

fn coarser(cells: &HashMap<Cell, CellFigures>, resolution: u8) -> HashMap<Cell, CellFigures> {
    let mut larger: HashMap<Cell, CellFigures> = HashMap::new();
    for figures in cells.values() {
        let parent = figures.cell.parent(resolution);
        larger.entry(parent).or_insert_with(|| CellFigures::empty(parent)).add(figures);
    }
    larger
}

/// One cell of any size no finer than the tariff's, with its first `most` devices; `None` where it holds none.
pub fn one(look: &Look<'_>, heard_since: u64, asked: Cell, most: usize) -> Option<Chosen> {
    let (state, preview) = (&look.state, &look.preview);
    // A finer cell than the tariff's would say where in it a device stands.
    if asked.resolution() > state.tariff().cell_resolution {
        return None;
    }
    let mut chosen = Chosen { figures: CellFigures::empty(asked), kids: Vec::new() };
    let is_in = |device: &Device| device.cell.is_some_and(|cell| cell.parent(asked.resolution()) == asked);
    for (kid, device) in state.devices().filter(|(_, device)| is_in(device)) {
        chosen.figures.count(heard_since, preview, kid, device);
        if chosen.kids.len() < most {
            chosen.kids.push(kid);
        }
    }
    (chosen.figures.total() > 0).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::registry::Position;

    #[test]
    fn larger_cells_hold_what_the_smaller_ones_held() {
        let near = |steps: i32| Position {
            latitude_microdegrees: 57_149_000 + steps * 4_000,
            longitude_microdegrees: -2_099_000,
        };
        let mut cells = HashMap::new();
        for steps in 0..50 {
            let cell = Cell::of(near(steps)).unwrap().parent(9);
            let figures = cells.entry(cell).or_insert_with(|| CellFigures::empty(cell));
            figures.devices[DeviceStatus::Online.index()] += 1;
            figures.earned_microtokens += 10;
        }
        let larger = coarser(&cells, 5);
        assert!(larger.len() < cells.len() / 4, "{} of {}", larger.len(), cells.len());
        assert!(larger.values().all(|figures| figures.cell.resolution() == 5));
        assert_eq!(larger.values().map(CellFigures::total).sum::<u64>(), 50);
        assert_eq!(larger.values().map(|figures| figures.earned_microtokens).sum::<u64>(), 500);
    }
}
