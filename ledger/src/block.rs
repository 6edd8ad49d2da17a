//! Blocks as they are stored and agreed on: transactions in order, and the seal that closes them.

use crate::encoding::{Read, Written, array_of, decoded, encoded, read_option, write_option};
use crate::merkle::Hash;
use crate::settlement::Settlement;
use crate::statement::Statement;
use crate::transaction::{Outcome, RefusedCounts, read_refused, write_refused};
use crate::transfer::TransferRecord;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::instruction::SignedInstruction;
use devices::reading::SignedReading;
use sha2::{Digest, Sha256};

/// Transactions and their seal. In the log they take consecutive entries, the seal last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Each transaction's COSE_Sign1.
    pub entries: Vec<Vec<u8>>,
    /// What closes the block.
    pub seal: Seal,
}

/// The tree over the state: its root, and its size, without which a proof's index would bind nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRoot {
    /// Number of leaves.
    pub leaves: u64,
    /// The Merkle root over them (RFC 6962 section 2.1).
    pub hash: Hash,
}

/// The entry that closes a block and commits to all before it and to what the block did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The block's number; genesis is 0.
    pub height: u64,
    /// The block's time in Unix milliseconds; never before its parent's.
    pub time_unix_milliseconds: u64,
    /// Transactions in the block, the seal not counted.
    pub entries: u32,
    /// Readings refused since the block before, by `Refusal::index`. Told by the proposer; nothing is paid by them.
    pub refused: RefusedCounts,
    /// Merkle root over the encoded outcomes, transfers and statements of the block, and over what its settlement
    /// came to.
    pub results_root: Hash,
    /// Root of the log before this seal: so a seal, and with it the block's id, commits to everything before it.
    pub log_root: Hash,
    /// Root over the state's leaves after the block; at genesis and at an epoch's end.
    pub state_root: Option<StateRoot>,
    /// First and last epoch that this block settled before its transactions.
    pub settled_epochs: Option<(u64, u64)>,
}

impl Seal {
    /// The seal in deterministic CBOR. Its first byte is 0x89, that of a transaction 0xd2.
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

    /// The block's id: SHA-256 of the seal.
    #[must_use]
    pub fn id(&self) -> Hash {
        Sha256::digest(self.encode()).into()
    }

    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(9)?;
        writer.text("seal")?;
        writer.unsigned(self.height)?;
        writer.unsigned(self.time_unix_milliseconds)?;
        writer.unsigned(self.entries.into())?;
        write_refused(writer, &self.refused)?;
        writer.bytes(&self.results_root)?;
        writer.bytes(&self.log_root)?;
        write_option(writer, self.state_root, |writer, root| {
            writer.array_header(2)?;
            writer.unsigned(root.leaves)?;
            writer.bytes(&root.hash)
        })?;
        write_option(writer, self.settled_epochs, |writer, (first, last)| {
            writer.array_header(2)?;
            writer.unsigned(first)?;
            writer.unsigned(last)
        })
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 9)?;
        if reader.text()? != "seal" {
            return Err(DecodeError::Unexpected);
        }
        Ok(Self {
            height: reader.unsigned()?,
            time_unix_milliseconds: reader.unsigned()?,
            entries: reader.unsigned_32()?,
            refused: read_refused(reader)?,
            results_root: *reader.byte_array()?,
            log_root: *reader.byte_array()?,
            state_root: read_option(reader, |reader| {
                array_of(reader, 2)?;
                Ok(StateRoot { leaves: reader.unsigned()?, hash: *reader.byte_array()? })
            })?,
            settled_epochs: read_option(reader, |reader| {
                array_of(reader, 2)?;
                Ok((reader.unsigned()?, reader.unsigned()?))
            })?,
        })
    }
}

/// One log entry, decoded.
#[derive(Clone, Debug)]
pub enum Entry<'a> {
    /// A device's reading; its signature is not verified by decoding.
    Reading(SignedReading<&'a [u8]>),
    /// An account's instruction; its signature is not verified by decoding.
    Instruction(SignedInstruction<&'a [u8]>),
    /// A block's seal.
    Seal(Seal),
}

impl<'a> Entry<'a> {
    /// Tells the kind from the bytes and decodes; `None` when they are no entry.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        if bytes.first() != Some(&TRANSACTION_FIRST_BYTE) {
            return Seal::decode(bytes).ok().map(Self::Seal);
        }
        match SignedReading::decode(bytes) {
            Ok(reading) => Some(Self::Reading(reading)),
            Err(_) => SignedInstruction::decode(bytes).ok().map(Self::Instruction),
        }
    }
}

/// CBOR tag 18, COSE_Sign1: how every transaction begins.
const TRANSACTION_FIRST_BYTE: u8 = 0xd2;

/// Everything a block did, for indexes, events and rows of hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockResults {
    /// The block's number.
    pub height: u64,
    /// The block's time.
    pub time_unix_milliseconds: u64,
    /// Index of the block's first entry.
    pub first_index: u64,
    /// The log's size after the block: the seal's index and one.
    pub log_size: u64,
    /// What each transaction did, in order.
    pub outcomes: Vec<Outcome>,
    /// Settlement's transfers first, then those of instructions.
    pub transfers: Vec<TransferRecord>,
    /// One for each device, and each of its owners, that sent anything in a settled epoch.
    pub statements: Vec<Statement>,
    /// What all statements come to and what stays in the pool; present when the block settled.
    pub settlement: Option<Settlement>,
    /// Hash of each entry and, last, of the seal.
    pub leaf_hashes: Vec<Hash>,
}

impl BlockResults {
    /// Index of the block's seal.
    #[must_use]
    pub fn seal_index(&self) -> u64 {
        self.log_size.saturating_sub(1)
    }
}
