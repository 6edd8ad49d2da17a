//! What the sensors' tests share: an I2C bus with one chip on it, which can be pulled off and plugged in again.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::RefCell;
use std::rc::Rc;

use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use node::{Fault, Records, Sensor};

/// A chip as its data sheet describes it. `false` says that it does not acknowledge.
pub trait Chip {
    /// Bytes that the master writes.
    fn write(&mut self, bytes: &[u8]) -> bool;
    /// Bytes that the master reads.
    fn read(&mut self, bytes: &mut [u8]) -> bool;
    /// It loses its power, and with it everything it was told.
    fn lose_power(&mut self);
}

/// The bus; a clone is the same bus, for the test to look at while the driver holds the other.
pub struct Bus<C>(Rc<RefCell<Wires<C>>>);

struct Wires<C> {
    chip: C,
    address: u8,
    is_plugged_in: bool,
    bytes_moved: usize,
}

impl<C> Clone for Bus<C> {
    fn clone(&self) -> Self {
        Bus(Rc::clone(&self.0))
    }
}

impl<C: Chip> Bus<C> {
    pub fn with(chip: C, address: u8) -> Self {
        Bus(Rc::new(RefCell::new(Wires { chip, address, is_plugged_in: true, bytes_moved: 0 })))
    }

    /// Takes the chip off the bus and its supply.
    pub fn pull(&self) {
        let mut wires = self.0.borrow_mut();
        wires.is_plugged_in = false;
        wires.chip.lose_power();
    }

    pub fn plug_in(&self) {
        self.0.borrow_mut().is_plugged_in = true;
    }

    /// Does something to the chip that no driver can.
    pub fn chip<R>(&self, change: impl FnOnce(&mut C) -> R) -> R {
        change(&mut self.0.borrow_mut().chip)
    }

    /// Bytes that went over the bus since this was asked last, addresses among them.
    pub fn take_bytes_moved(&self) -> usize {
        std::mem::take(&mut self.0.borrow_mut().bytes_moved)
    }
}

impl<C> ErrorType for Bus<C> {
    type Error = ErrorKind;
}

impl<C: Chip> I2c for Bus<C> {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let mut wires = self.0.borrow_mut();
        for operation in operations {
            wires.bytes_moved += 1;
            if !wires.is_plugged_in || address != wires.address {
                return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
            }
            let (is_acknowledged, length) = match operation {
                Operation::Write(bytes) => (wires.chip.write(bytes), bytes.len()),
                Operation::Read(bytes) => (wires.chip.read(bytes), bytes.len()),
            };
            if !is_acknowledged {
                return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown));
            }
            wires.bytes_moved += length;
        }
        Ok(())
    }
}

/// One sample as text, `temp 21.5 Cel`, and what the sensor said of itself.
pub fn sample(sensor: &mut impl Sensor) -> (Vec<String>, Option<Fault>) {
    let mut records = Records::default();
    let fault = sensor.sample(&mut records).err();
    let shown = |record: &devices::Record<'_>| {
        format!("{} {} {}", record.name.unwrap(), record.value, record.unit.unwrap())
    };
    (records.as_slice().iter().map(shown).collect(), fault)
}

/// One sample that must have values and no fault.
pub fn values(sensor: &mut impl Sensor) -> Vec<String> {
    let (values, fault) = sample(sensor);
    assert_eq!(fault, None);
    values
}

/// One sample that must have a fault and no values.
pub fn fault(sensor: &mut impl Sensor) -> Fault {
    let (values, fault) = sample(sensor);
    assert!(values.is_empty(), "{values:?}");
    fault.expect("a fault")
}

/// A word as Sensirion's chips send it, with CRC-8 of polynomial 0x31 from 0xff (SHT3x data sheet, section 4.12).
pub fn with_checksum(word: [u8; 2]) -> [u8; 3] {
    let mut checksum = 0xff_u8;
    for byte in word {
        checksum ^= byte;
        for _ in 0..8 {
            checksum = checksum << 1 ^ if checksum & 0x80 == 0 { 0 } else { 0x31 };
        }
    }
    [word[0], word[1], checksum]
}
