//! The map: devices by cell, so that nobody's doorstep is shown.

use super::{Device, DeviceCounts, Network, Position};

/// The map's page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Map {
    /// Figures of the network at the same moment.
    pub network: Network,
    /// Cells that hold devices, those with most devices first.
    pub cells: Vec<MapCell>,
    /// H3 resolution of these cells: the tariff's, or a coarser one where there would be too many.
    pub resolution: u8,
    /// H3 resolution of the tariff's cells, whose devices share a budget.
    pub tariff_resolution: u8,
    /// Devices whose place is not known.
    pub unplaced: DeviceCounts,
    /// The cell that was asked for, where it holds devices.
    pub chosen: Option<ChosenCell>,
    /// The operator's own map, where there is one.
    pub own_map: Option<OwnMap>,
}

/// A cell and what its devices do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapCell {
    /// The H3 index, 15 hex digits.
    pub cell: String,
    /// Its centre.
    pub centre: Position,
    /// Its corners, counter-clockwise.
    pub outline: Vec<Position>,
    /// Its devices by status.
    pub devices: DeviceCounts,
    /// The sum of what its devices' statements paid.
    pub earned_total_microtokens: u64,
    /// Estimate for the running epoch.
    pub earned_epoch_microtokens: u64,
}

/// A cell whose devices are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChosenCell {
    /// The cell.
    pub cell: MapCell,
    /// Its devices, in the order of their kids; `cell.devices` says how many there are.
    pub devices: Vec<Device>,
}

/// A map that the operator gave the node (PMTiles).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnMap {
    /// Where it is served.
    pub path: String,
}
