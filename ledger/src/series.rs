//! What a device sent of one quantity in the running epoch: counted record by record, in the log's order, in a few
//! hundred bytes however many records there are.

use crate::copies::Shingles;
use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::neighbours::Slots;
use crate::signed_96::Signed96;
use crate::tariff::{Quantity, Tariff};
use crate::texture::Texture;
use alloc::boxed::Box;
use devices::Decimal;
use devices::cbor::{DecodeError, Reader, Writer};

/// Intervals under the highest one that a late record may still fill.
const INTERVALS_REMEMBERED: u32 = u64::BITS;
/// Nano-units of a micro-unit.
const NANOS_OF_A_MICRO: i128 = 1_000;
const SECONDS_OF_A_MINUTE: i128 = 60;

/// What a record is counted by: the tariff, the running epoch and the block that accepts it.
#[derive(Clone, Copy, Debug)]
pub struct Intake<'t> {
    /// The tariff in force.
    pub tariff: &'t Tariff,
    /// When the epoch began, Unix seconds.
    pub epoch_begins_unix_seconds: i64,
    /// Seconds of the epoch.
    pub epoch_seconds: i64,
    /// The block's time, whole Unix seconds.
    pub time_unix_seconds: i64,
    /// The envelope's place in the log's order: a counter that may wrap.
    pub order: u32,
}

/// The records of one quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The quantity's place in the tariff.
    pub(crate) place: u8,
    /// Records accepted.
    pub(crate) accepted_records: u32,
    /// Intervals of the tariff's length in which at least one was taken.
    pub(crate) intervals: u32,
    /// The latest of these, counted from the epoch's beginning, and which of those under it have a record.
    interval_highest: i64,
    interval_bits: u64,
    /// Values outside the tariff's range.
    pub(crate) out_of_range_records: u32,
    /// Values in range that changed faster than the tariff finds plausible.
    pub(crate) steep_records: u32,
    /// Records that came late.
    pub(crate) late_records: u32,
    /// Records that repeat the value before them more often than the tariff pays.
    pub(crate) repeated_records: u32,
    /// The last value in nano-units, and how many times in a row it came.
    last_nanos: Signed96,
    run_records: u32,
    /// Value in nano-units and Unix seconds of the last record in range.
    last_in_range: Option<(Signed96, Second)>,
    /// What recognises the series in another one.
    pub(crate) shingles: Shingles,
    /// How rough it is; where the tariff asks.
    pub(crate) texture: Option<Box<Texture>>,
    /// Whether the tariff compares neighbours, and then its means, once there are any.
    compared: bool,
    pub(crate) slots: Option<Box<Slots>>,
}

/// A Unix second in two words: so that what is kept beside a number of three is not filled up to a whole of eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Second([u32; 2]);

impl Second {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the words of a number are what is meant"
    )]
    fn of(unix_seconds: i64) -> Self {
        Self([unix_seconds as u32, (unix_seconds >> 32) as u32])
    }

    fn get(self) -> i64 {
        let [low, high] = self.0.map(i64::from);
        low | (high << 32)
    }
}

impl Series {
    /// A series of nothing.
    pub(crate) fn new(place: u8, quantity: &Quantity) -> Self {
        Self {
            place,
            accepted_records: 0,
            intervals: 0,
            interval_highest: 0,
            interval_bits: 0,
            out_of_range_records: 0,
            steep_records: 0,
            late_records: 0,
            repeated_records: 0,
            last_nanos: Signed96::default(),
            run_records: 0,
            last_in_range: None,
            shingles: Shingles::default(),
            texture: quantity.texture.map(|_| Box::default()),
            compared: quantity.neighbours.is_some(),
            slots: None,
        }
    }

    /// What the next epoch must know of this one: a run goes on, and a replay of it is recognised.
    pub(crate) fn carried_over(self, place: u8, quantity: &Quantity) -> Self {
        Self {
            last_nanos: self.last_nanos,
            run_records: self.run_records,
            shingles: self.shingles.carried_over(),
            ..Self::new(place, quantity)
        }
    }

    /// Whether it keeps what this quantity asks for.
    pub(crate) fn is_of(&self, quantity: &Quantity) -> bool {
        self.texture.is_some() == quantity.texture.is_some() && self.compared == quantity.neighbours.is_some()
    }

    /// Records within range and step.
    pub(crate) fn plausible_records(&self) -> u32 {
        self.accepted_records.saturating_sub(self.out_of_range_records).saturating_sub(self.steep_records)
    }

    /// Counts one record, taken at `taken_unix_seconds`; without a time of its own it was taken when it was accepted.
    pub(crate) fn note(
        &mut self,
        intake: &Intake<'_>,
        quantity: &Quantity,
        value: Decimal,
        taken_unix_seconds: i64,
    ) {
        let nanos = value.nanos();
        self.accepted_records = self.accepted_records.saturating_add(1);
        self.note_time(intake, quantity, taken_unix_seconds);
        self.note_run(nanos, quantity.repeats_max);
        let in_range = nanos >= quantity.minimum.nanos() && nanos <= quantity.maximum.nanos();
        let plausible = self.note_plausibility(quantity, in_range, nanos, taken_unix_seconds);
        let micros = nanos.div_euclid(NANOS_OF_A_MICRO);
        if let Some(texture) = &mut self.texture {
            // What is too steep is as telling as the rest.
            if in_range {
                texture.note(micros);
            } else {
                texture.interrupt();
            }
        }
        if self.compared && plausible {
            let since = taken_unix_seconds.saturating_sub(intake.epoch_begins_unix_seconds);
            Slots::note(&mut self.slots, since, intake.epoch_seconds, micros);
        }
        self.shingles.note(nanos, intake, quantity.interval_seconds);
        self.last_nanos = Signed96::nearest(nanos);
    }

    fn note_time(&mut self, intake: &Intake<'_>, quantity: &Quantity, taken_unix_seconds: i64) {
        let age = intake.time_unix_seconds.saturating_sub(taken_unix_seconds);
        if age > i64::from(intake.tariff.late_after_seconds) {
            self.late_records = self.late_records.saturating_add(1);
        }
        let since = taken_unix_seconds.saturating_sub(intake.epoch_begins_unix_seconds);
        self.fill_interval(since.div_euclid(quantity.interval_seconds.max(1).into()));
    }

    /// As RFC 4303 §3.4.3 does with sequence numbers: an interval counts once, in whatever order its records come.
    fn fill_interval(&mut self, interval: i64) {
        let first = self.intervals == 0;
        let bit = if first || interval > self.interval_highest {
            let ahead = interval.saturating_sub(self.interval_highest);
            let ahead = if first { 0 } else { u32::try_from(ahead).unwrap_or(u32::MAX) };
            self.interval_bits = self.interval_bits.checked_shl(ahead).unwrap_or(0);
            self.interval_highest = interval;
            1
        } else {
            let behind = u32::try_from(self.interval_highest.saturating_sub(interval)).unwrap_or(u32::MAX);
            if behind >= INTERVALS_REMEMBERED {
                return;
            }
            1_u64.checked_shl(behind).unwrap_or(0)
        };
        if self.interval_bits & bit == 0 {
            self.interval_bits |= bit;
            self.intervals = self.intervals.saturating_add(1);
        }
    }

    fn note_run(&mut self, nanos: i128, repeats_max: u32) {
        let again = self.run_records > 0 && self.last_nanos.get() == nanos;
        self.run_records = if again { self.run_records.saturating_add(1) } else { 1 };
        if self.run_records > repeats_max {
            self.repeated_records = self.repeated_records.saturating_add(1);
        }
    }

    /// A value out of range is no measure for the next one's step; a steep one is, so that a spike costs two records
    /// and a change of level one.
    fn note_plausibility(
        &mut self,
        quantity: &Quantity,
        in_range: bool,
        nanos: i128,
        taken_unix_seconds: i64,
    ) -> bool {
        if !in_range {
            self.out_of_range_records = self.out_of_range_records.saturating_add(1);
            return false;
        }
        let before = self.last_in_range.replace((Signed96::nearest(nanos), Second::of(taken_unix_seconds)));
        let steep = before.is_some_and(|(value, taken)| {
            let seconds = i128::from(taken.get().abs_diff(taken_unix_seconds)).max(SECONDS_OF_A_MINUTE);
            let change = nanos.saturating_sub(value.get()).saturating_abs();
            let allowed = quantity.step_per_minute_max.nanos().saturating_mul(seconds);
            change.saturating_mul(SECONDS_OF_A_MINUTE) > allowed
        });
        if steep {
            self.steep_records = self.steep_records.saturating_add(1);
        }
        !steep
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(15)?;
        writer.unsigned(self.place.into())?;
        let counts = [
            self.accepted_records,
            self.intervals,
            self.out_of_range_records,
            self.steep_records,
            self.late_records,
            self.repeated_records,
            self.run_records,
        ];
        counts.into_iter().try_for_each(|count| writer.unsigned(count.into()))?;
        writer.integer(self.interval_highest.into())?;
        writer.unsigned(self.interval_bits)?;
        self.last_nanos.write(writer)?;
        write_option(writer, self.last_in_range, |writer, (nanos, taken)| {
            writer.array_header(2)?;
            nanos.write(writer)?;
            writer.integer(taken.get().into())
        })?;
        self.shingles.write(writer)?;
        write_option(writer, self.texture.as_deref(), |writer, texture| texture.write(writer))?;
        match &self.slots {
            Some(slots) => slots.write(writer),
            None if self.compared => Slots::default().write(writer),
            None => writer.null(),
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 15)?;
        let mut series = Self {
            place: u8::try_from(reader.unsigned()?).map_err(|_| DecodeError::OutOfRange)?,
            accepted_records: reader.unsigned_32()?,
            intervals: reader.unsigned_32()?,
            out_of_range_records: reader.unsigned_32()?,
            steep_records: reader.unsigned_32()?,
            late_records: reader.unsigned_32()?,
            repeated_records: reader.unsigned_32()?,
            run_records: reader.unsigned_32()?,
            interval_highest: read_i64(reader)?,
            interval_bits: reader.unsigned()?,
            last_nanos: Signed96::read(reader)?,
            last_in_range: read_option(reader, |reader| {
                array_of(reader, 2)?;
                Ok((Signed96::read(reader)?, Second::of(read_i64(reader)?)))
            })?,
            shingles: Shingles::read(reader)?,
            texture: read_option(reader, Texture::read)?.map(Box::new),
            compared: false,
            slots: None,
        };
        let slots = read_option(reader, Slots::read)?;
        series.compared = slots.is_some();
        series.slots = slots.filter(|slots| *slots != Slots::default()).map(Box::new);
        Ok(series)
    }
}

/// Writes a signed number wider than 64 bits as its sixteen big-endian bytes.
pub(crate) fn write_signed(writer: &mut Writer<'_>, number: i128) -> Written {
    writer.bytes(&number.to_be_bytes())
}

/// Reads a signed number wider than 64 bits.
pub(crate) fn read_signed(reader: &mut Reader<'_>) -> Read<i128> {
    Ok(i128::from_be_bytes(*reader.byte_array::<16>()?))
}

fn read_i64(reader: &mut Reader<'_>) -> Read<i64> {
    i64::try_from(reader.integer()?).map_err(|_| DecodeError::OutOfRange)
}
