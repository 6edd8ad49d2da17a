//! Erases the readings of old blocks and keeps what old receipts, balances and roots need: leaf hashes, seals,
//! instructions, transfers, statements, and the state at an epoch's end.
//!
//! The node is stopped meanwhile. The log's blocks are executed again up to the base, so that nothing is kept that does
//! not hold; what is derived is made anew from the pruned log.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ledger::genesis::Genesis;
use ledger::pruned::PrunedBlock;
use ledger::replay::{Divergence, Trust};
use ledger::snapshot::SnapshotError;
use ledger::state::State;

use crate::data_dir::{DataDir, DataDirError};
use crate::index::{Index, Of};
use crate::log::{Log, LogError, LogReader, Position, Prepared, Pruning};
use crate::snapshot::{self, SnapshotWriteError};
use crate::storage::{self, StorageError, Wanted};
use crate::workers::Cores;

/// The log could not be pruned; it is as it was, or pruned already.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What is derived could not be made anew; the next start does it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The state could not be kept for the next start.
    #[error(transparent)]
    Snapshot(#[from] SnapshotWriteError),
    /// There is no ledger yet.
    #[error("{0} holds no ledger yet")]
    Empty(std::path::PathBuf),
    /// No epoch ended in time.
    #[error("no epoch ended before that time that was not pruned already: there is nothing to erase")]
    Nothing,
    /// The blocks do not give what their seals say.
    #[error("the log contradicts itself: {0}; nothing was erased")]
    Diverged(#[from] Divergence),
    /// The state at the last base.
    #[error("the state at the pruned log's base cannot be used: {0}; nothing was erased")]
    Base(#[from] SnapshotError),
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Height of the new base.
    pub height: u64,
    /// Entries up to it.
    pub entries: u64,
    /// Its time, Unix milliseconds.
    pub time_unix_milliseconds: u64,
    /// Readings that were erased now.
    pub erased_readings: u64,
    /// Bytes that the data directory took before, and takes now.
    pub bytes: (u64, u64),
}

/// Prunes the ledger in a data directory whose node is stopped: readings in blocks before the last epoch's end at or
/// before `before_unix_milliseconds` go.
///
/// # Errors
/// One sentence; the log is then as it was unless it says otherwise.
pub fn prune(root: &Path, before_unix_milliseconds: u64) -> Result<Pruned, PruneError> {
    // Looked at first: taking a directory would make one.
    DataDir::look(root)?;
    let directory = DataDir::open(root)?;
    let bytes_before = bytes_on_disk(root);
    let genesis = directory.genesis()?.ok_or_else(|| PruneError::Empty(root.to_owned()))?;
    let promised = storage::promised(&directory)?.map_or(0, |checkpoint| checkpoint.size);
    let (log, _) = Log::open(&directory.log(), genesis.hash(), promised)?;
    let reader = log.reader();
    drop(log);
    let (prepared, erased_readings) = prepare(&directory.log(), &genesis, &reader, before_unix_milliseconds)?;
    let of = Of { genesis_hash: genesis.hash(), first_height: reader.first_height() };
    // The counts of refusals are nowhere else; without them the rest is still right.
    let refused = Index::open(&directory.index(), of).and_then(|index| index.refused()).unwrap_or_default();
    let base = prepared.switch()?;
    for height in snapshot::heights(&directory.snapshots()) {
        if height < base.height {
            let _takes_space_and_nothing_else =
                std::fs::remove_file(snapshot::path(&directory.snapshots(), height));
        }
    }
    // The lock goes to the opening.
    drop(directory);
    let opened = storage::open(root, &Wanted { network: None, epoch_seconds: None })?;
    let refused: Vec<_> = refused.into_iter().collect();
    opened.index.flush(opened.durable.height, &refused).map_err(StorageError::from)?;
    opened.rows.sync().map_err(StorageError::from)?;
    snapshot::write(&opened.directory.snapshots(), genesis.hash(), &opened.state)?;
    drop(opened);
    Ok(Pruned {
        height: base.height,
        entries: base.entries,
        time_unix_milliseconds: base.time_unix_milliseconds,
        erased_readings,
        bytes: (bytes_before, bytes_on_disk(root)),
    })
}

/// Makes the pruned log beside the whole one; gives it with the number of readings that it lacks.
///
/// # Errors
/// One sentence; the log is as it was.
pub fn prepare(
    directory: &Path,
    genesis: &Genesis,
    reader: &LogReader,
    before_unix_milliseconds: u64,
) -> Result<(Prepared, u64), PruneError> {
    let (height, last) = base_before(genesis, reader, before_unix_milliseconds)?;
    let mut pruning = Pruning::begin(directory, reader, height)?;
    let mut erased = 0;
    let mut first_index = 0;
    for step in reader.history() {
        let (_, mut block) = step?;
        let leaves = reader.pruned_leaves(first_index, block.entries.len() + 1)?;
        first_index += leaves.len() as u64;
        // The last base's block was kept whole; it is in the middle now.
        erased += block.erase();
        pruning.add(&block, &leaves)?;
    }
    let mut state = reader.base_state()?.map(|bytes| State::restore(genesis, &bytes)).transpose()?;
    for step in reader.blocks() {
        let (_, at, block) = step?;
        let results = match &mut state {
            Some(state) => state.replay_with(&block, Trust::OwnLog, &Cores)?,
            None => {
                let (first, results) = State::replay_genesis(genesis, &block)?;
                state = Some(first);
                results
            }
        };
        let mut kept = PrunedBlock::of(&block, &results);
        // The base's own block settles first and then belongs to the epoch that begins: it stays whole.
        if at < height {
            erased += kept.erase();
        }
        pruning.add(&kept, &results.leaf_hashes)?;
        if at == height {
            break;
        }
    }
    let state = state.ok_or(PruneError::Nothing)?;
    Ok((pruning.complete(&state.snapshot(), last)?, erased))
}

/// The last block that closed an epoch which ended in time, beyond the base that there is.
fn base_before(
    genesis: &Genesis,
    reader: &LogReader,
    before_unix_milliseconds: u64,
) -> Result<(u64, Position), PruneError> {
    let mut found = None;
    for step in reader.blocks() {
        let (position, height, block) = step?;
        let Some((_, last_epoch)) = block.seal.settled_epochs else { continue };
        let epochs = genesis.epoch_milliseconds().saturating_mul(last_epoch.saturating_add(1));
        if genesis.time_unix_milliseconds.saturating_add(epochs) > before_unix_milliseconds {
            break;
        }
        found = Some((height, position));
    }
    found.ok_or(PruneError::Nothing)
}

/// Bytes that a directory takes on the disk, with all that is in it.
pub fn bytes_on_disk(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => metadata.blocks() * 512 + bytes_on_disk(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(bytes).sum()
}

#[cfg(test)]
mod tests;
