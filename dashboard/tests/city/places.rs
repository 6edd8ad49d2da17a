//! Where the city's devices stand: each cell a square around its first device, with no position of any.

use dashboard::view::*;

use super::City;

/// Half a cell's side, in micro-degrees.
const HALF: i32 = 2_000;

fn counts(devices: &[Device]) -> DeviceCounts {
    let count = |status| devices.iter().filter(|device| device.status == status).count() as u64;
    DeviceCounts {
        new: count(DeviceStatus::New),
        online: count(DeviceStatus::Online),
        silent: count(DeviceStatus::Silent),
        revoked: count(DeviceStatus::Revoked),
    }
}

fn cell_around(cell: &str, devices: &[Device]) -> MapCell {
    let centre = devices.first().and_then(|device| device.position).unwrap_or_default();
    let corner = |north: i32, east: i32| Position {
        latitude_microdegrees: centre.latitude_microdegrees + north * HALF,
        longitude_microdegrees: centre.longitude_microdegrees + east * HALF,
    };
    MapCell {
        cell: cell.to_owned(),
        centre,
        outline: vec![corner(-1, -1), corner(-1, 1), corner(1, 1), corner(1, -1)],
        devices: counts(devices),
        earned_total_microtokens: devices.iter().map(|device| device.earned_total_microtokens).sum(),
        earned_epoch_microtokens: devices.iter().map(|device| device.earned_epoch_microtokens).sum(),
    }
}

impl City {
    /// The map's page.
    pub fn map_of(&self, cells_max: usize, chosen: Option<&str>, devices_max: usize) -> Map {
        let devices: Vec<Device> = self.residents.iter().map(|resident| self.device_of(resident)).collect();
        let (placed, unplaced): (Vec<Device>, Vec<Device>) =
            devices.into_iter().partition(|device| device.cell.is_some() && device.position.is_some());
        let mut names: Vec<String> = placed.iter().filter_map(|device| device.cell.clone()).collect();
        names.sort();
        names.dedup();
        let of = |cell: &str| -> Vec<Device> {
            placed.iter().filter(|device| device.cell.as_deref() == Some(cell)).cloned().collect()
        };
        let mut cells: Vec<MapCell> = names.iter().map(|cell| cell_around(cell, &of(cell))).collect();
        cells.sort_by_key(|cell| std::cmp::Reverse(cell.devices.total()));
        cells.truncate(cells_max);
        let chosen = chosen.map(|cell| (cell, of(cell))).filter(|(_, devices)| !devices.is_empty());
        Map {
            network: self.figures(),
            cells,
            resolution: 9,
            tariff_resolution: 9,
            unplaced: counts(&unplaced),
            chosen: chosen.map(|(cell, devices)| ChosenCell {
                cell: cell_around(cell, &devices),
                devices: devices.into_iter().take(devices_max).collect(),
            }),
            own_map: None,
        }
    }
}
