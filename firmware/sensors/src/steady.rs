//! A sensor that shows exactly the same for too long is reported as stuck; what it shows is reported all the same.

use devices::Value;
use node::{Fault, Records, Sensor};

/// Watches a sensor for standing still. Whether its values are worth anything is for whoever reads them to judge: the
/// device says both, the values and that they are always the same.
///
/// ```
/// use devices::Decimal;
/// use node::{Fault, Records, Sensor};
/// use sensors::Steady;
///
/// struct Frozen;
/// impl Sensor for Frozen {
///     fn name(&self) -> &'static str {
///         "frozen"
///     }
///     fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
///         records.add("temp", "Cel", Decimal::from(0));
///         Ok(())
///     }
/// }
///
/// let mut sensor = Steady::new(Frozen, 2);
/// assert_eq!(sensor.sample(&mut Records::default()), Ok(()));
/// let mut records = Records::default();
/// assert_eq!(sensor.sample(&mut records), Err(Fault::Stuck));
/// assert!(!records.is_empty());
/// ```
pub struct Steady<S> {
    sensor: S,
    same_samples_max: u32,
    same_samples: u32,
    /// Stands for the values shown last: they themselves would take 500 bytes of a small memory.
    shown: u64,
}

impl<S: Sensor> Steady<S> {
    /// Watches `sensor`: the same values in `same_samples_max` samples one after the other are a fault. What fits each
    /// sensor stands in [`crate::limits`], with its reasons.
    pub fn new(sensor: S, same_samples_max: u32) -> Self {
        Self { sensor, same_samples_max, same_samples: 0, shown: 0 }
    }
}

impl<S: Sensor> Sensor for Steady<S> {
    fn name(&self) -> &'static str {
        self.sensor.name()
    }

    /// # Errors
    /// The sensor's own fault before all; else [`Fault::Stuck`], with the values added.
    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        let others = records.as_slice().len();
        let outcome = self.sensor.sample(records);
        let mut values = records.as_slice().iter().skip(others).map(|record| record.value).peekable();
        // A sample without values neither moves nor stands still.
        if values.peek().is_none() {
            return outcome;
        }
        let shown = values.fold(OFFSET_BASIS, digest);
        if self.same_samples > 0 && shown == self.shown {
            self.same_samples = self.same_samples.saturating_add(1);
        } else {
            (self.shown, self.same_samples) = (shown, 1);
        }
        outcome?;
        if self.same_samples >= self.same_samples_max { Err(Fault::Stuck) } else { Ok(()) }
    }
}

/// FNV-1a of 64 bits: two different samples share a digest once in 2^64.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x100_0000_01b3;

fn digest(digest: u64, value: Value) -> u64 {
    let (mantissa, exponent) = match value {
        Value::Number(number) => (number.mantissa(), number.exponent()),
        Value::Boolean(boolean) => (i128::from(boolean), i8::MAX),
    };
    let bytes = mantissa.to_le_bytes().into_iter().chain(exponent.to_le_bytes());
    bytes.fold(digest, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(PRIME))
}
