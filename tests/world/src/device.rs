//! A device of the city: the firmware's own core on a simulated EEPROM, with a clock that may be wrong or missing.

use std::cell::Cell;
use std::rc::Rc;

use devices::{Ack, Decimal, DeviceId, IdentityPage, PublicKey, RefusedNotice, Sequence, SigningKey};
use node::{Device, Fault, Identity, Records, Report, Sensor, Settings};

use crate::chance::Chance;
use crate::eeprom::Eeprom;

/// Bytes of an outbox slot: a pack of three records fits.
const OUTBOX_SLOT_BYTES: u32 = 128;
/// Milliseconds between the turns of a device that only delivers what it has.
const STOPPED_TURN_MILLISECONDS: u64 = 500;

/// A device, its power and its place in the network.
pub struct CityDevice {
    seed: [u8; 32],
    network: String,
    /// Who it is.
    pub kid: DeviceId,
    /// The key it signs with.
    pub public_key: PublicKey,
    eeprom: Eeprom,
    core: Option<Device<Eeprom, Thermometer>>,
    started_at: u64,
    interval_milliseconds: u64,
    chance: Chance,
    /// Seconds that its clock is wrong by; without a clock it sends no time.
    clock: Option<i64>,
    stopped: Rc<Cell<bool>>,
    /// The session with the broker, if there is one.
    pub session: Option<u64>,
}

/// What a device did when it woke.
#[derive(Debug, Default)]
pub struct Turn {
    /// Readings that lie in its outbox now.
    pub kept: Option<Sequence>,
    /// Envelopes on their way to the broker.
    pub sent: Vec<(Sequence, Vec<u8>)>,
}

/// A temperature that wanders within what is plausible.
struct Thermometer {
    stopped: Rc<Cell<bool>>,
    chance: Chance,
    tenths: i64,
    humid: bool,
}

impl Sensor for Thermometer {
    fn name(&self) -> &'static str {
        "thermometer"
    }

    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        if self.stopped.get() {
            return Ok(());
        }
        self.tenths = (self.tenths + self.chance.within(0, 6) as i64 - 3).clamp(-100, 350);
        if let Ok(value) = Decimal::new(self.tenths.into(), -1) {
            records.add("temp", "Cel", value);
        }
        if self.humid {
            records.add("hum", "%RH", Decimal::from(40 + self.chance.below(20) as u32));
        }
        Ok(())
    }
}

impl CityDevice {
    /// A device that samples every so many milliseconds; it has no power yet.
    pub fn new(network: &str, chance: &mut Chance, interval_milliseconds: u64) -> CityDevice {
        let seed = chance.bytes();
        let key = SigningKey::from_seed(seed);
        let clock = match chance.below(4) {
            0 => None,
            1 => Some(chance.within(0, 400) as i64 - 200),
            _ => Some(0),
        };
        CityDevice {
            seed,
            network: network.to_owned(),
            kid: key.kid(),
            public_key: key.public_key(),
            eeprom: Eeprom::new(),
            core: None,
            started_at: 0,
            interval_milliseconds,
            chance: Chance::of(chance.bits()),
            clock,
            stopped: Rc::default(),
            session: None,
        }
    }

    /// Its key.
    pub fn key(&self) -> SigningKey {
        SigningKey::from_seed(self.seed)
    }

    /// Whether it runs.
    pub fn is_on(&self) -> bool {
        self.core.is_some()
    }

    /// Whether nothing waits in its outbox.
    pub fn is_done(&self) -> bool {
        self.core.as_ref().is_some_and(|core| core.waiting() == 0)
    }

    /// Packs in its outbox.
    pub fn waiting(&self) -> u32 {
        self.core.as_ref().map_or(0, Device::waiting)
    }

    /// From now on it takes no samples any more, but delivers what it has.
    pub fn stop_sampling(&mut self) {
        self.stopped.set(true);
    }

    /// Power comes: another boot, from whatever the last one left.
    ///
    /// # Errors
    /// When the firmware does not start; it must, whatever a loss of power left.
    pub fn start(&mut self, now: u64, unix_seconds: u64) -> Result<(), String> {
        self.eeprom.restore_power();
        let page = IdentityPage::new(&self.network, self.seed, None).map_err(|error| format!("{error:?}"))?;
        let sensor = Thermometer {
            stopped: self.stopped.clone(),
            chance: Chance::of(self.chance.bits()),
            tenths: 100 + self.chance.below(100) as i64,
            humid: self.chance.happens(400),
        };
        let settings = Settings {
            sample_interval_milliseconds: self.interval_milliseconds,
            outbox_slot_bytes: OUTBOX_SLOT_BYTES,
            ..Settings::default()
        };
        let started = Device::start(Identity::new(page), self.eeprom.clone(), sensor, settings, 0);
        let mut core = started.map_err(|error| error.to_string())?;
        if let Some(wrong_by) = self.clock {
            let seconds = unix_seconds.saturating_add_signed(wrong_by);
            core.set_clock(0, u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        (self.core, self.started_at, self.session) = (Some(core), now, None);
        Ok(())
    }

    /// The power goes after so many more bytes written to the EEPROM.
    pub fn lose_power_after(&self, bytes: usize) {
        self.eeprom.lose_power_after(bytes);
    }

    /// The power goes now.
    pub fn lose_power(&mut self) {
        (self.core, self.session) = (None, None);
    }

    /// Samples and sends what is due; `None` when it has lost its power meanwhile.
    pub fn turn(&mut self, now: u64) -> Option<Turn> {
        let core = self.core.as_mut()?;
        let since = now - self.started_at;
        let mut turn = Turn::default();
        if let Some(Report::Kept(sequence)) = core.sample_if_due(since) {
            turn.kept = Some(sequence);
        }
        let mut envelope = [0; devices::limits::ENVELOPE_BYTES_MAX];
        while self.session.is_some()
            && let Ok(Some(outgoing)) = core.next_to_send(since, &mut envelope)
        {
            turn.sent.push((outgoing.sequence, envelope[..outgoing.envelope_bytes].to_vec()));
            core.sent(since, &outgoing);
        }
        if self.eeprom.is_off() {
            self.lose_power();
            return None;
        }
        Some(turn)
    }

    /// When it wants its next turn.
    pub fn wake_at(&self, now: u64) -> Option<u64> {
        let core = self.core.as_ref()?;
        let least = if self.stopped.get() { STOPPED_TURN_MILLISECONDS } else { 1 };
        Some(self.started_at.saturating_add(core.wake_at_milliseconds()).max(now + least))
    }

    /// A session is there, and its subscriptions.
    pub fn session_opened(&mut self, now: u64, session: u64) {
        if let Some(core) = &mut self.core {
            self.session = Some(session);
            core.session_opened(now - self.started_at);
        }
    }

    /// The session is gone.
    pub fn session_closed(&mut self) {
        self.session = None;
        if let Some(core) = &mut self.core {
            core.session_closed();
        }
    }

    /// A message on the `ack` topic; `false` when it cannot be read.
    pub fn acknowledged(&mut self, now: u64, payload: &[u8]) -> bool {
        let (Some(core), Ok(ack)) = (&mut self.core, Ack::decode(payload)) else { return false };
        core.acknowledged(now - self.started_at, &ack);
        true
    }

    /// A message on the `refused` topic; `false` when it cannot be read.
    pub fn refused(&mut self, payload: &[u8]) -> bool {
        let (Some(core), Ok(notice)) = (&mut self.core, RefusedNotice::decode(payload)) else { return false };
        core.refused(&notice);
        true
    }
}
