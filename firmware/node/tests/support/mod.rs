//! What the core's tests share: an EEPROM that loses power in the middle of a write, a thermometer, and a gateway's
//! bookkeeping of what it has accepted.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::rc::Rc;

use devices::{Ack, Decimal, IdentityPage, Sequence, SignedReading};
use embedded_storage::{ReadStorage, Storage};
use node::limits::ACK_GRACE_MILLISECONDS;
use node::{Device, Fault, Identity, Records, Report, Sensor, Settings};

/// Bytes of the emulated board's EEPROM.
pub const EEPROM_BYTES: usize = 65_536;

/// The power went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PowerLoss;

/// An EEPROM whose content survives the device, and that may lose power after so many more bytes written.
#[derive(Clone)]
pub struct Eeprom(Rc<RefCell<Cells>>);

struct Cells {
    bytes: Vec<u8>,
    bytes_until_power_loss: Option<usize>,
    is_off: bool,
    bytes_written: usize,
}

impl Eeprom {
    pub fn new() -> Self {
        Self::of(EEPROM_BYTES)
    }

    pub fn of(length: usize) -> Self {
        let bytes = vec![0xff; length];
        Eeprom(Rc::new(RefCell::new(Cells {
            bytes,
            bytes_until_power_loss: None,
            is_off: false,
            bytes_written: 0,
        })))
    }

    /// The byte after `bytes` more becomes rubbish, and nothing is read or written after it.
    pub fn lose_power_after(&self, bytes: usize) {
        self.0.borrow_mut().bytes_until_power_loss = Some(bytes);
    }

    /// Reads and writes fail from now on, as with the chip pulled.
    pub fn pull(&self) {
        self.0.borrow_mut().is_off = true;
    }

    pub fn restore_power(&self) {
        let mut cells = self.0.borrow_mut();
        cells.bytes_until_power_loss = None;
        cells.is_off = false;
    }

    pub fn bytes_written(&self) -> usize {
        self.0.borrow().bytes_written
    }

    pub fn copy(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }

    pub fn fill(&self, bytes: &[u8]) {
        self.0.borrow_mut().bytes.copy_from_slice(bytes);
    }
}

impl ReadStorage for Eeprom {
    type Error = PowerLoss;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), PowerLoss> {
        let cells = self.0.borrow();
        if cells.is_off {
            return Err(PowerLoss);
        }
        out.copy_from_slice(&cells.bytes[offset as usize..][..out.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl Storage for Eeprom {
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerLoss> {
        let mut cells = self.0.borrow_mut();
        for (place, byte) in (offset as usize..).zip(bytes) {
            if cells.is_off {
                return Err(PowerLoss);
            }
            match cells.bytes_until_power_loss {
                Some(0) => {
                    // A torn write: the cell holds neither the old value nor the new one.
                    cells.bytes[place] = byte.wrapping_add(0x5b);
                    cells.is_off = true;
                    return Err(PowerLoss);
                }
                Some(left) => cells.bytes_until_power_loss = Some(left - 1),
                None => {}
            }
            cells.bytes[place] = *byte;
            cells.bytes_written += 1;
        }
        Ok(())
    }
}

/// A thermometer that shows a new value at every look.
pub struct Thermometer(pub u32);

impl Sensor for Thermometer {
    fn name(&self) -> &'static str {
        "thermometer"
    }

    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        self.0 += 1;
        records.add("temp", "Cel", Decimal::new(i128::from(self.0), -2).unwrap());
        Ok(())
    }
}

pub type TestDevice = Device<Eeprom, Thermometer>;

/// How often a device samples here, in milliseconds.
pub const INTERVAL: u64 = 1_000;

pub fn identity() -> Identity {
    Identity::new(IdentityPage::new("devnet", [7; 32], None).unwrap())
}

pub fn settings() -> Settings {
    Settings { sample_interval_milliseconds: INTERVAL, ..Settings::default() }
}

pub fn start(eeprom: &Eeprom) -> TestDevice {
    Device::start(identity(), eeprom.clone(), Thermometer(2_000), settings(), 0).unwrap()
}

/// A device on a street: a sample a minute, five minutes to an envelope, slots of 512 bytes.
pub fn start_collecting(eeprom: &Eeprom, first_value: u32) -> TestDevice {
    let settings = Settings {
        sample_interval_milliseconds: MINUTE,
        batch_interval_milliseconds: 5 * MINUTE,
        outbox_slot_bytes: 512,
        ..Settings::default()
    };
    Device::start(identity(), eeprom.clone(), Thermometer(first_value), settings, 0).unwrap()
}

pub const MINUTE: u64 = 60_000;

/// Lets a connected device deliver everything that it may send, to a gateway that acknowledges each round.
pub fn deliver(device: &mut TestDevice, gateway: &mut Gateway, now: u64) {
    loop {
        let sent = send_all(device, now);
        for (_, envelope) in &sent {
            gateway.take(envelope);
        }
        let Some(ack) = gateway.ack().filter(|_| !sent.is_empty()) else { return };
        device.acknowledged(now, &ack);
    }
}

/// Everything the device may send now, sent.
pub fn send_all(device: &mut TestDevice, now: u64) -> Vec<(Sequence, Vec<u8>)> {
    let mut envelope = [0; 1024];
    let mut sent = Vec::new();
    while let Some(outgoing) = device.next_to_send(now, &mut envelope).unwrap() {
        device.sent(now, &outgoing);
        sent.push((outgoing.sequence, envelope[..outgoing.envelope_bytes].to_vec()));
    }
    sent
}

/// A ledger's window over one device (contract, MQTT), and all that it accepted.
#[derive(Default)]
pub struct Gateway {
    pub highest: Option<Sequence>,
    pub window: u64,
    pub accepted: BTreeSet<Sequence>,
    /// Name, value and time of every accepted record, in the order in which they came.
    pub records: Vec<(String, String, Option<i64>)>,
    pub replayed: u32,
}

impl Gateway {
    /// Takes an envelope as the ledger does; true where it is accepted.
    pub fn take(&mut self, envelope: &[u8]) -> bool {
        let key = identity().key().public_key();
        let verified =
            SignedReading::decode(envelope).unwrap().verify(&key, "devnet").map_err(|(why, _)| why).unwrap();
        let sequence = verified.sequence();
        match self.highest {
            Some(highest) if sequence.boot < highest.boot => return self.replay(),
            Some(highest) if sequence.boot == highest.boot && sequence.count <= highest.count => {
                let distance = highest.count - sequence.count;
                if distance >= 64 || self.window >> distance & 1 == 1 {
                    return self.replay();
                }
                self.window |= 1 << distance;
            }
            Some(highest) if sequence.boot == highest.boot => {
                self.window = self.window.checked_shl(sequence.count - highest.count).unwrap_or(0) | 1;
                self.highest = Some(sequence);
            }
            _ => (self.highest, self.window) = (Some(sequence), 1),
        }
        assert!(self.accepted.insert(sequence), "{sequence} was paid twice");
        for record in verified.pack().resolved() {
            let name = format!("{}{}", record.base_name, record.name);
            self.records.push((name, record.value.to_string(), record.time_unix_seconds));
        }
        true
    }

    fn replay(&mut self) -> bool {
        self.replayed += 1;
        false
    }

    pub fn ack(&self) -> Option<Ack> {
        self.highest.map(|highest| Ack { highest, window: self.window, log_size: 1 })
    }
}

/// One life of a device: so many samples, delivered and acknowledged as they come, until the power goes. What it says it
/// has kept is added to `kept`.
pub fn live<S: Storage<Error: Debug>>(
    storage: S,
    settings: Settings,
    samples: u64,
    gateway: &mut Gateway,
    kept: &mut Vec<Sequence>,
) {
    let Ok(mut device) = Device::start(identity(), storage, Thermometer(2_000), settings, 0) else { return };
    device.session_opened(0);
    let mut envelope = [0; 1024];
    for round in 0..samples {
        let now = ACK_GRACE_MILLISECONDS + round * INTERVAL;
        if let Some(Report::Kept(sequence)) = device.sample_if_due(now) {
            kept.push(sequence);
        }
        while let Ok(Some(outgoing)) = device.next_to_send(now, &mut envelope) {
            device.sent(now, &outgoing);
            gateway.take(&envelope[..outgoing.envelope_bytes]);
        }
        // Acknowledgements come in bundles.
        if let Some(ack) = gateway.ack().filter(|_| round % 3 == 2) {
            device.acknowledged(now, &ack);
        }
    }
}
