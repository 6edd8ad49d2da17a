//! The health records of a device: what it says of itself in the same signed packs as its measurements.
//!
//! | name | value | when |
//! |---|---|---|
//! | `firmware:VERSION`, `reset:REASON`, `panic:FILE:LINE` | true | in the first pack of a boot |
//! | `fault:SENSOR:FAULT` | true, false | when the fault comes, hourly while it lasts; when it is gone |
//! | `clock_step` | seconds | when the clock was moved by more than it drifts |
//! | `uptime` | seconds | hourly |
//! | `stack_free` | bytes never used | hourly |
//! | `queue` | packs that wait | hourly |
//! | `link_errors`, `sensor_faults`, `lost` | since start | hourly |

use core::fmt::Display;

use devices::{Decimal, Record, Value};

use crate::health::Birth;
use crate::limits::{HEALTH_INTERVAL_MILLISECONDS, HEALTH_RECORDS_MAX, SENSORS_MAX};
use crate::name::Name;
use crate::sampler::Fault;

/// One health record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HealthRecord {
    name: Name,
    said: Said,
}

/// What a health record says. Whole numbers in 64 bits: a decimal would take half of a record's room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Yes(bool),
    Number(i64, &'static str),
}

impl HealthRecord {
    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// What it says.
    pub fn value(&self) -> Value {
        match self.said {
            Said::Yes(value) => Value::Boolean(value),
            Said::Number(number, _) => Value::Number(Decimal::new(number.into(), 0).unwrap_or(Decimal::ZERO)),
        }
    }

    /// As a record of a pack.
    pub fn record(&self) -> Record<'_> {
        let unit = match self.said {
            Said::Yes(_) => None,
            Said::Number(_, unit) => Some(unit),
        };
        Record { name: Some(self.name.as_str()), unit, value: self.value(), time_offset_seconds: None }
    }
}

/// What of a device's own state is to be told. Records wait here until a pack has taken them.
pub struct Condition {
    waiting: [Option<HealthRecord>; HEALTH_RECORDS_MAX],
    faults: [Option<(&'static str, Fault)>; SENSORS_MAX],
    /// When the next hourly report is due; never for a device that nobody introduced.
    report_at: Option<u64>,
}

impl Condition {
    /// Of a device that has nothing to tell.
    pub const fn new() -> Self {
        Self { waiting: [None; HEALTH_RECORDS_MAX], faults: [None; SENSORS_MAX], report_at: None }
    }

    /// Tells what firmware runs and why it started; the hours are counted from now.
    pub fn introduce(&mut self, now: u64, birth: &Birth) {
        self.report_at = Some(now.saturating_add(HEALTH_INTERVAL_MILLISECONDS));
        self.say(&format_args!("firmware:{}", birth.firmware), true);
        self.say(&format_args!("reset:{}", birth.reset), true);
        if let Some(words) = birth.last_words {
            self.say(&format_args!("panic:{words}"), true);
        }
    }

    /// Tells a yes or no under a name.
    pub fn say(&mut self, name: &dyn Display, value: bool) {
        self.add(HealthRecord { name: Name::of(name), said: Said::Yes(value) });
    }

    /// Tells a whole number.
    pub fn count(&mut self, name: &'static str, unit: &'static str, number: i64) {
        self.add(HealthRecord { name: Name::of(&name), said: Said::Number(number, unit) });
    }

    /// What the last sample said of its sensors: tells what has changed.
    pub fn sensors(&mut self, faults: impl Iterator<Item = (&'static str, Fault)> + Clone) {
        for place in 0..SENSORS_MAX {
            let Some((sensor, fault)) = self.faults[place] else { continue };
            if !faults.clone().any(|now| now == (sensor, fault)) {
                self.faults[place] = None;
                self.say(&format_args!("fault:{sensor}:{}", fault.as_str()), false);
            }
        }
        for (sensor, fault) in faults {
            if self.faults.contains(&Some((sensor, fault))) {
                continue;
            }
            if let Some(place) = self.faults.iter_mut().find(|place| place.is_none()) {
                *place = Some((sensor, fault));
                self.say(&format_args!("fault:{sensor}:{}", fault.as_str()), true);
            }
        }
    }

    /// Whether the hourly report is due; counts on to the next. Faults that last are told again with it.
    pub fn is_report_due(&mut self, now: u64) -> bool {
        let Some(due) = self.report_at.filter(|due| now >= *due) else { return false };
        let missed = (now - due) / HEALTH_INTERVAL_MILLISECONDS;
        self.report_at = Some(due + (missed + 1) * HEALTH_INTERVAL_MILLISECONDS);
        for (sensor, fault) in self.faults.into_iter().flatten() {
            self.say(&format_args!("fault:{sensor}:{}", fault.as_str()), true);
        }
        true
    }

    /// The record that waits longest.
    pub fn first(&self) -> Option<HealthRecord> {
        self.waiting[0]
    }

    /// It lies in a pack.
    pub fn told(&mut self) {
        self.waiting.copy_within(1.., 0);
        self.waiting[HEALTH_RECORDS_MAX - 1] = None;
    }

    /// A newer value takes the place of one that waits under the same name; where there is no room, the new one is dropped.
    fn add(&mut self, record: HealthRecord) {
        let same = self.waiting.iter().position(|old| old.is_some_and(|old| old.name == record.name));
        let place = same.or_else(|| self.waiting.iter().position(Option::is_none));
        if let Some(place) = place {
            self.waiting[place] = Some(record);
        }
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}
