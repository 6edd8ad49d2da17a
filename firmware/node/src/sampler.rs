//! What is measured: the trait of a sensor, and the tmp105 over I2C. No float: the sensor counts sixteenths of a degree,
//! and so do we.

use devices::{Decimal, Record, Value};
use embedded_hal::i2c::I2c;

use crate::limits::{SAMPLE_RECORDS_MAX, SENSORS_MAX};

/// Something that measures. Boards have chips, virtual devices have models and recordings.
pub trait Sensor {
    /// What it is called where its faults are reported: `tmp105`. Of SenML's name characters, at most 12.
    fn name(&self) -> &'static str;

    /// Measures now and adds a record for every quantity.
    ///
    /// # Errors
    /// Why nothing, or not everything, could be measured. What was added before stands.
    fn sample(&mut self, records: &mut Records) -> Result<(), Fault>;
}

/// Several sensors of one board, each with faults of its own.
macro_rules! sensors_together {
    ($($sensor:ident $place:tt),+) => {
        impl<$($sensor: Sensor),+> Sensor for ($($sensor,)+) {
            fn name(&self) -> &'static str {
                "sensors"
            }

            fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
                $(records.take(&mut self.$place);)+
                Ok(())
            }
        }
    };
}

sensors_together!(A 0, B 1);
sensors_together!(A 0, B 1, C 2);
sensors_together!(A 0, B 1, C 2, D 3);

/// Why a sensor gives no value, or none to rely on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nobody answers on the bus, or the bus itself is stuck.
    NoAnswer,
    /// What came had a wrong checksum.
    Checksum,
    /// It shows the same value for longer than anything real does.
    Stuck,
    /// The sensor itself says that it is defective.
    Defective,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 4] = [Fault::NoAnswer, Fault::Checksum, Fault::Stuck, Fault::Defective];

    /// The word for it in health records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::NoAnswer => "no_answer",
            Fault::Checksum => "checksum",
            Fault::Stuck => "stuck",
            Fault::Defective => "defective",
        }
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Fault::NoAnswer => "does not answer",
            Fault::Checksum => "answers with a wrong checksum",
            Fault::Stuck => "shows the same value again and again",
            Fault::Defective => "says that it is defective",
        })
    }
}

/// The records of one sample, bounded.
pub struct Records {
    records: [Record<'static>; SAMPLE_RECORDS_MAX],
    length: usize,
    faults: [Option<(&'static str, Fault)>; SENSORS_MAX],
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
            Some(place) => *place = record,
            None => return false,
        }
        self.length += 1;
        true
    }

    /// The records in the order in which they were added.
    pub fn as_slice(&self) -> &[Record<'static>] {
        &self.records[..self.length]
    }

    /// Lets a sensor measure, and keeps what it says of itself where it cannot.
    pub fn take(&mut self, sensor: &mut impl Sensor) {
        if let Err(fault) = sensor.sample(self) {
            self.add_fault(sensor.name(), fault);
        }
    }

    /// Keeps a sensor's fault; where there is no room for it, those that came first stand for it.
    pub fn add_fault(&mut self, sensor: &'static str, fault: Fault) {
        if let Some(place) = self.faults.iter_mut().find(|place| place.is_none()) {
            *place = Some((sensor, fault));
        }
    }

    /// The sensors that gave nothing, or not everything, and why.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, Fault)> + Clone {
        self.faults.iter().flatten().copied()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Default for Records {
    fn default() -> Self {
        let nothing = Record::of(Value::Boolean(false));
        Self { records: [nothing; SAMPLE_RECORDS_MAX], length: 0, faults: [None; SENSORS_MAX] }
    }
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
    ///
    /// # Errors
    /// What the bus says: it failed, or nobody answers at the address.
    pub fn read_sixteenths(&mut self) -> Result<i16, I::Error> {
        if !self.is_configured {
            // Set once it answers, not at start: a sensor that is plugged in later works too.
            let configuration = [REGISTER_CONFIGURATION, CONFIGURATION_12_BITS];
            self.bus.write(self.address, &configuration)?;
            self.is_configured = true;
        }
        let mut register = [0; 2];
        if let Err(error) = self.bus.write_read(self.address, &[REGISTER_TEMPERATURE], &mut register) {
            // Whoever comes back has forgotten its configuration.
            self.is_configured = false;
            return Err(error);
        }
        // Twelve bits, left-aligned, two's complement.
        Ok(i16::from_be_bytes(register) >> 4)
    }
}

impl<I: I2c> Sensor for Tmp105<I> {
    fn name(&self) -> &'static str {
        "tmp105"
    }

    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        // A sixteenth is 625 ten-thousandths, exactly. The product has its place on the wire, whatever the sensor says.
        let ten_thousandths = i128::from(self.read_sixteenths().map_err(|_| Fault::NoAnswer)?) * 625;
        if let Ok(temperature) = Decimal::new(ten_thousandths, -4) {
            records.add("temp", "Cel", temperature);
        }
        Ok(())
    }
}
