//! How a node that is behind asks for decided blocks, and gets them.

use std::ops::RangeInclusive;

use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::app::types::core::{ExtendedCommitCertificate, ExtendedCommitSignature};
use arc_malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use arc_malachitebft_sync::{ValueRequest, ValueResponse};
use bytes::Bytes;
use devices::cbor::{DecodeError, Reader, Writer};
use ledger::limits::VALIDATORS_MAX;

use super::super::context::{Height, Lamppost};
use super::{Coded, Read, Written, array_of, read_all, write_all};
use crate::limits;

impl Coded for Status<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(3)?;
        writer.bytes(&self.peer_id.to_bytes())?;
        self.tip_height.write(writer)?;
        self.history_min_height.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 3)?;
        Ok(Status {
            peer_id: PeerId::from_bytes(reader.bytes()?).map_err(|_| DecodeError::OutOfRange)?,
            tip_height: Coded::read(reader)?,
            history_min_height: Coded::read(reader)?,
        })
    }
}

fn write_range(writer: &mut Writer<'_>, range: &RangeInclusive<Height>) -> Written {
    writer.array_header(2)?;
    range.start().write(writer)?;
    range.end().write(writer)
}

impl Coded for Request<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        let Request::ValueRequest(ValueRequest { range }) = self;
        write_range(writer, range)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        let range = Height::read(reader)?..=Height::read(reader)?;
        Ok(Request::ValueRequest(ValueRequest { range }))
    }
}

impl Coded for ExtendedCommitSignature<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(2)?;
        self.address.write(writer)?;
        self.signature.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        let (address, signature) = (Coded::read(reader)?, Coded::read(reader)?);
        Ok(ExtendedCommitSignature { address, signature, extension: None })
    }
}

impl Coded for ExtendedCommitCertificate<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        self.height.write(writer)?;
        self.round.write(writer)?;
        self.value_id.write(writer)?;
        write_all(writer, &self.commit_signatures)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 4)?;
        Ok(ExtendedCommitCertificate {
            height: Coded::read(reader)?,
            round: Coded::read(reader)?,
            value_id: Coded::read(reader)?,
            commit_signatures: read_all(reader, VALIDATORS_MAX)?,
        })
    }
}

impl Coded for RawDecidedValue<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(2)?;
        writer.bytes(&self.value_bytes)?;
        self.certificate.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        let value_bytes = Bytes::copy_from_slice(reader.bytes()?);
        Ok(RawDecidedValue { value_bytes, certificate: Coded::read(reader)? })
    }
}

impl Coded for Response<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        let Response::ValueResponse(ValueResponse { start_height, values }) = self;
        writer.array_header(2)?;
        start_height.write(writer)?;
        write_all(writer, values)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        let start_height = Coded::read(reader)?;
        let values = read_all(reader, limits::SYNC_BLOCKS_MAX)?;
        Ok(Response::ValueResponse(ValueResponse { start_height, values }))
    }
}
