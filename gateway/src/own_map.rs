//! The operator's own map: one PMTiles file, read in pieces.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::limits::MAP_PIECE_BYTES_MAX;

/// How a PMTiles file begins: its name, and the version that map libraries read.
const BEGINNING: &[u8] = b"PMTiles\x03";
/// Bytes of its header.
const HEADER_BYTES: u64 = 127;

/// The file cannot be a map.
#[derive(Debug, thiserror::Error)]
pub enum OwnMapError {
    /// It cannot be read.
    #[error("the map {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is something else.
    #[error(
        "{0} is no PMTiles file of version 3; `pmtiles extract` cuts one out of a larger map, and its `convert` makes one of MBTiles"
    )]
    NoPmtiles(PathBuf),
}

/// An open map.
#[derive(Debug)]
pub struct OwnMap {
    file: File,
    bytes: u64,
    /// Tells versions of the file apart: its length and when it was written.
    tag: String,
}

impl OwnMap {
    /// Opens a map and looks whether it is one.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub fn open(path: &Path) -> Result<OwnMap, OwnMapError> {
        let unreadable = |error| OwnMapError::Unreadable { path: path.to_owned(), error };
        let file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        let mut beginning = [0; BEGINNING.len()];
        let is_map = about.len() >= HEADER_BYTES && file.read_exact_at(&mut beginning, 0).is_ok();
        if !is_map || beginning != BEGINNING {
            return Err(OwnMapError::NoPmtiles(path.to_owned()));
        }
        let written = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let tag = format!("\"{:x}-{:x}\"", about.len(), written.unwrap_or_default().as_millis());
        Ok(OwnMap { file, bytes: about.len(), tag })
    }

    /// How long it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// An entity tag (RFC 9110 §8.8.3).
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The bytes from `first` to `last`, both included, or as many of them as are given at once.
    ///
    /// # Errors
    /// When the disk cannot be read, or the file has become shorter.
    pub fn piece(&self, first: u64, last: u64) -> io::Result<Vec<u8>> {
        let length = last.saturating_sub(first).saturating_add(1).min(MAP_PIECE_BYTES_MAX as u64);
        let mut piece = vec![0; usize::try_from(length).unwrap_or(MAP_PIECE_BYTES_MAX)];
        self.file.read_exact_at(&mut piece, first)?;
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_map_is_said_before_the_node_starts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("city.pmtiles");
        assert!(matches!(OwnMap::open(&path), Err(OwnMapError::Unreadable { .. })));
        std::fs::write(&path, "SQLite format 3").unwrap();
        assert!(matches!(OwnMap::open(&path), Err(OwnMapError::NoPmtiles(_))));
        let mut map = [7; 200];
        map[..8].copy_from_slice(BEGINNING);
        std::fs::write(&path, map).unwrap();
        let map = OwnMap::open(&path).unwrap();
        assert_eq!((map.bytes(), map.piece(8, 10).unwrap()), (200, vec![7; 3]));
        assert!(map.piece(190, 300).is_err(), "what lies beyond the end is not made up");
    }
}
