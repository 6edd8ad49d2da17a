//! Merkle rows on disk: the hashes that proofs and tiles are read from, derived from the log and rebuilt from it.
//!
//! `DATA/rows/L` holds the roots of all complete subtrees of 256^L entries in order, 32 bytes each: what C2SP
//! tlog-tiles calls level L. Row 0 holds the leaf hashes; those of a pruned log's base lie with the log and are read from
//! there, so they stand once: then the file `0.from-N` holds those from entry N on. Nothing here is the truth: what is missing or too much is
//! appended or cut at start, and the root is compared with the state's.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use ledger::merkle::{self, Hash, ProofError};

use crate::disk;

/// Rows that a tree of 2^64 entries has.
const ROWS: usize = 8;
/// Hashes that one hash of the next row covers.
const WIDTH: u64 = 256;

/// The rows could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The entry or size lies beyond the tree.
    #[error("the log has no such entry")]
    OutOfTree,
}

impl RowsError {
    /// Whether the disk is full and nothing else is wrong: appending again goes on where it stopped.
    pub fn is_full(&self) -> bool {
        matches!(self, RowsError::Io { source, .. } if disk::is_full(source))
    }
}

/// The rows, for one writer and many readers.
pub struct Rows {
    directory: PathBuf,
    inner: RwLock<Inner>,
}

/// The leaf hashes of a pruned log's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Their file, 32 bytes each.
    pub leaves: PathBuf,
    /// How many there are.
    pub entries: u64,
}

struct Inner {
    files: Vec<File>,
    lengths: [u64; ROWS],
    /// The pruned leaf hashes and how many they are.
    pruned: Option<(File, u64)>,
}

impl Rows {
    /// Opens the rows in `directory`, creating what is missing. The first hashes of a pruned log are only read.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(directory: &Path, pruned: Option<Pruned>) -> Result<Rows, RowsError> {
        let io = |error| RowsError::Io { file: directory.to_owned(), source: error };
        std::fs::create_dir_all(directory).map_err(io)?;
        let mut files = Vec::with_capacity(ROWS);
        let mut lengths = [0; ROWS];
        let entries = pruned.as_ref().map_or(0, |pruned| pruned.entries);
        let pruned = pruned.map(|pruned| {
            let opened = File::open(&pruned.leaves).map(|file| (file, pruned.entries));
            opened.map_err(|source| RowsError::Io { file: pruned.leaves, source })
        });
        for (row, length) in lengths.iter_mut().enumerate() {
            let file = directory.join(name(row, entries));
            let io = |error| RowsError::Io { file: file.clone(), source: error };
            let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file);
            let open = options.map_err(io)?;
            *length = open.metadata().map_err(io)?.len() / 32;
            files.push(open);
        }
        lengths[0] += entries;
        remove_other_leaves(directory, entries).map_err(io)?;
        let inner = Inner { files, lengths, pruned: pruned.transpose()? };
        let rows = Rows { directory: directory.to_owned(), inner: RwLock::new(inner) };
        // Rows above the first follow from it; what a crash left in them beyond that is cut, what it lost is lost
        // from row 0 too as far as anybody may rely on it.
        let size = (0..ROWS - 1).rev().fold(u64::MAX, |size, row| {
            let above = rows.length(row + 1);
            size.min(above.saturating_add(1).saturating_mul(WIDTH.pow(row as u32 + 1)) - 1)
        });
        rows.truncate(size.min(rows.size()))?;
        // What is above the pruned leaf hashes can be made from them at once.
        rows.append(rows.size(), &[])?;
        Ok(rows)
    }

    /// Entries whose leaf hashes are here.
    pub fn size(&self) -> u64 {
        self.length(0)
    }

    fn length(&self, row: usize) -> u64 {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).lengths[row]
    }

    /// Cuts back to the first `size` entries; pruned leaf hashes stay, and what is above them comes back with the next
    /// [`Rows::append`].
    ///
    /// # Errors
    /// What the operating system says.
    pub fn truncate(&self, size: u64) -> Result<(), RowsError> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let pruned = inner.pruned_entries();
        let Inner { files, lengths, .. } = &mut *inner;
        let mut keep = size;
        for (row, (file, length)) in files.iter().zip(lengths).enumerate() {
            let elsewhere = if row == 0 { pruned } else { 0 };
            if *length > keep || row == 0 {
                *length = keep.min(*length).max(elsewhere);
                file.set_len((*length - elsewhere) * 32).map_err(|source| self.error(row, source))?;
            }
            keep /= WIDTH;
        }
        Ok(())
    }

    /// Appends the leaf hashes of the entries from `first_index`. What is here already is skipped.
    ///
    /// # Errors
    /// What the operating system says; `OutOfTree` when entries before `first_index` are missing.
    pub fn append(&self, first_index: u64, leaves: &[Hash]) -> Result<(), RowsError> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let known = inner.lengths[0].checked_sub(first_index).ok_or(RowsError::OutOfTree)?;
        let new = usize::try_from(known).ok().and_then(|known| leaves.get(known..)).unwrap_or_default();
        inner.push(0, new).map_err(|source| self.error(0, source))?;
        for row in 1..ROWS {
            let due = inner.lengths[row - 1] / WIDTH;
            let mut complete = Vec::new();
            for at in inner.lengths[row]..due {
                let children = inner.read(row - 1, at * WIDTH, WIDTH);
                let children = children.map_err(|source| self.error(row - 1, source))?;
                complete.push(merkle::root_of(children));
            }
            inner.push(row, &complete).map_err(|source| self.error(row, source))?;
        }
        Ok(())
    }

    /// Waits until the rows are on the disk.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync(&self) -> Result<(), RowsError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        for (row, file) in inner.files.iter().enumerate() {
            file.sync_data().map_err(|source| self.error(row, source))?;
        }
        Ok(())
    }

    /// The root over the first `size` entries.
    ///
    /// # Errors
    /// `OutOfTree`, or what the operating system says.
    pub fn root(&self, size: u64) -> Result<Hash, RowsError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if size > inner.lengths[0] {
            return Err(RowsError::OutOfTree);
        }
        let mut peaks = Vec::new();
        let mut at = 0;
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            peaks.push(self.node(&inner, level, at >> level)?);
            at += 1 << level;
        }
        merkle::Frontier::from_parts(size, peaks).map(|edge| edge.root()).ok_or(RowsError::OutOfTree)
    }

    /// The inclusion proof of entry `index` in the tree of `size` entries (RFC 6962 section 2.1.1).
    ///
    /// # Errors
    /// `OutOfTree`, or what the operating system says.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, RowsError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if size > inner.lengths[0] {
            return Err(RowsError::OutOfTree);
        }
        unwrap_proof(merkle::inclusion_proof(index, size, |level, at| self.node(&inner, level, at)))
    }

    /// The consistency proof between two sizes (RFC 6962 section 2.1.2).
    ///
    /// # Errors
    /// `OutOfTree`, or what the operating system says.
    pub fn consistency_proof(&self, earlier: u64, size: u64) -> Result<Vec<Hash>, RowsError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        if size > inner.lengths[0] {
            return Err(RowsError::OutOfTree);
        }
        unwrap_proof(merkle::consistency_proof(earlier, size, |level, at| self.node(&inner, level, at)))
    }

    /// The first `width` hashes of tile `tile` of `level` (C2SP tlog-tiles); `None` while the tree of `size` entries
    /// does not have them.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn tile(&self, level: u32, tile: u64, width: u64, size: u64) -> Result<Option<Vec<u8>>, RowsError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let Some(row) = usize::try_from(level).ok().filter(|row| *row < ROWS) else { return Ok(None) };
        let available = (size.min(inner.lengths[0]) >> (8 * row)).min(inner.lengths[row]);
        let Some(first) = tile.checked_mul(WIDTH) else { return Ok(None) };
        if width == 0 || width > WIDTH || first.checked_add(width).is_none_or(|end| end > available) {
            return Ok(None);
        }
        let hashes = inner.read(row, first, width).map_err(|source| self.error(row, source))?;
        Ok(Some(hashes.concat()))
    }

    /// Root of the complete subtree over entries `at << level .. (at + 1) << level`.
    fn node(&self, inner: &Inner, level: u32, at: u64) -> Result<Hash, RowsError> {
        let row = usize::try_from(level / 8).unwrap_or(ROWS).min(ROWS - 1);
        let width = 1_u64 << (level % 8);
        let hashes = inner.read(row, at * width, width).map_err(|source| self.error(row, source))?;
        Ok(merkle::root_of(hashes))
    }

    fn error(&self, row: usize, source: io::Error) -> RowsError {
        RowsError::Io { file: self.directory.join(row.to_string()), source }
    }
}

fn unwrap_proof(proof: Result<Vec<Hash>, ProofError<RowsError>>) -> Result<Vec<Hash>, RowsError> {
    proof.map_err(|error| match error {
        ProofError::OutOfTree => RowsError::OutOfTree,
        ProofError::Node(error) => error,
    })
}

/// The file of a row.
fn name(row: usize, pruned_entries: u64) -> String {
    match (row, pruned_entries) {
        (0, 1..) => format!("0.from-{pruned_entries}"),
        _ => row.to_string(),
    }
}

/// Leaf hashes from before the log was pruned, or pruned last.
fn remove_other_leaves(directory: &Path, pruned_entries: u64) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let found = entry.file_name();
        let is_row_0 = found.to_str().is_some_and(|found| found == "0" || found.starts_with("0.from-"));
        if is_row_0 && found.to_str() != Some(&name(0, pruned_entries)) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Inner {
    fn pruned_entries(&self) -> u64 {
        self.pruned.as_ref().map_or(0, |(_, entries)| *entries)
    }

    fn push(&mut self, row: usize, hashes: &[Hash]) -> io::Result<()> {
        if hashes.is_empty() {
            return Ok(());
        }
        let elsewhere = if row == 0 { self.pruned_entries() } else { 0 };
        self.files[row].write_all_at(hashes.as_flattened(), (self.lengths[row] - elsewhere) * 32)?;
        self.lengths[row] += hashes.len() as u64;
        Ok(())
    }

    fn read(&self, row: usize, first: u64, count: u64) -> io::Result<Vec<Hash>> {
        let mut hashes = vec![[0; 32]; usize::try_from(count).unwrap_or_default()];
        let pruned = self.pruned.as_ref().filter(|(_, entries)| row == 0 && first < *entries);
        let Some((file, entries)) = pruned else {
            let elsewhere = if row == 0 { self.pruned_entries() } else { 0 };
            self.files[row].read_exact_at(hashes.as_flattened_mut(), (first - elsewhere) * 32)?;
            return Ok(hashes);
        };
        let there = usize::try_from(entries - first).unwrap_or(usize::MAX).min(hashes.len());
        let (old, new) = hashes.split_at_mut(there);
        file.read_exact_at(old.as_flattened_mut(), first * 32)?;
        self.files[row].read_exact_at(new.as_flattened_mut(), 0)?;
        Ok(hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn rows_give_the_root_of_the_tree_at_every_size() {
        let directory = tempfile::tempdir().unwrap();
        let rows = Rows::open(directory.path(), None).unwrap();
        let all = leaves(1_200);
        rows.append(0, &all[..700]).unwrap();
        rows.append(700, &all[700..]).unwrap();
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 700, 1_199, 1_200] {
            assert_eq!(rows.root(size).unwrap(), merkle::root_of(all[..size as usize].iter().copied()));
        }
    }

    #[test]
    fn every_inclusion_proof_verifies() {
        let directory = tempfile::tempdir().unwrap();
        let rows = Rows::open(directory.path(), None).unwrap();
        let all = leaves(600);
        rows.append(0, &all).unwrap();
        for size in [1, 300, 512, 600] {
            let root = rows.root(size).unwrap();
            for index in (0..size).step_by(7) {
                let path = rows.inclusion_proof(index, size).unwrap();
                merkle::verify_inclusion(&all[index as usize], index, size, &path, &root).unwrap();
            }
        }
    }

    #[test]
    fn rows_cut_and_appended_again_are_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let all = leaves(900);
        let rows = Rows::open(directory.path(), None).unwrap();
        rows.append(0, &all).unwrap();
        let root = rows.root(900).unwrap();
        rows.truncate(300).unwrap();
        assert_eq!(rows.size(), 300);
        rows.append(200, &all[200..]).unwrap();
        assert_eq!(rows.root(900).unwrap(), root);
        drop(rows);
        let again = Rows::open(directory.path(), None).unwrap();
        assert_eq!((again.size(), again.root(900).unwrap()), (900, root));
    }

    #[test]
    fn a_lost_upper_row_takes_the_leaves_that_it_covers_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let rows = Rows::open(directory.path(), None).unwrap();
        rows.append(0, &leaves(900)).unwrap();
        drop(rows);
        std::fs::write(directory.path().join("1"), []).unwrap();
        let rows = Rows::open(directory.path(), None).unwrap();
        assert!(rows.size() < 256, "what is kept needs no upper row");
        rows.append(rows.size(), &leaves(900)[rows.size() as usize..]).unwrap();
        assert_eq!(rows.root(900).unwrap(), merkle::root_of(leaves(900)));
    }

    #[test]
    fn pruned_leaf_hashes_are_read_where_they_lie_and_everything_above_them_is_as_before() {
        let directory = tempfile::tempdir().unwrap();
        let all = leaves(1_200);
        let whole = Rows::open(&directory.path().join("whole"), None).unwrap();
        whole.append(0, &all).unwrap();
        let file = directory.path().join("leaves");
        std::fs::write(&file, all[..700].as_flattened()).unwrap();
        let place = directory.path().join("rows");
        drop(Rows::open(&place, None).unwrap().append(0, &all[..900]));
        let pruned = || Some(Pruned { leaves: file.clone(), entries: 700 });
        let rows = Rows::open(&place, pruned()).unwrap();
        assert!(!place.join("0").exists(), "they stand once");
        assert_eq!(rows.size(), 700);
        rows.append(700, &all[700..]).unwrap();
        for size in [1, 256, 511, 700, 701, 1_024, 1_200] {
            assert_eq!(rows.root(size).unwrap(), whole.root(size).unwrap(), "{size}");
            let proof = rows.inclusion_proof(size - 1, size).unwrap();
            assert_eq!(proof, whole.inclusion_proof(size - 1, size).unwrap());
        }
        for tile in 0..4 {
            assert_eq!(rows.tile(0, tile, 256, 1_200).unwrap(), whole.tile(0, tile, 256, 1_200).unwrap());
        }
        drop(rows);
        let rows = Rows::open(&place, pruned()).unwrap();
        assert_eq!((rows.size(), rows.root(1_200).unwrap()), (1_200, whole.root(1_200).unwrap()));
        rows.truncate(0).unwrap();
        rows.append(700, &all[700..]).unwrap();
        assert_eq!(rows.root(1_200).unwrap(), whole.root(1_200).unwrap(), "what is above is made anew");
    }

    #[test]
    fn a_tile_is_served_only_as_far_as_the_tree_goes() {
        let directory = tempfile::tempdir().unwrap();
        let rows = Rows::open(directory.path(), None).unwrap();
        rows.append(0, &leaves(300)).unwrap();
        assert_eq!(rows.tile(0, 0, 256, 300).unwrap().unwrap().len(), 256 * 32);
        assert_eq!(rows.tile(0, 1, 44, 300).unwrap().unwrap().len(), 44 * 32);
        assert_eq!(rows.tile(0, 1, 45, 300).unwrap(), None);
        assert_eq!(rows.tile(1, 0, 1, 300).unwrap().unwrap().len(), 32);
        assert_eq!(rows.tile(1, 0, 1, 255).unwrap(), None);
        assert_eq!(rows.tile(9, 0, 1, 300).unwrap(), None);
    }
}
