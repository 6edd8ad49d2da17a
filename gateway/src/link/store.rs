//! The gateway's durable outbox: each batch a file, written before it is submitted and removed when it is settled.
//!
//! A batch promises nothing to anybody: devices are acknowledged after the block. It is kept so that a gateway that dies
//! does not make every device send again. A sequence is never used twice, not even when the directory was wiped: a new
//! directory begins at the time.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use devices::{PublicKey, SigningKey};

use super::batch::{Batch, BatchError};
use crate::data_dir;
use crate::limits::{OUTBOX_BATCHES_MAX, OUTBOX_BYTES_MAX, OUTBOX_SEQUENCES_AHEAD};

/// Names the first sequence that no run has set aside.
const COUNTER_FILE: &str = "next";

/// The outbox cannot be used, or takes nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("the outbox cannot be used: {file}: {source}")]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It is full.
    #[error(
        "the outbox is full: it holds {OUTBOX_BATCHES_MAX} batches or {OUTBOX_BYTES_MAX} bytes that are not final"
    )]
    Full,
    /// The transactions make no batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The counter's file is damaged.
    #[error(
        "{0} does not say which sequence comes next: remove the directory of the outbox, devices send again what was in it"
    )]
    Counter(PathBuf),
}

/// What the outbox holds and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Batches in it.
    pub batches: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Batches that are not settled, on the disk.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    key: SigningKey,
    network: String,
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    /// Bytes of each batch, also of those that are being written.
    held: BTreeMap<u64, u64>,
    bytes: u64,
    next: u64,
    /// Sequences below this are set aside on the disk.
    set_aside: u64,
}

/// An outbox that was opened, and what was found in it.
#[derive(Debug)]
pub struct Opened {
    /// The outbox.
    pub store: Store,
    /// Files that were no whole batch of this gateway's and were removed.
    pub dropped: Vec<PathBuf>,
}

impl Store {
    /// Opens the outbox in `directory`, making it when there is none. `first_sequence` is where a new one begins: the time
    /// in Unix milliseconds, which no earlier one has reached.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(
        directory: &Path,
        key: &SigningKey,
        network: &str,
        first_sequence: u64,
    ) -> Result<Opened, StoreError> {
        let at = |file: &Path, source| StoreError::Io { file: file.to_owned(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| at(directory, error))?;
        let mut index = Index::default();
        let mut dropped = Vec::new();
        for entry in fs::read_dir(directory).map_err(|error| at(directory, error))? {
            let file = entry.map_err(|error| at(directory, error))?.path();
            if file.file_name().is_some_and(|name| name == COUNTER_FILE) {
                continue;
            }
            match whole(&file, &key.public_key(), network).map_err(|error| at(&file, error))? {
                Some((sequence, bytes)) => {
                    index.bytes += bytes;
                    index.held.insert(sequence, bytes);
                }
                None => {
                    fs::remove_file(&file).map_err(|error| at(&file, error))?;
                    dropped.push(file);
                }
            }
        }
        let counter = directory.join(COUNTER_FILE);
        let counted = read_counter(&counter)?.unwrap_or(first_sequence);
        let above = index.held.last_key_value().map_or(0, |(sequence, _)| sequence.saturating_add(1));
        index.next = counted.max(above);
        let store = Store {
            directory: directory.to_owned(),
            key: key.clone(),
            network: network.to_owned(),
            index: index.into(),
        };
        Ok(Opened { store, dropped })
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs the transactions as the next batch and waits until it is on the disk; returns its sequence.
    ///
    /// # Errors
    /// [`StoreError::Full`], or what the disk says; then nothing is kept.
    pub fn put(&self, transactions: &[Vec<u8>]) -> Result<u64, StoreError> {
        let room = Batch::bytes_max(transactions)? as u64;
        let sequence = self.take_sequence(room)?;
        let written = Batch::sign(&self.key, &self.network, sequence, transactions)
            .map_err(StoreError::from)
            .and_then(|bytes| {
                let file = self.file(sequence);
                data_dir::replace(&file, &[&bytes]).map_err(|source| StoreError::Io { file, source })?;
                Ok(bytes.len() as u64)
            });
        let mut index = self.index();
        match written {
            Ok(bytes) => {
                index.bytes = index.bytes - room + bytes;
                index.held.insert(sequence, bytes);
                Ok(sequence)
            }
            Err(error) => {
                index.bytes -= room;
                index.held.remove(&sequence);
                Err(error)
            }
        }
    }

    /// Takes room and the next sequence, setting more of them aside where that was the last one.
    fn take_sequence(&self, bytes: u64) -> Result<u64, StoreError> {
        let mut index = self.index();
        if index.held.len() >= OUTBOX_BATCHES_MAX || index.bytes + bytes > OUTBOX_BYTES_MAX {
            return Err(StoreError::Full);
        }
        if index.next >= index.set_aside {
            let set_aside = index.next.saturating_add(OUTBOX_SEQUENCES_AHEAD);
            let file = self.directory.join(COUNTER_FILE);
            data_dir::replace(&file, &[format!("{set_aside}\n").as_bytes()])
                .map_err(|source| StoreError::Io { file, source })?;
            index.set_aside = set_aside;
        }
        let sequence = index.next;
        index.next += 1;
        index.bytes += bytes;
        index.held.insert(sequence, bytes);
        Ok(sequence)
    }

    /// The bytes of a batch; `None` when it is settled.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(&self, sequence: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let file = self.file(sequence);
        match fs::read(&file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { file, source }),
        }
    }

    /// The transactions of a batch; `None` when it is settled.
    ///
    /// # Errors
    /// What the disk says, or that the file is damaged.
    pub fn transactions(&self, sequence: u64) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let Some(bytes) = self.read(sequence)? else { return Ok(None) };
        let batch = Batch::decode(&bytes)?.verify(&self.key.public_key(), &self.network)?;
        Ok(Some(batch.into_transactions()))
    }

    /// Removes a batch that is settled; whether there was one. A crash may bring it back, which does no harm: the ledger
    /// takes nothing twice.
    ///
    /// # Errors
    /// What the disk says; then the batch is still there.
    pub fn forget(&self, sequence: u64) -> Result<bool, StoreError> {
        let file = self.file(sequence);
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::Io { file, source }),
        }
        let mut index = self.index();
        let bytes = index.held.remove(&sequence);
        index.bytes -= bytes.unwrap_or(0);
        Ok(bytes.is_some())
    }

    /// The sequences of all batches, the oldest first.
    pub fn sequences(&self) -> Vec<u64> {
        self.index().held.keys().copied().collect()
    }

    /// How much it holds.
    pub fn filled(&self) -> Filled {
        let index = self.index();
        Filled { batches: index.held.len(), bytes: index.bytes }
    }

    fn file(&self, sequence: u64) -> PathBuf {
        self.directory.join(format!("{sequence:020}.batch"))
    }
}

/// The sequence and length of the batch in a file; `None` when it is no whole batch of ours under that name.
fn whole(file: &Path, key: &PublicKey, network: &str) -> io::Result<Option<(u64, u64)>> {
    if !file.is_file() {
        return Err(io::Error::other("it is no file, and nothing else belongs here"));
    }
    let bytes = fs::read(file)?;
    let batch = Batch::decode(&bytes).and_then(|batch| batch.verify(key, network));
    let named = |sequence: &u64| {
        file.file_name().is_some_and(|name| name.to_str() == Some(&format!("{sequence:020}.batch")))
    };
    let sequence = batch.ok().map(|batch| batch.sequence()).filter(named);
    Ok(sequence.map(|sequence| (sequence, bytes.len() as u64)))
}

fn read_counter(file: &Path) -> Result<Option<u64>, StoreError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { file: file.to_owned(), source }),
    };
    let number = text.strip_suffix('\n').and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| StoreError::Counter(file.to_owned()))
}

#[cfg(test)]
impl Store {
    /// Pretends that there are batches of these sequences.
    pub(super) fn fill_for_test(&self, sequences: &[u64]) {
        self.index().held.extend(sequences.iter().map(|sequence| (*sequence, 0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed([9; 32])
    }

    fn open(directory: &Path) -> Opened {
        Store::open(directory, &key(), "devnet", 1_000).unwrap()
    }

    fn transactions(number: u8) -> Vec<Vec<u8>> {
        vec![vec![number; 100], vec![number; 7]]
    }

    #[test]
    fn what_was_put_is_there_after_a_restart_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open(directory.path());
        assert_eq!(opened.store.put(&transactions(1)).unwrap(), 1_000);
        assert_eq!(opened.store.put(&transactions(2)).unwrap(), 1_001);
        let filled = opened.store.filled();
        drop(opened);
        let Opened { store, dropped } = open(directory.path());
        assert!(dropped.is_empty());
        assert_eq!((store.sequences(), store.filled()), (vec![1_000, 1_001], filled));
        assert_eq!(store.transactions(1_001).unwrap(), Some(transactions(2)));
        assert!(store.forget(1_000).unwrap() && !store.forget(1_000).unwrap());
        assert_eq!(store.read(1_000).unwrap(), None);
        assert!(store.forget(1_001).unwrap());
        assert_eq!(store.filled(), Filled { batches: 0, bytes: 0 });
    }

    #[test]
    fn a_sequence_is_never_used_twice() {
        let directory = tempfile::tempdir().unwrap();
        let mut last = 0;
        for _ in 0..3 {
            let Opened { store, .. } = open(directory.path());
            for number in 0..3 {
                let sequence = store.put(&transactions(number)).unwrap();
                assert!(sequence > last);
                last = sequence;
                // Nothing is left that would tell how far it was.
                store.forget(sequence).unwrap();
            }
        }
        fs::remove_dir_all(directory.path()).unwrap();
        let wiped = Store::open(directory.path(), &key(), "devnet", 1_000_000).unwrap().store;
        assert_eq!(wiped.put(&transactions(1)).unwrap(), 1_000_000, "a new one begins at the time");
    }

    #[test]
    fn a_torn_file_is_dropped_and_said() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).store;
        let (torn, good) = (store.put(&transactions(1)).unwrap(), store.put(&transactions(2)).unwrap());
        let (torn_file, good_file) = (store.file(torn), store.file(good));
        let whole = fs::read(&torn_file).unwrap();
        for length in 0..whole.len() {
            fs::write(&torn_file, &whole[..length]).unwrap();
            let opened = open(directory.path());
            assert_eq!((opened.dropped, opened.store.sequences()), (vec![torn_file.clone()], vec![good]));
        }
        let copied = store.file(7);
        fs::copy(&good_file, &copied).unwrap();
        let draft = directory.path().join("00000000000000001002.batch.new");
        fs::write(&draft, b"half of it").unwrap();
        let mut opened = open(directory.path());
        opened.dropped.sort();
        assert_eq!(opened.dropped, [copied, draft], "neither under another name nor half written");
        assert_eq!(opened.store.sequences(), [good]);
        assert!(opened.store.put(&transactions(3)).unwrap() > good);
    }

    #[test]
    fn a_full_outbox_takes_nothing_and_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).store;
        store.fill_for_test(
            &(0..OUTBOX_BATCHES_MAX as u64).map(|number| 100_000 + number).collect::<Vec<_>>(),
        );
        assert!(matches!(store.put(&transactions(1)), Err(StoreError::Full)));
        store.forget(100_000).unwrap();
        let kept = store.put(&transactions(1)).unwrap();
        assert!(matches!(store.put(&transactions(1)), Err(StoreError::Full)));
        store.index().held.retain(|sequence, _| *sequence == kept);
        store.index().bytes = OUTBOX_BYTES_MAX;
        assert!(matches!(store.put(&transactions(1)), Err(StoreError::Full)));
        assert_eq!(store.transactions(kept).unwrap(), Some(transactions(1)));
    }

    #[test]
    fn what_cannot_be_written_takes_no_room() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).store;
        let before = store.filled();
        assert!(matches!(store.put(&[]), Err(StoreError::Batch(_))));
        fs::remove_dir_all(directory.path()).unwrap();
        assert!(matches!(store.put(&transactions(1)), Err(StoreError::Io { .. })));
        assert_eq!(store.filled(), before);
    }

    #[test]
    fn a_damaged_counter_is_one_sentence() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(COUNTER_FILE), b"none").unwrap();
        let error = Store::open(directory.path(), &key(), "devnet", 1).unwrap_err();
        assert!(matches!(error, StoreError::Counter(_)) && !error.to_string().contains('\n'));
    }
}
