//! What is measured: the trait of a sensor, and the tmp105 over I2C. No float: the sensor counts sixteenths of a degree,
//! and so do we.

use devices::{Decimal, Record, Value};
use embedded_hal::i2c::I2c;

use crate::limits::SAMPLE_RECORDS_MAX;

/// Something that measures. Boards have chips, virtual devices have models and recordings.
pub trait Sensor {
    /// Why nothing could be measured.
    type Error: core::fmt::Debug;

    /// Measures now and adds a record for every quantity.
    fn sample(&mut self, records: &mut Records) -> Result<(), Self::Error>;
}

/// The records of one sample, bounded.
#[derive(Default)]
pub struct Records {
    records: [Option<Record<'static>>; SAMPLE_RECORDS_MAX],
    length: usize,
}

impl Records {
    /// Adds a number with its SenML name and unit; false when there is no room for it.
    pub fn add(&mut self, name: &'static str, unit: &'static str, value: Decimal) -> bool {
        let record = Record {
            name: Some(name),
            unit: Some(unit),
            value: Value::Number(value),
            time_offset_seconds: None,
        };
        match self.records.get_mut(self.length) {
            Some(place) => *place = Some(record),
            None => return false,
        }
        self.length += 1;
        true
    }

    /// The records in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Record<'static>> {
        self.records.iter().flatten()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Why the tmp105 gives no temperature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tmp105Error<E> {
    /// The bus failed, or nobody answers at the address.
    Bus(E),
}

const REGISTER_TEMPERATURE: u8 = 0;
const REGISTER_CONFIGURATION: u8 = 1;
/// Both resolution bits: 12 bits, sixteenths of a degree (TMP105 data sheet, configuration register).
const CONFIGURATION_12_BITS: u8 = 0b0110_0000;

/// A TMP105 or TMP102-compatible thermometer: `temp` in `Cel`.
pub struct Tmp105<I> {
    bus: I,
    address: u8,
    is_configured: bool,
}

impl<I: I2c> Tmp105<I> {
    /// The thermometer at a seven-bit address, 0x48 to 0x4b.
    pub fn new(bus: I, address: u8) -> Self {
        Self { bus, address, is_configured: false }
    }

    /// The temperature in sixteenths of a degree Celsius.
    pub fn read_sixteenths(&mut self) -> Result<i16, Tmp105Error<I::Error>> {
        if !self.is_configured {
            // Set once it answers, not at start: a sensor that is plugged in later works too.
            let configuration = [REGISTER_CONFIGURATION, CONFIGURATION_12_BITS];
            self.bus.write(self.address, &configuration).map_err(Tmp105Error::Bus)?;
            self.is_configured = true;
        }
        let mut register = [0; 2];
        if let Err(error) = self.bus.write_read(self.address, &[REGISTER_TEMPERATURE], &mut register) {
            // Whoever comes back has forgotten its configuration.
            self.is_configured = false;
            return Err(Tmp105Error::Bus(error));
        }
        // Twelve bits, left-aligned, two's complement.
        Ok(i16::from_be_bytes(register) >> 4)
    }
}

impl<I: I2c> Sensor for Tmp105<I> {
    type Error = Tmp105Error<I::Error>;

    fn sample(&mut self, records: &mut Records) -> Result<(), Self::Error> {
        // A sixteenth is 625 ten-thousandths, exactly. The product has its place on the wire, whatever the sensor says.
        let ten_thousandths = i128::from(self.read_sixteenths()?) * 625;
        if let Ok(temperature) = Decimal::new(ten_thousandths, -4) {
            records.add("temp", "Cel", temperature);
        }
        Ok(())
    }
}
