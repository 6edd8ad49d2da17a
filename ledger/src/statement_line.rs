//! One quantity of a statement: price times records, then one factor of quality after another, each with its counts, its
//! thousandths and the amount that it leaves, so that anyone can multiply it out; and why what was cut was cut.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use devices::cbor::{DecodeError, Kind, Reader, Writer};
use devices::identity::DeviceId;

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

/// Which factor of quality it is, in the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactorName {
    /// Intervals with a record against intervals expected.
    Completeness,
    /// Records within range and step against all.
    Plausibility,
    /// Comparisons with the neighbours that held against all that were made.
    Agreement,
    /// Records on time against all, late ones counted for what the tariff says.
    Freshness,
    /// Records that say something new against all.
    Repetition,
}

impl FactorName {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::Completeness, Self::Plausibility, Self::Agreement, Self::Freshness, Self::Repetition];

    /// The factor's word in encodings and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completeness => "completeness",
            Self::Plausibility => "plausibility",
            Self::Agreement => "agreement",
            Self::Freshness => "freshness",
            Self::Repetition => "repetition",
        }
    }
}

impl fmt::Display for FactorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One factor of quality: `permille` = min(1000, floor(1000 × numerator ÷ denominator)), and the amount that it leaves
/// of the one before it, floor(before × permille ÷ 1000).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Which one.
    pub name: FactorName,
    /// What held.
    pub numerator: u64,
    /// Out of what; at least 1.
    pub denominator: u64,
    /// The factor in thousandths, 0 to 1000.
    pub permille: u32,
    /// What it leaves.
    pub amount_microtokens: u64,
    /// What was cut for; present exactly when `permille` is below 1000.
    pub cut: Option<Cut>,
}

/// What a factor cuts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Intervals without a record.
    Gaps {
        /// How many.
        intervals: u64,
    },
    /// Values that cannot be.
    Implausible {
        /// Values outside the tariff's range.
        out_of_range: u32,
        /// Values in range that changed faster than the tariff finds plausible.
        steep: u32,
    },
    /// Means that lie further from the neighbours' median than the tariff tolerates.
    Disagrees {
        /// How many.
        comparisons: u32,
    },
    /// Records that came late.
    Late {
        /// How many.
        records: u32,
    },
    /// Identical values beyond what the tariff pays in a row.
    Repeated {
        /// How many.
        records: u32,
    },
    /// The series is another device's: nothing is paid.
    Copied {
        /// Who sent it first.
        original: DeviceId,
    },
}

impl Cut {
    /// The reason's word in encodings and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gaps { .. } => "gaps",
            Self::Implausible { .. } => "implausible",
            Self::Disagrees { .. } => "disagrees",
            Self::Late { .. } => "late",
            Self::Repeated { .. } => "repeated",
            Self::Copied { .. } => "copied",
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gaps { intervals } => write!(f, "{intervals} expected intervals without a record"),
            Self::Implausible { out_of_range, steep } => {
                write!(f, "{out_of_range} values out of range, {steep} with a step too large")
            }
            Self::Disagrees { comparisons } => {
                write!(f, "{comparisons} means too far from the neighbours' median")
            }
            Self::Late { records } => write!(f, "{records} records came late"),
            Self::Repeated { records } => {
                write!(f, "{records} records repeat the value before them too often in a row")
            }
            Self::Copied { original } => write!(f, "the values are those that device {original} sent first"),
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

impl Factor {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(6)?;
        writer.text(self.name.as_str())?;
        writer.unsigned(self.numerator)?;
        writer.unsigned(self.denominator)?;
        writer.unsigned(self.permille.into())?;
        writer.unsigned(self.amount_microtokens)?;
        write_option(writer, self.cut, write_cut)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 6)?;
        let word = reader.text()?;
        let name = FactorName::ALL.into_iter().find(|name| name.as_str() == word);
        Ok(Self {
            name: name.ok_or(DecodeError::Unexpected)?,
            numerator: reader.unsigned()?,
            denominator: reader.unsigned()?,
            permille: reader.unsigned_32()?,
            amount_microtokens: reader.unsigned()?,
            cut: read_option(reader, read_cut)?,
        })
    }
}

fn write_cut(writer: &mut Writer<'_>, cut: Cut) -> Written {
    let items = if matches!(cut, Cut::Implausible { .. }) { 3 } else { 2 };
    writer.array_header(items)?;
    writer.text(cut.as_str())?;
    match cut {
        Cut::Gaps { intervals } => writer.unsigned(intervals),
        Cut::Implausible { out_of_range, steep } => {
            writer.unsigned(out_of_range.into())?;
            writer.unsigned(steep.into())
        }
        Cut::Disagrees { comparisons: count }
        | Cut::Late { records: count }
        | Cut::Repeated { records: count } => writer.unsigned(count.into()),
        Cut::Copied { original } => writer.bytes(original.as_bytes()),
    }
}

fn read_cut(reader: &mut Reader<'_>) -> Read<Cut> {
    let items = reader.array_header()?;
    Ok(match (reader.text()?, items) {
        ("gaps", 2) => Cut::Gaps { intervals: reader.unsigned()? },
        ("implausible", 3) => {
            let out_of_range = reader.unsigned_32()?;
            Cut::Implausible { out_of_range, steep: reader.unsigned_32()? }
        }
        ("disagrees", 2) => Cut::Disagrees { comparisons: reader.unsigned_32()? },
        ("late", 2) => Cut::Late { records: reader.unsigned_32()? },
        ("repeated", 2) => Cut::Repeated { records: reader.unsigned_32()? },
        ("copied", 2) => Cut::Copied { original: DeviceId(*reader.byte_array()?) },
        _ => return Err(DecodeError::Unexpected),
    })
}
