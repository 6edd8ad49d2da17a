//! CBOR as Lamppost speaks it: the one place that names serde_cbor, with strictness of our own around it.
//!
//! serde_cbor 0.11 encodes integers, booleans and null in their shortest form, and that is what it is asked for. Its decoder
//! also takes longer forms, indefinite lengths, duplicate keys and NaN. So the [`Reader`] is our own: it accepts an item only
//! in its one deterministic encoding (RFC 8949 §4.2.1), and floats never.
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use serde::Serialize;
use serde_cbor::ser::SliceWrite;

use crate::limits::CBOR_DEPTH_MAX;

/// Why an item could not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// The output is shorter than what is to be written.
    #[error("the output buffer is too small")]
    OutOfSpace,
    /// The integer lies outside -2^64 to 2^64 - 1.
    #[error("the integer does not fit into CBOR's 64 bits")]
    OutOfRange,
}

/// Why bytes are not the one deterministic encoding of what is expected there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside an item, or a length reaches beyond them.
    #[error("the bytes end inside an item")]
    Truncated,
    /// An integer or a length stands in more bytes than it needs.
    #[error("an integer or a length is not in its shortest form")]
    NotShortest,
    /// An indefinite length, a float, or a simple value other than false, true and null.
    #[error("indefinite lengths, floats and unknown simple values are not accepted")]
    Unsupported,
    /// Another kind of item stands here.
    #[error("an item is not of the expected kind")]
    Unexpected,
    /// The integer is outside the range that is allowed here.
    #[error("an integer is out of range")]
    OutOfRange,
    /// The text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// The keys of a map are not in strictly increasing bytewise order.
    #[error("the keys of a map are not in strictly increasing order")]
    KeyOrder,
    /// Items nest deeper than the limit.
    #[error("items nest too deeply")]
    TooDeep,
    /// Bytes stand after the last item.
    #[error("bytes stand after the end")]
    Trailing,
}

/// The kind of an item, as its first byte tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Major type 0.
    Unsigned,
    /// Major type 1.
    Negative,
    /// Major type 2.
    Bytes,
    /// Major type 3.
    Text,
    /// Major type 4.
    Array,
    /// Major type 5.
    Map,
    /// Major type 6.
    Tag,
    /// `false` or `true`.
    Boolean,
    /// `null`.
    Null,
}

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// The head of an item: its major type and argument in the shortest form (RFC 8949 §3).
pub(crate) fn head(major: u8, argument: u64) -> ([u8; 9], usize) {
    let mut bytes = [0; 9];
    let [a, b, c, d, e, f, g, h] = argument.to_be_bytes();
    let (info, length) = match argument {
        0..24 => (h, 1),
        24..0x100 => (24, 2),
        0x100..0x1_0000 => (25, 3),
        0x1_0000..0x1_0000_0000 => (26, 5),
        _ => (27, 9),
    };
    bytes[0] = major << 5 | info;
    bytes[1..length].copy_from_slice(&[a, b, c, d, e, f, g, h][9 - length..]);
    (bytes, length)
}

enum Target<'a> {
    Slice {
        buffer: &'a mut [u8],
        written: usize,
    },
    #[cfg(feature = "alloc")]
    Vec(&'a mut Vec<u8>),
}

/// Writes items one after another, each in its shortest form. The caller keeps maps in bytewise key order.
///
/// ```
/// use devices::cbor::Writer;
/// let mut buffer = [0; 16];
/// let mut writer = Writer::new(&mut buffer);
/// writer.array_header(2)?;
/// writer.integer(-725)?;
/// writer.text("Cel")?;
/// assert_eq!(writer.written(), b"\x82\x39\x02\xd4\x63Cel");
/// # Ok::<(), devices::cbor::EncodeError>(())
/// ```
pub struct Writer<'a>(Target<'a>);

impl<'a> Writer<'a> {
    /// A writer from the start of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Writer<'a> {
        Writer(Target::Slice { buffer, written: 0 })
    }

    /// A writer that appends to `vec`.
    #[cfg(feature = "alloc")]
    pub fn appending(vec: &'a mut Vec<u8>) -> Writer<'a> {
        Writer(Target::Vec(vec))
    }

    /// What the target holds so far (for a vector: from its very start).
    pub fn written(&self) -> &[u8] {
        match &self.0 {
            Target::Slice { buffer, written } => &buffer[..*written],
            #[cfg(feature = "alloc")]
            Target::Vec(vec) => vec,
        }
    }

    /// How many bytes the target holds so far.
    pub fn position(&self) -> usize {
        self.written().len()
    }

    /// The head of an array of `length` items, which the caller writes next.
    pub fn array_header(&mut self, length: usize) -> Result<(), EncodeError> {
        self.head(4, length as u64)
    }

    /// The head of a map of `length` pairs, which the caller writes next, keys in bytewise order of their encoding.
    pub fn map_header(&mut self, length: usize) -> Result<(), EncodeError> {
        self.head(5, length as u64)
    }

    /// A tag; its content follows.
    pub fn tag(&mut self, number: u64) -> Result<(), EncodeError> {
        self.head(6, number)
    }

    /// An integer from 0.
    pub fn unsigned(&mut self, value: u64) -> Result<(), EncodeError> {
        self.head(0, value)
    }

    /// Any integer that CBOR's major types 0 and 1 hold.
    pub fn integer(&mut self, value: i128) -> Result<(), EncodeError> {
        if !(-(1 << 64)..1 << 64).contains(&value) {
            return Err(EncodeError::OutOfRange);
        }
        self.scalar(&value)
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        self.head(2, value.len() as u64)?;
        self.raw(value)
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> Result<(), EncodeError> {
        self.head(3, value.len() as u64)?;
        self.raw(value.as_bytes())
    }

    /// `false` or `true`.
    pub fn boolean(&mut self, value: bool) -> Result<(), EncodeError> {
        self.raw(&[if value { TRUE } else { FALSE }])
    }

    /// `null`.
    pub fn null(&mut self) -> Result<(), EncodeError> {
        self.raw(&[NULL])
    }

    /// Bytes that are already encoded.
    pub fn raw(&mut self, encoded: &[u8]) -> Result<(), EncodeError> {
        match &mut self.0 {
            Target::Slice { buffer, written } => {
                let end = *written + encoded.len();
                buffer.get_mut(*written..end).ok_or(EncodeError::OutOfSpace)?.copy_from_slice(encoded);
                *written = end;
            }
            #[cfg(feature = "alloc")]
            Target::Vec(vec) => vec.extend_from_slice(encoded),
        }
        Ok(())
    }

    pub(crate) fn head(&mut self, major: u8, argument: u64) -> Result<(), EncodeError> {
        if argument < 24 {
            // Most heads are one byte, which is not worth a copy of unknown length.
            return self.raw(&[major << 5 | argument as u8]);
        }
        let (bytes, length) = head(major, argument);
        self.raw(&bytes[..length])
    }

    fn scalar<T: Serialize>(&mut self, value: &T) -> Result<(), EncodeError> {
        let mut scratch = [0; 9];
        let mut serializer = serde_cbor::Serializer::new(SliceWrite::new(&mut scratch));
        value.serialize(&mut serializer).map_err(|_| EncodeError::OutOfRange)?;
        let length = serializer.into_inner().bytes_written();
        self.raw(&scratch[..length])
    }
}

/// Reads items in their deterministic encoding, borrowing from the input; everything else is an error.
///
/// ```
/// use devices::cbor::{DecodeError, Reader};
/// let mut reader = Reader::new(b"\x82\x39\x02\xd4\x63Cel");
/// assert_eq!((reader.array_header()?, reader.integer()?, reader.text()?), (2, -725, "Cel"));
/// reader.end()?;
/// assert_eq!(Reader::new(b"\x18\x05").unsigned(), Err(DecodeError::NotShortest));
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// A reader from the start of `input`.
    pub fn new(input: &'a [u8]) -> Reader<'a> {
        Reader { input, position: 0 }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes on at a place that a reader of the same bytes has come to before.
    pub(crate) fn skip_to(&mut self, position: usize) {
        self.position = position.min(self.input.len());
    }

    /// Whether all bytes have been read.
    pub fn is_at_end(&self) -> bool {
        self.position == self.input.len()
    }

    /// Demands that all bytes have been read.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.is_at_end() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    /// The kind of the next item.
    pub fn kind(&self) -> Result<Kind, DecodeError> {
        let first = *self.input.get(self.position).ok_or(DecodeError::Truncated)?;
        Ok(match first >> 5 {
            0 => Kind::Unsigned,
            1 => Kind::Negative,
            2 => Kind::Bytes,
            3 => Kind::Text,
            4 => Kind::Array,
            5 => Kind::Map,
            6 => Kind::Tag,
            _ => match first {
                FALSE | TRUE => Kind::Boolean,
                NULL => Kind::Null,
                _ => return Err(DecodeError::Unsupported),
            },
        })
    }

    /// The number of items of an array; never more than bytes that are left.
    pub fn array_header(&mut self) -> Result<usize, DecodeError> {
        let length = self.argument_of(4)?;
        self.bounded(length, 1)
    }

    /// The number of pairs of a map; never more than bytes that are left could hold. See [`Reader::key`].
    pub fn map_header(&mut self) -> Result<usize, DecodeError> {
        let length = self.argument_of(5)?;
        self.bounded(length, 2)
    }

    /// Reads a map's key with `read` and demands that its encoding follows `previous` in bytewise order.
    /// `previous` is empty before the first key.
    pub fn key<T>(
        &mut self,
        previous: &mut &'a [u8],
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let start = self.position;
        let key = read(self)?;
        let encoded = &self.input[start..self.position];
        if *previous >= encoded {
            return Err(DecodeError::KeyOrder);
        }
        *previous = encoded;
        Ok(key)
    }

    /// A tag's number.
    pub fn tag(&mut self) -> Result<u64, DecodeError> {
        self.argument_of(6)
    }

    /// An integer from 0.
    pub fn unsigned(&mut self) -> Result<u64, DecodeError> {
        self.argument_of(0)
    }

    /// An integer from 0 to 2^32 - 1.
    pub fn unsigned_32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.unsigned()?).map_err(|_| DecodeError::OutOfRange)
    }

    /// Any integer of major types 0 and 1.
    pub fn integer(&mut self) -> Result<i128, DecodeError> {
        // The strict scan has read the value already; an envelope holds ten of them, so none is parsed twice.
        match self.next_head()? {
            (0, argument) => Ok(argument.into()),
            (1, argument) => Ok(-1 - i128::from(argument)),
            _ => Err(DecodeError::Unexpected),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.argument_of(2)?;
        self.take(length)
    }

    /// A byte string of exactly `N` bytes.
    pub fn byte_array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        self.bytes()?.try_into().map_err(|_| DecodeError::OutOfRange)
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.argument_of(3)?;
        core::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::NotUtf8)
    }

    /// `false` or `true`.
    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        // One byte says it all: to ask serde_cbor for it would put its whole decoder into a device's flash.
        let value = match *self.input.get(self.position).ok_or(DecodeError::Truncated)? {
            FALSE => false,
            TRUE => true,
            _ => return self.kind().and(Err(DecodeError::Unexpected)),
        };
        self.position += 1;
        Ok(value)
    }

    /// `null`.
    pub fn null(&mut self) -> Result<(), DecodeError> {
        if self.kind()? != Kind::Null {
            return Err(DecodeError::Unexpected);
        }
        self.position += 1;
        Ok(())
    }

    /// Passes one whole item, however it is made, and returns its bytes: deterministic and of bounded depth.
    pub fn item(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.position;
        self.pass(CBOR_DEPTH_MAX)?;
        Ok(&self.input[start..self.position])
    }

    fn pass(&mut self, depth: usize) -> Result<(), DecodeError> {
        let depth_below = depth.checked_sub(1).ok_or(DecodeError::TooDeep)?;
        match self.kind()? {
            Kind::Unsigned | Kind::Negative => self.next_head().map(drop),
            Kind::Bytes => self.bytes().map(drop),
            Kind::Text => self.text().map(drop),
            Kind::Boolean | Kind::Null => {
                self.position += 1;
                Ok(())
            }
            Kind::Tag => {
                self.tag()?;
                self.pass(depth_below)
            }
            Kind::Array => {
                let length = self.array_header()?;
                (0..length).try_for_each(|_| self.pass(depth_below))
            }
            Kind::Map => {
                let length = self.map_header()?;
                let mut previous: &[u8] = &[];
                (0..length).try_for_each(|_| {
                    self.key(&mut previous, |reader| reader.pass(depth_below))?;
                    self.pass(depth_below)
                })
            }
        }
    }

    /// The major type and argument of the next head, which must be in its shortest form.
    fn next_head(&mut self) -> Result<(u8, u64), DecodeError> {
        let rest = &self.input[self.position..];
        let first = *rest.first().ok_or(DecodeError::Truncated)?;
        let (argument, length, smallest) = match first & 0x1f {
            small @ 0..24 => (u64::from(small), 1, 0),
            24 => (big_endian(rest, 1)?, 2, 24),
            25 => (big_endian(rest, 2)?, 3, 0x100),
            26 => (big_endian(rest, 4)?, 5, 0x1_0000),
            27 => (big_endian(rest, 8)?, 9, 0x1_0000_0000),
            _ => return Err(DecodeError::Unsupported),
        };
        if argument < smallest {
            return Err(DecodeError::NotShortest);
        }
        self.position += length;
        Ok((first >> 5, argument))
    }

    fn argument_of(&mut self, major: u8) -> Result<u64, DecodeError> {
        match self.next_head()? {
            (found, argument) if found == major => Ok(argument),
            _ => Err(DecodeError::Unexpected),
        }
    }

    /// A count of items, none of which takes fewer than `bytes_each` bytes: so no claim outgrows the input.
    fn bounded(&self, count: u64, bytes_each: u64) -> Result<usize, DecodeError> {
        let left = (self.input.len() - self.position) as u64;
        if count > left / bytes_each {
            return Err(DecodeError::Truncated);
        }
        usize::try_from(count).map_err(|_| DecodeError::Truncated)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let length = self.bounded(length, 1)?;
        let taken = &self.input[self.position..self.position + length];
        self.position += length;
        Ok(taken)
    }
}

fn big_endian(rest: &[u8], length: usize) -> Result<u64, DecodeError> {
    let bytes = rest.get(1..1 + length).ok_or(DecodeError::Truncated)?;
    Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}
