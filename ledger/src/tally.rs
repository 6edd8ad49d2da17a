//! What a device sent in the running epoch, counted as it is accepted: its series, whose records they are, and what the
//! tariff does not price.

use crate::account::AccountId;
use crate::encoding::{Read, Written, array_of, read_account, read_option, write_account, write_option};
use crate::limits::UNPRICED_LINES_MAX;
use crate::series::{Intake, Series};
use crate::tariff::{Quantity, Tariff};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::senml::{Pack, ResolvedRecord, Value};

/// Accepted records of one epoch. The quality of a series is the device's, whoever owned it; what it is worth is kept
/// apart by owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted envelopes.
    pub envelopes: u32,
    /// One for each of the tariff's quantities that was sent, in the tariff's order.
    series: Vec<Series>,
    /// One for each owner, in the order of their first records; mostly one.
    parts: Vec<Part>,
}

/// What one owner's records come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Who owned the device when they were taken; nobody yet when absent.
    pub(crate) owner: Option<AccountId>,
    /// Accepted envelopes; one that two owners share counts as that of its first record's owner.
    pub(crate) envelopes: u32,
    /// Records of the tariff's quantities, in its order.
    pub(crate) counts: Vec<PartCount>,
    /// What the tariff does not price; most devices send nothing of the kind.
    apart: Option<Box<Apart>>,
}

/// Accepted records that the tariff does not price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Apart {
    /// The first few by name.
    unpriced: Vec<Unpriced>,
    /// Those of all further names.
    rest: u32,
}

/// One owner's records of one quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartCount {
    /// The quantity's place in the tariff.
    pub(crate) place: u8,
    /// Records accepted.
    pub(crate) accepted_records: u32,
    /// Those of them that came before the device had as many as the tariff pays.
    pub(crate) paid_records: u32,
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
    /// Counts one accepted pack. `owner_at` says whose a record is that was taken in a Unix second; one without a time
    /// of its own was taken when it was accepted.
    pub(crate) fn count(
        &mut self,
        intake: &Intake<'_>,
        pack: &Pack<'_>,
        owner_at: impl Fn(i64) -> Option<AccountId>,
    ) {
        self.envelopes = self.envelopes.saturating_add(1);
        let quantities = &intake.tariff.quantities;
        let (mut last, mut first) = (0, true);
        for record in pack.resolved() {
            let own_time = record.time_unix_seconds.unwrap_or(intake.time_unix_seconds);
            let part = part_of(&mut self.parts, owner_at(own_time));
            part.envelopes = part.envelopes.saturating_add(u32::from(first));
            first = false;
            // Packs mostly repeat one quantity, so the one that matched before is tried first.
            let again = quantities.get(last).filter(|quantity| is_of(&record, quantity)).map(|_| last);
            let place = again.or_else(|| quantities.iter().position(|quantity| is_of(&record, quantity)));
            let Some((place, quantity)) = place.and_then(|at| Some((at, quantities.get(at)?))) else {
                part.count_unpriced(&record, false);
                continue;
            };
            let Value::Number(value) = record.value else {
                part.count_unpriced(&record, true);
                continue;
            };
            last = place;
            let place = u8::try_from(place).unwrap_or(u8::MAX);
            let series = series_of(&mut self.series, place, quantity);
            part.count(place, series.accepted_records < quantity.paid_records_max);
            // Without a base time the record says how long before its arrival it was taken.
            let taken = record.time_unix_seconds.unwrap_or_else(|| {
                intake.time_unix_seconds.saturating_add(record.time_offset_seconds.into())
            });
            series.note(intake, quantity, value, taken);
        }
    }

    /// Records accepted in the running epoch, priced or not.
    #[must_use]
    pub fn accepted_records(&self) -> u64 {
        let of_part = |part: &Part| {
            let counted = part.counts.iter().map(|count| u64::from(count.accepted_records));
            let unpriced = part.unpriced().iter().map(|line| u64::from(line.records));
            counted.chain(unpriced).fold(u64::from(part.unpriced_rest()), u64::saturating_add)
        };
        self.parts.iter().map(of_part).fold(0, u64::saturating_add)
    }

    /// The series in the tariff's order; some may have sent nothing yet in this epoch.
    pub(crate) fn series(&self) -> &[Series] {
        &self.series
    }

    /// Whether nothing is known of the device in this epoch or from the one before.
    pub(crate) fn is_empty(&self) -> bool {
        self.envelopes == 0 && self.series.is_empty()
    }

    /// The owners' parts.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Gives what nobody owned yet to the device's first owner.
    pub(crate) fn claim(&mut self, owner: AccountId) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.owner.is_none()) {
            part.owner = Some(owner);
        }
    }

    /// Ends the epoch. What was sent in it is remembered for one more, as far as the next tariff still asks for it.
    pub(crate) fn carry_over(&mut self, tariff: &Tariff, next: &Tariff) {
        let ended = core::mem::take(self);
        if ended.envelopes == 0 {
            return;
        }
        for series in ended.series.into_iter().filter(|series| series.accepted_records > 0) {
            let Some(quantity) = tariff.quantities.get(usize::from(series.place)) else { continue };
            let same = |next: &Quantity| next.name == quantity.name && next.unit == quantity.unit;
            let place = next.quantities.iter().position(same).and_then(|place| u8::try_from(place).ok());
            let (Some(place), Some(quantity)) = (place, next.quantities.iter().find(|next| same(next)))
            else {
                continue;
            };
            let at = self.series.partition_point(|series| series.place < place);
            self.series.reserve_exact(1);
            self.series.insert(at, series.carried_over(place, quantity));
        }
    }

    /// Whether it was counted by this tariff.
    pub(crate) fn is_of(&self, tariff: &Tariff) -> bool {
        let fits = |series: &Series| {
            tariff.quantities.get(usize::from(series.place)).is_some_and(|quantity| series.is_of(quantity))
        };
        let has = |place: u8| self.series.iter().any(|series| series.place == place);
        self.series.is_sorted_by(|one, next| one.place < next.place)
            && self.series.iter().all(fits)
            && self.parts.iter().all(|part| part.counts.iter().all(|count| has(count.place)))
    }
}

/// The owner's part; its place stays the same, so that equal logs give equal bytes.
fn part_of(parts: &mut Vec<Part>, owner: Option<AccountId>) -> &mut Part {
    let place = parts.iter().position(|part| part.owner == owner).unwrap_or(parts.len());
    if place == parts.len() {
        parts.reserve_exact(1);
        parts.push(Part { owner, ..Part::default() });
    }
    parts.get_mut(place).expect("it was pushed where it was missing")
}

fn series_of<'s>(all: &'s mut Vec<Series>, place: u8, quantity: &Quantity) -> &'s mut Series {
    let at = all.iter().position(|series| series.place >= place).unwrap_or(all.len());
    if all.get(at).is_none_or(|series| series.place != place) {
        all.reserve_exact(1);
        all.insert(at, Series::new(place, quantity));
    }
    all.get_mut(at).expect("it was inserted where it was missing")
}

impl Part {
    /// Accepted records that the tariff does not price, the first few by name.
    pub(crate) fn unpriced(&self) -> &[Unpriced] {
        self.apart.as_deref().map_or(&[], |apart| &apart.unpriced)
    }

    /// Accepted records of all further such names.
    pub(crate) fn unpriced_rest(&self) -> u32 {
        self.apart.as_deref().map_or(0, |apart| apart.rest)
    }

    fn count(&mut self, place: u8, paid: bool) {
        let at = self.counts.iter().position(|count| count.place >= place).unwrap_or(self.counts.len());
        if self.counts.get(at).is_none_or(|count| count.place != place) {
            self.counts.reserve_exact(1);
            self.counts.insert(at, PartCount { place, accepted_records: 0, paid_records: 0 });
        }
        if let Some(count) = self.counts.get_mut(at) {
            count.accepted_records = count.accepted_records.saturating_add(1);
            count.paid_records = count.paid_records.saturating_add(u32::from(paid));
        }
    }

    fn count_unpriced(&mut self, record: &ResolvedRecord<'_>, not_a_number: bool) {
        let same = |line: &&mut Unpriced| {
            line.not_a_number == not_a_number
                && record.name_is(&line.name)
                && record.unit == line.unit.as_deref()
        };
        let apart = self.apart.get_or_insert_default();
        if let Some(line) = apart.unpriced.iter_mut().find(same) {
            line.records = line.records.saturating_add(1);
        } else if apart.unpriced.len() < UNPRICED_LINES_MAX {
            let name = [record.base_name, record.name].concat();
            let unit = record.unit.map(ToOwned::to_owned);
            apart.unpriced.push(Unpriced { name, unit, not_a_number, records: 1 });
        } else {
            apart.rest = apart.rest.saturating_add(1);
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(5)?;
        write_option(writer, self.owner, write_account)?;
        writer.unsigned(self.envelopes.into())?;
        writer.array_header(self.counts.len())?;
        for count in &self.counts {
            writer.array_header(3)?;
            writer.unsigned(count.place.into())?;
            writer.unsigned(count.accepted_records.into())?;
            writer.unsigned(count.paid_records.into())?;
        }
        writer.array_header(self.unpriced().len())?;
        for line in self.unpriced() {
            writer.array_header(4)?;
            writer.text(&line.name)?;
            write_option(writer, line.unit.as_deref(), |writer, unit| writer.text(unit))?;
            writer.boolean(line.not_a_number)?;
            writer.unsigned(line.records.into())?;
        }
        writer.unsigned(self.unpriced_rest().into())
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 5)?;
        let owner = read_option(reader, read_account)?;
        let envelopes = reader.unsigned_32()?;
        let count = |reader: &mut Reader<'_>| {
            array_of(reader, 3)?;
            let place = u8::try_from(reader.unsigned()?).map_err(|_| DecodeError::OutOfRange)?;
            let accepted_records = reader.unsigned_32()?;
            Ok(PartCount { place, accepted_records, paid_records: reader.unsigned_32()? })
        };
        let counts = read_exactly(reader, count)?;
        let line = |reader: &mut Reader<'_>| {
            array_of(reader, 4)?;
            Ok(Unpriced {
                name: reader.text()?.to_owned(),
                unit: read_option(reader, |reader| reader.text().map(ToOwned::to_owned))?,
                not_a_number: reader.boolean()?,
                records: reader.unsigned_32()?,
            })
        };
        let unpriced = (0..reader.array_header()?).map(|_| line(reader)).collect::<Read<_>>()?;
        let apart = Apart { unpriced, rest: reader.unsigned_32()? };
        let apart = (apart != Apart::default()).then(|| Box::new(apart));
        Ok(Self { owner, envelopes, counts, apart })
    }
}

/// Whether a record is of a quantity's name and unit.
fn is_of(record: &ResolvedRecord<'_>, quantity: &Quantity) -> bool {
    record.name_is(&quantity.name) && record.unit == Some(quantity.unit.as_str())
}

/// Writes a tally as it stands in a device's leaf of the state.
pub(crate) fn write_tally(writer: &mut Writer<'_>, tally: &Tally) -> Written {
    writer.array_header(3)?;
    writer.unsigned(tally.envelopes.into())?;
    writer.array_header(tally.series.len())?;
    tally.series.iter().try_for_each(|series| series.write(writer))?;
    writer.array_header(tally.parts.len())?;
    tally.parts.iter().try_for_each(|part| part.write(writer))
}

/// Reads an array into no more memory than it needs: a million devices are read so at a start.
fn read_exactly<'a, T>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    let mut items = (0..reader.array_header()?).map(|_| read(reader)).collect::<Read<Vec<T>>>()?;
    items.shrink_to_fit();
    Ok(items)
}

/// Reads what [`write_tally`] wrote.
pub(crate) fn read_tally(reader: &mut Reader<'_>) -> Read<Tally> {
    array_of(reader, 3)?;
    let envelopes = reader.unsigned_32()?;
    let series = read_exactly(reader, Series::read)?;
    let parts = read_exactly(reader, Part::read)?;
    Ok(Tally { envelopes, series, parts })
}
