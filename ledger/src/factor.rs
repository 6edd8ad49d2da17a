//! Factors of quality: each with its counts, its thousandths and the amount that it leaves, and what it cut for.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use core::fmt;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::DeviceId;

/// Thousandths of the whole.
pub const WHOLE_PERMILLE: u32 = 1_000;

/// A share in thousandths: min(1000, floor(1000 × numerator ÷ denominator)); nothing of nothing is nothing.
///
/// ```
/// use ledger::factor::permille_of;
/// assert_eq!((permille_of(11, 12), permille_of(13, 12), permille_of(0, 0)), (916, 1_000, 0));
/// ```
#[must_use]
pub fn permille_of(numerator: u64, denominator: u64) -> u32 {
    let scaled = u128::from(numerator).saturating_mul(WHOLE_PERMILLE.into());
    let permille = scaled.checked_div(denominator.into()).unwrap_or(0);
    u32::try_from(permille).unwrap_or(WHOLE_PERMILLE).min(WHOLE_PERMILLE)
}

/// What a factor leaves of an amount: floor(amount × permille ÷ 1000), of at most the whole.
///
/// ```
/// assert_eq!(ledger::factor::part_of(1_001, 999), 999);
/// ```
#[must_use]
pub fn part_of(amount_microtokens: u64, permille: u32) -> u64 {
    let scaled = u128::from(amount_microtokens).saturating_mul(permille.min(WHOLE_PERMILLE).into());
    let part = scaled.checked_div(WHOLE_PERMILLE.into()).and_then(|part| u64::try_from(part).ok());
    part.expect("a part is at most the whole")
}

/// Which factor of quality it is, in the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactorName {
    /// Intervals with a record against intervals expected.
    Completeness,
    /// Records within range and step against all.
    Plausibility,
    /// Whether the series is like a sensor's and like those of its neighbours: all or nothing.
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
        /// Present when so few were plausible that none is believed: the least share in thousandths.
        believed_from_permille: Option<u32>,
    },
    /// The series is not like a sensor's, or not like those around it: nothing is paid.
    Disagrees(Disagreement),
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
    /// The series is the device's own of the epoch before: nothing is paid.
    Replayed,
}

/// What a series was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// With noise: values that do not depend on those before them.
    NoiseOnly,
    /// With a curve: values that hardly ever turn.
    TooSmooth,
    /// Its level with the neighbours', above.
    LevelHigh,
    /// Its level with the neighbours', below.
    LevelLow,
    /// How it changed over the epoch with how the neighbours did.
    Drift,
    /// Its course over the epoch with the neighbours'.
    Shape,
    /// Its distance from the neighbours.
    Difference,
}

impl Comparison {
    const ALL: [Self; 7] = [
        Self::NoiseOnly,
        Self::TooSmooth,
        Self::LevelHigh,
        Self::LevelLow,
        Self::Drift,
        Self::Shape,
        Self::Difference,
    ];

    /// The reason's word in encodings and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoiseOnly => "noise_only",
            Self::TooSmooth => "too_smooth",
            Self::LevelHigh => "level_high",
            Self::LevelLow => "level_low",
            Self::Drift => "drift",
            Self::Shape => "shape",
            Self::Difference => "difference",
        }
    }
}

/// A comparison that failed: what was found, and what the tariff allows. In thousandths; a difference in millionths of
/// the quantity's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Which one.
    pub comparison: Comparison,
    /// What was found; `u64::MAX` where the neighbours' level is zero.
    pub found: u64,
    /// What is allowed.
    pub limit: u64,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { comparison, found, limit } = self;
        let (what, bound) = match comparison {
            Comparison::NoiseOnly => {
                ("the values do not depend on those before: their ratio is", "less than")
            }
            Comparison::TooSmooth => ("the values turn too rarely: their share of turns is", "at least"),
            Comparison::LevelHigh => ("the level in terms of the neighbours' is", "at most"),
            Comparison::LevelLow => ("the level in terms of the neighbours' is", "at least"),
            Comparison::Drift => ("the change over the epoch in terms of the neighbours' is", "at most"),
            Comparison::Shape => {
                ("the change between parts of the epoch in terms of the neighbours' is", "at most")
            }
            Comparison::Difference => {
                return write!(
                    f,
                    "the level lies {found} millionths of a unit from the neighbours', at most {limit} are believed"
                );
            }
        };
        write!(f, "{what} {found} thousandths, {bound} {limit} are believed")
    }
}

impl Cut {
    /// The reason's word in encodings and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gaps { .. } => "gaps",
            Self::Implausible { .. } => "implausible",
            Self::Disagrees(Disagreement { comparison, .. }) => comparison.as_str(),
            Self::Late { .. } => "late",
            Self::Repeated { .. } => "repeated",
            Self::Copied { .. } => "copied",
            Self::Replayed => "replayed",
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gaps { intervals } => write!(f, "{intervals} expected intervals without a record"),
            Self::Implausible { out_of_range, steep, believed_from_permille } => {
                write!(f, "{out_of_range} values out of range, {steep} with a step too large")?;
                believed_from_permille.map_or(Ok(()), |permille| {
                    write!(f, "; none is believed when fewer than {permille} in a thousand are plausible")
                })
            }
            Self::Disagrees(disagreement) => disagreement.fmt(f),
            Self::Late { records } => write!(f, "{records} records came late"),
            Self::Repeated { records } => {
                write!(f, "{records} records repeat the value before them too often in a row")
            }
            Self::Copied { original } => write!(f, "the values are those that device {original} sent first"),
            Self::Replayed => f.write_str("the values are those that it sent in the epoch before"),
        }
    }
}

impl Factor {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(6)?;
        writer.text(self.name.as_str())?;
        writer.unsigned(self.numerator)?;
        writer.unsigned(self.denominator)?;
        writer.unsigned(self.permille.into())?;
        writer.unsigned(self.amount_microtokens)?;
        write_option(writer, self.cut, write_cut)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
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
    let numbers: usize = match cut {
        Cut::Implausible { .. } => 3,
        Cut::Disagrees(_) => 2,
        Cut::Replayed => 0,
        _ => 1,
    };
    writer.array_header(numbers.saturating_add(1))?;
    writer.text(cut.as_str())?;
    match cut {
        Cut::Gaps { intervals } => writer.unsigned(intervals),
        Cut::Implausible { out_of_range, steep, believed_from_permille } => {
            writer.unsigned(out_of_range.into())?;
            writer.unsigned(steep.into())?;
            write_option(writer, believed_from_permille, |writer, permille| writer.unsigned(permille.into()))
        }
        Cut::Disagrees(Disagreement { found, limit, .. }) => {
            writer.unsigned(found)?;
            writer.unsigned(limit)
        }
        Cut::Late { records } | Cut::Repeated { records } => writer.unsigned(records.into()),
        Cut::Copied { original } => writer.bytes(original.as_bytes()),
        Cut::Replayed => Ok(()),
    }
}

fn read_cut(reader: &mut Reader<'_>) -> Read<Cut> {
    let numbers = reader.array_header()?.saturating_sub(1);
    Ok(match (reader.text()?, numbers) {
        ("gaps", 1) => Cut::Gaps { intervals: reader.unsigned()? },
        ("implausible", 3) => Cut::Implausible {
            out_of_range: reader.unsigned_32()?,
            steep: reader.unsigned_32()?,
            believed_from_permille: read_option(reader, Reader::unsigned_32)?,
        },
        ("late", 1) => Cut::Late { records: reader.unsigned_32()? },
        ("repeated", 1) => Cut::Repeated { records: reader.unsigned_32()? },
        ("copied", 1) => Cut::Copied { original: DeviceId(*reader.byte_array()?) },
        ("replayed", 0) => Cut::Replayed,
        (word, 2) => {
            let comparison = Comparison::ALL.into_iter().find(|comparison| comparison.as_str() == word);
            let comparison = comparison.ok_or(DecodeError::Unexpected)?;
            let found = reader.unsigned()?;
            Cut::Disagrees(Disagreement { comparison, found, limit: reader.unsigned()? })
        }
        _ => return Err(DecodeError::Unexpected),
    })
}
