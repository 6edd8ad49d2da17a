//! The log as anybody reads it: entry bundles over HTTP, and where in them each transaction stands.

use crate::node::Node;
use crate::sensor::NETWORK;
use devices::{SignedInstruction, SignedReading};
use ledger::limits::TILE_WIDTH;
use ledger::merkle::{Hash, leaf_hash};
use ledger::tiles::{TilePath, TileRow};
use std::collections::BTreeMap;

/// The entries read so far.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    size: u64,
    note: String,
    leaves: Vec<Hash>,
    places: BTreeMap<String, Vec<u64>>,
}

impl Entries {
    /// Entries read so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The signed checkpoint that they were read up to.
    pub(crate) fn note(&self) -> &str {
        &self.note
    }

    /// The tree's leaf of each entry, in order.
    pub(crate) fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// Where a transaction stands; nowhere or at one place, if all is well.
    pub(crate) fn places(&self, transaction: &str) -> &[u64] {
        self.places.get(transaction).map_or(&[], Vec::as_slice)
    }

    /// How many places are one too many.
    pub(crate) fn twice(&self) -> u64 {
        self.places.values().map(|places| places.len() as u64 - 1).sum()
    }

    /// Reads what the log has got since, up to its checkpoint.
    ///
    /// # Errors
    /// A sentence where the log is shorter than before, or an entry cannot be read.
    pub(crate) fn read_on(&mut self, node: &Node) -> Result<(), String> {
        let checkpoint = node.text("/checkpoint");
        let size = checkpoint.lines().nth(1).and_then(|line| line.parse().ok());
        let size: u64 = size.ok_or_else(|| format!("the checkpoint names no size: {checkpoint}"))?;
        if size < self.size {
            return Err(format!("the log had {} entries and has {size}", self.size));
        }
        while self.size < size {
            let index = self.size / TILE_WIDTH;
            let width = (size - index * TILE_WIDTH).min(TILE_WIDTH);
            let width = u16::try_from(width).map_err(|_| "a tile is too wide".to_owned())?;
            let path = TilePath { row: TileRow::Entries, index, width };
            self.take(&node.get_bytes(&format!("/tile/{path}")), index * TILE_WIDTH)?;
        }
        self.note = checkpoint;
        Ok(())
    }

    /// The entries of a bundle (C2SP tlog-tiles: a length of 16 bits before each) that were not read before.
    fn take(&mut self, mut bundle: &[u8], first: u64) -> Result<(), String> {
        let mut place = first;
        while let Some((length, rest)) = bundle.split_first_chunk() {
            let entry = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)));
            let (entry, rest) = entry.ok_or("an entry bundle ends in the middle of an entry")?;
            if place == self.size {
                if let Some(transaction) = transaction(entry) {
                    self.places.entry(transaction).or_default().push(place);
                }
                self.leaves.push(leaf_hash(entry));
                self.size += 1;
            }
            place += 1;
            bundle = rest;
        }
        Ok(())
    }
}

/// The id of a transaction; none for a seal.
fn transaction(entry: &[u8]) -> Option<String> {
    let reading = SignedReading::decode(entry).map(|reading| reading.transaction_id(NETWORK));
    let instruction = || SignedInstruction::decode(entry).map(|signed| signed.transaction_id(NETWORK));
    reading.or_else(|_| instruction()).ok().map(|id| id.to_string())
}
