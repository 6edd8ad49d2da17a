//! The price list and the rule of quality: what an accepted record of each quantity pays, for how many of them, and
//! what is expected of them.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::limits::{
    CELL_RESOLUTION_MAX, INTERVAL_SECONDS_MAX, LATE_AFTER_SECONDS_MAX, PAID_RECORDS_MAX, PERMILLE_MAX,
    PRICE_MICROTOKENS_MAX, QUANTITY_NAME_BYTES_MAX, TARIFF_QUANTITIES_MAX, UNIT_BYTES_MAX, VALUE_MAX,
};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use devices::Decimal;
use devices::cbor::{DecodeError, Reader, Writer};
use serde::{Deserialize, Serialize};

/// One line of the price list, with what its records are expected to be like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// The records' full SenML name: base name and name.
    pub name: String,
    /// The unit they must have, a SenML unit.
    pub unit: String,
    /// What one accepted record pays.
    #[serde(with = "crate::genesis::decimal_text")]
    pub price_microtokens: u64,
    /// How many records are paid, per device and epoch.
    pub paid_records_max: u32,
    /// The least value that is plausible.
    #[serde(with = "number_text")]
    pub minimum: Decimal,
    /// The greatest value that is plausible.
    #[serde(with = "number_text")]
    pub maximum: Decimal,
    /// The largest plausible change in a minute; what is less than a minute apart may differ by as much.
    #[serde(with = "number_text")]
    pub step_per_minute_max: Decimal,
    /// At least one record is expected in each interval of this length.
    pub interval_seconds: u32,
    /// How many identical values in a row are paid; the further ones are not.
    pub repeats_max: u32,
    /// The share of plausible records, in thousandths, below which none of them is believed; 0 believes those that are.
    pub plausible_min_permille: u32,
    /// How rough or smooth a series may be; not judged where it is absent.
    pub texture: Option<TextureBounds>,
    /// How far a device may lie from its neighbours; they are not compared where it is absent.
    pub neighbours: Option<NeighbourTolerance>,
}

/// What a sensor's series looks like that somebody made up: noise without a past, or a curve without noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextureBounds {
    /// Von Neumann's ratio (mean square of successive differences over the variance) in thousandths that is noise; 2000
    /// is what independent values give.
    pub noise_max_permille: u32,
    /// Changes of direction over changes, in thousandths, below which it is no measurement: independent values turn 667
    /// times, a random walk 500 times, a curve hardly ever.
    pub turns_min_permille: u32,
}

/// How far a device may lie from the median of its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NeighbourTolerance {
    /// For quantities with a zero that means none: by how many times.
    Ratio {
        /// Its level in thousandths of the neighbours', at least.
        level_min_permille: u32,
        /// The same, at most.
        level_max_permille: u32,
        /// How its level at the end compares with that at the beginning, in thousandths of how the neighbours' do.
        ends_max_permille: u32,
        /// The same between any two thirds of the epoch.
        thirds_max_permille: u32,
    },
    /// For quantities whose zero is a convention, such as degrees: by how much.
    Difference {
        /// Between its level and the neighbours', in the quantity's unit.
        #[serde(with = "number_text")]
        level_max: Decimal,
    },
}

/// The versioned price list and the rule of quality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Grows with every change.
    pub version: u32,
    /// The resolution of the H3 cells whose devices share a budget.
    pub cell_resolution: u8,
    /// What all devices of one cell are paid together in an epoch, at most.
    #[serde(with = "crate::genesis::decimal_text")]
    pub cell_budget_microtokens: u64,
    /// The resolution of the larger H3 cells whose devices are neighbours.
    pub neighbour_resolution: u8,
    /// Where there are too few of them, they are looked for in ever larger cells, down to this resolution.
    pub neighbour_resolution_min: u8,
    /// A record is late when its time lies further than this behind the block that accepts it.
    pub late_after_seconds: u32,
    /// What a late record counts for, in thousandths of one on time.
    pub late_permille: u32,
    /// The quantities that are paid; no (name, unit) twice.
    pub quantities: Vec<Quantity>,
}

/// What is wrong with a tariff.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// Not the JSON of a tariff.
    #[error("the tariff is not valid JSON of the known fields: {0}")]
    Json(String),
    /// A resolution that H3 does not have, or neighbours nearer than a cell.
    #[error(
        "the tariff's cells have resolutions 0 to {CELL_RESOLUTION_MAX}; neighbours are looked for in cells as large \
         or larger, the largest last"
    )]
    Resolution,
    /// Lateness above the bound.
    #[error("the tariff calls records late after at most {LATE_AFTER_SECONDS_MAX} seconds")]
    LateAfter,
    /// A share above the whole.
    #[error("the tariff counts a late record for at most 1000 thousandths of one on time")]
    LatePermille,
    /// More quantities than a tariff may have.
    #[error("a tariff has at most {TARIFF_QUANTITIES_MAX} quantities")]
    TooManyQuantities,
    /// An empty or overlong name or unit.
    #[error("the tariff's quantity {0:?} has an empty or overlong name or unit")]
    Name(String),
    /// The same name and unit twice.
    #[error("the tariff names the quantity {0:?} twice with the same unit")]
    Twice(String),
    /// A price above the bound.
    #[error("the tariff's price for {0:?} exceeds {PRICE_MICROTOKENS_MAX} micro-tokens")]
    Price(String),
    /// A cap above the bound.
    #[error("the tariff pays more than {PAID_RECORDS_MAX} records of {0:?} a device and epoch")]
    PaidRecords(String),
    /// A minimum above the maximum, or one of them beyond the bound.
    #[error("the tariff's minimum of {0:?} lies above its maximum, or one of them beyond {VALUE_MAX}")]
    Range(String),
    /// A step of nothing, or less.
    #[error("the tariff's largest step of {0:?} is not above zero")]
    Step(String),
    /// An interval of nothing, or above the bound.
    #[error("the tariff's interval of {0:?} is not 1 to {INTERVAL_SECONDS_MAX} seconds")]
    Interval(String),
    /// Not even the first of identical values would be paid.
    #[error("the tariff pays no value of {0:?} even once: repeats_max is zero")]
    Repeats(String),
    /// A share above the whole.
    #[error("the tariff wants more than 1000 thousandths of the records of {0:?} to be plausible")]
    PlausibleShare(String),
    /// Thousandths above the bound.
    #[error("the tariff's texture of {0:?} has thousandths above {PERMILLE_MAX}")]
    Texture(String),
    /// A tolerance that is none, or that does not fit the quantity.
    #[error(
        "the tariff's tolerance between neighbours of {0:?} is negative, above {PERMILLE_MAX} thousandths, or a ratio of \
         a quantity that may be negative"
    )]
    Tolerance(String),
}

impl Tariff {
    /// Reads a tariff's JSON; unknown fields are refused.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn from_json(json: &str) -> Result<Self, TariffError> {
        let tariff: Self =
            serde_json::from_str(json).map_err(|error| TariffError::Json(error.to_string()))?;
        tariff.validate().map(|()| tariff)
    }

    /// The tariff as JSON, the same text for the same tariff.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("plain text and integers always serialise");
        json.push('\n');
        json
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// The first bound that is exceeded.
    pub fn validate(&self) -> Result<(), TariffError> {
        let resolutions = [
            CELL_RESOLUTION_MAX,
            self.cell_resolution,
            self.neighbour_resolution,
            self.neighbour_resolution_min,
        ];
        if !resolutions.is_sorted_by(|finer, coarser| finer >= coarser) {
            return Err(TariffError::Resolution);
        }
        if self.late_after_seconds > LATE_AFTER_SECONDS_MAX {
            return Err(TariffError::LateAfter);
        }
        if self.late_permille > 1_000 {
            return Err(TariffError::LatePermille);
        }
        if self.quantities.len() > TARIFF_QUANTITIES_MAX {
            return Err(TariffError::TooManyQuantities);
        }
        for (at, quantity) in self.quantities.iter().enumerate() {
            quantity.validate()?;
            let same = |other: &Quantity| other.name == quantity.name && other.unit == quantity.unit;
            if self.quantities.iter().take(at).any(same) {
                return Err(TariffError::Twice(quantity.name.clone()));
            }
        }
        Ok(())
    }
}

impl Quantity {
    fn validate(&self) -> Result<(), TariffError> {
        let name = || self.name.clone();
        let lengths_hold = (1..=QUANTITY_NAME_BYTES_MAX).contains(&self.name.len())
            && (1..=UNIT_BYTES_MAX).contains(&self.unit.len());
        let largest = Decimal::from(VALUE_MAX);
        let bounded = |value: Decimal| value.nanos().abs() <= largest.nanos();
        let texture_holds = |bounds: TextureBounds| {
            bounds.noise_max_permille <= PERMILLE_MAX && bounds.turns_min_permille <= PERMILLE_MAX
        };
        let tolerance_holds = |tolerance: NeighbourTolerance| tolerance.is_for(self.minimum);
        if !lengths_hold {
            Err(TariffError::Name(name()))
        } else if self.price_microtokens > PRICE_MICROTOKENS_MAX {
            Err(TariffError::Price(name()))
        } else if self.paid_records_max > PAID_RECORDS_MAX {
            Err(TariffError::PaidRecords(name()))
        } else if self.minimum > self.maximum || !bounded(self.minimum) || !bounded(self.maximum) {
            Err(TariffError::Range(name()))
        } else if self.step_per_minute_max <= Decimal::ZERO {
            Err(TariffError::Step(name()))
        } else if !(1..=INTERVAL_SECONDS_MAX).contains(&self.interval_seconds) {
            Err(TariffError::Interval(name()))
        } else if self.repeats_max == 0 {
            Err(TariffError::Repeats(name()))
        } else if self.plausible_min_permille > 1_000 {
            Err(TariffError::PlausibleShare(name()))
        } else if !self.texture.is_none_or(texture_holds) {
            Err(TariffError::Texture(name()))
        } else if !self.neighbours.is_none_or(tolerance_holds) {
            Err(TariffError::Tolerance(name()))
        } else {
            Ok(())
        }
    }
}

impl NeighbourTolerance {
    fn is_for(self, minimum: Decimal) -> bool {
        match self {
            Self::Ratio {
                level_min_permille,
                level_max_permille,
                ends_max_permille,
                thirds_max_permille,
            } => {
                let all = [level_min_permille, level_max_permille, ends_max_permille, thirds_max_permille];
                minimum >= Decimal::ZERO && all.into_iter().all(|permille| permille <= PERMILLE_MAX)
            }
            Self::Difference { level_max } => level_max >= Decimal::ZERO,
        }
    }
}

impl Default for Tariff {
    /// A devnet's first price list: what a street sensor measures, fine dust dearest. A cell's budget is what about
    /// four devices earn that send every quantity all the time.
    fn default() -> Self {
        Self {
            version: 1,
            cell_resolution: 9,
            cell_budget_microtokens: 2_000_000,
            neighbour_resolution: 7,
            neighbour_resolution_min: 5,
            late_after_seconds: 300,
            late_permille: 500,
            quantities: alloc::vec![
                street_quantity(["temp", "Cel"], 1_000, [-40, 60], 5, Some(within(8))),
                street_quantity(["hum", "%RH"], 1_000, [0, 100], 20, Some(within(40))),
                street_quantity(["pm2.5", "ug/m3"], 2_500, [0, 1_000], 100, Some(FEW_TIMES)),
                street_quantity(["pm10", "ug/m3"], 2_500, [0, 2_000], 200, Some(FEW_TIMES)),
                street_quantity(["noise", "dB"], 1_500, [0, 140], 100, None),
            ],
        }
    }
}

/// A quantity of the devnet: a record every ten seconds or oftener, sixty paid.
fn street_quantity(
    [name, unit]: [&str; 2],
    price_microtokens: u64,
    [minimum, maximum]: [i32; 2],
    step_per_minute_max: u32,
    neighbours: Option<NeighbourTolerance>,
) -> Quantity {
    Quantity {
        name: name.to_owned(),
        unit: unit.to_owned(),
        price_microtokens,
        paid_records_max: 60,
        minimum: minimum.into(),
        maximum: maximum.into(),
        step_per_minute_max: step_per_minute_max.into(),
        interval_seconds: 10,
        repeats_max: 20,
        plausible_min_permille: 900,
        texture: None,
        neighbours,
    }
}

/// Dust differs from street to street by a few times, not more.
const FEW_TIMES: NeighbourTolerance = NeighbourTolerance::Ratio {
    level_min_permille: 250,
    level_max_permille: 3_000,
    ends_max_permille: 2_200,
    thirds_max_permille: 3_000,
};

fn within(level_max: u32) -> NeighbourTolerance {
    NeighbourTolerance::Difference { level_max: level_max.into() }
}

/// Writes a tariff as it stands in the state and in instructions.
pub(crate) fn write_tariff(writer: &mut Writer<'_>, tariff: &Tariff) -> Written {
    writer.array_header(8)?;
    writer.unsigned(tariff.version.into())?;
    writer.unsigned(tariff.cell_resolution.into())?;
    writer.unsigned(tariff.cell_budget_microtokens)?;
    writer.unsigned(tariff.neighbour_resolution.into())?;
    writer.unsigned(tariff.neighbour_resolution_min.into())?;
    writer.unsigned(tariff.late_after_seconds.into())?;
    writer.unsigned(tariff.late_permille.into())?;
    writer.array_header(tariff.quantities.len())?;
    tariff.quantities.iter().try_for_each(|quantity| write_quantity(writer, quantity))
}

fn write_quantity(writer: &mut Writer<'_>, quantity: &Quantity) -> Written {
    writer.array_header(12)?;
    writer.text(&quantity.name)?;
    writer.text(&quantity.unit)?;
    writer.unsigned(quantity.price_microtokens)?;
    writer.unsigned(quantity.paid_records_max.into())?;
    write_number(writer, quantity.minimum)?;
    write_number(writer, quantity.maximum)?;
    write_number(writer, quantity.step_per_minute_max)?;
    writer.unsigned(quantity.interval_seconds.into())?;
    writer.unsigned(quantity.repeats_max.into())?;
    writer.unsigned(quantity.plausible_min_permille.into())?;
    write_option(writer, quantity.texture, |writer, bounds| {
        writer.array_header(2)?;
        writer.unsigned(bounds.noise_max_permille.into())?;
        writer.unsigned(bounds.turns_min_permille.into())
    })?;
    write_option(writer, quantity.neighbours, write_tolerance)
}

/// Four numbers for a ratio, one for a difference.
fn write_tolerance(writer: &mut Writer<'_>, tolerance: NeighbourTolerance) -> Written {
    match tolerance {
        NeighbourTolerance::Ratio {
            level_min_permille,
            level_max_permille,
            ends_max_permille,
            thirds_max_permille,
        } => {
            writer.array_header(4)?;
            [level_min_permille, level_max_permille, ends_max_permille, thirds_max_permille]
                .into_iter()
                .try_for_each(|permille| writer.unsigned(permille.into()))
        }
        NeighbourTolerance::Difference { level_max } => {
            writer.array_header(1)?;
            write_number(writer, level_max)
        }
    }
}

/// Reads what [`write_tariff`] wrote; its bounds are the caller's to check, with [`Tariff::validate`].
pub(crate) fn read_tariff(reader: &mut Reader<'_>) -> Read<Tariff> {
    array_of(reader, 8)?;
    let small =
        |reader: &mut Reader<'_>| u8::try_from(reader.unsigned()?).map_err(|_| DecodeError::OutOfRange);
    Ok(Tariff {
        version: reader.unsigned_32()?,
        cell_resolution: small(reader)?,
        cell_budget_microtokens: reader.unsigned()?,
        neighbour_resolution: small(reader)?,
        neighbour_resolution_min: small(reader)?,
        late_after_seconds: reader.unsigned_32()?,
        late_permille: reader.unsigned_32()?,
        quantities: {
            let quantities = reader.array_header()?;
            (0..quantities).map(|_| read_quantity(reader)).collect::<Read<_>>()?
        },
    })
}

fn read_quantity(reader: &mut Reader<'_>) -> Read<Quantity> {
    array_of(reader, 12)?;
    Ok(Quantity {
        name: reader.text()?.to_owned(),
        unit: reader.text()?.to_owned(),
        price_microtokens: reader.unsigned()?,
        paid_records_max: reader.unsigned_32()?,
        minimum: read_number(reader)?,
        maximum: read_number(reader)?,
        step_per_minute_max: read_number(reader)?,
        interval_seconds: reader.unsigned_32()?,
        repeats_max: reader.unsigned_32()?,
        plausible_min_permille: reader.unsigned_32()?,
        texture: read_option(reader, |reader| {
            array_of(reader, 2)?;
            let noise_max_permille = reader.unsigned_32()?;
            Ok(TextureBounds { noise_max_permille, turns_min_permille: reader.unsigned_32()? })
        })?,
        neighbours: read_option(reader, read_tolerance)?,
    })
}

fn read_tolerance(reader: &mut Reader<'_>) -> Read<NeighbourTolerance> {
    match reader.array_header()? {
        4 => Ok(NeighbourTolerance::Ratio {
            level_min_permille: reader.unsigned_32()?,
            level_max_permille: reader.unsigned_32()?,
            ends_max_permille: reader.unsigned_32()?,
            thirds_max_permille: reader.unsigned_32()?,
        }),
        1 => Ok(NeighbourTolerance::Difference { level_max: read_number(reader)? }),
        _ => Err(DecodeError::Unexpected),
    }
}

/// A number as its decimal text: the same everywhere, and no float.
fn write_number(writer: &mut Writer<'_>, number: Decimal) -> Written {
    writer.text(&number.to_string())
}

fn read_number(reader: &mut Reader<'_>) -> Read<Decimal> {
    number_of(reader.text()?).ok_or(DecodeError::OutOfRange)
}

/// The number that a text is the one way to write.
fn number_of(text: &str) -> Option<Decimal> {
    let number: Decimal = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Numbers in JSON: decimal text, exact in every reader.
mod number_text {
    use alloc::string::String;
    use devices::Decimal;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::number_of(&text).ok_or(D::Error::custom("a number must be decimal text such as \"-12.5\""))
    }
}
