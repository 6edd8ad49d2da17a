//! Home: what the network earns, how its devices do, and what to do first where there are none.

use askama::Template;

use super::Shell;
use super::agreement::AgreementPart;
use super::parts::{DeviceTable, RefusedTable};
use crate::limits::HOME_DEVICES_MAX;
use crate::marks::{Age, Integer, Link, Until};
use crate::view::Home;
use crate::{numbers, reasons};

/// The home page.
#[derive(Debug, Template)]
#[template(path = "home.html")]
pub struct HomePage {
    shell: Shell,
    devices: DeviceTable,
    refused: RefusedTable,
    agreement: Option<AgreementPart>,
    page: u64,
}

super::is_a_page!(HomePage);

impl HomePage {
    /// Page `page` (from 1) of the devices.
    pub fn new(home: Home, page: u64) -> Self {
        let path = if page > 1 { format!("/?page={page}") } else { "/".to_owned() };
        let network = home.network;
        let refused =
            RefusedTable { refused: network.refused, accepted_envelopes: Some(network.accepted.envelopes) };
        let agreement = AgreementPart::of(&network);
        let devices = DeviceTable { network: network.clone(), devices: home.devices, owners: true };
        Self { shell: Shell::new("Devices", path, network, true), devices, refused, agreement, page }
    }

    fn pages(&self) -> u64 {
        self.shell.network.devices.total().div_ceil(HOME_DEVICES_MAX as u64).max(1)
    }

    fn age(&self, then_milliseconds: impl Integer) -> Age {
        let now_milliseconds = self.shell.network.now_milliseconds;
        Age { now_milliseconds, then_milliseconds: then_milliseconds.value() }
    }

    fn closes(&self) -> Until {
        let network = &self.shell.network;
        Until {
            now_milliseconds: network.now_milliseconds,
            then_milliseconds: network.epoch_ends_milliseconds,
        }
    }

    /// `1 silent, 2 new`: what of the fleet is not online, or that all of it is.
    fn fleet(&self) -> String {
        reasons::fleet(&self.shell.network.devices)
    }

    /// Why no block comes, where several validators make them.
    fn stuck(&self) -> Option<&str> {
        self.shell.network.agreement.as_ref()?.stuck.as_deref()
    }

    /// What needs looking at, in words; "" when nothing does.
    fn alert(&self) -> String {
        let network = &self.shell.network;
        match network.devices.silent {
            0 => String::new(),
            silent => format!(
                "{} silent: nothing accepted for more than {}.",
                numbers::counted(silent, "device is", "devices are"),
                crate::moments::duration(network.silent_after_seconds)
            ),
        }
    }
}
