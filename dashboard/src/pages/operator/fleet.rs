//! The devices by silence, how many, for how long, and which; and by what they say of their firmware.

use askama::Template;

use super::Rooms;
use crate::limits::{FIRMWARE_VERSIONS_MAX, FLEET_DEVICES_MAX};
use crate::moments;
use crate::pages::Shell;
use crate::pages::parts::DeviceTable;
use crate::view::{Fleet, SilenceBand};

/// The page of the fleet.
#[derive(Debug, Template)]
#[template(path = "operator_fleet.html")]
pub struct FleetPage {
    shell: Shell,
    rooms: Rooms,
    bands: Vec<SilenceBand>,
    silent: DeviceTable,
    page: u64,
    versions: Vec<(String, u64)>,
    /// Devices of versions that are not listed.
    other_versions: u64,
    /// Devices that have named none.
    unversioned: u64,
}

crate::pages::is_a_page!(FleetPage);

impl FleetPage {
    /// Page `page` (from 1) of the silent devices.
    pub fn new(fleet: Fleet, page: u64) -> Self {
        let path =
            if page > 1 { format!("/operator/fleet?page={page}") } else { "/operator/fleet".to_owned() };
        let silent = DeviceTable { network: fleet.network.clone(), devices: fleet.silent, owners: true };
        let named = |versions: &[(String, u64)]| versions.iter().map(|(_, devices)| devices).sum::<u64>();
        let mut versions = fleet.firmware;
        let unversioned = fleet.network.devices.total().saturating_sub(named(&versions));
        let others = versions.split_off(versions.len().min(FIRMWARE_VERSIONS_MAX));
        Self {
            versions,
            other_versions: named(&others),
            unversioned,
            shell: Shell::new("Fleet", path, fleet.network, true),
            rooms: Rooms::at("/operator/fleet"),
            bands: fleet.bands,
            silent,
            page,
        }
    }

    fn pages(&self) -> u64 {
        self.shell.network.devices.silent.div_ceil(FLEET_DEVICES_MAX as u64).max(1)
    }

    /// `5 min to 1 h`, `longer than 7 days`.
    fn span(&self, band: &SilenceBand) -> String {
        match band.to_seconds {
            Some(to) => format!("{} to {}", moments::duration(band.from_seconds), moments::duration(to)),
            None => format!("longer than {}", moments::duration(band.from_seconds)),
        }
    }
}
