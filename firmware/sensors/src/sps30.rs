//! Sensirion's SPS30: `pm2.5` and `pm10` in `ug/m3`, by the maker's own crate `sensirion-i2c`.
//!
//! Blocks for 45 bytes on the bus, and for 13 when it starts the sensor: below 5 ms at 100 kHz, which is its fastest. The
//! sensor counts by itself and has a value every second. What its fan draws in the first half minute is left out.

use devices::Decimal;
use embedded_hal::i2c::I2c;
use node::{Fault, Records, Sensor};

use crate::sensirion::{Periodic, Silence};

/// The one address there is, with the pin SEL at ground (SPS30 data sheet, section 3).
const ADDRESS: u8 = 0x69;
/// Start Measurement with results as big-endian floats, which firmware of every version knows: the command, the argument
/// 0x0300 and its checksum (section 6.3, I2C commands).
const START: [u8; 5] = [0x00, 0x10, 0x03, 0x00, 0xac];
/// Read Data-Ready Flag: 1 in the second byte once a second.
const DATA_READY: u16 = 0x0202;
/// Read Measured Values: mass of PM1.0, PM2.5, PM4.0 and PM10, then numbers, which are not read.
const VALUES: u16 = 0x0300;
/// Read Device Status Register, which older firmware does not have.
const STATUS: u16 = 0xd206;
/// The laser is switched on and its current out of range, or the fan is switched on and stands (data sheet, device status
/// register).
const STATUS_LASER_OR_FAN_FAILURE: u32 = 1 << 5 | 1 << 4;

/// A counter of particles.
pub struct Sps30<I> {
    chip: Periodic<I>,
    settling_samples: u32,
    unsettled_samples: u32,
}

impl<I: I2c> Sps30<I> {
    /// The sensor; `settling_samples` are left out after it was started: as many as
    /// [`samples`](crate::limits::samples) are taken in [`crate::limits::SPS30_SETTLING_SECONDS`].
    pub fn new(bus: I, settling_samples: u32) -> Self {
        Self { chip: Periodic::new(bus, ADDRESS, &START), settling_samples, unsettled_samples: 0 }
    }

    fn start(&mut self) -> Result<(), Fault> {
        self.unsettled_samples = self.settling_samples;
        self.chip.start()
    }

    /// Whether the sensor says that it is defective. Older firmware knows no such question and does not acknowledge it.
    fn is_defective(&mut self) -> Result<bool, Fault> {
        match self.chip.ask(STATUS) {
            Ok([a, b, _, c, d, _]) => Ok(u32::from_be_bytes([a, b, c, d]) & STATUS_LASER_OR_FAN_FAILURE != 0),
            Err(Silence::Checksum) => Err(Fault::Checksum),
            Err(Silence::NotAcknowledged) => Ok(false),
        }
    }
}

impl<I: I2c> Sensor for Sps30<I> {
    fn name(&self) -> &'static str {
        "sps30"
    }

    /// # Errors
    /// [`Fault::NoAnswer`], [`Fault::Checksum`], and [`Fault::Defective`] where laser or fan has failed or a concentration
    /// is none.
    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        match self.chip.ask(DATA_READY) {
            Ok([_, 1, _]) => {}
            Ok(_) | Err(Silence::NotAcknowledged) => return self.start(),
            Err(Silence::Checksum) => return Err(Fault::Checksum),
        }
        let words: [u8; 24] = match self.chip.ask(VALUES) {
            Ok(words) => words,
            Err(Silence::NotAcknowledged) => return self.start(),
            Err(Silence::Checksum) => return Err(Fault::Checksum),
        };
        self.chip.measures();
        if self.is_defective()? {
            return Err(Fault::Defective);
        }
        if self.unsettled_samples > 0 {
            self.unsettled_samples -= 1;
            return Ok(());
        }
        let [fine, coarse] = [6, 18].map(|at| hundredths(float_at(&words, at)));
        let (Some(fine), Some(coarse)) = (fine, coarse) else { return Err(Fault::Defective) };
        add(records, "pm2.5", fine);
        add(records, "pm10", coarse);
        Ok(())
    }
}

/// The bits of the float whose two words, each with its checksum, begin at `at`.
fn float_at(words: &[u8; 24], at: usize) -> u32 {
    u32::from_be_bytes([words[at], words[at + 1], words[at + 3], words[at + 4]])
}

/// A concentration in hundredths, rounded half up, from the bits of an IEEE 754 single: in integers, so that no compiler
/// and no chip rounds it otherwise. Nothing for what is negative, no number, or 2^16 µg/m³ and more.
fn hundredths(bits: u32) -> Option<u32> {
    let (exponent, fraction) = ((bits >> 23 & 0xff), bits & 0x7f_ffff);
    if bits == 0 || bits == 1 << 31 {
        return Some(0);
    }
    // The sign stands above the exponent. 143 is the exponent of 2^16.
    if bits >> 31 != 0 || exponent >= 143 {
        return None;
    }
    // The value is the fraction with its hidden bit, times 2^(exponent - 150). Below 2^-9 it rounds to nothing.
    let halvings = 150 - exponent;
    if halvings > 32 {
        return Some(0);
    }
    let scaled = u64::from(fraction | 1 << 23) * 100;
    u32::try_from((scaled + (1 << (halvings - 1))) >> halvings).ok()
}

fn add(records: &mut Records, name: &'static str, hundredths: u32) {
    // Two digits after the point have their place on the wire.
    if let Ok(value) = Decimal::new(hundredths.into(), -2) {
        records.add(name, "ug/m3", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_of_the_wire_is_rounded_to_hundredths_in_integers() {
        let cases = [
            (0.0, 0),
            (-0.0, 0),
            (f32::MIN_POSITIVE, 0),
            (0.004, 0),
            (0.0051, 1),
            (0.996, 100),
            (12.3456, 1_235),
            (999.99, 99_999),
            (1_000.0, 100_000),
            (65_535.0, 6_553_500),
        ];
        for (value, expected) in cases {
            assert_eq!(hundredths(f32::to_bits(value)), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_concentration_is_none() {
        for value in [-0.01, f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 65_536.0, f32::MAX] {
            assert_eq!(hundredths(value.to_bits()), None, "{value}");
        }
    }
}
