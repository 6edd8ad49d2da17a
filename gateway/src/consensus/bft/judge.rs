//! Whether a block that somebody proposes, or that was decided while this node was away, is the next one: every signature,
//! every rule of admission, and that executing it gives what its seal says.

use std::num::NonZeroUsize;
use std::thread;

use devices::batch::Signed;
use devices::{SignedInstruction, SignedReading, TransactionId};
use ledger::block::{Block, Entry};
use ledger::replay::Divergence;
use ledger::state::State;
use ledger::transaction::{Refused, VerifiedTransaction};

use super::context::BlockId;
use crate::admit::Candidate;
use crate::key_cache::KeyCache;
use crate::limits;
use crate::node::Node;
use crate::node::agreed::Made;
use crate::verify;
use crate::workers::Cores;

/// Why a block is not the next one.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its time is too far ahead.
    #[error("the block is {0} ms ahead of this node's clock")]
    Ahead(u64),
    /// Entry N is no transaction, or of nobody known.
    #[error("entry {0} of the block is no transaction of anybody known")]
    Entry(usize),
    /// A signature does not hold.
    #[error("a transaction's signature does not hold: {0}")]
    Signature(Refused),
    /// Executing it gives something else.
    #[error("{0}")]
    Diverged(#[from] Divergence),
}

/// What a block is found to be.
#[derive(Debug)]
pub enum Judged {
    /// Not a block that follows the last one, or not under its seal: it says nothing about any block's id.
    Garbage(&'static str),
    /// The block of this id, and it is wrong.
    Wrong(BlockId, Box<Fault>),
    /// The block of this id, executed.
    Right(BlockId, Box<Made>),
}

/// Judges with keys that were decompressed before.
pub struct Judge {
    keys: KeyCache,
}

impl Default for Judge {
    fn default() -> Self {
        Judge { keys: KeyCache::new(limits::KEYS_CACHED_MAX) }
    }
}

impl Judge {
    /// Judges a block against the state before it. `now` (Unix milliseconds) bounds its time, unless it is decided already.
    /// What waits in the node's pool was verified when it came in.
    pub fn judge(&self, node: &Node, state: &State, block: Block, now: Option<u64>) -> Judged {
        if block.seal.height != state.height() + 1 {
            return Judged::Garbage("the block is of another height");
        }
        // Else anybody could make a right block look wrong by sending other entries under its seal.
        if state.root_with(&block.entries) != block.seal.log_root {
            return Judged::Garbage("the entries are not those that the seal commits to");
        }
        let id = BlockId(block.seal.id());
        match self.execute(node, state, block, now) {
            Ok(made) => Judged::Right(id, Box::new(made)),
            Err(fault) => Judged::Wrong(id, Box::new(fault)),
        }
    }

    fn execute(&self, node: &Node, state: &State, block: Block, now: Option<u64>) -> Result<Made, Fault> {
        let time = block.seal.time_unix_milliseconds;
        if let Some(now) = now
            && time > now.saturating_add(limits::BLOCK_AHEAD_MAX_MILLISECONDS)
            && time > state.time_unix_milliseconds()
        {
            return Err(Fault::Ahead(time - now));
        }
        let transactions = self.verify(node, state, &block.entries)?;
        let mut after = state.clone();
        let results = after.replay_verified(&transactions, &block.seal, &Cores)?;
        Ok(Made { block, results, state: after })
    }

    /// Every transaction with its signature verified: here, or when it came into the pool.
    fn verify(
        &self,
        node: &Node,
        state: &State,
        entries: &[Vec<u8>],
    ) -> Result<Vec<VerifiedTransaction<Vec<u8>>>, Fault> {
        let network = state.network();
        let decoded: Vec<_> = entries.iter().map(|entry| Entry::decode(entry)).collect();
        let ids: Vec<_> = decoded.iter().map(|entry| id(entry.as_ref(), network)).collect();
        let mut known = node.known(&ids, entries);
        let mut candidates = Vec::with_capacity(entries.len() - known.len());
        for (place, entry) in entries.iter().enumerate().filter(|(place, _)| !known.contains_key(place)) {
            candidates.push(candidate(state, entry).ok_or(Fault::Entry(place))?);
        }
        let mut verified = self.verify_all(network, candidates)?.into_iter();
        let all = (0..entries.len()).map(|place| known.remove(&place).or_else(|| verified.next()));
        all.enumerate().map(|(place, transaction)| transaction.ok_or(Fault::Entry(place))).collect()
    }

    /// Each core its share.
    fn verify_all(
        &self,
        network: &str,
        mut candidates: Vec<Candidate>,
    ) -> Result<Vec<VerifiedTransaction<Vec<u8>>>, Fault> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = candidates.len().div_ceil(cores).max(limits::VERIFY_SHARE_MIN);
        let mut shares = Vec::new();
        while candidates.len() > share {
            shares.push(candidates.split_off(candidates.len() - share));
        }
        let verdicts: Vec<Vec<verify::Verdict>> = thread::scope(|scope| {
            let threads: Vec<_> = shares
                .into_iter()
                .map(|share| scope.spawn(move || verify::verify(network, &self.keys, share)))
                .collect();
            let first = verify::verify(network, &self.keys, candidates);
            let others = threads.into_iter().rev().filter_map(|thread| thread.join().ok());
            std::iter::once(first).chain(others).collect()
        });
        let judged = verdicts.into_iter().flatten().map(|verdict| match verdict {
            Ok(verified) => Ok(verified.transaction),
            Err(turned) => Err(Fault::Signature(turned.refused)),
        });
        judged.collect()
    }
}

fn id(entry: Option<&Entry<'_>>, network: &str) -> Option<TransactionId> {
    match entry? {
        Entry::Reading(reading) => Some(reading.transaction_id(network)),
        Entry::Instruction(instruction) => Some(instruction.transaction_id(network)),
        Entry::Seal(_) => None,
    }
}

/// An entry with the key that its signature must hold under, as the state before the block knows it.
fn candidate(state: &State, entry: &[u8]) -> Option<Candidate> {
    let (signed, key) = match SignedReading::decode(entry.to_vec()) {
        Ok(reading) => {
            let key = *state.device_key(reading.kid())?;
            (Signed::Reading(reading), key)
        }
        Err((_, bytes)) => {
            let instruction = SignedInstruction::decode(bytes).ok()?;
            let key = state.account_key(instruction.kid()).or(instruction.key()).copied()?;
            (Signed::Instruction(instruction), key)
        }
    };
    Some(Candidate { signed, key, ticket: None })
}

#[cfg(test)]
mod tests;
