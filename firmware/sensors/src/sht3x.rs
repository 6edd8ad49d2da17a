//! Sensirion's SHT30, SHT31 and SHT35: `temp` in `Cel` and `hum` in `%RH`, by the maker's own crate `sensirion-i2c`.
//!
//! Blocks for at most 10 bytes on the bus: below 1 ms at 100 kHz. A conversion of 15 ms is
//! never waited for: the sensor converts once a second by itself, and gives the last one. So the sample in which it is
//! found has no values yet.

use devices::Decimal;
use embedded_hal::i2c::I2c;
use node::{Fault, Records, Sensor};

use crate::sensirion::{Periodic, Silence};

/// One measurement a second at high repeatability (SHT3x-DIS data sheet, section 4.5).
const START: [u8; 2] = [0x21, 0x30];
/// The last measurement, given once; not acknowledged while there is none (section 4.6).
const FETCH: u16 = 0xe000;
/// What it is specified for, in hundredths of a degree (section 1). A torn-off chip shows -45 or 130 °C.
const TEMPERATURE_HUNDREDTHS_MIN: i32 = -4_000;
/// See [`TEMPERATURE_HUNDREDTHS_MIN`].
const TEMPERATURE_HUNDREDTHS_MAX: i32 = 12_500;

/// The two addresses there are, by the level of the pin ADDR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Address {
    /// 0x44: ADDR at ground.
    #[default]
    Low = 0x44,
    /// 0x45: ADDR at the supply.
    High = 0x45,
}

/// A thermometer and hygrometer.
pub struct Sht3x<I> {
    chip: Periodic<I>,
    gives_temperature: bool,
}

impl<I: I2c> Sht3x<I> {
    /// The sensor at an address.
    pub fn new(bus: I, address: Address) -> Self {
        Self { chip: Periodic::new(bus, address as u8, &START), gives_temperature: true }
    }

    /// Leaves the temperature to another sensor of the board: a device has one `temp`.
    #[must_use]
    pub fn without_temperature(self) -> Self {
        Self { gives_temperature: false, ..self }
    }
}

impl<I: I2c> Sensor for Sht3x<I> {
    fn name(&self) -> &'static str {
        "sht3x"
    }

    /// # Errors
    /// [`Fault::NoAnswer`], [`Fault::Checksum`], and [`Fault::Defective`] for a temperature that the chip is not made for.
    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        let [temperature_high, temperature_low, _, humidity_high, humidity_low, _] =
            match self.chip.ask(FETCH) {
                Ok(words) => words,
                Err(Silence::Checksum) => return Err(Fault::Checksum),
                Err(Silence::NotAcknowledged) => return self.chip.start(),
            };
        self.chip.measures();
        let temperature = temperature_hundredths([temperature_high, temperature_low]);
        if !(TEMPERATURE_HUNDREDTHS_MIN..=TEMPERATURE_HUNDREDTHS_MAX).contains(&temperature) {
            return Err(Fault::Defective);
        }
        if self.gives_temperature {
            add(records, "temp", "Cel", temperature);
        }
        add(records, "hum", "%RH", humidity_hundredths([humidity_high, humidity_low]));
        Ok(())
    }
}

/// `-45 + 175 × raw ÷ (2^16 - 1)` (section 4.13), rounded to the hundredth, which is the resolution it is specified with.
fn temperature_hundredths(raw: [u8; 2]) -> i32 {
    scaled(raw, 17_500) - 4_500
}

/// `100 × raw ÷ (2^16 - 1)`, rounded to the hundredth.
fn humidity_hundredths(raw: [u8; 2]) -> i32 {
    scaled(raw, 10_000)
}

/// `full × raw ÷ 65,535`, rounded half up. At most 17,500, so no step leaves 32 bits.
fn scaled(raw: [u8; 2], full: u32) -> i32 {
    ((u32::from(u16::from_be_bytes(raw)) * full + 0xffff / 2) / 0xffff) as i32
}

fn add(records: &mut Records, name: &'static str, unit: &'static str, hundredths: i32) {
    // Two digits after the point have their place on the wire.
    if let Ok(value) = Decimal::new(hundredths.into(), -2) {
        records.add(name, unit, value);
    }
}
