//! A record as the outbox stores it: a few bytes where SenML would take some twenty, because a name and a unit stand once
//! in a slot and are referred to from then on.
//!
//! `kind u8 | seconds since the slot was opened u16 | [name length u8, name, unit length u8, unit] | value`, little-endian.
//! Kind: bit 7 says that name and unit stand here, bit 6 that the value is a yes or no; else its low bits say which of
//! the slot's names it has. A number is its places after the point (0 to 9) and its mantissa in as few bytes as hold it.

use devices::limits::{NAME_BYTES_MAX, UNIT_BYTES_MAX};
use devices::{Decimal, Record, Value};

use crate::limits::{SLOT_NAMES_MAX, STORED_RECORD_BYTES_MAX};

const KIND_NAMED: u8 = 0x80;
const KIND_BOOLEAN: u8 = 0x40;
const FIXED_BYTES: usize = 3;

const _: () = assert!(FIXED_BYTES + 2 + NAME_BYTES_MAX + UNIT_BYTES_MAX + 1 + 9 <= STORED_RECORD_BYTES_MAX);

/// The names of one slot with their units, in the order in which they first came.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    names: [(&'a str, &'a str); SLOT_NAMES_MAX],
    length: usize,
}

impl<'a> Names<'a> {
    /// None yet.
    pub const fn new() -> Self {
        Self { names: [("", ""); SLOT_NAMES_MAX], length: 0 }
    }

    fn place_of(&self, name: (&str, &str)) -> Option<usize> {
        self.names[..self.length].iter().position(|known| *known == name)
    }

    /// One that finds no room is written out wherever it comes again.
    fn add(&mut self, name: (&'a str, &'a str)) {
        if let Some(place) = self.names.get_mut(self.length) {
            *place = name;
            self.length += 1;
        }
    }
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A record as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored<'a> {
    /// Its SenML name.
    pub name: &'a str,
    /// Its unit; empty where it has none.
    pub unit: &'a str,
    /// What was measured.
    pub value: Value,
    /// Seconds since its slot was opened.
    pub since_opened_seconds: u16,
}

impl<'a> Stored<'a> {
    /// What is stored of a record.
    pub fn of(record: &Record<'a>, since_opened_seconds: u16) -> Stored<'a> {
        Stored {
            name: record.name.unwrap_or(""),
            unit: record.unit.unwrap_or(""),
            value: record.value,
            since_opened_seconds,
        }
    }

    /// Writes it to the front of `out` and returns its length; `None` where it has no room.
    pub fn encode(&self, names: &Names<'_>, out: &mut [u8]) -> Option<usize> {
        let known = names.place_of((self.name, self.unit));
        let kind = known.map_or(KIND_NAMED, |place| place as u8);
        let boolean = if matches!(self.value, Value::Boolean(_)) { KIND_BOOLEAN } else { 0 };
        let mut writer = Writer { out, length: 0 };
        writer.put(&[kind | boolean])?;
        writer.put(&self.since_opened_seconds.to_le_bytes())?;
        if known.is_none() {
            for text in [self.name, self.unit] {
                writer.put(&[u8::try_from(text.len()).ok()?])?;
                writer.put(text.as_bytes())?;
            }
        }
        match self.value {
            Value::Boolean(value) => writer.put(&[u8::from(value)])?,
            Value::Number(number) => {
                writer.put(&[number.exponent().unsigned_abs()])?;
                let bytes = number.mantissa().to_le_bytes();
                writer.put(&bytes[..mantissa_bytes(number.mantissa())])?;
            }
        }
        Some(writer.length)
    }

    /// Reads one from all of `bytes`, and adds its name to those of the slot where it brings one.
    pub fn decode(bytes: &'a [u8], names: &mut Names<'a>) -> Option<Stored<'a>> {
        let (&[kind, low, high], mut rest) = bytes.split_first_chunk::<FIXED_BYTES>()?;
        let (name, unit) = if kind & KIND_NAMED != 0 {
            let (name, unit) = (take_text(&mut rest)?, take_text(&mut rest)?);
            names.add((name, unit));
            (name, unit)
        } else {
            *names.names[..names.length].get(usize::from(kind & !KIND_BOOLEAN))?
        };
        let value = match (kind & KIND_BOOLEAN != 0, rest) {
            (true, [value]) => Value::Boolean(*value != 0),
            (false, [places, mantissa @ ..]) => Value::Number(decimal(*places, mantissa)?),
            _ => return None,
        };
        Some(Stored { name, unit, value, since_opened_seconds: u16::from_le_bytes([low, high]) })
    }
}

/// The bytes of a two's complement number without the upper ones that only repeat its sign.
fn mantissa_bytes(mantissa: i128) -> usize {
    let repeated = if mantissa < 0 { mantissa.leading_ones() } else { mantissa.leading_zeros() };
    (i128::BITS + 1 - repeated).div_ceil(8) as usize
}

fn decimal(places: u8, mantissa: &[u8]) -> Option<Decimal> {
    let sign = if mantissa.last()? & 0x80 == 0 { 0 } else { 0xff };
    let mut bytes = [sign; 16];
    bytes.get_mut(..mantissa.len())?.copy_from_slice(mantissa);
    Decimal::new(i128::from_le_bytes(bytes), i8::try_from(places).ok()?.checked_neg()?).ok()
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    *bytes = rest;
    core::str::from_utf8(text).ok()
}

struct Writer<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length + bytes.len();
        self.out.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn number(text: &str) -> Value {
        Value::Number(text.parse().expect("a decimal"))
    }

    #[test]
    fn every_value_comes_back_as_it_was_stored_and_no_shorter_bytes_are_one() {
        let texts = ["0", "1", "-1", "127", "128", "-128", "-129", "21.5", "-40.0625", "0.000000001"];
        let extremes = ["18446744073709551615", "-18446744073709551616", "-9223372036854775809"];
        let numbers = texts.into_iter().chain(extremes).map(number);
        for value in numbers.chain([Value::Boolean(true), Value::Boolean(false)]) {
            let stored = Stored { name: "temp", unit: "Cel", value, since_opened_seconds: 65_535 };
            let mut bytes = [0; STORED_RECORD_BYTES_MAX];
            let length = stored.encode(&Names::new(), &mut bytes).unwrap();
            assert_eq!(Stored::decode(&bytes[..length], &mut Names::new()), Some(stored));
            for cut in 0..length {
                let decoded = Stored::decode(&bytes[..cut], &mut Names::new());
                assert_ne!(decoded, Some(stored), "{value} is whole after {cut} of {length} bytes");
            }
        }
    }

    #[test]
    fn a_name_that_stands_in_the_slot_already_takes_no_room() {
        let stored = Stored { name: "temp", unit: "Cel", value: number("21.5"), since_opened_seconds: 60 };
        let (mut first, mut second) = ([0; STORED_RECORD_BYTES_MAX], [0; STORED_RECORD_BYTES_MAX]);
        let first_length = stored.encode(&Names::new(), &mut first).unwrap();
        let mut names = Names::new();
        Stored::decode(&first[..first_length], &mut names).unwrap();
        let second_length = stored.encode(&names, &mut second).unwrap();
        assert_eq!((first_length, second_length), (FIXED_BYTES + 5 + 4 + 3, FIXED_BYTES + 3));
        assert_eq!(Stored::decode(&second[..second_length], &mut names), Some(stored));
    }

    #[test]
    fn more_names_than_are_remembered_are_written_out() {
        let texts: std::vec::Vec<_> = (0..2 * SLOT_NAMES_MAX).map(|place| std::format!("q{place}")).collect();
        let mut written = std::vec::Vec::new();
        let mut names = Names::new();
        for text in texts.iter().chain(&texts) {
            let stored = Stored { name: text, unit: "", value: number("7"), since_opened_seconds: 0 };
            let mut bytes = [0; STORED_RECORD_BYTES_MAX];
            let length = stored.encode(&names, &mut bytes).unwrap();
            if names.place_of((text, "")).is_none() {
                names.add((text, ""));
            }
            written.push((text, bytes[..length].to_vec()));
        }
        let mut names = Names::new();
        for (text, bytes) in &written {
            assert_eq!(Stored::decode(bytes, &mut names).unwrap().name, text.as_str());
        }
    }
}
