//! embedded-hal I2C over the chip's master 0. QEMU's model has no repeated START, so a change of direction is
//! a STOP and a new START, which both the tmp105 and the at24c take.
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation, SevenBitAddress};

use crate::register::Register;

// LM3S6965 data sheet, chapter "I2C interface", base 0x40020000.
const SLAVE_ADDRESS: Register = unsafe { Register::at(0x4002_0000) };
const CONTROL_STATUS: Register = unsafe { Register::at(0x4002_0004) };
const DATA: Register = unsafe { Register::at(0x4002_0008) };
const TIMER_PERIOD: Register = unsafe { Register::at(0x4002_000c) };
const CONFIGURATION: Register = unsafe { Register::at(0x4002_0020) };
const CONFIGURATION_MASTER: u32 = 1 << 4;

const COMMAND_RUN: u32 = 1;
const COMMAND_START: u32 = 1 << 1;
const COMMAND_STOP: u32 = 1 << 2;
const COMMAND_ACKNOWLEDGE: u32 = 1 << 3;
const STATUS_BUSY: u32 = 1;
const STATUS_ERROR: u32 = 1 << 1;
const STATUS_ARBITRATION_LOST: u32 = 1 << 4;
/// SCL = 12.5 MHz / (2 * 10 * (1 + 6)) = 89 kHz, the fastest that a 100 kHz bus allows here.
const TIMER_PERIOD_STANDARD_MODE: u32 = 6;
/// Polls of the busy flag before the bus counts as stuck; a byte takes about 1,300 cycles.
const BUSY_POLLS_MAX: u32 = 100_000;

/// The I2C master.
pub struct Bus(());

/// What can go wrong on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// Nobody answered, or another master took the bus.
    NoAcknowledge,
    /// The controller stayed busy.
    Stuck,
}

impl embedded_hal::i2c::Error for BusError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoAcknowledge => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
            Self::Stuck => ErrorKind::Bus,
        }
    }
}

impl Bus {
    /// Turns the master on.
    ///
    /// # Safety
    /// Called once: the registers belong to the returned value.
    pub unsafe fn start() -> Self {
        CONFIGURATION.write(CONFIGURATION_MASTER);
        TIMER_PERIOD.write(TIMER_PERIOD_STANDARD_MODE);
        Self(())
    }

    fn command(&mut self, command: u32) -> Result<(), BusError> {
        CONTROL_STATUS.write(command);
        for _ in 0..BUSY_POLLS_MAX {
            let status = CONTROL_STATUS.read();
            if status & STATUS_BUSY != 0 {
                continue;
            }
            if status & (STATUS_ERROR | STATUS_ARBITRATION_LOST) != 0 {
                CONTROL_STATUS.write(COMMAND_STOP);
                return Err(BusError::NoAcknowledge);
            }
            return Ok(());
        }
        CONTROL_STATUS.write(COMMAND_STOP);
        Err(BusError::Stuck)
    }

    fn write_bytes(&mut self, address: u8, bytes: &[u8], start: bool, stop: bool) -> Result<(), BusError> {
        SLAVE_ADDRESS.write(u32::from(address) << 1);
        for (index, byte) in bytes.iter().enumerate() {
            DATA.write((*byte).into());
            let first = if start && index == 0 { COMMAND_START } else { 0 };
            let last = if stop && index + 1 == bytes.len() { COMMAND_STOP } else { 0 };
            self.command(COMMAND_RUN | first | last)?;
        }
        Ok(())
    }

    fn read_bytes(&mut self, address: u8, bytes: &mut [u8], start: bool, stop: bool) -> Result<(), BusError> {
        SLAVE_ADDRESS.write(u32::from(address) << 1 | 1);
        let length = bytes.len();
        for (index, byte) in bytes.iter_mut().enumerate() {
            let first = if start && index == 0 { COMMAND_START } else { 0 };
            let last = if stop && index + 1 == length { COMMAND_STOP } else { COMMAND_ACKNOWLEDGE };
            self.command(COMMAND_RUN | first | last)?;
            *byte = DATA.read() as u8;
        }
        Ok(())
    }
}

impl ErrorType for Bus {
    type Error = BusError;
}

impl I2c<SevenBitAddress> for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        let is_read = |operation: &Operation<'_>| matches!(operation, Operation::Read(_));
        let directions: [Option<bool>; OPERATIONS_MAX] =
            core::array::from_fn(|index| operations.get(index).map(is_read));
        if operations.len() > OPERATIONS_MAX {
            return Err(BusError::Stuck);
        }
        for (index, operation) in operations.iter_mut().enumerate() {
            let here = directions[index];
            let start = index == 0 || directions[index - 1] != here;
            let stop = directions.get(index + 1).copied().flatten() != here;
            match operation {
                Operation::Write(bytes) => self.write_bytes(address, bytes, start, stop)?,
                Operation::Read(bytes) => self.read_bytes(address, bytes, start, stop)?,
            }
        }
        Ok(())
    }
}

/// Operations of one transaction: drivers here use one or two.
const OPERATIONS_MAX: usize = 4;
