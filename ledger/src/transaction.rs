//! What a block executes: a reading or an instruction, each verified by type, and what came of it.

use crate::account::AccountId;
use crate::encoding::{Read, Written, array_of, decoded, encoded, read_account, write_account};
use crate::instruction::{InstructionName, InstructionRefusal};
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::cose::TransactionId;
use devices::identity::DeviceId;
use devices::instruction::VerifiedInstruction;
use devices::reading::VerifiedReading;
use devices::refusal::Refusal;
use devices::sequence::Sequence;

/// A transaction whose signature has been verified.
#[derive(Clone, Debug)]
pub enum VerifiedTransaction<B: AsRef<[u8]>> {
    /// A device's reading.
    Reading(VerifiedReading<B>),
    /// An account's instruction.
    Instruction(VerifiedInstruction<B>),
}

impl<B: AsRef<[u8]>> VerifiedTransaction<B> {
    /// Its id: SHA-256 of the Sig_structure.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        match self {
            Self::Reading(reading) => reading.transaction_id(),
            Self::Instruction(instruction) => instruction.transaction_id(),
        }
    }

    /// The COSE_Sign1, as it becomes a log entry.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Reading(reading) => reading.envelope(),
            Self::Instruction(instruction) => instruction.envelope(),
        }
    }

    /// The same, given away.
    #[must_use]
    pub fn into_bytes(self) -> B {
        match self {
            Self::Reading(reading) => reading.into_inner(),
            Self::Instruction(instruction) => instruction.into_inner(),
        }
    }
}

/// Why a transaction was not executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A reading, with the contract's reason.
    #[error("{0}")]
    Reading(Refusal),
    /// An instruction.
    #[error("{0}")]
    Instruction(InstructionRefusal),
}

impl Refused {
    /// The reason's word in answers.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reading(refusal) => refusal.as_str(),
            Self::Instruction(refusal) => refusal.as_str(),
        }
    }
}

/// What an executed transaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A reading was accepted.
    Reading {
        /// The entry's index in the log.
        index: u64,
        /// The transaction.
        id: TransactionId,
        /// The device.
        kid: DeviceId,
        /// Its number for it.
        sequence: Sequence,
        /// The block's time.
        time_unix_milliseconds: u64,
        /// Records in the pack.
        records: u32,
    },
    /// An instruction was carried out.
    Instruction {
        /// The entry's index in the log.
        index: u64,
        /// The transaction.
        id: TransactionId,
        /// Who signed.
        account: AccountId,
        /// What.
        name: InstructionName,
    },
}

impl Outcome {
    /// The entry's index in the log.
    #[must_use]
    pub fn index(&self) -> u64 {
        match self {
            Self::Reading { index, .. } | Self::Instruction { index, .. } => *index,
        }
    }

    /// The transaction.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        match self {
            Self::Reading { id, .. } | Self::Instruction { id, .. } => *id,
        }
    }

    /// The outcome in deterministic CBOR; the seal's results root is over these.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decoded(bytes, Self::read)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        match self {
            Self::Reading { index, id, kid, sequence, time_unix_milliseconds, records } => {
                writer.array_header(7)?;
                writer.text("reading")?;
                writer.unsigned(*index)?;
                writer.bytes(id.as_bytes())?;
                writer.bytes(kid.as_bytes())?;
                writer.bytes(&sequence.to_cti())?;
                writer.unsigned(*time_unix_milliseconds)?;
                writer.unsigned((*records).into())
            }
            Self::Instruction { index, id, account, name } => {
                writer.array_header(5)?;
                writer.text("instruction")?;
                writer.unsigned(*index)?;
                writer.bytes(id.as_bytes())?;
                write_account(writer, *account)?;
                writer.text(name.as_str())
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let items = reader.array_header()?;
        let kind = reader.text()?;
        let index = reader.unsigned()?;
        let id = TransactionId(*reader.byte_array()?);
        match (kind, items) {
            ("reading", 7) => Ok(Self::Reading {
                index,
                id,
                kid: DeviceId(*reader.byte_array()?),
                sequence: Sequence::from_cti(*reader.byte_array()?),
                time_unix_milliseconds: reader.unsigned()?,
                records: reader.unsigned_32()?,
            }),
            ("instruction", 5) => {
                let account = read_account(reader)?;
                let text = reader.text()?;
                let name = InstructionName::ALL.into_iter().find(|name| name.as_str() == text);
                Ok(Self::Instruction { index, id, account, name: name.ok_or(DecodeError::Unexpected)? })
            }
            _ => Err(DecodeError::Unexpected),
        }
    }
}

/// Writes the refused counts, one for each of the contract's reasons in their order.
pub(crate) fn write_refused(writer: &mut Writer<'_>, refused: &RefusedCounts) -> Written {
    writer.array_header(refused.len())?;
    refused.iter().try_for_each(|count| writer.unsigned(*count))
}

/// Reads the refused counts.
pub(crate) fn read_refused(reader: &mut Reader<'_>) -> Read<RefusedCounts> {
    let mut refused = RefusedCounts::default();
    array_of(reader, refused.len())?;
    for count in &mut refused {
        *count = reader.unsigned()?;
    }
    Ok(refused)
}

/// How many readings were refused, by `Refusal::index`.
pub type RefusedCounts = [u64; Refusal::ALL.len()];
