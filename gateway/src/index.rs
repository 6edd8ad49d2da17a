//! The queries' index in sled: derived from the log, off the truth, rebuilt whenever it is missing, older or damaged.
//!
//! Never a key a transaction, a reading or a statement: each costs 16 to 18 µs and gigabytes of memory. What is looked
//! up by id, device or account stands in sorted runs (`runs`), statements and transfers in values of many, and what statements
//! come to by day in sorted runs that are summed (`days`).
//!
//! The host only hands a block over (`feed`); a thread of its own brings it here. What waits there is found as well, so
//! what is durable is found at once, however far the thread is behind.

mod days;
mod feed;
mod queries;
mod records;
mod runs;
mod shelf;
mod versions;

use std::collections::HashMap;
use std::fs::{self, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use devices::{DeviceId, TransactionId};
use ledger::settlement::Settlement;
use ledger::statement::Statement;
use ledger::transfer::{TransferReason, TransferRecord};

use crate::figures::{Day, summed};
use crate::{clock, limits};

use days::{Days, Row};
use feed::Feed;
pub use records::BlockPlace;
use runs::{Pair, Runs};
use versions::Versions;

/// Version of the layout; another one is rebuilt.
const LAYOUT: &[u8] = b"lamppost index 7";

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
pub struct BlockEntry {
    /// Where the block lies.
    pub place: BlockPlace,
    /// The ids of its entries with their log indexes, its seal's last; not those of erased readings.
    pub ids: Vec<(TransactionId, u64)>,
    /// The readings: device and log index, in order.
    pub readings: Vec<(DeviceId, u64)>,
    /// What devices said of their firmware, in order.
    pub firmware: Vec<(DeviceId, String)>,
    /// Counters of the commands that devices said they took, in order.
    pub confirmed: Vec<(DeviceId, u64)>,
    /// Statements it wrote.
    pub statements: Vec<Statement>,
    /// Transfers it posted.
    pub transfers: Vec<TransferRecord>,
    /// What its settlement came to, where it closed an epoch.
    pub settlement: Option<Settlement>,
}

impl BlockEntry {
    /// Whether it holds more than its place, ids and readings, which nearly every block holds.
    fn has_postings(&self) -> bool {
        !self.statements.is_empty() || !self.transfers.is_empty() || self.settlement.is_some()
    }
}

/// The index, for one writer and many readers.
pub struct Index {
    directory: PathBuf,
    database: sled::Db,
    blocks: sled::Tree,
    firsts: sled::Tree,
    statements: sled::Tree,
    transfers: sled::Tree,
    settlements: sled::Tree,
    corrections: sled::Tree,
    refused: sled::Tree,
    /// Log indexes by the first bytes of an id.
    ids: Runs,
    /// Log indexes of readings by device.
    readings: Runs,
    /// Ordinals of statements by device.
    statements_by_device: Runs,
    /// Ordinals of statements by the first bytes of their payee.
    statements_by_payee: Runs,
    /// Ordinals of transfers by the first bytes of either account.
    transfers_by_account: Runs,
    /// What statements come to by day, of each device.
    days_of_devices: Days<8>,
    /// The same of each payee, by its whole id: a sum has no second look that could tell two of one beginning apart.
    days_of_payees: Days<32>,
    /// The same of all together.
    days_of_all: Days<0>,
    /// What devices say of their firmware.
    firmware: Versions,
    /// The counter of the last command that each device said it took.
    confirmed: sled::Tree,
    feed: Feed,
    /// Held by whoever writes.
    writing: Mutex<()>,
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
        let runs = |name: &str| Runs::open(&database, name).map_err(store);
        let index = Index {
            directory: directory.to_owned(),
            blocks: tree("blocks")?,
            firsts: tree("firsts")?,
            statements: tree("statements")?,
            transfers: tree("transfers")?,
            settlements: tree("settlements")?,
            corrections: tree("corrections")?,
            refused: tree("refused")?,
            ids: runs("ids")?,
            readings: runs("readings")?,
            statements_by_device: runs("statements by device")?,
            statements_by_payee: runs("statements by payee")?,
            transfers_by_account: runs("transfers by account")?,
            days_of_devices: Days::open(&database, "days of devices").map_err(store)?,
            days_of_payees: Days::open(&database, "days of payees").map_err(store)?,
            days_of_all: Days::open(&database, "days of all").map_err(store)?,
            firmware: Versions::open(tree("firmware")?).map_err(store)?,
            confirmed: tree("confirmed")?,
            feed: Feed::default(),
            writing: Mutex::default(),
            database,
        };
        if let Some((height, _)) = index.blocks.last().map_err(store)? {
            index.feed.reached(records::u64_at(&height, 0).unwrap_or_default());
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

    /// Adds a block, in order of height. Putting a block again changes nothing.
    ///
    /// # Errors
    /// When it could not be written; the caller marks the index for rebuilding then.
    pub fn put(&self, entry: &BlockEntry) -> Result<(), IndexError> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &entry.place;
        let height = place.height.to_be_bytes();
        self.insert(&self.blocks, &height, &place.encode())?;
        self.insert(&self.firsts, &place.first_index.to_be_bytes(), &height)?;
        self.put_statements(place.height, &entry.statements)?;
        self.put_transfers(place.height, &entry.transfers)?;
        if let Some(settlement) = &entry.settlement {
            let value = records::encode_settlement(place.height, settlement);
            self.insert(&self.settlements, &settlement.last_epoch.to_be_bytes(), &value)?;
        }
        for (kid, version) in &entry.firmware {
            self.firmware.put(*kid, version).map_err(|error| self.failed(error))?;
        }
        for (kid, counter) in &entry.confirmed {
            self.insert(&self.confirmed, kid.as_bytes(), &counter.to_be_bytes())?;
        }
        // Only now, because whoever finds a pair reads what it leads to.
        self.ids.add(place.height, id_pairs(entry));
        self.readings.add(place.height, reading_pairs(entry));
        self.statements_by_device.add(place.height, device_pairs(entry));
        self.statements_by_payee.add(place.height, payee_pairs(entry));
        self.transfers_by_account.add(place.height, account_pairs(entry));
        self.add_days(place.height, &entry.statements);
        self.feed.reached(place.height);
        if self.is_due() { self.write_runs() } else { Ok(()) }
    }

    fn add_days(&self, height: u64, statements: &[Statement]) {
        let days = || statements.iter().map(|statement| (statement, Day::of(statement)));
        self.days_of_devices.add(height, days().map(|(of, day)| (*of.kid.as_bytes(), day)).collect());
        self.days_of_payees.add(height, days().map(|(of, day)| (*of.payee.as_bytes(), day)).collect());
        let all: Vec<Row<0>> =
            summed(days().map(|(_, day)| day).collect()).into_iter().map(|day| ([], day)).collect();
        self.days_of_all.add(height, all);
    }

    fn is_due(&self) -> bool {
        self.all_runs().iter().any(|runs| runs.is_due())
            || self.days_of_devices.is_due()
            || self.days_of_payees.is_due()
            || self.days_of_all.is_due()
    }

    fn all_runs(&self) -> [&Runs; 5] {
        [
            &self.ids,
            &self.readings,
            &self.statements_by_device,
            &self.statements_by_payee,
            &self.transfers_by_account,
        ]
    }

    fn write_runs(&self) -> Result<(), IndexError> {
        let written = self.all_runs().iter().try_for_each(|runs| runs.write());
        let written = written.and_then(|()| self.days_of_devices.write());
        let written = written.and_then(|()| self.days_of_payees.write());
        written.and_then(|()| self.days_of_all.write()).map_err(|error| self.failed(error))
    }

    fn put_statements(&self, height: u64, statements: &[Statement]) -> Result<(), IndexError> {
        for (number, chunk) in (0_u32..).zip(statements.chunks(limits::INDEX_STATEMENTS_PER_VALUE)) {
            let chunk: Vec<Vec<u8>> = chunk.iter().map(Statement::encode).collect();
            let value = records::encode_list(chunk.iter().map(Vec::as_slice));
            self.insert(&self.statements, &records::value_key(height, number), &value)?;
        }
        Ok(())
    }

    fn put_transfers(&self, height: u64, transfers: &[TransferRecord]) -> Result<(), IndexError> {
        for (number, chunk) in (0_u32..).zip(transfers.chunks(limits::INDEX_TRANSFERS_PER_VALUE)) {
            let chunk: Vec<Vec<u8>> = chunk.iter().map(TransferRecord::encode).collect();
            let value = records::encode_list(chunk.iter().map(Vec::as_slice));
            self.insert(&self.transfers, &records::value_key(height, number), &value)?;
        }
        for record in transfers {
            if let TransferReason::Correct { entry_index, .. } = record.transfer.reason {
                let key = [entry_index.to_be_bytes(), record.entry_index.to_be_bytes()].concat();
                self.insert(&self.corrections, &key, &record.encode())?;
            }
        }
        Ok(())
    }

    /// Waits until all blocks up to `height` are here, writes what is in memory and the refusal counts, and waits until
    /// all of it is on the disk.
    ///
    /// # Errors
    /// When it could not be written, or the block of `height` never became durable.
    pub fn flush(&self, height: u64, refused: &[(DeviceId, [u64; 8])]) -> Result<(), IndexError> {
        if !self.feed.wait_until(height) {
            return Err(self.failed(format!("block {height} never came")));
        }
        {
            let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            self.write_runs()?;
        }
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

/// The first eight bytes, under which an id or an account stands in the runs.
fn prefix(bytes: &[u8; 32]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn id_pairs(entry: &BlockEntry) -> Vec<Pair> {
    entry.ids.iter().map(|(id, index)| (prefix(id.as_bytes()), *index)).collect()
}

fn reading_pairs(entry: &BlockEntry) -> Vec<Pair> {
    entry.readings.iter().map(|(kid, index)| (*kid.as_bytes(), *index)).collect()
}

fn device_pairs(entry: &BlockEntry) -> Vec<Pair> {
    let ordinals = records::ordinals(entry.place.height).start..;
    entry.statements.iter().zip(ordinals).map(|(statement, at)| (*statement.kid.as_bytes(), at)).collect()
}

fn payee_pairs(entry: &BlockEntry) -> Vec<Pair> {
    let ordinals = records::ordinals(entry.place.height).start..;
    let payees = entry.statements.iter().map(|statement| prefix(statement.payee.as_bytes()));
    payees.zip(ordinals).collect()
}

fn account_pairs(entry: &BlockEntry) -> Vec<Pair> {
    let ordinals = records::ordinals(entry.place.height).start..;
    let both = |record: &TransferRecord| [record.transfer.debit, record.transfer.credit];
    let accounts = entry.transfers.iter().map(both).zip(ordinals);
    accounts.flat_map(|(both, at)| both.map(|account| (prefix(account.as_bytes()), at))).collect()
}

#[cfg(test)]
mod tests;
