//! What a series looks like: a sensor's readings depend on those before and are still never smooth. Independent noise
//! and drawn curves are told by two ratios.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::factor::{Comparison, Disagreement};
use crate::limits::TEXTURE_RECORDS_MIN;
use crate::series::{read_signed, write_signed};
use crate::tariff::TextureBounds;
use core::cmp::Ordering;
use devices::cbor::{DecodeError, Reader, Writer};

/// Sums over the records of an epoch that are in range, in micro-units. The tariff bounds these to 2^50 of them and
/// a device's envelopes bound the records to 2^23, so that no sum leaves 128 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texture {
    records: u32,
    /// Differences between records in range that follow one another.
    deltas: u32,
    /// Differences that are not zero, and how many of these have another sign than the one before.
    changes: u32,
    turns: u32,
    /// Whether the last change was upwards.
    rising: bool,
    /// The last record, when it was in range.
    last: Option<i128>,
    sum: i128,
    sum_squares: i128,
    sum_delta_squares: i128,
}

impl Texture {
    /// Takes a record in range.
    pub(crate) fn note(&mut self, micros: i128) {
        self.records = self.records.saturating_add(1);
        self.sum = self.sum.saturating_add(micros);
        self.sum_squares = self.sum_squares.saturating_add(micros.saturating_mul(micros));
        if let Some(last) = self.last.replace(micros) {
            let delta = micros.saturating_sub(last);
            self.deltas = self.deltas.saturating_add(1);
            self.sum_delta_squares = self.sum_delta_squares.saturating_add(delta.saturating_mul(delta));
            if delta.cmp(&0) != Ordering::Equal {
                let rising = delta > 0;
                if self.changes > 0 && rising != self.rising {
                    self.turns = self.turns.saturating_add(1);
                }
                (self.changes, self.rising) = (self.changes.saturating_add(1), rising);
            }
        }
    }

    /// Passes over a record out of range: no difference reaches across it.
    pub(crate) fn interrupt(&mut self) {
        self.last = None;
    }

    /// What is not a sensor's about it, if anything.
    pub(crate) fn judge(&self, bounds: TextureBounds) -> Option<Disagreement> {
        if self.records < TEXTURE_RECORDS_MIN {
            return None;
        }
        let noise = self.neumann_permille().filter(|found| *found >= u64::from(bounds.noise_max_permille));
        if let Some(found) = noise {
            let limit = bounds.noise_max_permille.into();
            return Some(Disagreement { comparison: Comparison::NoiseOnly, found, limit });
        }
        let turns = self.turns_permille().filter(|found| *found < u64::from(bounds.turns_min_permille))?;
        let limit = bounds.turns_min_permille.into();
        Some(Disagreement { comparison: Comparison::TooSmooth, found: turns, limit })
    }

    /// Von Neumann's ratio in thousandths, rounded down: Σδ²/m over (n·Σv² − (Σv)²)/n². Absent for a constant, and where
    /// the numbers are too large to tell.
    fn neumann_permille(&self) -> Option<u64> {
        let (records, deltas) = (i128::from(self.records), i128::from(self.deltas));
        let spread = records.checked_mul(self.sum_squares)?.checked_sub(self.sum.checked_mul(self.sum)?)?;
        let scaled = self.sum_delta_squares.checked_mul(records)?.checked_mul(records)?.checked_mul(1_000)?;
        let ratio = scaled.checked_div(deltas.checked_mul(spread)?)?;
        u64::try_from(ratio).ok()
    }

    /// Turns in thousandths of the changes that could have been one, rounded down.
    fn turns_permille(&self) -> Option<u64> {
        if self.changes < TEXTURE_RECORDS_MIN {
            return None;
        }
        u64::from(self.turns).saturating_mul(1_000).checked_div(self.changes.saturating_sub(1).into())
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(9)?;
        [self.records, self.deltas, self.changes, self.turns]
            .into_iter()
            .try_for_each(|count| writer.unsigned(count.into()))?;
        writer.boolean(self.rising)?;
        write_option(writer, self.last, write_signed)?;
        [self.sum, self.sum_squares, self.sum_delta_squares]
            .into_iter()
            .try_for_each(|sum| write_signed(writer, sum))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 9)?;
        let texture = Self {
            records: reader.unsigned_32()?,
            deltas: reader.unsigned_32()?,
            changes: reader.unsigned_32()?,
            turns: reader.unsigned_32()?,
            rising: reader.boolean()?,
            last: read_option(reader, read_signed)?,
            sum: read_signed(reader)?,
            sum_squares: read_signed(reader)?,
            sum_delta_squares: read_signed(reader)?,
        };
        let squares_hold = texture.sum_squares >= 0 && texture.sum_delta_squares >= 0;
        if squares_hold { Ok(texture) } else { Err(DecodeError::OutOfRange) }
    }
}
