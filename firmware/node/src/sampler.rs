//! What is measured: the trait of a sensor, and the records and faults of one sample. The sensors themselves are in the
//! crate `sensors`.

use devices::{Decimal, Record, Value};

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
