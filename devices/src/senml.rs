//! SenML packs in CBOR (RFC 8428 §6): what was measured, with its name, unit and time.
use core::fmt;

use crate::cbor::{DecodeError, EncodeError, Kind, Reader, Writer};
use crate::decimal::{Decimal, DecimalError};
use crate::limits::{
    BASE_TIME_MIN, NAME_BYTES_MAX, OFFSET_SECONDS_MAX, PACK_BYTES_MAX, RECORDS_MAX, UNIT_BYTES_MAX,
};

/// The base version that RFC 8428 starts from.
pub const BASE_VERSION: u8 = 10;
/// The base version of packs that use a secondary unit (RFC 9100 §5: 10 + 2^4).
pub const BASE_VERSION_SECONDARY_UNITS: u8 = 26;

const TAG_DECIMAL: u64 = 4;

/// The secondary units of RFC 8798 §3.
const SECONDARY_UNITS: [&str; 33] = [
    "ms", "min", "h", "MHz", "kW", "kVA", "kvar", "Ah", "Wh", "kWh", "varh", "kvarh", "kVAh", "Wh/km", "KiB",
    "GB", "Mbit/s", "B/s", "MB/s", "mV", "mA", "dBm", "ug/m3", "mm/h", "m/h", "ppm", "/100", "/1000", "hPa",
    "mm", "cm", "km", "km/h",
];

/// Why bytes or records are not a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PackError {
    /// The bytes are not deterministic CBOR of the expected kinds.
    #[error("the pack is not deterministic CBOR: {0}")]
    Cbor(#[from] DecodeError),
    /// The pack does not fit into the output.
    #[error("the pack cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// The number is not a decimal of the wire, or not in its normal form.
    #[error("a value is not a normalised decimal")]
    Decimal,
    /// There are no records, or too many.
    #[error("a pack holds 1 to 64 records")]
    RecordCount,
    /// The pack is longer than any envelope can hold.
    #[error("the pack does not fit into an envelope")]
    TooLong,
    /// A record holds a key that stands for nothing here, or a base field after the first record.
    #[error("a record holds a field that is not allowed there")]
    Field,
    /// A record holds no value, or two.
    #[error("a record holds exactly one value")]
    Value,
    /// A name is not 1 to 32 of SenML's characters, an alphanumeric first.
    #[error("a name is not 1 to 32 of the characters A-Z a-z 0-9 - : . / _ with an alphanumeric first")]
    Name,
    /// A record has neither a name nor a base name.
    #[error("a record has no name")]
    NoName,
    /// A unit is not 1 to 16 bytes long.
    #[error("a unit is not 1 to 16 bytes long")]
    Unit,
    /// The base version is neither 10 nor 26.
    #[error("the base version is neither 10 nor 26")]
    Version,
    /// A secondary unit stands in a pack whose base version is not 26.
    #[error("a secondary unit needs base version 26")]
    SecondaryUnit,
    /// The base time is relative.
    #[error("the base time is not absolute")]
    BaseTime,
    /// A record's time lies more than a day from the base time.
    #[error("a record's time lies more than 86400 seconds from the base time")]
    Offset,
}

impl From<DecimalError> for PackError {
    fn from(_: DecimalError) -> PackError {
        PackError::Decimal
    }
}

/// What a record says: `v` as an exact number, or `vb`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number.
    Number(Decimal),
    /// A yes or no.
    Boolean(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(out),
            Value::Boolean(boolean) => boolean.fmt(out),
        }
    }
}

/// The base fields, which stand in the first record for the whole pack (RFC 8428 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Base<'a> {
    /// `bver`: 10 or 26; 10 where absent.
    pub version: Option<u8>,
    /// `bn`: a prefix of every name.
    pub name: Option<&'a str>,
    /// `bt`: absolute Unix seconds; absent where the device has no clock.
    pub time: Option<u32>,
    /// `bu`: the unit of every record without one of its own.
    pub unit: Option<&'a str>,
}

/// One record as it stands in the pack (RFC 8428 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// `n`: follows the base name.
    pub name: Option<&'a str>,
    /// `u`.
    pub unit: Option<&'a str>,
    /// `v` or `vb`.
    pub value: Value,
    /// `t`: seconds from the base time.
    pub time_offset_seconds: Option<i32>,
}

impl Record<'_> {
    /// A record of nothing but a value; the base fields say the rest.
    pub fn of(value: Value) -> Self {
        Record { name: None, unit: None, value, time_offset_seconds: None }
    }
}

/// One record with the base fields applied (RFC 8428 §4.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResolvedRecord<'a> {
    /// The first part of the name; may be empty.
    pub base_name: &'a str,
    /// The second part of the name; may be empty.
    pub name: &'a str,
    /// The unit, if any.
    pub unit: Option<&'a str>,
    /// What was measured.
    pub value: Value,
    /// When, in Unix seconds; absent where the device has no clock.
    pub time_unix_seconds: Option<i64>,
    /// When, in seconds from the base time, or from the arrival where there is none; 0 where the record says nothing.
    pub time_offset_seconds: i32,
}

impl ResolvedRecord<'_> {
    /// Whether the whole name is `name`.
    pub fn name_is(&self, name: &str) -> bool {
        name.strip_prefix(self.base_name) == Some(self.name)
    }
}

impl fmt::Display for ResolvedRecord<'_> {
    /// `temp 21.5 Cel`
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{} {}", self.base_name, self.name, self.value)?;
        self.unit.map_or(Ok(()), |unit| write!(out, " {unit}"))
    }
}

/// Writes the pack of `base` and `records` into `out` and returns its length; refuses what [`Pack::decode`] would.
pub fn encode_pack(base: &Base<'_>, records: &[Record<'_>], out: &mut [u8]) -> Result<usize, PackError> {
    encode_pack_of(base, records.len(), records.iter().copied(), out)
}

/// The same for `count` records that come one after the other, so that nobody has to hold them all.
pub fn encode_pack_of<'a>(
    base: &Base<'_>,
    count: usize,
    records: impl Iterator<Item = Record<'a>>,
    out: &mut [u8],
) -> Result<usize, PackError> {
    if count == 0 || count > RECORDS_MAX {
        return Err(PackError::RecordCount);
    }
    let mut writer = Writer::new(out);
    writer.array_header(count)?;
    for (place, record) in records.enumerate() {
        let no_base = Base::default();
        encode_record(&mut writer, if place == 0 { base } else { &no_base }, &record)?;
    }
    let length = writer.position();
    // The rules of a pack are written once, in its decoder, which also counts the records.
    Pack::decode(writer.written())?;
    Ok(length)
}

/// The fields in bytewise order of their encoded keys: 0, 1, 2, 4, 6, -1, -2, -3, -4.
fn encode_record(writer: &mut Writer<'_>, base: &Base<'_>, record: &Record<'_>) -> Result<(), PackError> {
    let optional = [
        record.name.is_some(),
        record.unit.is_some(),
        record.time_offset_seconds.is_some(),
        base.version.is_some(),
        base.name.is_some(),
        base.time.is_some(),
        base.unit.is_some(),
    ];
    writer.map_header(1 + optional.iter().filter(|present| **present).count())?;
    field(writer, 0, record.name, |writer, name| writer.text(name))?;
    field(writer, 1, record.unit, |writer, unit| writer.text(unit))?;
    match record.value {
        Value::Number(number) => field(writer, 2, Some(number), encode_decimal)?,
        Value::Boolean(boolean) => field(writer, 4, Some(boolean), |writer, value| writer.boolean(value))?,
    }
    field(writer, 6, record.time_offset_seconds, |writer, offset| writer.integer(offset.into()))?;
    field(writer, -1, base.version, |writer, version| writer.unsigned(version.into()))?;
    field(writer, -2, base.name, |writer, name| writer.text(name))?;
    field(writer, -3, base.time, |writer, time| writer.unsigned(time.into()))?;
    field(writer, -4, base.unit, |writer, unit| writer.text(unit))?;
    Ok(())
}

fn field<T>(
    writer: &mut Writer<'_>,
    label: i128,
    value: Option<T>,
    write: impl FnOnce(&mut Writer<'_>, T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    match value {
        Some(value) => writer.integer(label).and_then(|()| write(writer, value)),
        None => Ok(()),
    }
}

/// A number as records write it; commands write theirs alike.
pub(crate) fn encode_decimal(writer: &mut Writer<'_>, value: Decimal) -> Result<(), EncodeError> {
    if value.exponent() < 0 {
        // RFC 8949 §3.4.4: decimal fraction, [exponent, mantissa].
        writer.tag(TAG_DECIMAL)?;
        writer.array_header(2)?;
        writer.integer(value.exponent().into())?;
    }
    writer.integer(value.mantissa())
}

/// The bytes of a pack that keeps every rule, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Pack<'a> {
    bytes: &'a [u8],
    base: Base<'a>,
    record_count: usize,
    /// The record that the base fields stand in, and where the next one begins: it is decoded once.
    first: Record<'a>,
    second_at: usize,
}

/// What admission asks of a pack without reading it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    /// How many records there are: 1 to 64.
    pub(crate) record_count: u32,
    /// When the earliest and the latest record were taken, in Unix seconds, where there is a base time.
    pub(crate) times_unix_seconds: Option<(i64, i64)>,
}

impl<'a> Pack<'a> {
    /// Checks the bytes of a pack against every rule of the wire.
    pub fn decode(bytes: &'a [u8]) -> Result<Pack<'a>, PackError> {
        Pack::decode_with_extent(bytes).map(|(pack, _)| pack)
    }

    /// The same, with what only a walk over all records tells.
    pub(crate) fn decode_with_extent(bytes: &'a [u8]) -> Result<(Pack<'a>, Extent), PackError> {
        if bytes.len() > PACK_BYTES_MAX {
            return Err(PackError::TooLong);
        }
        let mut reader = Reader::new(bytes);
        let record_count = reader.array_header()?;
        if record_count == 0 || record_count > RECORDS_MAX {
            return Err(PackError::RecordCount);
        }
        let (base, first) = decode_record(&mut reader, true)?;
        let second_at = reader.position();
        check_unit(&base, base.unit)?;
        check(&base, &first)?;
        let offset = first.time_offset_seconds.unwrap_or(0);
        let (mut earliest, mut latest) = (offset, offset);
        for _ in 1..record_count {
            let (_, record) = decode_record(&mut reader, false)?;
            check(&base, &record)?;
            let offset = record.time_offset_seconds.unwrap_or(0);
            (earliest, latest) = (earliest.min(offset), latest.max(offset));
        }
        reader.end()?;
        let at = |time: u32, offset: i32| i64::from(time) + i64::from(offset);
        let extent = Extent {
            record_count: record_count as u32,
            times_unix_seconds: base.time.map(|time| (at(time, earliest), at(time, latest))),
        };
        Ok((Pack { bytes, base, record_count, first, second_at }, extent))
    }

    /// The pack of bytes that [`Pack::decode`] has accepted before.
    pub(crate) fn of_checked(bytes: &'a [u8]) -> Pack<'a> {
        let mut reader = Reader::new(bytes);
        let record_count = reader.array_header().unwrap_or(0);
        let nothing = (Base::default(), Record::of(Value::Boolean(false)));
        let (base, first) = decode_record(&mut reader, true).unwrap_or(nothing);
        Pack { bytes, base, record_count, first, second_at: reader.position() }
    }

    /// The encoded pack.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The base fields.
    pub fn base(&self) -> Base<'a> {
        self.base
    }

    /// How many records there are: 1 to 64.
    pub fn record_count(&self) -> usize {
        self.record_count
    }

    /// The records as they stand.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        reader.skip_to(self.second_at);
        // `decode` has seen that every record decodes, so nothing is cut off here.
        let others = (1..self.record_count).map_while(move |_| decode_record(&mut reader, false).ok());
        core::iter::once(self.first).chain(others.map(|(_, record)| record))
    }

    /// The records with the base fields applied.
    pub fn resolved(&self) -> impl Iterator<Item = ResolvedRecord<'a>> + use<'a> {
        let base = self.base;
        self.records().map(move |record| {
            let offset = record.time_offset_seconds.unwrap_or(0);
            ResolvedRecord {
                base_name: base.name.unwrap_or(""),
                name: record.name.unwrap_or(""),
                unit: record.unit.or(base.unit),
                value: record.value,
                time_unix_seconds: base.time.map(|time| i64::from(time) + i64::from(offset)),
                time_offset_seconds: offset,
            }
        })
    }
}

/// What one record and the base fields must fulfil together.
fn check(base: &Base<'_>, record: &Record<'_>) -> Result<(), PackError> {
    if record.name.is_none() && base.name.is_none() {
        return Err(PackError::NoName);
    }
    check_unit(base, record.unit)
}

fn check_unit(base: &Base<'_>, unit: Option<&str>) -> Result<(), PackError> {
    let allowed = base.version == Some(BASE_VERSION_SECONDARY_UNITS);
    if !allowed && unit.is_some_and(|unit| SECONDARY_UNITS.contains(&unit)) {
        return Err(PackError::SecondaryUnit);
    }
    Ok(())
}

fn decode_record<'a>(reader: &mut Reader<'a>, first: bool) -> Result<(Base<'a>, Record<'a>), PackError> {
    let (mut base, mut name, mut unit, mut value, mut offset) = (Base::default(), None, None, None, None);
    let mut previous: &[u8] = &[];
    for _ in 0..reader.map_header()? {
        let label = reader.key(&mut previous, Reader::integer)?;
        match label {
            0 => name = Some(decode_name(reader)?),
            1 => unit = Some(decode_unit(reader)?),
            2 if value.is_none() => value = Some(Value::Number(decode_decimal(reader)?)),
            4 if value.is_none() => value = Some(Value::Boolean(reader.boolean()?)),
            2 | 4 => return Err(PackError::Value),
            6 => offset = Some(decode_offset(reader)?),
            -1 if first => base.version = Some(decode_version(reader)?),
            -2 if first => base.name = Some(decode_name(reader)?),
            -3 if first => base.time = Some(decode_base_time(reader)?),
            -4 if first => base.unit = Some(decode_unit(reader)?),
            _ => return Err(PackError::Field),
        }
    }
    let value = value.ok_or(PackError::Value)?;
    Ok((base, Record { name, unit, value, time_offset_seconds: offset }))
}

/// A name as records have it; commands name quantities alike.
pub(crate) fn decode_name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, PackError> {
    let name = reader.text()?;
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-:./_".contains(&byte);
    if name.len() > NAME_BYTES_MAX || !starts_well || !name.bytes().all(allowed) {
        return Err(PackError::Name);
    }
    Ok(name)
}

fn decode_unit<'a>(reader: &mut Reader<'a>) -> Result<&'a str, PackError> {
    let unit = reader.text()?;
    if unit.is_empty() || unit.len() > UNIT_BYTES_MAX { Err(PackError::Unit) } else { Ok(unit) }
}

pub(crate) fn decode_decimal(reader: &mut Reader<'_>) -> Result<Decimal, PackError> {
    if reader.kind()? != Kind::Tag {
        return Ok(Decimal::new(reader.integer()?, 0)?);
    }
    if reader.tag()? != TAG_DECIMAL || reader.array_header()? != 2 {
        return Err(PackError::Decimal);
    }
    let exponent = i8::try_from(reader.integer()?).map_err(|_| PackError::Decimal)?;
    let mantissa = reader.integer()?;
    let decimal = Decimal::new(mantissa, exponent)?;
    // A number that normalisation changes has another encoding, which is the only one accepted.
    if exponent >= 0 || (decimal.mantissa(), decimal.exponent()) != (mantissa, exponent) {
        return Err(PackError::Decimal);
    }
    Ok(decimal)
}

fn decode_offset(reader: &mut Reader<'_>) -> Result<i32, PackError> {
    let offset = i32::try_from(reader.integer()?).map_err(|_| PackError::Offset)?;
    if offset.unsigned_abs() > OFFSET_SECONDS_MAX.unsigned_abs() {
        Err(PackError::Offset)
    } else {
        Ok(offset)
    }
}

fn decode_version(reader: &mut Reader<'_>) -> Result<u8, PackError> {
    match reader.unsigned()? {
        10 => Ok(BASE_VERSION),
        26 => Ok(BASE_VERSION_SECONDARY_UNITS),
        _ => Err(PackError::Version),
    }
}

fn decode_base_time(reader: &mut Reader<'_>) -> Result<u32, PackError> {
    let time = reader.unsigned_32().map_err(|_| PackError::BaseTime)?;
    if time < BASE_TIME_MIN { Err(PackError::BaseTime) } else { Ok(time) }
}
