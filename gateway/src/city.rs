//! The demo city of `lamppost up`: virtual devices, enrolled at the first start and owned by a few demo accounts.
//!
//! One secret (`DATA/keys/fleet.pem`) gives the seeds of all devices; their EEPROMs lie in `DATA/fleet/`, so that boot
//! counters and outboxes outlive the program; the owners' keys are `DATA/keys/owner-N.pem`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use devices::{DeviceId, SigningKey};
use fleet::client::Broker;
use fleet::{FleetConfig, FleetError};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use ledger::registry::Position;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock;
use crate::keys::{self, KeyFileError};
use crate::limits;
use crate::mqtt::BrokerUrl;
use crate::shared::{Shared, SubmitError};
use crate::storage::Opened;

/// Demo owners among whom the devices are shared.
const OWNERS: u32 = 3;
/// Where the demo city lies, in micro-degrees.
const CENTRE: Position = Position { latitude_microdegrees: 57_149_000, longitude_microdegrees: -2_099_000 };
/// Micro-degrees between two streets of it.
const STREET_MICRODEGREES: i32 = 4_000;

/// The demo city could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum CityError {
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// An enrolment was refused.
    #[error("a virtual device could not be enrolled: {0}")]
    Enrol(#[from] SubmitError),
    /// The instruction cannot be signed.
    #[error("an enrolment could not be signed")]
    Sign,
}

/// What the demo city needs from the data directory.
pub struct City {
    seeds: Vec<[u8; 32]>,
    operator: SigningKey,
    owners: Vec<AccountId>,
    state_directory: PathBuf,
}

impl City {
    /// Reads or makes the keys of `devices` virtual devices and of their owners; the operator's key enrols them.
    ///
    /// # Errors
    /// When a key file is broken or cannot be written.
    pub fn open(opened: &Opened, operator_key: &Path, devices: u32) -> Result<City, CityError> {
        let directory = &opened.directory;
        let operator = keys::read(operator_key)?;
        let (mut seeds, mut owners) = (Vec::new(), Vec::new());
        if devices > 0 {
            let secret = keys::read_or_create(&directory.key("fleet"))?.to_seed();
            seeds = fleet::seeds(&secret, devices as usize);
            for owner in 1..=OWNERS.min(devices) {
                let key = keys::read_or_create(&directory.key(&format!("owner-{owner}")))?;
                owners.push(AccountId::of(&key.public_key()));
            }
        }
        Ok(City { seeds, operator, owners, state_directory: directory.fleet() })
    }

    /// Enrols the devices that are not enrolled yet and lets all of them run until `stop` is true.
    ///
    /// # Errors
    /// When an enrolment is refused.
    pub async fn settle(
        self,
        shared: Arc<Shared>,
        broker: &BrokerUrl,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<JoinHandle<()>>, CityError> {
        if self.seeds.is_empty() {
            return Ok(None);
        }
        self.enrol(&shared).await?;
        let devices = self.seeds.len();
        let config = FleetConfig {
            broker: Broker { host: broker.host.clone(), port: broker.port },
            network: shared.genesis.network.clone(),
            seeds: self.seeds,
            readings_per_second: readings_per_second(devices),
            seconds: None,
            replay: Vec::new(),
            state_directory: Some(self.state_directory),
        };
        Ok(Some(tokio::spawn(async move {
            match fleet::run(config, stop).await {
                Ok(report) => tracing::info!(
                    devices = report.devices,
                    settled = report.settled,
                    waiting = report.waiting,
                    "the virtual devices stopped"
                ),
                Err(error @ (FleetError::Bounds | FleetError::Start { .. })) => {
                    tracing::error!(%error, "the virtual devices cannot run")
                }
                Err(error) => tracing::error!(%error, "the virtual devices broke off"),
            }
        })))
    }

    async fn enrol(&self, shared: &Shared) -> Result<(), CityError> {
        let keys: Vec<SigningKey> = self.seeds.iter().map(|seed| SigningKey::from_seed(*seed)).collect();
        let (unknown, counter) = {
            let state = shared.state();
            let unknown = |(_, key): &(i32, &SigningKey)| state.device(key.kid()).is_none();
            let unknown: Vec<(i32, &SigningKey)> = (0..).zip(&keys).filter(unknown).collect();
            (unknown, state.account(state.operator()).map_or(0, |account| account.counter))
        };
        // The counter is the time, as the commands' is, so that both may enrol.
        let first = clock::now_unix_milliseconds().max(counter.saturating_add(1));
        let enrolled: Vec<DeviceId> = unknown.iter().map(|(_, key)| key.kid()).collect();
        let mut counters = first..;
        for chunk in unknown.chunks(limits::CITY_ENROLMENTS_MAX) {
            let mut answers = Vec::with_capacity(chunk.len());
            for ((number, key), counter) in chunk.iter().zip(&mut counters) {
                let bytes = self.enrolment(shared, *number, key, counter)?;
                answers.push(shared.enqueue(bytes).await?);
            }
            for answer in answers {
                answer.await.unwrap_or(Err(SubmitError::Stopping))?;
            }
        }
        if !enrolled.is_empty() {
            tracing::info!(devices = enrolled.len(), "virtual devices were enrolled");
        }
        Ok(())
    }

    fn enrolment(
        &self,
        shared: &Shared,
        number: i32,
        key: &SigningKey,
        counter: u64,
    ) -> Result<Vec<u8>, CityError> {
        let owner = usize::try_from(number)
            .ok()
            .and_then(|number| self.owners.get(number % self.owners.len().max(1)));
        let instruction = Instruction::Enrol {
            public_key: key.public_key(),
            owner: owner.copied(),
            position: Some(position(number)),
        };
        let mut bytes = vec![0; devices::limits::INSTRUCTION_BYTES_MAX];
        let network = &shared.genesis.network;
        let signed = devices::sign_instruction(
            &self.operator,
            network,
            counter,
            &instruction.encode(),
            false,
            &mut bytes,
        );
        bytes.truncate(signed.map_err(|_| CityError::Sign)?);
        Ok(bytes)
    }
}

/// Each device sends every few seconds, so that a first visitor sees something happen.
fn readings_per_second(devices: usize) -> u32 {
    u32::try_from(devices.div_ceil(4)).unwrap_or(u32::MAX)
}

/// Streets in rows of a hundred around the centre.
fn position(number: i32) -> Position {
    let (row, column) = (number.rem_euclid(10_000) / 4, number.rem_euclid(4));
    Position {
        latitude_microdegrees: CENTRE.latitude_microdegrees + row % 50 * STREET_MICRODEGREES,
        longitude_microdegrees: CENTRE.longitude_microdegrees + (row / 50 * 4 + column) * STREET_MICRODEGREES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_device_stands_somewhere_else_on_earth() {
        let places: BTreeSet<String> = (0..2_000).map(position).map(|place| place.to_string()).collect();
        assert_eq!(places.len(), 2_000);
        assert!((0..20_000).map(position).all(|place| place.is_on_earth() && !place.is_null_island()));
    }
}
