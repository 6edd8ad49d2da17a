//! The price list and the rule of quality: what an accepted record of each quantity pays, for how many of them, and
//! what is expected of them.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::limits::{
    CELL_RESOLUTION_MAX, INTERVAL_SECONDS_MAX, LATE_AFTER_SECONDS_MAX, PAID_RECORDS_MAX,
    PRICE_MICROTOKENS_MAX, QUANTITY_NAME_BYTES_MAX, TARIFF_QUANTITIES_MAX, UNIT_BYTES_MAX,
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
    /// How far a device may lie from its neighbours; they are not compared where it is absent.
    pub neighbours: Option<NeighbourTolerance>,
}

/// How far a device's mean may lie from the median of its neighbours' means: `difference_max`, or `permille_max`
/// thousandths of that median where this is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourTolerance {
    /// In the quantity's unit.
    #[serde(with = "number_text")]
    pub difference_max: Decimal,
    /// In thousandths of the median.
    pub permille_max: u32,
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
        "the tariff's cells have resolutions 0 to {CELL_RESOLUTION_MAX}, and neighbours share a cell as large or larger"
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
    /// A minimum above the maximum.
    #[error("the tariff's minimum of {0:?} lies above its maximum")]
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
    /// A tolerance below zero.
    #[error("the tariff's tolerance between neighbours of {0:?} is negative")]
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
        if self.cell_resolution > CELL_RESOLUTION_MAX || self.neighbour_resolution > self.cell_resolution {
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
        let tolerance_holds = |tolerance: NeighbourTolerance| tolerance.difference_max >= Decimal::ZERO;
        if !lengths_hold {
            Err(TariffError::Name(name()))
        } else if self.price_microtokens > PRICE_MICROTOKENS_MAX {
            Err(TariffError::Price(name()))
        } else if self.paid_records_max > PAID_RECORDS_MAX {
            Err(TariffError::PaidRecords(name()))
        } else if self.minimum > self.maximum {
            Err(TariffError::Range(name()))
        } else if self.step_per_minute_max <= Decimal::ZERO {
            Err(TariffError::Step(name()))
        } else if !(1..=INTERVAL_SECONDS_MAX).contains(&self.interval_seconds) {
            Err(TariffError::Interval(name()))
        } else if self.repeats_max == 0 {
            Err(TariffError::Repeats(name()))
        } else if !self.neighbours.is_none_or(tolerance_holds) {
            Err(TariffError::Tolerance(name()))
        } else {
            Ok(())
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
            late_after_seconds: 300,
            late_permille: 500,
            quantities: alloc::vec![
                street_quantity(["temp", "Cel"], 1_000, [-40, 60], 5, Some([8, 0])),
                street_quantity(["hum", "%RH"], 1_000, [0, 100], 20, Some([35, 0])),
                street_quantity(["pm2.5", "ug/m3"], 2_500, [0, 1_000], 100, Some([25, 1_000])),
                street_quantity(["pm10", "ug/m3"], 2_500, [0, 2_000], 200, Some([40, 1_000])),
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
    tolerance: Option<[u32; 2]>,
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
        neighbours: tolerance.map(|[difference_max, permille_max]| NeighbourTolerance {
            difference_max: difference_max.into(),
            permille_max,
        }),
    }
}

/// Writes a tariff as it stands in the state and in instructions.
pub(crate) fn write_tariff(writer: &mut Writer<'_>, tariff: &Tariff) -> Written {
    writer.array_header(7)?;
    writer.unsigned(tariff.version.into())?;
    writer.unsigned(tariff.cell_resolution.into())?;
    writer.unsigned(tariff.cell_budget_microtokens)?;
    writer.unsigned(tariff.neighbour_resolution.into())?;
    writer.unsigned(tariff.late_after_seconds.into())?;
    writer.unsigned(tariff.late_permille.into())?;
    writer.array_header(tariff.quantities.len())?;
    tariff.quantities.iter().try_for_each(|quantity| write_quantity(writer, quantity))
}

fn write_quantity(writer: &mut Writer<'_>, quantity: &Quantity) -> Written {
    writer.array_header(10)?;
    writer.text(&quantity.name)?;
    writer.text(&quantity.unit)?;
    writer.unsigned(quantity.price_microtokens)?;
    writer.unsigned(quantity.paid_records_max.into())?;
    write_number(writer, quantity.minimum)?;
    write_number(writer, quantity.maximum)?;
    write_number(writer, quantity.step_per_minute_max)?;
    writer.unsigned(quantity.interval_seconds.into())?;
    writer.unsigned(quantity.repeats_max.into())?;
    write_option(writer, quantity.neighbours, |writer, tolerance| {
        writer.array_header(2)?;
        write_number(writer, tolerance.difference_max)?;
        writer.unsigned(tolerance.permille_max.into())
    })
}

/// Reads what [`write_tariff`] wrote; its bounds are the caller's to check, with [`Tariff::validate`].
pub(crate) fn read_tariff(reader: &mut Reader<'_>) -> Read<Tariff> {
    array_of(reader, 7)?;
    let small =
        |reader: &mut Reader<'_>| u8::try_from(reader.unsigned()?).map_err(|_| DecodeError::OutOfRange);
    Ok(Tariff {
        version: reader.unsigned_32()?,
        cell_resolution: small(reader)?,
        cell_budget_microtokens: reader.unsigned()?,
        neighbour_resolution: small(reader)?,
        late_after_seconds: reader.unsigned_32()?,
        late_permille: reader.unsigned_32()?,
        quantities: {
            let quantities = reader.array_header()?;
            (0..quantities).map(|_| read_quantity(reader)).collect::<Read<_>>()?
        },
    })
}

fn read_quantity(reader: &mut Reader<'_>) -> Read<Quantity> {
    array_of(reader, 10)?;
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
        neighbours: read_option(reader, |reader| {
            array_of(reader, 2)?;
            let difference_max = read_number(reader)?;
            Ok(NeighbourTolerance { difference_max, permille_max: reader.unsigned_32()? })
        })?,
    })
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
