//! One quantity of a statement: price times records, then one factor of quality after another, each with its counts, its
//! thousandths and the amount that it leaves, so that anyone can multiply it out; and why what was cut was cut.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::factor::Factor;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Kind, Reader, Writer};

/// One quantity of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// The records' full name; empty in the line that sums up the rest.
    pub quantity: String,
    /// Their unit, where they had one.
    pub unit: Option<String>,
    /// Records accepted.
    pub accepted_records: u32,
    /// Records that the tariff prices: at most its cap.
    pub paid_records: u32,
    /// Price of one.
    pub price_microtokens: u64,
    /// Price times paid records.
    pub base_microtokens: u64,
    /// What the base is multiplied by, in order; empty when the base is zero.
    pub factors: Vec<Factor>,
    /// What the last factor leaves; the base where there is none.
    pub amount_microtokens: u64,
    /// Why the base is less than price times accepted records, or nothing at all.
    pub reason: Option<LineReason>,
}

/// Why a line's base is less than its records, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineReason {
    /// More records than the tariff pays a device in an epoch.
    Capped {
        /// How many it pays.
        paid_records_max: u32,
    },
    /// The tariff has the quantity at a price of zero.
    PriceZero,
    /// The tariff has no such name and unit.
    NotInTariff,
    /// The tariff has the quantity, but the values were yes or no.
    NotANumber,
    /// All further names that are not in the tariff, together.
    FurtherNotInTariff,
}

impl LineReason {
    /// The reason's word in encodings and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capped { .. } => "capped",
            Self::PriceZero => "price_zero",
            Self::NotInTariff => "not_in_tariff",
            Self::NotANumber => "not_a_number",
            Self::FurtherNotInTariff => "further_not_in_tariff",
        }
    }
}

impl fmt::Display for LineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capped { paid_records_max } => {
                write!(f, "the tariff pays at most {paid_records_max} records a device and epoch")
            }
            Self::PriceZero => f.write_str("the tariff's price is zero"),
            Self::NotInTariff => f.write_str("not in the tariff"),
            Self::NotANumber => f.write_str("the tariff pays for numbers, not for true or false"),
            Self::FurtherNotInTariff => f.write_str("further quantities that are not in the tariff"),
        }
    }
}

impl StatementLine {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(9)?;
        writer.text(&self.quantity)?;
        write_option(writer, self.unit.as_deref(), |writer, unit| writer.text(unit))?;
        writer.unsigned(self.accepted_records.into())?;
        writer.unsigned(self.paid_records.into())?;
        writer.unsigned(self.price_microtokens)?;
        writer.unsigned(self.base_microtokens)?;
        writer.array_header(self.factors.len())?;
        self.factors.iter().try_for_each(|factor| factor.write(writer))?;
        writer.unsigned(self.amount_microtokens)?;
        write_option(writer, self.reason, |writer, reason| match reason {
            LineReason::Capped { paid_records_max } => writer.unsigned(paid_records_max.into()),
            other => writer.text(other.as_str()),
        })
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 9)?;
        Ok(Self {
            quantity: reader.text()?.to_owned(),
            unit: read_option(reader, |reader| reader.text().map(ToOwned::to_owned))?,
            accepted_records: reader.unsigned_32()?,
            paid_records: reader.unsigned_32()?,
            price_microtokens: reader.unsigned()?,
            base_microtokens: reader.unsigned()?,
            factors: {
                let factors = reader.array_header()?;
                (0..factors).map(|_| Factor::read(reader)).collect::<Read<_>>()?
            },
            amount_microtokens: reader.unsigned()?,
            reason: read_option(reader, read_reason)?,
        })
    }
}

fn read_reason(reader: &mut Reader<'_>) -> Read<LineReason> {
    if reader.kind()? == Kind::Unsigned {
        return Ok(LineReason::Capped { paid_records_max: reader.unsigned_32()? });
    }
    let word = reader.text()?;
    let reasons = [
        LineReason::PriceZero,
        LineReason::NotInTariff,
        LineReason::NotANumber,
        LineReason::FurtherNotInTariff,
    ];
    reasons.into_iter().find(|reason| reason.as_str() == word).ok_or(DecodeError::Unexpected)
}
