//! What a device sent in the running epoch, counted as it is accepted.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::limits::UNPRICED_LINES_MAX;
use crate::tariff::{Quantity, Tariff};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use devices::cbor::{Reader, Writer};
use devices::senml::{Pack, ResolvedRecord, Value};

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

/// Writes a tally as it stands in a device's leaf of the state.
pub(crate) fn write_tally(writer: &mut Writer<'_>, tally: &Tally) -> Written {
    writer.array_header(4)?;
    writer.unsigned(tally.envelopes.into())?;
    writer.array_header(tally.records.len())?;
    tally.records.iter().try_for_each(|records| writer.unsigned((*records).into()))?;
    writer.array_header(tally.unpriced.len())?;
    for line in &tally.unpriced {
        writer.array_header(4)?;
        writer.text(&line.name)?;
        write_option(writer, line.unit.as_deref(), |writer, unit| writer.text(unit))?;
        writer.boolean(line.not_a_number)?;
        writer.unsigned(line.records.into())?;
    }
    writer.unsigned(tally.unpriced_rest.into())
}

/// Reads what [`write_tally`] wrote.
pub(crate) fn read_tally(reader: &mut Reader<'_>) -> Read<Tally> {
    array_of(reader, 4)?;
    let envelopes = reader.unsigned_32()?;
    let quantities = reader.array_header()?;
    let records = (0..quantities).map(|_| reader.unsigned_32()).collect::<Read<_>>()?;
    let lines = reader.array_header()?;
    let unpriced = |_| {
        array_of(reader, 4)?;
        Ok(Unpriced {
            name: reader.text()?.to_owned(),
            unit: read_option(reader, |reader| reader.text().map(ToOwned::to_owned))?,
            not_a_number: reader.boolean()?,
            records: reader.unsigned_32()?,
        })
    };
    let unpriced = (0..lines).map(unpriced).collect::<Read<_>>()?;
    Ok(Tally { envelopes, records, unpriced, unpriced_rest: reader.unsigned_32()? })
}
