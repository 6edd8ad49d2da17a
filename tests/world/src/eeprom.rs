//! A device's EEPROM: outlives its device, and may lose power in the middle of a write.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage::{ReadStorage, Storage};

/// Bytes of it: an outbox of more than a window's slots.
const EEPROM_BYTES: usize = 16_384;

/// The power is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PowerLoss;

/// A handle on the cells; clones share them.
#[derive(Clone, Debug)]
pub struct Eeprom(Rc<RefCell<Cells>>);

#[derive(Debug)]
struct Cells {
    bytes: Vec<u8>,
    bytes_until_power_loss: Option<usize>,
    is_off: bool,
}

impl Eeprom {
    /// Erased cells.
    pub fn new() -> Eeprom {
        Eeprom(Rc::new(RefCell::new(Cells {
            bytes: vec![0xff; EEPROM_BYTES],
            bytes_until_power_loss: None,
            is_off: false,
        })))
    }

    /// The power goes once so many more bytes are written; the byte that is being written then becomes rubbish.
    pub fn lose_power_after(&self, bytes: usize) {
        self.0.borrow_mut().bytes_until_power_loss = Some(bytes);
    }

    /// Whether the power is gone.
    pub fn is_off(&self) -> bool {
        self.0.borrow().is_off
    }

    /// The power is back.
    pub fn restore_power(&self) {
        let mut cells = self.0.borrow_mut();
        (cells.bytes_until_power_loss, cells.is_off) = (None, false);
    }
}

impl Default for Eeprom {
    fn default() -> Eeprom {
        Eeprom::new()
    }
}

impl ReadStorage for Eeprom {
    type Error = PowerLoss;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), PowerLoss> {
        let cells = self.0.borrow();
        let part = cells.bytes.get(offset as usize..).and_then(|rest| rest.get(..out.len()));
        match part {
            Some(part) if !cells.is_off => out.copy_from_slice(part),
            _ => return Err(PowerLoss),
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        EEPROM_BYTES
    }
}

impl Storage for Eeprom {
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerLoss> {
        let mut cells = self.0.borrow_mut();
        for (place, byte) in (offset as usize..).zip(bytes) {
            if cells.is_off || place >= EEPROM_BYTES {
                return Err(PowerLoss);
            }
            if cells.bytes_until_power_loss == Some(0) {
                cells.bytes[place] = byte ^ 0x5a;
                cells.is_off = true;
                return Err(PowerLoss);
            }
            cells.bytes_until_power_loss = cells.bytes_until_power_loss.map(|left| left - 1);
            cells.bytes[place] = *byte;
        }
        Ok(())
    }
}
