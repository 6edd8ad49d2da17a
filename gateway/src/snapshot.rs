//! The ledger's state on disk now and then, so that a start replays one interval and not the whole history.
//!
//! `DATA/snapshots/HEIGHT.snapshot`: magic, format version, genesis hash, height, length, CRC-32C, then the state as
//! the ledger encodes it. Written beside and renamed, so a crash leaves the old or the new one. Never the truth: one
//! that cannot be read is passed over.

pub mod keeper;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ledger::state::State;

use crate::data_dir;
use crate::limits;

const MAGIC: &[u8; 8] = b"LAMPSNAP";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 32 + 8 + 8 + 4;

/// A snapshot is taken after so many blocks or so many bytes of the log; a start executes twice as much again at most,
/// because blocks go on while one is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
}

impl Default for Interval {
    fn default() -> Interval {
        Interval { blocks: limits::SNAPSHOT_BLOCKS, log_bytes: limits::SNAPSHOT_LOG_BYTES }
    }
}

/// A snapshot could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot {file} could not be written: {source}")]
pub struct SnapshotWriteError {
    file: PathBuf,
    source: io::Error,
}

/// Writes the snapshot of a state and removes all but the newest few.
///
/// # Errors
/// What the operating system says.
pub fn write(directory: &Path, genesis_hash: [u8; 32], state: &State) -> Result<(), SnapshotWriteError> {
    Draft::write(directory, genesis_hash, state.height(), |each| state.snapshot_in_pieces(each))?.keep()
}

/// A snapshot that is written, but neither known to be on the disk nor in its place.
pub struct Draft {
    file: PathBuf,
    draft: data_dir::Draft,
    bytes: u64,
}

impl Draft {
    /// Writes the pieces of a state of this height as they come.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(
        directory: &Path,
        genesis_hash: [u8; 32],
        height: u64,
        pieces: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) -> Result<Draft, SnapshotWriteError> {
        let file = path(directory, height);
        let failed = |source| SnapshotWriteError { file: file.clone(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let mut draft = data_dir::Draft::of(&file).map_err(failed)?;
        let (mut length, mut checksum) = (0, 0);
        // The header says what only the whole state tells, and is written over this.
        let mut result = draft.write_all(&[0; HEADER_BYTES]);
        pieces(&mut |piece| {
            if result.is_ok() {
                length += piece.len() as u64;
                checksum = crc32c::crc32c_append(checksum, piece);
                result = draft.write_all(piece);
            }
        });
        let header = header(genesis_hash, height, length, checksum);
        result.and_then(|()| draft.write_all_at(&header, 0)).map_err(failed)?;
        Ok(Draft { file, draft, bytes: length })
    }

    /// Bytes of the state.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts it in its place, once it is on the disk, and removes all but the newest few.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep(self) -> Result<(), SnapshotWriteError> {
        let Draft { file, draft, .. } = self;
        draft.keep().map_err(|source| SnapshotWriteError { file: file.clone(), source })?;
        let Some(directory) = file.parent() else { return Ok(()) };
        for old in heights(directory).into_iter().rev().skip(limits::SNAPSHOTS_KEPT) {
            // One that stays takes space and nothing else.
            let _stays = fs::remove_file(path(directory, old));
        }
        Ok(())
    }
}

/// The bytes of a snapshot's file.
pub fn encode(genesis_hash: [u8; 32], height: u64, state: &[u8]) -> Vec<u8> {
    [&header_of(genesis_hash, height, state), state].concat()
}

fn header_of(genesis_hash: [u8; 32], height: u64, state: &[u8]) -> Vec<u8> {
    header(genesis_hash, height, state.len() as u64, crc32c::crc32c(state))
}

fn header(genesis_hash: [u8; 32], height: u64, length: u64, checksum: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&genesis_hash);
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

/// Heights of the snapshots that lie in the directory, ascending; whether they can be read is another matter.
pub fn heights(directory: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let height = |name: &str| name.strip_suffix(".snapshot")?.parse().ok();
    let mut heights: Vec<u64> =
        entries.filter_map(Result::ok).filter_map(|entry| height(entry.file_name().to_str()?)).collect();
    heights.sort_unstable();
    heights
}

/// The state in the snapshot of `height`; `None` when it is missing, damaged or of another ledger.
pub fn read(directory: &Path, genesis_hash: [u8; 32], height: u64) -> Option<Vec<u8>> {
    decode(fs::read(path(directory, height)).ok()?, genesis_hash, height)
}

/// The state in the bytes of a snapshot's file; `None` when they are damaged or of another ledger.
pub fn decode(mut bytes: Vec<u8>, genesis_hash: [u8; 32], height: u64) -> Option<Vec<u8>> {
    let (found, state) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    if found[..] != header_of(genesis_hash, height, state) {
        return None;
    }
    bytes.drain(..HEADER_BYTES);
    Some(bytes)
}

/// The file of the snapshot of `height`.
pub fn path(directory: &Path, height: u64) -> PathBuf {
    directory.join(format!("{height}.snapshot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(directory: &Path, height: u64, state: &[u8]) {
        let (one, other) = state.split_at(3);
        let pieces = |each: &mut dyn FnMut(&[u8])| [one, other].into_iter().for_each(each);
        Draft::write(directory, [1; 32], height, pieces).unwrap().keep().unwrap();
        let file = fs::read(path(directory, height)).unwrap();
        assert_eq!(file, encode([1; 32], height, state), "the same bytes as in one piece");
    }

    #[test]
    fn a_draft_that_is_not_kept_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        drop(Draft::write(directory.path(), [1; 32], 7, |each| each(b"state")).unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_snapshot_reads_back_and_only_the_newest_few_stay() {
        let directory = tempfile::tempdir().unwrap();
        for height in [5, 100, 20] {
            written(directory.path(), height, b"state");
        }
        assert_eq!(heights(directory.path()), [20, 100]);
        assert_eq!(read(directory.path(), [1; 32], 100).unwrap(), b"state");
        assert_eq!(read(directory.path(), [2; 32], 100), None, "of another ledger");
    }

    #[test]
    fn a_damaged_snapshot_is_passed_over_wherever_the_damage_is() {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path(), 7, b"some state");
        let file = path(directory.path(), 7);
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&file, bytes).unwrap();
            assert_eq!(read(directory.path(), [1; 32], 7), None, "byte {at}");
        }
        fs::write(&file, &whole[..20]).unwrap();
        assert_eq!(read(directory.path(), [1; 32], 7), None);
    }
}
