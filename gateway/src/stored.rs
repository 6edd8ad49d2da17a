//! Entries and blocks as they were stored, read with one block read and one hash each.

use std::collections::HashMap;

use devices::TransactionId;
use ledger::block::{Block, Entry, Seal};
use ledger::certificate::Certificate;
use ledger::pruned::PrunedBlock;

use crate::index::BlockPlace;
use crate::log;
use crate::shared::{ReadError, Shared};

/// An entry of the log as it was stored, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// The transaction id; of a seal, SHA-256 of its bytes.
    pub id: TransactionId,
    /// Position in the log, from 0.
    pub index: u64,
    /// Height of the block that holds it.
    pub height: u64,
    /// Time of that block, Unix milliseconds.
    pub time_unix_milliseconds: u64,
    /// The entry's bytes; `ledger::block::Entry::decode` reads them.
    pub bytes: Vec<u8>,
}

/// A block as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Height, from 0 (genesis).
    pub height: u64,
    /// Log index of its first entry.
    pub first_index: u64,
    /// Block time, Unix milliseconds.
    pub time_unix_milliseconds: u64,
    /// Its transactions in order, without those that were erased; then its seal.
    pub entries: Vec<StoredEntry>,
    /// Readings that pruning erased.
    pub erased: u64,
    /// Who decided it, where there are several validators and the block was not pruned.
    pub certificate: Option<Certificate>,
}

impl StoredBlock {
    /// Reads the block at a place.
    pub(crate) fn read(shared: &Shared, place: &BlockPlace) -> Result<StoredBlock, ReadError> {
        let PrunedOrWhole { entries, seal, certificate } = PrunedOrWhole::read(shared, place)?;
        let time_unix_milliseconds = seal.time_unix_milliseconds;
        let erased = entries.iter().filter(|entry| entry.is_none()).count() as u64;
        let height = place.height;
        let stored = |id, index, bytes| StoredEntry { id, index, height, time_unix_milliseconds, bytes };
        let (network, seal_index) = (&shared.genesis.network, place.first_index + entries.len() as u64);
        let kept = entries
            .into_iter()
            .zip(place.first_index..)
            .filter_map(|(entry, index)| entry.map(|bytes| stored(entry_id(network, &bytes), index, bytes)));
        let mut entries: Vec<StoredEntry> = kept.collect();
        entries.push(stored(TransactionId(seal.id()), seal_index, seal.encode()));
        let (first_index, erased) = (place.first_index, erased);
        Ok(StoredBlock { height, first_index, time_unix_milliseconds, entries, erased, certificate })
    }
}

/// Reads entries one after another and holds the last block, because neighbours are mostly asked for together. Only
/// the ids of the entries asked for are computed: a full block has thousands.
pub(crate) struct Entries<'s> {
    shared: &'s Shared,
    place: Option<BlockPlace>,
    block: Option<PrunedOrWhole>,
}

/// A block as the log holds it: whole, or what pruning left of it. The seal follows the entries.
pub(crate) struct PrunedOrWhole {
    /// The transactions in order; `None` where a reading was erased.
    pub(crate) entries: Vec<Option<Vec<u8>>>,
    /// What closes the block.
    pub(crate) seal: Seal,
    certificate: Option<Certificate>,
}

impl PrunedOrWhole {
    /// Reads the block at a place.
    pub(crate) fn read(shared: &Shared, place: &BlockPlace) -> Result<PrunedOrWhole, ReadError> {
        if place.position.segment == log::HISTORY {
            let PrunedBlock { entries, seal, .. } = shared.log.read_pruned(place.position)?;
            return Ok(PrunedOrWhole { entries, seal, certificate: None });
        }
        let (Block { entries, seal }, certificate) = shared.log.read_certified(place.position)?;
        let certificate = certificate.and_then(|bytes| Certificate::decode(&bytes).ok());
        Ok(PrunedOrWhole { entries: entries.into_iter().map(Some).collect(), seal, certificate })
    }
}

impl<'s> Entries<'s> {
    /// A reader that holds nothing yet.
    pub(crate) fn of(shared: &'s Shared) -> Entries<'s> {
        Entries { shared, place: None, block: None }
    }

    /// The block that holds the entry at a log index.
    pub(crate) fn place(&mut self, index: u64) -> Result<BlockPlace, ReadError> {
        let holds = |place: &BlockPlace| {
            index.checked_sub(place.first_index).is_some_and(|offset| offset < u64::from(place.entries))
        };
        if let Some(place) = self.place.filter(holds) {
            return Ok(place);
        }
        let place = self.shared.index.block_of(index)?.ok_or(ReadError::Disagree)?;
        (self.place, self.block) = (Some(place), None);
        Ok(place)
    }

    /// The entry at a log index, which lies within the log.
    pub(crate) fn at(&mut self, index: u64) -> Result<StoredEntry, ReadError> {
        let place = self.place(index)?;
        let block = match self.block.take() {
            Some(block) => block,
            None => PrunedOrWhole::read(self.shared, &place)?,
        };
        let block = self.block.insert(block);
        let offset = usize::try_from(index - place.first_index).map_err(|_| ReadError::Disagree)?;
        let (id, bytes) = match block.entries.get(offset) {
            Some(Some(bytes)) => (entry_id(&self.shared.genesis.network, bytes), bytes.clone()),
            Some(None) => return Err(ReadError::Pruned(index)),
            None => (TransactionId(block.seal.id()), block.seal.encode()),
        };
        Ok(StoredEntry {
            id,
            index,
            height: place.height,
            time_unix_milliseconds: block.seal.time_unix_milliseconds,
            bytes,
        })
    }
}

/// Looks up the ids of the entries that statements and transfers name, each once: one seal closes an epoch for all.
pub struct EntryIds<'s> {
    shared: &'s Shared,
    ids: HashMap<u64, String>,
}

impl<'s> EntryIds<'s> {
    /// Nothing looked up yet.
    pub fn new(shared: &'s Shared) -> EntryIds<'s> {
        EntryIds { shared, ids: HashMap::new() }
    }

    /// The id of the entry at a log index, in hex.
    ///
    /// # Errors
    /// When the log cannot be read, or does not hold the entry.
    pub fn id(&mut self, index: u64) -> Result<String, ReadError> {
        if let Some(id) = self.ids.get(&index) {
            return Ok(id.clone());
        }
        // Whoever names it was written with its block, which is on the disk: what the node has told of may be a block behind.
        let id = Entries::of(self.shared).at(index)?.id.to_string();
        self.ids.insert(index, id.clone());
        Ok(id)
    }
}

/// The id of a stored transaction.
pub(crate) fn entry_id(network: &str, bytes: &[u8]) -> TransactionId {
    match Entry::decode(bytes) {
        Some(Entry::Reading(reading)) => reading.transaction_id(network),
        Some(Entry::Instruction(instruction)) => instruction.transaction_id(network),
        // Only transactions are ever appended before a seal; whatever else this is has no id that anybody asks for.
        _ => TransactionId([0; 32]),
    }
}
