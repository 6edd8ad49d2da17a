//! What the ledger knows of a device: its key, its owner, what it sent, and what counts in the running epoch.

use crate::account::AccountId;
use crate::limits::UNPRICED_LINES_MAX;
use crate::tariff::{Quantity, Tariff};
use crate::window::Window;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use devices::identity::PublicKey;
use devices::senml::{Pack, ResolvedRecord, Value};

/// Micro-degrees of a quarter turn.
const LATITUDE_MICRODEGREES_MAX: i32 = 90_000_000;
/// Micro-degrees of a half turn.
const LONGITUDE_MICRODEGREES_MAX: i32 = 180_000_000;

/// A place on the Earth, WGS 84.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Degrees north, times a million.
    pub latitude_microdegrees: i32,
    /// Degrees east, times a million.
    pub longitude_microdegrees: i32,
}

impl Position {
    /// Whether the numbers are a latitude and a longitude.
    #[must_use]
    pub fn is_on_earth(&self) -> bool {
        (-LATITUDE_MICRODEGREES_MAX..=LATITUDE_MICRODEGREES_MAX).contains(&self.latitude_microdegrees)
            && (-LONGITUDE_MICRODEGREES_MAX..=LONGITUDE_MICRODEGREES_MAX)
                .contains(&self.longitude_microdegrees)
    }

    /// Whether it is 0,0: the sea off Ghana, where sensors lie whose position nobody has set.
    #[must_use]
    pub fn is_null_island(&self) -> bool {
        self.latitude_microdegrees == 0 && self.longitude_microdegrees == 0
    }
}

impl fmt::Display for Position {
    /// Degrees with six decimals: `57.100000,-2.100000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_degrees(f, self.latitude_microdegrees)?;
        f.write_str(",")?;
        write_degrees(f, self.longitude_microdegrees)
    }
}

fn write_degrees(f: &mut fmt::Formatter<'_>, microdegrees: i32) -> fmt::Result {
    let sign = if microdegrees < 0 { "-" } else { "" };
    let magnitude = microdegrees.unsigned_abs();
    write!(f, "{sign}{}.{:06}", magnitude / 1_000_000, magnitude % 1_000_000)
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its key.
    pub public_key: PublicKey,
    /// Who is paid; nobody yet when absent, and the rewards wait in the device's escrow account.
    pub owner: Option<AccountId>,
    /// Where it stands.
    pub position: Option<Position>,
    /// The block that enrolled it.
    pub enrolled_height: u64,
    /// Whether its readings are refused for good.
    pub revoked: bool,
    /// Which of its envelopes were accepted lately.
    pub window: Window,
    /// Envelopes accepted ever.
    pub accepted_envelopes: u64,
    /// Records accepted ever.
    pub accepted_records: u64,
    /// Block time of the last accepted envelope.
    pub last_accepted_unix_milliseconds: Option<u64>,
    /// Micro-tokens it was paid ever.
    pub earned_microtokens: u64,
    /// What counts in the running epoch.
    pub tally: Tally,
}

impl Device {
    /// A device as enrolment makes it.
    #[must_use]
    pub fn enrolled(
        public_key: PublicKey,
        owner: Option<AccountId>,
        position: Option<Position>,
        height: u64,
    ) -> Self {
        Self {
            public_key,
            owner,
            position,
            enrolled_height: height,
            revoked: false,
            window: Window::default(),
            accepted_envelopes: 0,
            accepted_records: 0,
            last_accepted_unix_milliseconds: None,
            earned_microtokens: 0,
            tally: Tally::default(),
        }
    }
}

/// Accepted records of one epoch, by what the tariff knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted envelopes.
    pub envelopes: u32,
    /// Accepted records of each of the tariff's quantities, in the tariff's order; empty before the first.
    pub records: Vec<u32>,
    /// Accepted records that the tariff does not price, the first few by name.
    pub unpriced: Vec<Unpriced>,
    /// Accepted records of all further such names.
    pub unpriced_rest: u32,
}

/// Accepted records of one name, unit and kind that the tariff does not price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpriced {
    /// The records' full name.
    pub name: String,
    /// Their unit.
    pub unit: Option<String>,
    /// Whether the tariff has the name and unit, but the values are yes or no instead of numbers.
    pub not_a_number: bool,
    /// How many.
    pub records: u32,
}

impl Tally {
    /// Counts one accepted pack; gives what it adds to the device's due, in micro-tokens.
    pub(crate) fn count(&mut self, tariff: &Tariff, pack: &Pack<'_>) -> u64 {
        self.envelopes = self.envelopes.saturating_add(1);
        if self.records.is_empty() {
            self.records.resize(tariff.quantities.len(), 0);
        }
        let mut due_microtokens = 0_u64;
        let mut last = 0;
        for record in pack.resolved() {
            // Packs mostly repeat one quantity, so the one that matched before is tried first.
            let again = tariff.quantities.get(last).filter(|quantity| is_of(&record, quantity)).map(|_| last);
            let place =
                again.or_else(|| tariff.quantities.iter().position(|quantity| is_of(&record, quantity)));
            let number = matches!(record.value, Value::Number(_));
            let priced = place.filter(|_| number).and_then(|place| {
                last = place;
                tariff.quantities.get(place).zip(self.records.get_mut(place))
            });
            match priced {
                Some((quantity, records)) => {
                    if *records < quantity.paid_records_max {
                        due_microtokens = due_microtokens.saturating_add(quantity.price_microtokens);
                    }
                    *records = records.saturating_add(1);
                }
                None => self.count_unpriced(&record, place.is_some()),
            }
        }
        due_microtokens
    }

    fn count_unpriced(&mut self, record: &ResolvedRecord<'_>, not_a_number: bool) {
        let same = |line: &&mut Unpriced| {
            line.not_a_number == not_a_number
                && record.name_is(&line.name)
                && record.unit == line.unit.as_deref()
        };
        if let Some(line) = self.unpriced.iter_mut().find(same) {
            line.records = line.records.saturating_add(1);
        } else if self.unpriced.len() < UNPRICED_LINES_MAX {
            let name = [record.base_name, record.name].concat();
            let unit = record.unit.map(ToOwned::to_owned);
            self.unpriced.push(Unpriced { name, unit, not_a_number, records: 1 });
        } else {
            self.unpriced_rest = self.unpriced_rest.saturating_add(1);
        }
    }

    /// What the epoch so far is worth before the pool is looked at, in micro-tokens.
    #[must_use]
    pub fn due_microtokens(&self, tariff: &Tariff) -> u64 {
        let due = |(quantity, records): (&Quantity, &u32)| {
            let paid = u64::from((*records).min(quantity.paid_records_max));
            quantity.price_microtokens.saturating_mul(paid)
        };
        // The tariff's bounds keep the sum within a u64 (see limits).
        tariff.quantities.iter().zip(&self.records).map(due).fold(0, u64::saturating_add)
    }
}

/// Whether a record is of a quantity's name and unit.
fn is_of(record: &ResolvedRecord<'_>, quantity: &Quantity) -> bool {
    record.name_is(&quantity.name) && record.unit == Some(quantity.unit.as_str())
}
