//! Bringing what is derived to the log's end: by executing blocks again, and from what stays of pruned ones.

use devices::TransactionId;
use ledger::block::{Block, BlockResults, Entry};
use ledger::genesis::Genesis;
use ledger::pruned::PrunedBlock;
use ledger::replay::Trust;
use ledger::snapshot::SnapshotError;
use ledger::state::State;
use ledger::transaction::Outcome;

use super::StorageError;
use crate::data_dir::DataDir;
use crate::firmware;
use crate::index::{BlockEntry, BlockPlace, Index};
use crate::log::{self, Log, LogReader, Position};
use crate::rows::{self, Rows};
use crate::snapshot;
use crate::stored::entry_id;
use crate::workers::Cores;

/// Where the rows of a pruned log find its first hashes.
pub(super) fn pruned_rows(reader: &LogReader) -> Option<rows::Pruned> {
    let leaves = reader.pruned_leaves_file()?;
    Some(rows::Pruned { leaves, entries: reader.first_entry() })
}

/// The newest snapshot that the log and the index both reach.
pub(super) fn restore(directory: &DataDir, genesis: &Genesis, log: &Log, index: &Index) -> Option<State> {
    let flushed = index.flushed_height().ok().flatten()?;
    // An index ahead of the log saw blocks that are gone.
    let beyond = index.block(log.next_height()).ok()?;
    if beyond.is_some() {
        return None;
    }
    let first = log.reader().first_height();
    let snapshots = directory.snapshots();
    snapshot::heights(&snapshots)
        .into_iter()
        .rev()
        .filter(|height| *height <= flushed && *height < log.next_height() && *height + 1 >= first)
        .find_map(|height| {
            let bytes = snapshot::read(&snapshots, genesis.hash(), height)?;
            State::restore(genesis, &bytes).ok().filter(|state| state.height() == height)
        })
}

/// What a start executed again: at most what two snapshot intervals hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of their entries.
    pub bytes: u64,
}

/// The state at a pruned log's base; what stays of the blocks before it is put into the index, which is empty.
fn begin_at_base(
    genesis: &Genesis,
    reader: &LogReader,
    index: &Index,
) -> Result<Option<State>, StorageError> {
    let (Some(base), Some(bytes)) = (reader.base(), reader.base_state()?) else { return Ok(None) };
    let state = State::restore(genesis, &bytes)?;
    if (state.height(), state.log_size(), state.root()) != (base.height, base.entries, base.log_root) {
        return Err(SnapshotError::Contradiction("it is not the state of the base").into());
    }
    let mut first_index = 0;
    for step in reader.history() {
        let (position, block) = step?;
        let entries = block.entries.len() as u64 + 1;
        index.put(&pruned_entry(genesis, position, first_index, block))?;
        first_index += entries;
    }
    Ok(Some(state))
}

/// Brings state, rows and index to the log's end; gives the state and the last block's time, where one was executed.
pub(super) fn replay(
    genesis: &Genesis,
    restored: Option<State>,
    reader: &LogReader,
    rows: &Rows,
    index: &Index,
) -> Result<(State, Option<u64>, Replayed), StorageError> {
    let mut state = match restored {
        Some(state) => Some(state),
        None => begin_at_base(genesis, reader, index)?,
    };
    let place = state.as_ref().map(|state| index.block(state.height())).transpose()?.flatten();
    let blocks = match place.filter(|place| place.position.segment != log::HISTORY) {
        Some(place) => reader.blocks_from(place.position),
        None => reader.blocks(),
    };
    let (mut last, mut replayed) = (None, Replayed::default());
    // What a crash left in the rows beyond the state is not known to be right; what it left out is appended.
    rows.truncate(state.as_ref().map_or(0, State::log_size))?;
    for block in blocks {
        let (position, height, block) = block?;
        let results = match &mut state {
            Some(state) if height <= state.height() => continue,
            Some(state) => state.replay_with(&block, Trust::OwnLog, &Cores)?,
            None => {
                let (first, results) = State::replay_genesis(genesis, &block)?;
                state = Some(first);
                results
            }
        };
        last = Some(results.time_unix_milliseconds);
        replayed.blocks += 1;
        replayed.bytes += block.entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
        if rows.size() >= results.first_index {
            rows.append(results.first_index, &results.leaf_hashes)?;
        }
        index.put(&entry(position, &block, results))?;
    }
    Ok((state.unwrap_or_else(|| State::genesis(genesis).0), last, replayed))
}

/// Makes the rows anew from the log.
pub(super) fn rebuild_rows(reader: &LogReader, rows: &Rows) -> Result<(), StorageError> {
    let mut first_index = reader.first_entry();
    for block in reader.blocks() {
        let (_, _, block) = block?;
        let seal = block.seal.encode();
        let entries = block.entries.iter().chain(std::iter::once(&seal));
        let leaves: Vec<_> = entries.map(|entry| ledger::merkle::leaf_hash(entry)).collect();
        rows.append(first_index, &leaves)?;
        first_index += leaves.len() as u64;
    }
    Ok(())
}

/// What a block adds to the index.
pub fn entry(position: Position, block: &Block, results: BlockResults) -> BlockEntry {
    let mut ids: Vec<_> = results.outcomes.iter().map(|outcome| (outcome.id(), outcome.index())).collect();
    ids.push((TransactionId(block.seal.id()), results.seal_index()));
    let reading = |outcome: &Outcome| match outcome {
        Outcome::Reading { kid, index, .. } => Some((*kid, *index)),
        Outcome::Instruction { .. } => None,
    };
    BlockEntry {
        place: BlockPlace {
            height: results.height,
            position,
            first_index: results.first_index,
            entries: u32::try_from(results.leaf_hashes.len()).unwrap_or(u32::MAX),
            time_unix_milliseconds: results.time_unix_milliseconds,
        },
        ids,
        readings: results.outcomes.iter().filter_map(reading).collect(),
        firmware: block.entries.iter().filter_map(|entry| firmware::said_in(entry)).collect(),
        confirmed: block.entries.iter().filter_map(|entry| firmware::confirmed_in(entry)).collect(),
        statements: results.statements,
        transfers: results.transfers,
        settlement: results.settlement,
    }
}

/// What stays of a pruned block, for the index.
pub fn pruned_entry(
    genesis: &Genesis,
    position: Position,
    first_index: u64,
    block: PrunedBlock,
) -> BlockEntry {
    let (mut ids, mut readings) = (Vec::new(), Vec::new());
    let (mut firmware, mut confirmed) = (Vec::new(), Vec::new());
    for (entry, at) in block.entries.iter().zip(first_index..) {
        let Some(entry) = entry else { continue };
        ids.push((entry_id(&genesis.network, entry), at));
        if let Some(Entry::Reading(reading)) = Entry::decode(entry) {
            readings.push((reading.kid(), at));
            firmware.extend(firmware::said_in(entry));
            confirmed.extend(firmware::confirmed_in(entry));
        }
    }
    ids.push((TransactionId(block.seal.id()), first_index + block.entries.len() as u64));
    let (statements, transfers, settlement) = match block.results {
        Some(results) => (results.statements, results.transfers, results.settlement),
        None => Default::default(),
    };
    BlockEntry {
        place: BlockPlace {
            height: block.seal.height,
            position,
            first_index,
            entries: block.seal.entries.saturating_add(1),
            time_unix_milliseconds: block.seal.time_unix_milliseconds,
        },
        ids,
        readings,
        firmware,
        confirmed,
        statements,
        transfers,
        settlement,
    }
}
