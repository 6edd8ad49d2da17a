//! What a device's owner may choose over the air: how often it samples and sends, and what is urgent. Always the whole of it,
//! so that the last one says all.

use crate::cbor::{DecodeError, EncodeError, Kind, Reader, Writer};
use crate::decimal::Decimal;
use crate::limits::{CONFIGURATION_BYTES_MAX, INTERVAL_SECONDS_MAX, THRESHOLDS_MAX};
use crate::senml::{decode_decimal, decode_name, encode_decimal};

/// Why a configuration cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// It is longer than a device keeps.
    #[error("the configuration is longer than a device keeps: {0}")]
    TooLong(#[from] EncodeError),
    /// It is none that a device takes.
    #[error("the configuration is none that a device takes: {0}")]
    Rule(#[from] DecodeError),
}

const INTERVAL: u64 = 1;
const BATCH: u64 = 2;
const THRESHOLDS: u64 = 3;

/// A quantity whose records are urgent outside of bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threshold<'a> {
    /// The SenML name of its records.
    pub name: &'a str,
    /// Urgent where the value is smaller.
    pub below: Option<Decimal>,
    /// Urgent where the value is greater; not smaller than `below`.
    pub above: Option<Decimal>,
}

impl Threshold<'_> {
    /// Whether it says something, nothing that is always so, and nothing that a device has no room for: bounds are kept
    /// as billionths in 64 bits.
    fn is_sound(&self) -> bool {
        let fits = |bound: Option<Decimal>| bound.is_none_or(|bound| i64::try_from(bound.nanos()).is_ok());
        let is_said = match (self.below, self.above) {
            (Some(below), Some(above)) => below <= above,
            (below, above) => below.is_some() || above.is_some(),
        };
        is_said && fits(self.below) && fits(self.above)
    }
}

/// A whole configuration in its one encoding: thresholds stand in the bytewise order of their names.
///
/// ```
/// use devices::{Configuration, Threshold, limits::CONFIGURATION_BYTES_MAX};
/// let flood = Threshold { name: "level", below: None, above: Some("2.5".parse()?) };
/// let mut bytes = [0; CONFIGURATION_BYTES_MAX];
/// let configuration = Configuration::new(60, 600, &[flood], &mut bytes)?;
/// assert_eq!((configuration.interval_seconds(), configuration.thresholds().next()), (60, Some(flood)));
/// assert_eq!(Configuration::decode(configuration.as_bytes())?, configuration);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Configuration<'a> {
    bytes: &'a [u8],
    interval_seconds: u32,
    batch_seconds: u32,
    /// Where the first threshold begins.
    thresholds_at: u8,
}

impl<'a> Configuration<'a> {
    /// A sample every `interval_seconds` (1 to 86,400), an envelope every `batch_seconds` (0 to 86,400; 0 sends every
    /// sample alone), and at most eight thresholds in the bytewise order of their names, none twice. It is written into
    /// `out`.
    ///
    /// # Errors
    /// When it is longer than `out`, or breaks one of these rules.
    pub fn new(
        interval_seconds: u32,
        batch_seconds: u32,
        thresholds: &[Threshold<'_>],
        out: &'a mut [u8; CONFIGURATION_BYTES_MAX],
    ) -> Result<Configuration<'a>, ConfigurationError> {
        let mut writer = Writer::new(out);
        writer.map_header(3)?;
        writer.unsigned(INTERVAL)?;
        writer.unsigned(interval_seconds.into())?;
        writer.unsigned(BATCH)?;
        writer.unsigned(batch_seconds.into())?;
        writer.unsigned(THRESHOLDS)?;
        writer.array_header(thresholds.len())?;
        for threshold in thresholds {
            writer.array_header(3)?;
            writer.text(threshold.name)?;
            write_bound(&mut writer, threshold.below)?;
            write_bound(&mut writer, threshold.above)?;
        }
        let length = writer.position();
        let out: &'a [u8] = out;
        Ok(Configuration::decode(&out[..length])?)
    }

    /// Reads the map that `bytes` are.
    ///
    /// # Errors
    /// When they are not the one encoding of a configuration.
    pub fn decode(bytes: &'a [u8]) -> Result<Configuration<'a>, DecodeError> {
        if bytes.len() > CONFIGURATION_BYTES_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let mut reader = Reader::new(bytes);
        let mut interval_and_batch = [0; 2];
        expect(reader.map_header()? == 3)?;
        for (key, value) in [INTERVAL, BATCH].into_iter().zip(&mut interval_and_batch) {
            expect(reader.unsigned()? == key)?;
            *value = reader.unsigned_32()?;
        }
        let [interval_seconds, batch_seconds] = interval_and_batch;
        if interval_seconds == 0 || interval_seconds.max(batch_seconds) > INTERVAL_SECONDS_MAX {
            return Err(DecodeError::OutOfRange);
        }
        expect(reader.unsigned()? == THRESHOLDS)?;
        let count = reader.array_header()?;
        if count > THRESHOLDS_MAX {
            return Err(DecodeError::OutOfRange);
        }
        // At most 200 bytes lie before it.
        let thresholds_at = reader.position() as u8;
        let mut previous = "";
        for _ in 0..count {
            let threshold = read_threshold(&mut reader)?;
            if threshold.name <= previous {
                return Err(DecodeError::KeyOrder);
            }
            if !threshold.is_sound() {
                return Err(DecodeError::OutOfRange);
            }
            previous = threshold.name;
        }
        reader.end()?;
        Ok(Configuration { bytes, interval_seconds, batch_seconds, thresholds_at })
    }

    /// Its encoding.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Seconds from one sample to the next.
    pub fn interval_seconds(&self) -> u32 {
        self.interval_seconds
    }

    /// Seconds that records are collected before they are sent; 0 sends every sample alone.
    pub fn batch_seconds(&self) -> u32 {
        self.batch_seconds
    }

    /// What is urgent.
    pub fn thresholds(&self) -> impl Iterator<Item = Threshold<'a>> + use<'a> {
        let mut reader = Reader::new(&self.bytes[usize::from(self.thresholds_at)..]);
        // Decoding has read them all before.
        core::iter::from_fn(move || read_threshold(&mut reader).ok())
    }
}

#[inline(never)]
fn read_threshold<'a>(reader: &mut Reader<'a>) -> Result<Threshold<'a>, DecodeError> {
    expect(reader.array_header()? == 3)?;
    let name = decode_name(reader).map_err(|_| DecodeError::Unexpected)?;
    Ok(Threshold { name, below: read_bound(reader)?, above: read_bound(reader)? })
}

fn write_bound(writer: &mut Writer<'_>, bound: Option<Decimal>) -> Result<(), EncodeError> {
    match bound {
        Some(bound) => encode_decimal(writer, bound),
        None => writer.null(),
    }
}

fn read_bound(reader: &mut Reader<'_>) -> Result<Option<Decimal>, DecodeError> {
    if reader.kind()? == Kind::Null {
        return reader.null().map(|()| None);
    }
    decode_decimal(reader).map(Some).map_err(|_| DecodeError::Unexpected)
}

fn expect(holds: bool) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(DecodeError::Unexpected) }
}
