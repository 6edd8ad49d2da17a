//! What Sensirion's sensors have in common: 16-bit words with a checksum each, and a mode that has to be started.

use embedded_hal::i2c::I2c;
use node::Fault;
use sensirion_i2c::i2c::{Error, read_words_with_crc, write_command_u16};

/// A sensor that measures by itself once it is told to.
pub(crate) struct Periodic<I> {
    bus: I,
    address: u8,
    start: &'static [u8],
    was_started: bool,
}

/// Why there is no answer to rely on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Silence {
    /// The bus failed, or nobody acknowledged: the sensor is away, or it has nothing to say.
    NotAcknowledged,
    /// A word's checksum is wrong.
    Checksum,
}

impl<I: I2c> Periodic<I> {
    /// The sensor at `address`; `start` are the bytes that let it measure.
    pub(crate) fn new(bus: I, address: u8, start: &'static [u8]) -> Self {
        Self { bus, address, start, was_started: false }
    }

    /// Asks for words, each with its checksum: `BYTES` is three times their number. The checksums are right.
    pub(crate) fn ask<const BYTES: usize>(&mut self, command: u16) -> Result<[u8; BYTES], Silence> {
        const { assert!(BYTES.is_multiple_of(3)) };
        let mut words = [0; BYTES];
        write_command_u16(&mut self.bus, self.address, command).map_err(|_| Silence::NotAcknowledged)?;
        match read_words_with_crc(&mut self.bus, self.address, &mut words) {
            Ok(()) => Ok(words),
            Err(Error::Crc) => Err(Silence::Checksum),
            Err(Error::I2cRead(_) | Error::I2cWrite(_)) => Err(Silence::NotAcknowledged),
        }
    }

    /// It measures: whenever it is silent next, it has lost its power meanwhile.
    pub(crate) fn measures(&mut self) {
        self.was_started = false;
    }

    /// Lets a sensor measure that has nothing to say: it was plugged in since the last sample, or the board was started
    /// with it. It is given until the next sample.
    ///
    /// # Errors
    /// Nobody is there, or it was told to at the last sample already.
    pub(crate) fn start(&mut self) -> Result<(), Fault> {
        let was_started = core::mem::take(&mut self.was_started);
        self.bus.write(self.address, self.start).map_err(|_| Fault::NoAnswer)?;
        self.was_started = true;
        if was_started { Err(Fault::NoAnswer) } else { Ok(()) }
    }
}
