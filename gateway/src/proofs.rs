//! Documents that outsiders verify, made from what is on disk, and verified here before they are given out.

use ledger::checkpoint::Checkpoint;
use ledger::merkle::{self, Hash};
use ledger::note::Note;
use ledger::receipt::Receipt;
use ledger::state_leaf::LeafKey;
use ledger::state_proof::StateProof;

use crate::shared::{ReadError, Shared};
use crate::stored::{Entries, StoredEntry};

/// What there is to say when somebody asks for the proof of a leaf of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafAnswer {
    /// The document (`lamppost/state-proof@v1`).
    Proven(String),
    /// The state had no such leaf after this block.
    Absent {
        /// The last block whose seal holds a state root.
        height: u64,
    },
    /// This node has not seen an epoch end yet since its leaves were lost, or the checkpoint does not cover that end yet.
    Later,
}

/// The receipt of a stored entry under the last checkpoint.
///
/// # Errors
/// When the rows cannot be read or are damaged.
pub fn receipt(shared: &Shared, entry: StoredEntry) -> Result<Receipt, ReadError> {
    let (checkpoint, size) = shared.checkpoint_and_size();
    let path = shared.rows.inclusion_proof(entry.index, size)?;
    let checkpoint = Note::parse(&checkpoint).map_err(|_| ReadError::Disagree)?;
    let root = Checkpoint::parse(&checkpoint.text).map_err(|_| ReadError::Disagree)?.root;
    // Rows are derived and may rot: a receipt that does not hold is never given out.
    let leaf = merkle::leaf_hash(&entry.bytes);
    merkle::verify_inclusion(&leaf, entry.index, size, &path, &root).map_err(|_| ReadError::RowsDamaged)?;
    Ok(Receipt { entry: entry.bytes, index: entry.index, path, checkpoint })
}

/// The proof of a leaf of the state as it was at the last epoch's end.
///
/// # Errors
/// When the leaves, the log or the rows cannot be read or are damaged.
pub fn leaf(shared: &Shared, key: LeafKey) -> Result<LeafAnswer, ReadError> {
    let newest = shared.leaves.newest().filter(|leaves| leaves.height() <= shared.durable().height);
    let Some(leaves) = newest else { return Ok(LeafAnswer::Later) };
    let height = leaves.height();
    let Some(leaf) = leaves.prove(key)? else { return Ok(LeafAnswer::Absent { height }) };
    let place = shared.index.block(height)?.ok_or(ReadError::Disagree)?;
    let seal_index = (place.first_index + u64::from(place.entries)).saturating_sub(1);
    // Several validators sign a checkpoint when they have the block, and it is there a moment after that.
    if seal_index >= shared.checkpoint_and_size().1 {
        return Ok(LeafAnswer::Later);
    }
    let seal = Entries::of(shared).at(seal_index)?;
    let proof = StateProof {
        leaf: leaf.bytes,
        index: leaf.index,
        size: leaf.size,
        path: leaf.path,
        receipt: receipt(shared, seal)?,
    };
    let document = proof.to_string();
    // The leaves are derived too: what they prove is verified as anybody would.
    let handovers = shared.state().handovers().clone();
    proof.verify(&handovers).map_err(ReadError::StateProof)?;
    Ok(LeafAnswer::Proven(document))
}

/// The hashes from the tree of `from` entries to that of `to`; `None` when the log has no such sizes.
///
/// # Errors
/// When the rows cannot be read or are damaged.
pub fn consistency(shared: &Shared, from: u64, to: u64) -> Result<Option<Vec<Hash>>, ReadError> {
    if from == 0 || from > to || to > shared.checkpoint_and_size().1 {
        return Ok(None);
    }
    let path = shared.rows.consistency_proof(from, to)?;
    let (earlier, later) = (shared.rows.root(from)?, shared.rows.root(to)?);
    merkle::verify_consistency(from, &earlier, to, &later, &path).map_err(|_| ReadError::RowsDamaged)?;
    Ok(Some(path))
}
