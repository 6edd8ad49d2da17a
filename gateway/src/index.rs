//! The queries' index in sled: derived from the log, off the truth, rebuilt whenever it is missing, older or damaged.
//!
//! One value a block or a device and epoch wide, never one a transaction: a key each costs 16 to 18 µs and gigabytes
//! of memory. Ids are kept a block wide first and merged into sorted runs later; positions of readings are kept in
//! memory until an epoch ends or a snapshot is taken.

mod queries;
mod records;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use devices::{DeviceId, TransactionId};
use ledger::account::AccountId;
use ledger::settlement::Settlement;
use ledger::statement::Statement;
use ledger::transfer::{TransferReason, TransferRecord};

use crate::{clock, limits};

pub use records::BlockPlace;
use records::IdAt;

/// Version of the layout; another one is rebuilt.
const LAYOUT: &[u8] = b"lamppost index 3";

/// The index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// sled or the file system.
    #[error("the index {directory} failed: {what}; it is rebuilt at the next start")]
    Store {
        /// The directory.
        directory: PathBuf,
        /// What was said.
        what: String,
    },
    /// A value is not what was written.
    #[error("the index {0} is damaged; it is rebuilt at the next start")]
    Damaged(PathBuf),
}

/// What an index is derived from; one of anything else is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of {
    /// The ledger's genesis.
    pub genesis_hash: [u8; 32],
    /// Height of the log's first whole block: 0, or that behind the base of a pruned log, whose blocks lie elsewhere.
    pub first_height: u64,
}

/// What a block adds to the index.
#[derive(Debug, Clone)]
pub struct BlockEntry<'a> {
    /// Where the block lies.
    pub place: BlockPlace,
    /// The ids of its entries with their log indexes, its seal's last; not those of erased readings.
    pub ids: &'a [(TransactionId, u64)],
    /// The readings: device and log index, in order.
    pub readings: &'a [(DeviceId, u64)],
    /// The epoch that the block's time lies in.
    pub epoch: u64,
    /// Statements it wrote.
    pub statements: &'a [Statement],
    /// Transfers it posted.
    pub transfers: &'a [TransferRecord],
    /// What its settlement came to, where it closed an epoch.
    pub settlement: Option<&'a Settlement>,
}

/// The index, for one writer and many readers.
pub struct Index {
    directory: PathBuf,
    database: sled::Db,
    blocks: sled::Tree,
    firsts: sled::Tree,
    recent_ids: sled::Tree,
    id_runs: sled::Tree,
    readings: sled::Tree,
    statements: sled::Tree,
    payees: sled::Tree,
    transfers: sled::Tree,
    settlements: sled::Tree,
    corrections: sled::Tree,
    refused: sled::Tree,
    buffered: Mutex<Buffered>,
}

/// What is not in sled yet.
#[derive(Default)]
struct Buffered {
    readings: BTreeMap<(DeviceId, u64), Vec<u64>>,
    count: usize,
    recent_ids: usize,
    recent_blocks: usize,
    runs: u64,
}

impl Index {
    /// Opens the index in `directory`. One that is missing, damaged, of another layout or of another genesis is made
    /// anew; then [`Index::flushed_height`] is `None` and everything has to be put again.
    ///
    /// # Errors
    /// When the directory cannot be used at all.
    pub fn open(directory: &Path, of: Of) -> Result<Index, IndexError> {
        wait_until_closed(directory)?;
        let marker = marker(directory);
        if !marker.exists()
            && let Ok(Some(index)) = catch_unwind(AssertUnwindSafe(|| Index::try_open(directory).ok()))
            && index.is_of(of)
        {
            return Ok(index);
        }
        Index::recreate(directory, of)
    }

    /// Throws the index away and makes an empty one.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn recreate(directory: &Path, of: Of) -> Result<Index, IndexError> {
        let store = |error: std::io::Error| store(directory, error);
        wait_until_closed(directory)?;
        if directory.exists() {
            fs::remove_dir_all(directory).map_err(store)?;
        }
        let index = Index::try_open(directory)?;
        let written = index.database.insert("layout", LAYOUT);
        let written = written.and_then(|_| index.database.insert("genesis", &of.genesis_hash));
        let written = written.and_then(|_| index.database.insert("first", &of.first_height.to_be_bytes()));
        written.and_then(|_| index.database.flush()).map_err(|error| index.failed(error))?;
        let marker = marker(directory);
        if marker.exists() {
            fs::remove_file(marker).map_err(store)?;
        }
        Ok(index)
    }

    fn try_open(directory: &Path) -> Result<Index, IndexError> {
        let store = |error: sled::Error| store(directory, error);
        let config = sled::Config::new()
            .path(directory)
            .cache_capacity(limits::INDEX_CACHE_BYTES)
            .flush_every_ms(Some(2_000))
            .mode(sled::Mode::LowSpace);
        let database = config.open().map_err(store)?;
        let tree = |name: &str| database.open_tree(name).map_err(store);
        let index = Index {
            directory: directory.to_owned(),
            blocks: tree("blocks")?,
            firsts: tree("firsts")?,
            recent_ids: tree("recent_ids")?,
            id_runs: tree("id_runs")?,
            readings: tree("readings")?,
            statements: tree("statements")?,
            payees: tree("payees")?,
            transfers: tree("transfers")?,
            settlements: tree("settlements")?,
            corrections: tree("corrections")?,
            refused: tree("refused")?,
            buffered: Mutex::default(),
            database,
        };
        {
            let mut buffered = index.buffered();
            for item in &index.recent_ids {
                let (_, ids) = item.map_err(store)?;
                buffered.recent_ids += ids.len() / 16;
                buffered.recent_blocks += 1;
            }
            let last = index.id_runs.last().map_err(store)?;
            buffered.runs = last.and_then(|(key, _)| records::u64_at(&key, 0)).map_or(0, |run| run + 1);
        }
        Ok(index)
    }

    fn is_of(&self, of: Of) -> bool {
        let holds =
            |key: &str, wanted: &[u8]| matches!(self.database.get(key), Ok(Some(found)) if found == wanted);
        holds("layout", LAYOUT)
            && holds("genesis", &of.genesis_hash)
            && holds("first", &of.first_height.to_be_bytes())
    }

    /// Height up to which everything is in the index and on the disk; a snapshot at or below it can be started from.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn flushed_height(&self) -> Result<Option<u64>, IndexError> {
        self.number("flushed")
    }

    /// Notes for the next start that the index has to be made anew.
    pub fn mark_for_rebuild(&self) {
        if let Err(error) = fs::write(marker(&self.directory), "") {
            tracing::warn!(%error, "the index could not be marked for rebuilding and is taken away");
            // Its files stay readable while they are open; the next start finds none.
            let _marked_by_its_absence = fs::remove_dir_all(&self.directory);
        }
    }

    /// Adds a block. Putting a block again changes nothing.
    ///
    /// # Errors
    /// When it could not be written; the caller marks the index for rebuilding then.
    pub fn put(&self, entry: &BlockEntry<'_>) -> Result<(), IndexError> {
        let place = &entry.place;
        let height = place.height.to_be_bytes();
        self.insert(&self.blocks, &height, &place.encode())?;
        self.insert(&self.firsts, &place.first_index.to_be_bytes(), &height)?;
        self.put_ids(place.height, entry.ids)?;
        self.put_statements(entry.statements)?;
        self.put_transfers(place.height, entry.transfers)?;
        if let Some(settlement) = entry.settlement {
            let value = records::encode_settlement(place.height, settlement);
            self.insert(&self.settlements, &settlement.last_epoch.to_be_bytes(), &value)?;
        }
        let mut buffered = self.buffered();
        for (kid, index) in entry.readings {
            buffered.readings.entry((*kid, entry.epoch)).or_default().push(*index);
        }
        buffered.count += entry.readings.len();
        // At an epoch's end, what went before is complete: one value a device and epoch.
        let ended = buffered.readings.keys().any(|(_, epoch)| *epoch < entry.epoch);
        if ended || buffered.count > limits::INDEX_BUFFERED_READINGS_MAX {
            self.write_readings(&mut buffered)?;
        }
        Ok(())
    }

    fn put_ids(&self, height: u64, ids: &[(TransactionId, u64)]) -> Result<(), IndexError> {
        // A replayed block whose ids were merged into a run already.
        if self.number("merged")?.is_some_and(|merged| height <= merged) {
            return Ok(());
        }
        let mut sorted: Vec<IdAt> = ids.iter().map(|(id, index)| (prefix(id), *index)).collect();
        sorted.sort_unstable();
        let known = self.insert(&self.recent_ids, &height.to_be_bytes(), &records::encode_ids(&sorted))?;
        if known {
            return Ok(());
        }
        let mut buffered = self.buffered();
        buffered.recent_ids += sorted.len();
        buffered.recent_blocks += 1;
        if buffered.recent_ids >= limits::INDEX_RUN_IDS || buffered.recent_blocks >= limits::INDEX_RUN_BLOCKS
        {
            self.merge_ids(&mut buffered, height)?;
        }
        Ok(())
    }

    /// Merges the recent blocks' ids into one sorted run, so that a lookup reads a value a run and not one a block.
    fn merge_ids(&self, buffered: &mut Buffered, height: u64) -> Result<(), IndexError> {
        let mut all: Vec<IdAt> = Vec::with_capacity(buffered.recent_ids);
        let mut heights = Vec::new();
        for item in &self.recent_ids {
            let (key, ids) = item.map_err(|error| self.failed(error))?;
            all.extend(records::decode_ids(&ids));
            heights.push(key);
        }
        all.sort_unstable();
        for chunk in all.chunks(limits::INDEX_RUN_CHUNK_IDS) {
            let Some((first, _)) = chunk.first() else { continue };
            let key = [&buffered.runs.to_be_bytes()[..], first].concat();
            // Two chunks of one run may begin with the same prefix only if over two thousand ids share it.
            self.insert(&self.id_runs, &key, &records::encode_ids(chunk))?;
        }
        self.insert_number("merged", height)?;
        for key in heights {
            self.recent_ids.remove(key).map_err(|error| self.failed(error))?;
        }
        (buffered.recent_ids, buffered.recent_blocks) = (0, 0);
        buffered.runs += 1;
        Ok(())
    }

    fn put_statements(&self, statements: &[Statement]) -> Result<(), IndexError> {
        for statement in statements {
            // A device that changed hands within an epoch has a statement for each of its owners.
            let payee = statement.payee.as_bytes();
            let key = [&device_epoch(statement.kid, statement.epoch)[..], payee].concat();
            self.insert(&self.statements, &key, &statement.encode())?;
            let key = [&payee[..], &statement.epoch.to_be_bytes(), statement.kid.as_bytes()].concat();
            self.insert(&self.payees, &key, &[])?;
        }
        Ok(())
    }

    fn put_transfers(&self, height: u64, transfers: &[TransferRecord]) -> Result<(), IndexError> {
        let mut by_account: HashMap<AccountId, Vec<Vec<u8>>> = HashMap::new();
        for record in transfers {
            let bytes = record.encode();
            if let TransferReason::Correct { entry_index, .. } = record.transfer.reason {
                let key = [entry_index.to_be_bytes(), record.entry_index.to_be_bytes()].concat();
                self.insert(&self.corrections, &key, &bytes)?;
            }
            by_account.entry(record.transfer.debit).or_default().push(bytes.clone());
            by_account.entry(record.transfer.credit).or_default().push(bytes);
        }
        for (account, records) in by_account {
            for (part, chunk) in (0_u32..).zip(records.chunks(limits::INDEX_TRANSFERS_PER_VALUE_MAX)) {
                let key = [&account.as_bytes()[..], &height.to_be_bytes(), &part.to_be_bytes()].concat();
                self.insert(&self.transfers, &key, &records::encode_list(chunk.iter().map(Vec::as_slice)))?;
            }
        }
        Ok(())
    }

    fn write_readings(&self, buffered: &mut Buffered) -> Result<(), IndexError> {
        for ((kid, epoch), positions) in &buffered.readings {
            let Some(first) = positions.first() else { continue };
            let key = [&device_epoch(*kid, *epoch)[..], &first.to_be_bytes()].concat();
            self.insert(&self.readings, &key, &records::encode_positions(positions))?;
        }
        buffered.readings.clear();
        buffered.count = 0;
        Ok(())
    }

    /// Writes what is buffered and the refusal counts, and waits until the index is on the disk up to `height`.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn flush(&self, height: u64, refused: &[(DeviceId, [u64; 8])]) -> Result<(), IndexError> {
        self.write_readings(&mut self.buffered())?;
        for (kid, counts) in refused {
            self.insert(&self.refused, kid.as_bytes(), &records::encode_counts(counts))?;
        }
        self.database.flush().map_err(|error| self.failed(error))?;
        self.insert_number("flushed", height)?;
        self.database.flush().map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Refusals by device, as they were last flushed.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn refused(&self) -> Result<HashMap<DeviceId, [u64; 8]>, IndexError> {
        let mut refused = HashMap::new();
        for item in &self.refused {
            let (kid, counts) = item.map_err(|error| self.failed(error))?;
            let kid = kid.as_ref().try_into().map(DeviceId).map_err(|_| self.damaged())?;
            refused.insert(kid, records::decode_counts(&counts).ok_or_else(|| self.damaged())?);
        }
        Ok(refused)
    }

    /// Writes a value; gives whether the key was there before.
    fn insert(&self, tree: &sled::Tree, key: &[u8], value: &[u8]) -> Result<bool, IndexError> {
        tree.insert(key, value).map(|before| before.is_some()).map_err(|error| self.failed(error))
    }

    fn insert_number(&self, key: &str, number: u64) -> Result<(), IndexError> {
        self.insert(&self.database, key.as_bytes(), &number.to_be_bytes()).map(drop)
    }

    fn number(&self, key: &str) -> Result<Option<u64>, IndexError> {
        let value = self.database.get(key).map_err(|error| self.failed(error))?;
        Ok(value.and_then(|value| records::u64_at(&value, 0)))
    }

    fn buffered(&self) -> MutexGuard<'_, Buffered> {
        self.buffered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: impl ToString) -> IndexError {
        store(&self.directory, error)
    }

    fn damaged(&self) -> IndexError {
        IndexError::Damaged(self.directory.clone())
    }
}

/// Waits until nobody has the index open. sled's threads hold its file for some milliseconds after the last handle is
/// gone; an index that is merely still closing must not be taken for a damaged one and thrown away.
fn wait_until_closed(directory: &Path) -> Result<(), IndexError> {
    let Ok(file) = fs::File::open(directory.join("db")) else { return Ok(()) };
    let deadline = clock::monotonic() + limits::INDEX_CLOSING_MAX;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(store(directory, error)),
            Err(TryLockError::WouldBlock) if clock::monotonic() >= deadline => {
                return Err(store(directory, "another program has it open"));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(limits::INDEX_CLOSING_LOOK),
        }
    }
}

fn store(directory: &Path, error: impl ToString) -> IndexError {
    IndexError::Store { directory: directory.to_owned(), what: error.to_string() }
}

/// Beside the index, because inside it might not be readable.
fn marker(directory: &Path) -> PathBuf {
    directory.with_extension("rebuild")
}

fn prefix(id: &TransactionId) -> [u8; 8] {
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&id.as_bytes()[..8]);
    prefix
}

fn device_epoch(kid: DeviceId, epoch: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(kid.as_bytes());
    key[8..].copy_from_slice(&epoch.to_be_bytes());
    key
}

#[cfg(test)]
mod tests;
