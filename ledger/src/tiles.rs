//! C2SP tlog-tiles: the paths under which a log's hashes and entries are fetched, and what lies there.

use crate::limits::TILE_WIDTH;
use crate::merkle::Hash;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Highest level that a tile path may name.
const LEVEL_MAX: u8 = 63;

/// Which row of resources a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileRow {
    /// Hashes at a level: of entries at 0, of full tiles of the level below above.
    Level(u8),
    /// Bundles of entries.
    Entries,
}

/// One tile or bundle: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TilePath {
    /// The row.
    pub row: TileRow,
    /// Index of the tile within its row.
    pub index: u64,
    /// Hashes or entries within: 256, or fewer for the right edge's partial tile.
    pub width: u16,
}

/// Why a tile cannot be served from a log of a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The path is not one of tlog-tiles.
    #[error("the path names no tile")]
    Path,
    /// The log is not that large yet.
    #[error("the log is not that large yet")]
    OutOfTree,
    /// An entry does not fit the 16-bit length of a bundle.
    #[error("an entry is longer than a bundle can hold")]
    EntryTooLong,
}

impl TilePath {
    /// Reads what follows `/tile/`, such as `0/x001/067.p/12` or `entries/000`.
    ///
    /// # Errors
    /// `Path` for anything that tlog-tiles would not write.
    ///
    /// ```
    /// use ledger::tiles::{TilePath, TileRow};
    /// let tile = TilePath::parse("0/x001/067.p/12").unwrap();
    /// assert_eq!(tile, TilePath { row: TileRow::Level(0), index: 1067, width: 12 });
    /// assert_eq!(tile.to_string(), "0/x001/067.p/12");
    /// ```
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let tile = Self::read(path).ok_or(TileError::Path)?;
        let mut rendered = String::new();
        // Written again and compared, so that no second spelling of a path is served (caches key by path).
        if write!(rendered, "{tile}").is_err() || rendered != path {
            return Err(TileError::Path);
        }
        Ok(tile)
    }

    fn read(path: &str) -> Option<Self> {
        let (row, rest) = path.split_once('/')?;
        let row = match row {
            "entries" => TileRow::Entries,
            level => TileRow::Level(level.parse().ok().filter(|level| *level <= LEVEL_MAX)?),
        };
        let (digits, width) = match rest.split_once(".p/") {
            Some((digits, width)) => {
                (digits, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(&u64::from(*width)))?)
            }
            None => (rest, 256),
        };
        let mut index = 0_u64;
        for element in digits.split('/') {
            let element = element.strip_prefix('x').unwrap_or(element);
            if element.len() != 3 || !element.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1_000)?.checked_add(element.parse().ok()?)?;
        }
        Some(Self { row, index, width })
    }

    /// Index of the first hash in the row (or of the first entry).
    ///
    /// # Errors
    /// `OutOfTree` when a log of `size` entries has no such tile of this width.
    pub fn start(&self, size: u64) -> Result<u64, TileError> {
        let level = match self.row {
            TileRow::Level(level) => u32::from(level),
            TileRow::Entries => 0,
        };
        let row_size = level.checked_mul(8).and_then(|bits| size.checked_shr(bits)).unwrap_or(0);
        let start = self.index.checked_mul(TILE_WIDTH).ok_or(TileError::OutOfTree)?;
        let end = start.checked_add(u64::from(self.width)).ok_or(TileError::OutOfTree)?;
        if end <= row_size { Ok(start) } else { Err(TileError::OutOfTree) }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            TileRow::Level(level) => write!(f, "{level}/")?,
            TileRow::Entries => f.write_str("entries/")?,
        }
        // Groups of three digits, the highest first: 20 digits are seven groups.
        let mut groups = Vec::with_capacity(7);
        let mut rest = self.index;
        loop {
            groups.push(rest % 1_000);
            rest /= 1_000;
            if rest == 0 {
                break;
            }
        }
        let mut groups = groups.into_iter().rev().peekable();
        while let Some(group) = groups.next() {
            if groups.peek().is_some() { write!(f, "x{group:03}/")? } else { write!(f, "{group:03}")? }
        }
        if u64::from(self.width) < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// A tile's bytes: its hashes, one after the other.
#[must_use]
pub fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// A bundle's bytes: each entry with its length as a big-endian u16 before it.
///
/// # Errors
/// `EntryTooLong` when an entry exceeds 65,535 bytes.
pub fn entry_bundle<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Result<Vec<u8>, TileError> {
    let mut bundle = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong)?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}
