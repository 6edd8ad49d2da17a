//! What is too urgent to wait for a batch: a quantity that leaves its bounds, or comes back into them.

use devices::{Decimal, Record, Value};

use crate::limits::THRESHOLDS_MAX;
use crate::name::Name;

/// The bounds of one quantity. They are kept as billionths in 64 bits: up to nine thousand million of any unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threshold {
    name: Name,
    below_nanos: Option<i64>,
    above_nanos: Option<i64>,
}

impl Threshold {
    /// The quantity `name` is urgent when it falls under `below` or rises over `above`. `None` where a bound is too large,
    /// or the name is none of SenML's.
    ///
    /// ```
    /// use node::Threshold;
    /// let frost = Threshold::new("temp", Some(0u32.into()), Some(40u32.into())).unwrap();
    /// assert_eq!((frost.name(), frost.below(), frost.above()), ("temp", Some(0u32.into()), Some(40u32.into())));
    /// assert_eq!(Threshold::new("not a name", None, None), None);
    /// ```
    pub fn new(name: &str, below: Option<Decimal>, above: Option<Decimal>) -> Option<Threshold> {
        let owned = Name::of(&name);
        let (below_nanos, above_nanos) = (nanos_of(below)?, nanos_of(above)?);
        (owned.as_str() == name && !name.is_empty()).then_some(Threshold {
            name: owned,
            below_nanos,
            above_nanos,
        })
    }

    /// The quantity's SenML name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Under this it is urgent.
    pub fn below(&self) -> Option<Decimal> {
        self.below_nanos.and_then(of_nanos)
    }

    /// Over this it is urgent.
    pub fn above(&self) -> Option<Decimal> {
        self.above_nanos.and_then(of_nanos)
    }

    fn is_outside(&self, value: Decimal) -> bool {
        let nanos = value.nanos();
        self.below_nanos.is_some_and(|below| nanos < below.into())
            || self.above_nanos.is_some_and(|above| nanos > above.into())
    }
}

fn nanos_of(bound: Option<Decimal>) -> Option<Option<i64>> {
    match bound {
        Some(bound) => i64::try_from(bound.nanos()).ok().map(Some),
        None => Some(None),
    }
}

fn of_nanos(nanos: i64) -> Option<Decimal> {
    Decimal::new(nanos.into(), -9).ok()
}

/// The thresholds of a device.
pub type Thresholds = [Option<Threshold>; THRESHOLDS_MAX];

/// Which quantities are outside their bounds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Crossings {
    /// Bit i: the quantity of threshold i was outside when it was last measured.
    outside: u8,
}

impl Crossings {
    /// Whether a record has crossed one of its bounds since the one before it, outwards or back.
    pub fn crosses(&mut self, thresholds: &Thresholds, record: &Record<'_>) -> bool {
        let (Some(name), Value::Number(value)) = (record.name, record.value) else { return false };
        let before = self.outside;
        for (place, threshold) in thresholds.iter().enumerate() {
            let Some(threshold) = threshold.filter(|threshold| threshold.name() == name) else { continue };
            let bit = 1 << place;
            self.outside = if threshold.is_outside(value) { self.outside | bit } else { self.outside & !bit };
        }
        self.outside != before
    }
}

const _: () = assert!(THRESHOLDS_MAX <= u8::BITS as usize);
