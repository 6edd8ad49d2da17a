//! Deterministic CBOR of the ledger's own values: thin helpers over `devices::cbor`.

use crate::account::AccountId;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, EncodeError, Kind, Reader, Writer};

/// What writing one item gives.
pub(crate) type Written = Result<(), EncodeError>;
/// What reading one item gives.
pub(crate) type Read<T> = Result<T, DecodeError>;

/// Runs `write` over a new vector. Every integer the ledger writes fits 64 bits, so nothing can fail.
pub(crate) fn encoded(write: impl FnOnce(&mut Writer<'_>) -> Written) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoded_into(&mut bytes, write);
    bytes
}

/// Like [`encoded`], into a vector that is emptied first and so can be used again and again.
pub(crate) fn encoded_into(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>) -> Written) {
    bytes.clear();
    write(&mut Writer::appending(bytes)).expect("a vector takes every 64-bit item");
}

/// Reads one item that must fill `bytes`.
pub(crate) fn decoded<'a, T>(bytes: &'a [u8], read: impl FnOnce(&mut Reader<'a>) -> Read<T>) -> Read<T> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Demands an array of exactly `length` items.
pub(crate) fn array_of(reader: &mut Reader<'_>, length: usize) -> Read<()> {
    if reader.array_header()? == length { Ok(()) } else { Err(DecodeError::Unexpected) }
}

/// Writes a value, or null in its absence.
pub(crate) fn write_option<T>(
    writer: &mut Writer<'_>,
    value: Option<T>,
    write: impl FnOnce(&mut Writer<'_>, T) -> Written,
) -> Written {
    match value {
        Some(value) => write(writer, value),
        None => writer.null(),
    }
}

/// Reads a value, or its absence from null.
pub(crate) fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Read<T>,
) -> Read<Option<T>> {
    if reader.kind()? == Kind::Null {
        reader.null()?;
        return Ok(None);
    }
    read(reader).map(Some)
}

/// Writes an account's id.
pub(crate) fn write_account(writer: &mut Writer<'_>, id: AccountId) -> Written {
    writer.bytes(id.as_bytes())
}

/// Reads an account's id.
pub(crate) fn read_account(reader: &mut Reader<'_>) -> Read<AccountId> {
    Ok(AccountId::from_bytes(*reader.byte_array::<32>()?))
}

/// Writes a sum wider than 64 bits as its sixteen big-endian bytes.
pub(crate) fn write_wide(writer: &mut Writer<'_>, sum: u128) -> Written {
    writer.bytes(&sum.to_be_bytes())
}

/// Reads a sum wider than 64 bits.
pub(crate) fn read_wide(reader: &mut Reader<'_>) -> Read<u128> {
    Ok(u128::from_be_bytes(*reader.byte_array::<16>()?))
}
