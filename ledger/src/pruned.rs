//! What stays of a block after its readings were erased, and what that still proves.
//!
//! The readings' leaf hashes stay elsewhere; here are the instructions and the seal whole, and the transfers,
//! statements and settlement that the block wrote. With the leaf hashes these still lead to the seal's log root, and
//! what was paid to the seal's results root. What is lost: the readings' signatures and what they were worth cannot be
//! judged again.

use crate::block::{Block, BlockResults, Entry, Seal};
use crate::encoding::{Read, Written, array_of, decoded, encoded, read_option, write_option};
use crate::merkle::{Frontier, Hash, leaf_hash};
use crate::settlement::Settlement;
use crate::statement::Statement;
use crate::transfer::TransferRecord;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};

/// A block without (some of) its readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedBlock {
    /// The transactions in order; `None` where a reading was erased.
    pub entries: Vec<Option<Vec<u8>>>,
    /// What closes the block.
    pub seal: Seal,
    /// What the block paid and posted; absent when it did neither.
    pub results: Option<PrunedResults>,
}

/// What a block paid and posted, and what of its results' tree is not written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedResults {
    /// The growing edge of the results' tree after the outcomes of all transactions.
    pub outcomes: Frontier,
    /// Settlement's transfers first, then those of instructions.
    pub transfers: Vec<TransferRecord>,
    /// Statements of the settled epoch.
    pub statements: Vec<Statement>,
    /// What they come to.
    pub settlement: Option<Settlement>,
}

/// What a pruned block contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrunedFault {
    /// The number of entries is not the seal's, or there is not one leaf hash for each and the seal.
    #[error("the seal counts another number of entries")]
    Entries,
    /// An entry, or the seal, does not have the hash that is kept for it.
    #[error("entry {0} of the block, counted from 0, does not have the hash that is kept for it")]
    Leaf(usize),
    /// The hashes do not lead to the log root in the seal.
    #[error("the kept hashes do not lead to the log root in the seal")]
    LogRoot,
    /// Transfers and statements do not lead to the results root in the seal.
    #[error("the kept transfers and statements do not lead to the results root in the seal")]
    ResultsRoot,
    /// A block that settled must say what it paid.
    #[error("the block settled an epoch, and what it paid is missing")]
    NoResults,
}

impl PrunedBlock {
    /// A block that did what `results` say, nothing erased yet.
    #[must_use]
    pub fn of(block: &Block, results: &BlockResults) -> Self {
        let is_silent =
            results.transfers.is_empty() && results.statements.is_empty() && results.settlement.is_none();
        let kept = || {
            let mut outcomes = Frontier::new();
            results.outcomes.iter().for_each(|outcome| outcomes.append(leaf_hash(&outcome.encode())));
            PrunedResults {
                outcomes,
                transfers: results.transfers.clone(),
                statements: results.statements.clone(),
                settlement: results.settlement,
            }
        };
        Self {
            entries: block.entries.iter().cloned().map(Some).collect(),
            seal: block.seal.clone(),
            results: (!is_silent).then(kept),
        }
    }

    /// Erases the readings; gives how many went.
    pub fn erase(&mut self) -> u64 {
        let is_reading = |entry: &Vec<u8>| matches!(Entry::decode(entry), Some(Entry::Reading(_)));
        let before = self.erased();
        for entry in &mut self.entries {
            if entry.as_ref().is_some_and(is_reading) {
                *entry = None;
            }
        }
        self.erased().saturating_sub(before)
    }

    /// Readings that were erased.
    #[must_use]
    pub fn erased(&self) -> u64 {
        u64::try_from(self.entries.iter().filter(|entry| entry.is_none()).count()).unwrap_or(u64::MAX)
    }

    /// Checks everything that can be checked: each kept entry against its leaf hash, the hashes against the log root in
    /// the seal, what was paid against the results root. `leaves` are the hashes of the block's entries and of its seal;
    /// `log` is the log's edge before the block, and after it where all is well.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, leaves: &[Hash], log: &mut Frontier) -> Result<(), PrunedFault> {
        let Some((seal_leaf, entry_leaves)) = leaves.split_last() else { return Err(PrunedFault::Entries) };
        let counted = usize::try_from(self.seal.entries).ok();
        if counted != Some(self.entries.len()) || entry_leaves.len() != self.entries.len() {
            return Err(PrunedFault::Entries);
        }
        for (at, (entry, leaf)) in self.entries.iter().zip(entry_leaves).enumerate() {
            if entry.as_ref().is_some_and(|entry| leaf_hash(entry) != *leaf) {
                return Err(PrunedFault::Leaf(at));
            }
            log.append(*leaf);
        }
        if log.root() != self.seal.log_root {
            return Err(PrunedFault::LogRoot);
        }
        if leaf_hash(&self.seal.encode()) != *seal_leaf {
            return Err(PrunedFault::Leaf(self.entries.len()));
        }
        log.append(*seal_leaf);
        match &self.results {
            Some(results) if results.root() != self.seal.results_root => Err(PrunedFault::ResultsRoot),
            None if self.seal.settled_epochs.is_some() => Err(PrunedFault::NoResults),
            _ => Ok(()),
        }
    }

    /// The block in deterministic CBOR.
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

    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        writer.text("pruned block")?;
        writer.array_header(self.entries.len())?;
        for entry in &self.entries {
            write_option(writer, entry.as_ref(), |writer, entry| writer.bytes(entry))?;
        }
        writer.bytes(&self.seal.encode())?;
        write_option(writer, self.results.as_ref(), |writer, results| results.write(writer))
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 4)?;
        if reader.text()? != "pruned block" {
            return Err(DecodeError::Unexpected);
        }
        let entries =
            read_list(reader, |reader| read_option(reader, |reader| reader.bytes().map(<[u8]>::to_vec)))?;
        let seal = Seal::decode(reader.bytes()?)?;
        let results = read_option(reader, PrunedResults::read)?;
        Ok(Self { entries, seal, results })
    }
}

impl PrunedResults {
    /// Root of the results' tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut tree = self.outcomes.clone();
        self.transfers.iter().for_each(|record| tree.append(leaf_hash(&record.encode())));
        self.statements.iter().for_each(|statement| tree.append(leaf_hash(&statement.encode())));
        self.settlement.iter().for_each(|settlement| tree.append(leaf_hash(&settlement.encode())));
        tree.root()
    }

    fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(5)?;
        writer.unsigned(self.outcomes.size())?;
        writer.array_header(self.outcomes.peaks().len())?;
        self.outcomes.peaks().iter().try_for_each(|peak| writer.bytes(peak))?;
        writer.array_header(self.transfers.len())?;
        self.transfers.iter().try_for_each(|record| writer.bytes(&record.encode()))?;
        writer.array_header(self.statements.len())?;
        self.statements.iter().try_for_each(|statement| writer.bytes(&statement.encode()))?;
        write_option(writer, self.settlement.as_ref(), |writer, settlement| settlement.write(writer))
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 5)?;
        let size = reader.unsigned()?;
        let peaks = read_list(reader, |reader| reader.byte_array().copied())?;
        Ok(Self {
            outcomes: Frontier::from_parts(size, peaks).ok_or(DecodeError::Unexpected)?,
            transfers: read_list(reader, |reader| TransferRecord::decode(reader.bytes()?))?,
            statements: read_list(reader, |reader| Statement::decode(reader.bytes()?))?,
            settlement: read_option(reader, Settlement::read)?,
        })
    }
}

fn read_list<'a, T>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    // The count is not believed beforehand: it grows as items are read.
    let mut items = Vec::new();
    for _ in 0..reader.array_header()? {
        items.push(read(reader)?);
    }
    Ok(items)
}
