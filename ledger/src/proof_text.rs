//! The lines that all proofs in text share: a path of hashes, one in base64 on each line (as C2SP tlog-proof has it).

use crate::checkpoint::decode_hash;
use crate::limits::TREE_LEVELS_MAX;
use crate::merkle::Hash;
use alloc::vec::Vec;
use base64ct::{Base64, Encoding};
use core::fmt;

/// What is wrong with the lines of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// A line, counted from 1.
    #[error("hash {0} is not 32 bytes in base64")]
    Hash(usize),
    /// More hashes than any path in a tree of 2^64 entries has.
    #[error("it has more than {} hashes", HASHES_MAX)]
    TooLong,
}

/// Hashes of one proof at most: a consistency proof has one more than its tree has levels.
const HASHES_MAX: usize = TREE_LEVELS_MAX as usize + 1;

/// Reads one hash from each line.
pub(crate) fn read_path<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, PathFault> {
    let mut path = Vec::new();
    for (at, line) in (1_usize..).zip(lines) {
        if path.len() >= HASHES_MAX {
            return Err(PathFault::TooLong);
        }
        path.push(decode_hash(line).ok_or(PathFault::Hash(at))?);
    }
    Ok(path)
}

/// Writes one hash on each line.
pub(crate) fn write_path(f: &mut fmt::Formatter<'_>, path: &[Hash]) -> fmt::Result {
    path.iter().try_for_each(|hash| writeln!(f, "{}", Base64::encode_string(hash)))
}

/// The rest of `line` behind `word` and a space.
pub(crate) fn after<'a>(line: Option<&'a str>, word: &str) -> Option<&'a str> {
    line?.strip_prefix(word)?.strip_prefix(' ')
}
