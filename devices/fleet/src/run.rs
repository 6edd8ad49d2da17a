//! Makes a fleet from its configuration, runs it on one thread and says what became of it.
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use devices::{IdentityPage, Refusal, SigningKey};
use node::{Counters, Device, Identity, Settings, sequence};
use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::client::Broker;
use crate::clock::{Clock, unix_seconds};
use crate::eeprom::Eeprom;
use crate::group::{Group, Span, VirtualDevice};
use crate::limits::{CONNECTIONS_MAX, DEVICES_MAX, OUTBOX_SLOT_BYTES};
use crate::replay::{self, Recording, ReplayError};
use crate::sensor::VirtualSensor;
use crate::weather::Weather;

/// What a fleet is to do.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// Where to publish.
    pub broker: Broker,
    /// The network that signatures and topics are for.
    pub network: String,
    /// Seeds of the devices' keys, one a device. See [`seeds`].
    pub seeds: Vec<[u8; 32]>,
    /// Envelopes a second of the whole fleet.
    pub readings_per_second: u32,
    /// How long to sample; forever (or to the recordings' end) if absent.
    pub seconds: Option<u64>,
    /// sensor.community CSV files; each recorded sensor is replayed by a device, the devices left over measure weather.
    pub replay: Vec<PathBuf>,
    /// Where EEPROMs are kept, a file a device, so that boot counters and outboxes outlive the program. Without it boots
    /// are numbered by the clock.
    pub state_directory: Option<PathBuf>,
}

/// What became of a fleet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FleetReport {
    /// Devices that ran.
    pub devices: u64,
    /// Readings kept for sending.
    pub kept: u64,
    /// Readings lost because an outbox was full.
    pub lost: u64,
    /// Envelopes published, repeats included.
    pub sent: u64,
    /// Readings that an acknowledgement settled.
    pub settled: u64,
    /// Readings that were still unsettled at the end.
    pub waiting: u64,
    /// Refusal notices, by [`Refusal::index`].
    pub refused: [u64; Refusal::ALL.len()],
}

impl FleetReport {
    fn add(&mut self, counters: &Counters) {
        self.devices += 1;
        self.kept += u64::from(counters.kept);
        self.lost += u64::from(counters.lost);
        self.sent += u64::from(counters.sent);
        self.settled += u64::from(counters.settled);
        self.refused.iter_mut().zip(counters.refused).for_each(|(sum, count)| *sum += u64::from(count));
    }
}

/// Why a fleet cannot run.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// No device, too many, or a rate of zero.
    #[error("a fleet has 1 to 100,000 devices and a rate of at least one reading a second")]
    Bounds,
    /// The network id cannot name a network.
    #[error("a network id is 1 to 32 lower-case letters, digits and hyphens")]
    Network,
    /// A recording cannot be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A device's EEPROM file cannot be opened.
    #[error("the virtual EEPROM {path} cannot be opened: {source}")]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A device has no boot number, so it must not publish.
    #[error("virtual device {kid} cannot start: {reason}")]
    Start {
        /// Which device.
        kid: String,
        /// Why.
        reason: String,
    },
    /// The fleet's thread cannot be started, or has ended early.
    #[error("the fleet's thread cannot run: {0}")]
    Thread(String),
}

/// Seeds of `devices` device keys, derived from one secret: SHA-256 of a label, the secret and the number.
pub fn seeds(secret: &[u8; 32], devices: usize) -> Vec<[u8; 32]> {
    let seed = |number: usize| {
        let hash = Sha256::new().chain_update(b"lamppost fleet device").chain_update(secret);
        hash.chain_update((number as u64).to_be_bytes()).finalize().into()
    };
    (0..devices).map(seed).collect()
}

/// Runs the fleet on a thread of its own until its seconds are over, its recordings are at their end, or `stop` is true;
/// the broker may come and go. Without state files, what is unsettled at a stop is lost with the program.
pub async fn run(config: FleetConfig, stop: watch::Receiver<bool>) -> Result<FleetReport, FleetError> {
    let (sender, receiver) = oneshot::channel();
    let body = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime
            .map_err(|error| FleetError::Thread(error.to_string()))
            .and_then(|runtime| runtime.block_on(run_groups(&config, stop)));
        // Nobody waits any more if this fails.
        let _ = sender.send(result);
    };
    thread::Builder::new()
        .name("fleet".to_owned())
        .spawn(body)
        .map_err(|error| FleetError::Thread(error.to_string()))?;
    receiver.await.unwrap_or_else(|_| Err(FleetError::Thread("it ended without a report".to_owned())))
}

async fn run_groups(config: &FleetConfig, stop: watch::Receiver<bool>) -> Result<FleetReport, FleetError> {
    let clock = Clock::start();
    let devices = make_devices(config, clock)?;
    let mut groups: Vec<Vec<VirtualDevice>> = Vec::new();
    groups.resize_with(devices.len().min(CONNECTIONS_MAX), Vec::new);
    let count = groups.len();
    devices.into_iter().enumerate().for_each(|(number, device)| groups[number % count].push(device));

    let until = config.seconds.map_or(u64::MAX, |seconds| seconds.saturating_mul(1000));
    let mut running = JoinSet::new();
    for devices in groups {
        let Some(first) = devices.first() else { continue };
        let client_id = format!("lamppost-{}", first.identity().kid());
        let group = Group::new(&config.network, clock, devices);
        let span = Span { until_milliseconds: until, stop: stop.clone() };
        running.spawn(group.run(config.broker.clone(), client_id, span));
    }
    let mut report = FleetReport::default();
    while let Some(result) = running.join_next().await {
        let (counters, waiting) = result.map_err(|error| FleetError::Thread(error.to_string()))?;
        counters.iter().for_each(|counters| report.add(counters));
        report.waiting += waiting;
    }
    Ok(report)
}

fn make_devices(config: &FleetConfig, clock: Clock) -> Result<Vec<VirtualDevice>, FleetError> {
    let count = config.seeds.len();
    if count == 0 || count > DEVICES_MAX || config.readings_per_second == 0 {
        return Err(FleetError::Bounds);
    }
    if let Some(directory) = &config.state_directory {
        let failed = |source| FleetError::State { path: directory.clone(), source };
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut recordings = replay::read(&config.replay)?.into_iter();
    let interval = (count as u64 * 1000 / u64::from(config.readings_per_second)).max(1);
    let mut devices = Vec::with_capacity(count);
    for (number, seed) in config.seeds.iter().enumerate() {
        let sensor = match recordings.next() {
            Some(recording) => VirtualSensor::Recording(recording),
            None => VirtualSensor::Weather(Weather::at_place(number as u64)),
        };
        // Spread over the interval, so that they do not all speak at once.
        let first_sample = clock.milliseconds() + interval * number as u64 / count as u64;
        devices.push(make_device(config, seed, sensor, interval, first_sample)?);
    }
    let left: usize = recordings.map(|recording: Recording| recording.len()).sum();
    if left > 0 {
        tracing::warn!("{left} recorded rows are left out: there are more recorded sensors than devices");
    }
    Ok(devices)
}

fn make_device(
    config: &FleetConfig,
    seed: &[u8; 32],
    sensor: VirtualSensor,
    interval: u64,
    first_sample: u64,
) -> Result<VirtualDevice, FleetError> {
    let kid = SigningKey::from_seed(*seed).kid().to_string();
    let page = IdentityPage::new(&config.network, *seed, None).map_err(|_| FleetError::Network)?;
    let cannot_start = |reason: String| FleetError::Start { kid: kid.clone(), reason };
    let eeprom = match &config.state_directory {
        Some(directory) => open_eeprom(&directory.join(format!("{kid}.eeprom")))?,
        None => {
            let mut eeprom = Eeprom::volatile();
            sequence::preset(&mut eeprom, unix_seconds()).map_err(|error| cannot_start(error.to_string()))?;
            eeprom
        }
    };
    let settings = Settings {
        sample_interval_milliseconds: interval,
        outbox_slot_bytes: OUTBOX_SLOT_BYTES,
        ..Settings::default()
    };
    Device::start(Identity::new(page), eeprom, sensor, settings, first_sample)
        .map_err(|error| cannot_start(error.to_string()))
}

fn open_eeprom(path: &Path) -> Result<Eeprom, FleetError> {
    Eeprom::in_file(path).map_err(|source| FleetError::State { path: path.to_owned(), source })
}
