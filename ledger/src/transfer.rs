//! One posting: an amount leaves one account and enters another, why, and where the log says so.

use crate::account::AccountId;
use crate::encoding::{
    Read, Written, array_of, decoded, encoded, read_account, read_option, write_account, write_option,
};
use crate::limits::{MEMO_BYTES_MAX, WHY_BYTES_MAX};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::DeviceId;

/// Why an amount moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferReason {
    /// What the genesis document gave.
    Genesis,
    /// The treasury issued new tokens.
    Issue,
    /// An account's own wish.
    Transfer {
        /// What the sender wrote with it.
        memo: Option<String>,
    },
    /// What a device earned in an epoch.
    Reward {
        /// The device.
        kid: DeviceId,
        /// The epoch.
        epoch: u64,
    },
    /// What had waited in the escrow account of a device that was claimed.
    Claim {
        /// The device whose escrow it was.
        kid: DeviceId,
    },
    /// The operator set an entry right.
    Correct {
        /// The entry that is corrected.
        entry_index: u64,
        /// Why.
        why: String,
    },
}

impl TransferReason {
    /// The reason's word in encodings and answers.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Issue => "issue",
            Self::Transfer { .. } => "transfer",
            Self::Reward { .. } => "reward",
            Self::Claim { .. } => "claim",
            Self::Correct { .. } => "correct",
        }
    }
}

/// One posting: `amount_microtokens` leaves `debit` and enters `credit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The account that gives.
    pub debit: AccountId,
    /// The account that gets.
    pub credit: AccountId,
    /// How much, in micro-tokens; never zero.
    pub amount_microtokens: u64,
    /// Why.
    pub reason: TransferReason,
}

/// A posted transfer and where the log says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRecord {
    /// What was posted.
    pub transfer: Transfer,
    /// The block.
    pub height: u64,
    /// The block's time.
    pub time_unix_milliseconds: u64,
    /// The entry that caused it: an instruction, or the seal of the block that settled.
    pub entry_index: u64,
}

impl TransferRecord {
    /// The record in deterministic CBOR.
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
        writer.array_header(8)?;
        writer.text(self.transfer.reason.as_str())?;
        write_account(writer, self.transfer.debit)?;
        write_account(writer, self.transfer.credit)?;
        writer.unsigned(self.transfer.amount_microtokens)?;
        match &self.transfer.reason {
            TransferReason::Genesis | TransferReason::Issue => writer.null()?,
            TransferReason::Transfer { memo } => {
                write_option(writer, memo.as_deref(), |w, memo| w.text(memo))?
            }
            TransferReason::Reward { kid, epoch } => {
                writer.array_header(2)?;
                writer.bytes(kid.as_bytes())?;
                writer.unsigned(*epoch)?;
            }
            TransferReason::Claim { kid } => writer.bytes(kid.as_bytes())?,
            TransferReason::Correct { entry_index, why } => {
                writer.array_header(2)?;
                writer.unsigned(*entry_index)?;
                writer.text(why)?;
            }
        }
        writer.unsigned(self.height)?;
        writer.unsigned(self.time_unix_milliseconds)?;
        writer.unsigned(self.entry_index)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 8)?;
        let name = reader.text()?;
        let debit = read_account(reader)?;
        let credit = read_account(reader)?;
        let amount_microtokens = reader.unsigned()?;
        let reason = match name {
            "genesis" => reader.null().map(|()| TransferReason::Genesis)?,
            "issue" => reader.null().map(|()| TransferReason::Issue)?,
            "transfer" => TransferReason::Transfer { memo: read_option(reader, read_memo)? },
            "reward" => {
                array_of(reader, 2)?;
                let kid = DeviceId(*reader.byte_array()?);
                TransferReason::Reward { kid, epoch: reader.unsigned()? }
            }
            "claim" => TransferReason::Claim { kid: DeviceId(*reader.byte_array()?) },
            "correct" => {
                array_of(reader, 2)?;
                let entry_index = reader.unsigned()?;
                TransferReason::Correct { entry_index, why: read_why(reader)? }
            }
            _ => return Err(DecodeError::Unexpected),
        };
        let transfer = Transfer { debit, credit, amount_microtokens, reason };
        let height = reader.unsigned()?;
        let time_unix_milliseconds = reader.unsigned()?;
        Ok(Self { transfer, height, time_unix_milliseconds, entry_index: reader.unsigned()? })
    }
}

/// Reads a memo of bounded length.
pub(crate) fn read_memo(reader: &mut Reader<'_>) -> Read<String> {
    let memo = reader.text()?;
    if memo.len() > MEMO_BYTES_MAX { Err(DecodeError::OutOfRange) } else { Ok(memo.to_owned()) }
}

/// Reads the reason of a revocation or a correction, of bounded length.
pub(crate) fn read_why(reader: &mut Reader<'_>) -> Read<String> {
    let why = reader.text()?;
    if why.len() > WHY_BYTES_MAX { Err(DecodeError::OutOfRange) } else { Ok(why.to_owned()) }
}
