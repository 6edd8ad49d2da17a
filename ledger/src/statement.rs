//! What one device earned in one epoch and why, line by line, summing to the exact amount.

use crate::account::AccountId;
use crate::encoding::{
    Read, Written, array_of, decoded, encoded, read_account, read_option, read_wide, write_account,
    write_option, write_wide,
};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::DeviceId;

/// A device's statement for an epoch. Its lines' amounts sum to `due_microtokens`; what the pool did not hold is
/// `pool_scale`, and the rest is `paid_microtokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The device.
    pub kid: DeviceId,
    /// The epoch.
    pub epoch: u64,
    /// When it began, Unix milliseconds.
    pub from_unix_milliseconds: u64,
    /// When it ended, Unix milliseconds; not part of it.
    pub to_unix_milliseconds: u64,
    /// The device's owner when the epoch was settled.
    pub owner: Option<AccountId>,
    /// Who was paid: the owner, or the device's escrow account.
    pub payee: AccountId,
    /// The price list.
    pub tariff_version: u32,
    /// Accepted envelopes.
    pub envelopes: u32,
    /// One for each quantity that was sent.
    pub lines: Vec<StatementLine>,
    /// Sum of the lines.
    pub due_microtokens: u64,
    /// Present when the pool held less than all devices were due.
    pub pool_scale: Option<PoolScale>,
    /// What was posted.
    pub paid_microtokens: u64,
    /// The block that settled.
    pub height: u64,
    /// Index of its seal in the log.
    pub seal_index: u64,
}

/// One quantity of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// The records' full name; empty in the line that sums up the rest.
    pub quantity: String,
    /// Their unit, where they had one.
    pub unit: Option<String>,
    /// Records accepted.
    pub accepted_records: u32,
    /// Records paid.
    pub paid_records: u32,
    /// Price of one.
    pub price_microtokens: u64,
    /// Price times paid records.
    pub amount_microtokens: u64,
    /// Why fewer were paid than accepted, or nothing at all.
    pub reason: Option<LineReason>,
}

/// Why a line pays less than its records, or nothing.
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

/// What all devices were due together, and what the pool held instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolScale {
    /// What the pool held.
    pub pool_microtokens: u64,
    /// What all devices were due.
    pub due_total_microtokens: u128,
    /// What this device's due was cut by.
    pub withheld_microtokens: u64,
}

impl fmt::Display for PoolScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pool, due) = (self.pool_microtokens, self.due_total_microtokens);
        write!(f, "the pool held {pool} of the {due} micro-tokens that all devices were due")
    }
}

impl Statement {
    /// The statement in deterministic CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decoded(bytes, Self::read)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(15)?;
        writer.text("statement")?;
        writer.bytes(self.kid.as_bytes())?;
        writer.unsigned(self.epoch)?;
        writer.unsigned(self.from_unix_milliseconds)?;
        writer.unsigned(self.to_unix_milliseconds)?;
        write_option(writer, self.owner, write_account)?;
        write_account(writer, self.payee)?;
        writer.unsigned(self.tariff_version.into())?;
        writer.unsigned(self.envelopes.into())?;
        writer.array_header(self.lines.len())?;
        self.lines.iter().try_for_each(|line| line.write(writer))?;
        writer.unsigned(self.due_microtokens)?;
        write_option(writer, self.pool_scale, |writer, scale| {
            writer.array_header(3)?;
            writer.unsigned(scale.pool_microtokens)?;
            write_wide(writer, scale.due_total_microtokens)?;
            writer.unsigned(scale.withheld_microtokens)
        })?;
        writer.unsigned(self.paid_microtokens)?;
        writer.unsigned(self.height)?;
        writer.unsigned(self.seal_index)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 15)?;
        if reader.text()? != "statement" {
            return Err(DecodeError::Unexpected);
        }
        Ok(Self {
            kid: DeviceId(*reader.byte_array()?),
            epoch: reader.unsigned()?,
            from_unix_milliseconds: reader.unsigned()?,
            to_unix_milliseconds: reader.unsigned()?,
            owner: read_option(reader, read_account)?,
            payee: read_account(reader)?,
            tariff_version: reader.unsigned_32()?,
            envelopes: reader.unsigned_32()?,
            lines: {
                let lines = reader.array_header()?;
                (0..lines).map(|_| StatementLine::read(reader)).collect::<Read<_>>()?
            },
            due_microtokens: reader.unsigned()?,
            pool_scale: read_option(reader, |reader| {
                array_of(reader, 3)?;
                let pool_microtokens = reader.unsigned()?;
                let due_total_microtokens = read_wide(reader)?;
                let withheld_microtokens = reader.unsigned()?;
                Ok(PoolScale { pool_microtokens, due_total_microtokens, withheld_microtokens })
            })?,
            paid_microtokens: reader.unsigned()?,
            height: reader.unsigned()?,
            seal_index: reader.unsigned()?,
        })
    }
}

impl StatementLine {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(7)?;
        writer.text(&self.quantity)?;
        write_option(writer, self.unit.as_deref(), |writer, unit| writer.text(unit))?;
        writer.unsigned(self.accepted_records.into())?;
        writer.unsigned(self.paid_records.into())?;
        writer.unsigned(self.price_microtokens)?;
        writer.unsigned(self.amount_microtokens)?;
        write_option(writer, self.reason, |writer, reason| match reason {
            LineReason::Capped { paid_records_max } => writer.unsigned(paid_records_max.into()),
            other => writer.text(other.as_str()),
        })
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 7)?;
        Ok(Self {
            quantity: reader.text()?.to_owned(),
            unit: read_option(reader, |reader| reader.text().map(ToOwned::to_owned))?,
            accepted_records: reader.unsigned_32()?,
            paid_records: reader.unsigned_32()?,
            price_microtokens: reader.unsigned()?,
            amount_microtokens: reader.unsigned()?,
            reason: read_option(reader, read_reason)?,
        })
    }
}

fn read_reason(reader: &mut Reader<'_>) -> Read<LineReason> {
    if let Ok(paid_records_max) = reader.clone().unsigned_32() {
        reader.unsigned_32()?;
        return Ok(LineReason::Capped { paid_records_max });
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
