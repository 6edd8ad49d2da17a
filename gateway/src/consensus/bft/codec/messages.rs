//! Votes, proposals, certificates of rounds and the parts of blocks.

use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::core::SignedMessage;
use arc_malachitebft_app_channel::app::types::core::{
    PolkaCertificate, PolkaSignature, RoundCertificate, RoundCertificateType, RoundSignature, ValidatorProof,
    Validity,
};
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::{ProposedValue, SignedConsensusMsg};
use bytes::Bytes;
use devices::cbor::{DecodeError, Reader, Writer};
use ledger::limits::VALIDATORS_MAX;

use super::super::context::{Lamppost, Part, Proposal, Vote};
use super::{Coded, Read, Written, array_of, read_all, write_all, write_word};
use crate::limits;

impl Coded for Vote {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(5)?;
        self.kind.write(writer)?;
        self.height.write(writer)?;
        self.round.write(writer)?;
        self.value.write(writer)?;
        self.address.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 5)?;
        Ok(Vote {
            kind: Coded::read(reader)?,
            height: Coded::read(reader)?,
            round: Coded::read(reader)?,
            value: Coded::read(reader)?,
            address: Coded::read(reader)?,
        })
    }
}

impl Coded for Proposal {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(5)?;
        self.height.write(writer)?;
        self.round.write(writer)?;
        self.value.write(writer)?;
        self.pol_round.write(writer)?;
        self.address.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 5)?;
        Ok(Proposal {
            height: Coded::read(reader)?,
            round: Coded::read(reader)?,
            value: Coded::read(reader)?,
            pol_round: Coded::read(reader)?,
            address: Coded::read(reader)?,
        })
    }
}

impl Coded for SignedConsensusMsg<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self {
            SignedConsensusMsg::Vote(vote) => {
                write_word(writer, 2, "vote")?;
                vote.write(writer)
            }
            SignedConsensusMsg::Proposal(proposal) => {
                write_word(writer, 2, "proposal")?;
                proposal.write(writer)
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        match reader.text()? {
            "vote" => SignedMessage::read(reader).map(SignedConsensusMsg::Vote),
            "proposal" => SignedMessage::read(reader).map(SignedConsensusMsg::Proposal),
            _ => Err(DecodeError::Unexpected),
        }
    }
}

impl Coded for PolkaSignature<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(2)?;
        self.address.write(writer)?;
        self.signature.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        Ok(PolkaSignature { address: Coded::read(reader)?, signature: Coded::read(reader)? })
    }
}

impl Coded for PolkaCertificate<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        self.height.write(writer)?;
        self.round.write(writer)?;
        self.value_id.write(writer)?;
        write_all(writer, &self.polka_signatures)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 4)?;
        Ok(PolkaCertificate {
            height: Coded::read(reader)?,
            round: Coded::read(reader)?,
            value_id: Coded::read(reader)?,
            polka_signatures: read_all(reader, VALIDATORS_MAX)?,
        })
    }
}

impl Coded for RoundSignature<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        self.vote_type.write(writer)?;
        self.value_id.write(writer)?;
        self.address.write(writer)?;
        self.signature.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 4)?;
        Ok(RoundSignature {
            vote_type: Coded::read(reader)?,
            value_id: Coded::read(reader)?,
            address: Coded::read(reader)?,
            signature: Coded::read(reader)?,
        })
    }
}

impl Coded for RoundCertificate<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        self.height.write(writer)?;
        self.round.write(writer)?;
        writer.text(match self.cert_type {
            RoundCertificateType::Skip => "skip",
            RoundCertificateType::Precommit => "precommit",
        })?;
        write_all(writer, &self.round_signatures)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 4)?;
        let (height, round) = (Coded::read(reader)?, Coded::read(reader)?);
        let cert_type = match reader.text()? {
            "skip" => RoundCertificateType::Skip,
            "precommit" => RoundCertificateType::Precommit,
            _ => return Err(DecodeError::Unexpected),
        };
        let round_signatures = read_all(reader, VALIDATORS_MAX)?;
        Ok(RoundCertificate { height, round, cert_type, round_signatures })
    }
}

impl Coded for LivenessMsg<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self {
            LivenessMsg::Vote(vote) => {
                write_word(writer, 2, "vote")?;
                vote.write(writer)
            }
            LivenessMsg::PolkaCertificate(certificate) => {
                write_word(writer, 2, "polka")?;
                certificate.write(writer)
            }
            LivenessMsg::SkipRoundCertificate(certificate) => {
                write_word(writer, 2, "round")?;
                certificate.write(writer)
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        match reader.text()? {
            "vote" => Coded::read(reader).map(LivenessMsg::Vote),
            "polka" => Coded::read(reader).map(LivenessMsg::PolkaCertificate),
            "round" => Coded::read(reader).map(LivenessMsg::SkipRoundCertificate),
            _ => Err(DecodeError::Unexpected),
        }
    }
}

impl Coded for ProposedValue<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(6)?;
        self.height.write(writer)?;
        self.round.write(writer)?;
        self.valid_round.write(writer)?;
        self.proposer.write(writer)?;
        self.value.write(writer)?;
        writer.boolean(self.validity.is_valid())
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 6)?;
        Ok(ProposedValue {
            height: Coded::read(reader)?,
            round: Coded::read(reader)?,
            valid_round: Coded::read(reader)?,
            proposer: Coded::read(reader)?,
            value: Coded::read(reader)?,
            validity: Validity::from_bool(reader.boolean()?),
        })
    }
}

impl Coded for ValidatorProof<Lamppost> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(3)?;
        writer.bytes(&self.public_key)?;
        writer.bytes(&self.peer_id)?;
        self.signature.write(writer)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 3)?;
        Ok(ValidatorProof {
            public_key: reader.bytes()?.to_vec(),
            peer_id: reader.bytes()?.to_vec(),
            signature: Coded::read(reader)?,
        })
    }
}

impl Coded for Part {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self {
            Part::Begin { height, round, valid_round, proposer, bytes } => {
                write_word(writer, 6, "begin")?;
                height.write(writer)?;
                round.write(writer)?;
                valid_round.write(writer)?;
                proposer.write(writer)?;
                writer.unsigned((*bytes).into())
            }
            Part::Bytes(bytes) => {
                write_word(writer, 2, "bytes")?;
                writer.bytes(bytes)
            }
            Part::Checkpoint { size, root, address, signature } => {
                write_word(writer, 5, "checkpoint")?;
                writer.unsigned(*size)?;
                writer.bytes(root)?;
                address.write(writer)?;
                writer.bytes(signature)
            }
            Part::Wake(height) => {
                write_word(writer, 2, "wake")?;
                height.write(writer)
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let items = reader.array_header()?;
        match (reader.text()?, items) {
            ("begin", 6) => Ok(Part::Begin {
                height: Coded::read(reader)?,
                round: Coded::read(reader)?,
                valid_round: Coded::read(reader)?,
                proposer: Coded::read(reader)?,
                bytes: reader.unsigned_32()?,
            }),
            ("bytes", 2) => {
                let bytes = reader.bytes()?;
                if bytes.len() > limits::PART_BYTES_MAX {
                    return Err(DecodeError::OutOfRange);
                }
                Ok(Part::Bytes(Bytes::copy_from_slice(bytes)))
            }
            ("checkpoint", 5) => Ok(Part::Checkpoint {
                size: reader.unsigned()?,
                root: *reader.byte_array()?,
                address: Coded::read(reader)?,
                signature: *reader.byte_array()?,
            }),
            ("wake", 2) => Coded::read(reader).map(Part::Wake),
            _ => Err(DecodeError::Unexpected),
        }
    }
}

impl Coded for StreamMessage<Part> {
    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(3)?;
        writer.bytes(&self.stream_id.to_bytes())?;
        writer.unsigned(self.sequence)?;
        match &self.content {
            StreamContent::Data(part) => part.write(writer),
            StreamContent::Fin => writer.null(),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 3)?;
        let stream: &[u8; limits::STREAM_ID_BYTES] = reader.byte_array()?;
        let (stream, sequence) = (StreamId::new(Bytes::copy_from_slice(stream)), reader.unsigned()?);
        let content = if reader.kind()? == devices::cbor::Kind::Null {
            reader.null()?;
            StreamContent::Fin
        } else {
            StreamContent::Data(Part::read(reader)?)
        };
        Ok(StreamMessage::new(stream, sequence, content))
    }
}
