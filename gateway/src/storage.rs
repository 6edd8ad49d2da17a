//! Everything on disk, opened together: data directory, genesis, log, rows, snapshot, index; and a block's way there.
//!
//! The log is the truth. State, rows and index are brought to its end by replaying what follows the newest snapshot
//! that they all hold.

mod network;
mod replay;

use std::collections::HashMap;
use std::path::Path;

use devices::{DeviceId, SigningKey};
use ledger::checkpoint::Checkpoint;
use ledger::genesis::{Genesis, GenesisError};
use ledger::note::{Note, NoteError};
use ledger::replay::Divergence;
use ledger::snapshot::SnapshotError;
use ledger::state::State;

use crate::clock;
use crate::data_dir::{DataDir, DataDirError, VALIDATORS_FILE};
use crate::disk;
use crate::index::{Index, IndexError, Of};
use crate::keys::{self, KeyFileError};
use crate::limits;
use crate::log::{Log, LogError};
use crate::rows::{Rows, RowsError};
use crate::shared::Durable;
use crate::snapshot;

/// The data directory's content could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The Merkle rows.
    #[error("the Merkle rows cannot be used: {0}")]
    Rows(#[from] RowsError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A new genesis document cannot be made.
    #[error("the network cannot begin: {0}")]
    Genesis(#[from] GenesisError),
    /// The checkpoint cannot be signed.
    #[error("the checkpoint cannot be signed: {0}")]
    Sign(#[from] NoteError),
    /// The state that a pruned log begins with cannot be used.
    #[error(
        "the state at the pruned log's base cannot be used: {0}; restore the log directory from a backup"
    )]
    Base(#[from] SnapshotError),
    /// The log's blocks do not give what their seals say.
    #[error("the log contradicts itself: {0}; restore the log directory from a backup")]
    Diverged(#[from] Divergence),
    /// The log is shorter than it was.
    #[error(
        "the log holds {found} entries, but {signed} were signed and acknowledged: its end was lost; restore {} from a \
         backup", .directory.display()
    )]
    Lost {
        /// The log's directory.
        directory: std::path::PathBuf,
        /// Entries in the log.
        found: u64,
        /// Entries the last checkpoint covers.
        signed: u64,
    },
    /// The log has another root than the one that was signed.
    #[error("the log is not the one whose checkpoint lies beside it; restore {} from a backup", .0.display())]
    AnotherLog(std::path::PathBuf),
    /// The validator's key file does not belong to this network.
    #[error("{0} is not the key of the validator that the genesis document names; restore it from a backup")]
    AnotherValidator(std::path::PathBuf),
    /// The data directory was made for another ledger.
    #[error(
        "{directory} belongs to another genesis document than {document}: the two must be of one network; choose another \
         data directory, or put the right document there"
    )]
    AnotherGenesis {
        /// The data directory.
        directory: std::path::PathBuf,
        /// The document that the configuration names.
        document: std::path::PathBuf,
    },
    /// The genesis document that the configuration names cannot be read.
    #[error("the genesis document {file} cannot be used: {what}")]
    Document {
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Nobody decides blocks any more.
    #[cfg(feature = "bft")]
    #[error("{0} stopped, and with it this node: its log lines say why; start the node again")]
    Ended(&'static str),
    /// The epoch asked for is not the ledger's.
    #[error("{directory} has epochs of {found} s, not {wanted} s: they are fixed when a network begins", directory = .directory.display())]
    Epoch {
        /// The data directory.
        directory: std::path::PathBuf,
        /// The ledger's.
        found: u64,
        /// Asked for.
        wanted: u64,
    },
}

/// What a new network begins with, or an existing one must agree with.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The network's id.
    pub network: Option<String>,
    /// Seconds of an epoch.
    pub epoch_seconds: Option<u64>,
}

/// Network id where none is asked for.
pub const NETWORK_DEFAULT: &str = "devnet";
/// Seconds of an epoch where none are asked for.
pub const EPOCH_SECONDS_DEFAULT: u64 = 60;

/// All that is on disk, opened, and the state at the log's end.
pub struct Opened {
    /// The directory, held alone.
    pub directory: DataDir,
    /// The genesis document.
    pub genesis: Genesis,
    /// The validator's key; a gateway's own where the node is one.
    pub validator: SigningKey,
    /// The log, for appending.
    pub log: Log,
    /// The Merkle rows.
    pub rows: Rows,
    /// The index.
    pub index: Index,
    /// The state after the last block.
    pub state: State,
    /// The last block.
    pub durable: Durable,
    /// Its signed checkpoint.
    pub checkpoint: String,
    /// Refusals by device, as far as they were kept.
    pub refused_by_device: HashMap<DeviceId, [u64; 8]>,
    /// Height of the snapshot that the start used.
    pub snapshot_height: Option<u64>,
    /// What the start executed again.
    pub replayed: Replayed,
    /// How often the state is kept.
    pub snapshot_interval: snapshot::Interval,
    /// Bytes that stay free on the disk: a node that would take of them accepts nothing.
    pub disk_reserve_bytes: u64,
    /// Seconds without an accepted reading after which a device counts as silent.
    pub silent_after_seconds: u64,
}

/// Opens a data directory, making a new network when it is empty.
///
/// # Errors
/// One sentence about what stands in the way.
pub fn open(root: &Path, wanted: &Wanted) -> Result<Opened, StorageError> {
    let directory = DataDir::open(root)?;
    let (genesis, validator) = open_genesis(&directory, wanted)?;
    open_ledger(directory, genesis, validator)
}

/// Opens what lies under a genesis document, and brings all of it to the log's end.
fn open_ledger(directory: DataDir, genesis: Genesis, validator: SigningKey) -> Result<Opened, StorageError> {
    let genesis_hash = genesis.hash();
    let promised = promised(&directory)?.map_or(0, |checkpoint| checkpoint.size);
    let (mut log, cut) = Log::open(&directory.log(), genesis_hash, promised)?;
    if let Some(cut) = cut {
        tracing::warn!(file = %cut.file.display(), offset = cut.offset, bytes = cut.bytes, "a block torn by a crash was cut off the log's end; nothing acknowledged was in it");
    }
    let reader = log.reader();
    let rows = Rows::open(&directory.rows(), replay::pruned_rows(&reader))?;
    let of = Of { genesis_hash, first_height: reader.first_height() };
    let index = Index::open(&directory.index(), of)?;
    if log.next_height() == 0 {
        begin_network(&genesis, &mut log)?;
    }
    let restored = replay::restore(&directory, &genesis, &log, &index);
    let index = match &restored {
        Some(_) => index,
        // The index has to hold everything from genesis, and what it holds now may be of another history.
        None => {
            drop(index);
            Index::recreate(&directory.index(), of)?
        }
    };
    let snapshot_height = restored.as_ref().map(State::height);
    let (state, last, replayed) = replay::replay(&genesis, restored, &reader, &rows, &index)?;
    if rows.size() != state.log_size() || rows.root(state.log_size())? != state.root() {
        tracing::warn!("the Merkle rows are damaged and are made anew from the log");
        rows.truncate(0)?;
        replay::rebuild_rows(&reader, &rows)?;
    }
    check_against_checkpoint(&directory, &rows, &state)?;
    keep_validators(&directory, &state)?;
    let checkpoint = network::checkpoint(&directory, &genesis, &state, &validator)?;
    let refused_by_device = index.refused()?;
    let durable = Durable {
        height: state.height(),
        log_size: state.log_size(),
        time_unix_milliseconds: last.unwrap_or(state.time_unix_milliseconds()),
    };
    Ok(Opened {
        directory,
        genesis,
        validator,
        log,
        rows,
        index,
        state,
        durable,
        checkpoint,
        refused_by_device,
        snapshot_height,
        replayed,
        snapshot_interval: snapshot::Interval::default(),
        disk_reserve_bytes: limits::DISK_RESERVE_BYTES,
        silent_after_seconds: limits::SILENT_AFTER_SECONDS,
    })
}

/// Writes the checkpoint file, which may be older than the log: on a full disk it waits. Gives whether it was written.
///
/// # Errors
/// What else the operating system says.
pub fn keep_checkpoint(directory: &DataDir, checkpoint: &str) -> Result<bool, DataDirError> {
    match directory.write_checkpoint(checkpoint) {
        Ok(()) => Ok(true),
        Err(DataDirError::Io { source, .. }) if disk::is_full(&source) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Keeps the document of the validators' changes, once there were any: it lets whoever reads the directory, and a backup of
/// it, judge the checkpoint. On a full disk it waits for the next change or start.
///
/// # Errors
/// What else the operating system says.
pub fn keep_validators(directory: &DataDir, state: &State) -> Result<(), DataDirError> {
    let handovers = state.handovers();
    if handovers.present().version() == 0 {
        return Ok(());
    }
    let kept = directory.root().join(VALIDATORS_FILE);
    let text = handovers.to_string();
    if std::fs::read_to_string(kept).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    match directory.replace(VALIDATORS_FILE, text.as_bytes()) {
        Err(DataDirError::Io { source, .. }) if disk::is_full(&source) => Ok(()),
        written => written,
    }
}

fn open_genesis(directory: &DataDir, wanted: &Wanted) -> Result<(Genesis, SigningKey), StorageError> {
    let file = directory.key("validator");
    if let Some(genesis) = directory.genesis()? {
        if let Some(wanted) = wanted.network.as_ref().filter(|wanted| **wanted != genesis.network) {
            let (directory, found) = (directory.root().to_owned(), genesis.network);
            return Err(DataDirError::Network { directory, found, wanted: wanted.clone() }.into());
        }
        if let Some(wanted) = wanted.epoch_seconds.filter(|wanted| *wanted != genesis.epoch_seconds) {
            let (directory, found) = (directory.root().to_owned(), genesis.epoch_seconds);
            return Err(StorageError::Epoch { directory, found, wanted });
        }
        let validator = keys::read(&file)?;
        if !genesis.verifier_keys().iter().any(|verifier| *verifier.key() == validator.public_key()) {
            return Err(StorageError::AnotherValidator(file));
        }
        return Ok((genesis, validator));
    }
    let operator = keys::read_or_create(&directory.key("operator"))?;
    let treasury = keys::read_or_create(&directory.key("treasury"))?;
    let validator = keys::read_or_create(&file)?;
    let network = wanted.network.as_deref().unwrap_or(NETWORK_DEFAULT);
    let genesis = Genesis::devnet(
        network,
        &format!("lamppost/{network}"),
        validator.public_key(),
        operator.public_key(),
        treasury.public_key(),
        wanted.epoch_seconds.unwrap_or(EPOCH_SECONDS_DEFAULT),
        clock::now_unix_milliseconds(),
    )?;
    directory.write_genesis(&genesis)?;
    Ok((genesis, validator))
}

fn begin_network(genesis: &Genesis, log: &mut Log) -> Result<(), StorageError> {
    let (_, block, _) = State::genesis(genesis);
    log.append(&block)?;
    Ok(())
}

/// The last checkpoint that was signed, where one can be read: a file that a power failure left unreadable says nothing.
///
/// # Errors
/// When there is one that cannot be read at all.
pub fn promised(directory: &DataDir) -> Result<Option<Checkpoint>, StorageError> {
    let Some(text) = directory.checkpoint()? else { return Ok(None) };
    Ok(Note::parse(&text).ok().and_then(|note| Checkpoint::parse(&note.text).ok()))
}

/// The last checkpoint that was signed must be of this log: an end that was acknowledged must not be missing.
fn check_against_checkpoint(directory: &DataDir, rows: &Rows, state: &State) -> Result<(), StorageError> {
    let Some(signed) = promised(directory)? else { return Ok(()) };
    if signed.size > state.log_size() {
        return Err(StorageError::Lost {
            directory: directory.log(),
            found: state.log_size(),
            signed: signed.size,
        });
    }
    if rows.root(signed.size)? != signed.root {
        return Err(StorageError::AnotherLog(directory.log()));
    }
    Ok(())
}

/// The checkpoint as a signed note; a lone validator's key name is the origin.
///
/// # Errors
/// When the origin cannot stand in a note.
pub fn sign(checkpoint: &Checkpoint, validator: &SigningKey) -> Result<String, NoteError> {
    checkpoint.sign(&checkpoint.origin, validator).map(|note| note.to_string())
}

pub use network::open_network;
pub use replay::{Replayed, entry};

#[cfg(test)]
mod tests;
