//! What validators send one another and keep in their record of votes, in deterministic CBOR, decoded strictly.

mod messages;
mod sync;

use arc_malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use arc_malachitebft_app_channel::app::types::core::{NilOrVal, Round, SignedMessage, VoteType};
use arc_malachitebft_app_channel::app::types::sync::Response;
use arc_malachitebft_signing_ed25519::Signature;
use bytes::Bytes;
use devices::cbor::{DecodeError, EncodeError, Reader, Writer};

use super::context::{Address, BlockId, Height, Lamppost};

type Written = Result<(), EncodeError>;
type Read<T> = Result<T, DecodeError>;

/// Encodes and decodes for the engine.
#[derive(Debug, Clone, Copy)]
pub struct Cbor;

/// What was not encoded or decoded.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// It cannot be written.
    #[error("it cannot be encoded: {0:?}")]
    Encode(EncodeError),
    /// The bytes are something else.
    #[error("the bytes are not what a validator sends: {0:?}")]
    Decode(DecodeError),
}

/// Has one encoding.
pub(super) trait Coded: Sized {
    fn write(&self, writer: &mut Writer<'_>) -> Written;
    fn read(reader: &mut Reader<'_>) -> Read<Self>;
}

impl<T: Coded> Codec<T> for Cbor {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<T, CodecError> {
        let mut reader = Reader::new(&bytes);
        let value = T::read(&mut reader).map_err(CodecError::Decode)?;
        reader.end().map_err(CodecError::Decode)?;
        Ok(value)
    }

    fn encode(&self, value: &T) -> Result<Bytes, CodecError> {
        let mut bytes = Vec::new();
        value.write(&mut Writer::appending(&mut bytes)).map_err(CodecError::Encode)?;
        Ok(bytes.into())
    }
}

impl HasEncodedLen<Response<Lamppost>> for Cbor {
    fn encoded_len(&self, response: &Response<Lamppost>) -> Result<usize, CodecError> {
        self.encode(response).map(|bytes| bytes.len())
    }
}

/// Expects an array of so many items.
fn array_of(reader: &mut Reader<'_>, items: usize) -> Read<()> {
    if reader.array_header()? == items { Ok(()) } else { Err(DecodeError::Unexpected) }
}

/// Writes a list, each item by its own encoding.
fn write_all<T: Coded>(writer: &mut Writer<'_>, items: &[T]) -> Written {
    writer.array_header(items.len())?;
    items.iter().try_for_each(|item| item.write(writer))
}

/// Reads a list of at most so many.
fn read_all<T: Coded>(reader: &mut Reader<'_>, items_max: usize) -> Read<Vec<T>> {
    let items = reader.array_header()?;
    if items > items_max {
        return Err(DecodeError::OutOfRange);
    }
    (0..items).map(|_| T::read(reader)).collect()
}

/// Writes a word for what follows.
fn write_word(writer: &mut Writer<'_>, items: usize, word: &str) -> Written {
    writer.array_header(items)?;
    writer.text(word)
}

impl Coded for Height {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.unsigned(self.0)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        reader.unsigned().map(Height)
    }
}

impl Coded for Round {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self.as_u32() {
            Some(number) => writer.unsigned(number.into()),
            None => writer.null(),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        if reader.kind()? == devices::cbor::Kind::Null {
            reader.null()?;
            return Ok(Round::Nil);
        }
        reader.unsigned_32().map(Round::new)
    }
}

impl Coded for Address {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.bytes(&self.0)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        Ok(Address(*reader.byte_array()?))
    }
}

impl Coded for BlockId {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.bytes(&self.0)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        Ok(BlockId(*reader.byte_array()?))
    }
}

impl Coded for NilOrVal<BlockId> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self {
            NilOrVal::Nil => writer.null(),
            NilOrVal::Val(id) => id.write(writer),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        if reader.kind()? == devices::cbor::Kind::Null {
            reader.null()?;
            return Ok(NilOrVal::Nil);
        }
        BlockId::read(reader).map(NilOrVal::Val)
    }
}

impl Coded for VoteType {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.text(match self {
            VoteType::Prevote => "prevote",
            VoteType::Precommit => "precommit",
        })
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        match reader.text()? {
            "prevote" => Ok(VoteType::Prevote),
            "precommit" => Ok(VoteType::Precommit),
            _ => Err(DecodeError::Unexpected),
        }
    }
}

impl Coded for Signature {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.bytes(&self.to_bytes())
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        Ok(Signature::from_bytes(*reader.byte_array()?))
    }
}

impl<T: Coded> Coded for SignedMessage<Lamppost, T> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(2)?;
        self.message.write(writer)?;
        self.signature.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        Ok(SignedMessage { message: T::read(reader)?, signature: Signature::read(reader)? })
    }
}

#[cfg(test)]
mod tests;
