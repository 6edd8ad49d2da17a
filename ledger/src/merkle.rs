//! The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1): hashes, the growing edge, inclusion and
//! consistency proofs. Nothing here knows what an entry means.

use crate::limits::TREE_LEVELS_MAX;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// A SHA-256 hash of a leaf or an inner node.
pub type Hash = [u8; 32];

/// The hash of a tree without entries: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Hash of one entry: SHA-256(0x00 || entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root over leaf hashes in order.
#[must_use]
pub fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::new();
    leaves.into_iter().for_each(|leaf| frontier.append(leaf));
    frontier.root()
}

/// The growing edge of a tree: the roots of its complete subtrees, largest first. It appends in amortised
/// constant time and gives the root in logarithmic time; 64 hashes are all it ever keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rebuilds an edge from its parts; `None` when the number of peaks is not that of `size`.
    #[must_use]
    pub fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Self { size, peaks })
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds the hash of the next entry.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one of the size is a complete subtree that the new leaf completes to the next level.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.checked_add(1).expect("a log of 2^64 entries is out of reach");
    }

    /// Adds the root of a complete subtree over the next `2^level` entries.
    ///
    /// # Panics
    /// When the tree does not end where such a subtree begins.
    pub(crate) fn append_subtree(&mut self, level: u32, root: Hash) {
        let complete = self.size.trailing_zeros();
        assert!(level <= complete || self.size == 0, "a subtree begins at a multiple of its size");
        let mut node = root;
        let above = self.size.checked_shr(level).unwrap_or(0);
        for _ in 0..above.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        let entries = 1_u64.checked_shl(level).and_then(|entries| self.size.checked_add(entries));
        self.size = entries.expect("a log of 2^64 entries is out of reach");
    }

    /// The tree's root (RFC 6962 section 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// Why no proof could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// The index, or the earlier size, is not within the tree.
    #[error("the entry is not within the tree")]
    OutOfTree,
    /// The store of hashes failed.
    #[error("a hash of the tree cannot be read: {0}")]
    Node(E),
}

/// The inclusion proof of entry `index` in the tree of `size` entries, leaf's sibling first (RFC 6962 section
/// 2.1.1). `node(level, i)` gives the root of the complete subtree over entries `i << level .. (i + 1) << level`.
///
/// # Errors
/// `OutOfTree` when `index >= size`; `Node` with whatever `node` failed with.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, ProofError<E>> {
    if index >= size {
        return Err(ProofError::OutOfTree);
    }
    let (mut from, mut to) = (0, size);
    let mut siblings = Vec::new();
    while to.wrapping_sub(from) > 1 {
        let middle = from.wrapping_add(split(to.wrapping_sub(from)));
        if index < middle {
            siblings.push((middle, to));
            to = middle;
        } else {
            siblings.push((from, middle));
            from = middle;
        }
    }
    let hashes = siblings.into_iter().rev().map(|(from, to)| range_root(from, to, &mut node));
    hashes.collect::<Result<_, E>>().map_err(ProofError::Node)
}

/// The consistency proof from the tree of `earlier` entries to that of `size` (RFC 6962 section 2.1.2); empty when
/// the two are equal or the earlier one is empty. `node` is as in [`inclusion_proof`].
///
/// # Errors
/// `OutOfTree` when `earlier > size`; `Node` with whatever `node` failed with.
pub fn consistency_proof<E>(
    earlier: u64,
    size: u64,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, ProofError<E>> {
    if earlier > size {
        return Err(ProofError::OutOfTree);
    }
    if earlier == 0 || earlier == size {
        return Ok(Vec::new());
    }
    let (mut from, mut to, mut whole) = (0_u64, size, true);
    let mut ranges = Vec::new();
    while earlier != to {
        let middle = from.wrapping_add(split(to.wrapping_sub(from)));
        if earlier <= middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
            whole = false;
        }
    }
    // The earlier tree's own root need not be told when it is a whole subtree: the verifier knows it.
    if !whole {
        ranges.push((from, to));
    }
    let hashes = ranges.into_iter().rev().map(|(from, to)| range_root(from, to, &mut node));
    hashes.collect::<Result<_, E>>().map_err(ProofError::Node)
}

/// Largest power of two below `size`, for sizes above one.
fn split(size: u64) -> u64 {
    1_u64.checked_shl(size.saturating_sub(1).checked_ilog2().unwrap_or(0)).unwrap_or(1)
}

/// Root over `from..to`, where `from` is a multiple of the largest power of two that the range holds.
fn range_root<E>(from: u64, to: u64, node: &mut impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    let mut peaks = Vec::new();
    let mut at = from;
    while at < to {
        let level = to.wrapping_sub(at).ilog2();
        peaks.push(node(level, at.checked_shr(level).unwrap_or(0))?);
        at = at.saturating_add(1_u64.checked_shl(level).unwrap_or(u64::MAX));
    }
    let mut peaks = peaks.into_iter().rev();
    let last = peaks.next().unwrap_or_else(empty_root);
    Ok(peaks.fold(last, |right, left| node_hash(&left, &right)))
}

/// What is wrong with a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// The index lies outside the tree.
    #[error("the index lies outside the tree")]
    IndexOutOfTree,
    /// The earlier tree is larger than the later one, or empty.
    #[error("the earlier tree is empty or larger than the later one")]
    SizesReversed,
    /// The path has fewer hashes than the tree is deep.
    #[error("the path has too few hashes")]
    PathTooShort,
    /// The path has more hashes than the tree is deep.
    #[error("the path has too many hashes")]
    PathTooLong,
    /// The path does not lead to the earlier tree's root.
    #[error("the path does not lead to the earlier root")]
    EarlierRootDiffers,
    /// The path does not lead to the root.
    #[error("the entry and its path do not lead to the root")]
    RootDiffers,
}

/// Number of hashes that the inclusion proof of entry `index` in a tree of `size` has.
fn inclusion_length(index: u64, size: u64) -> u32 {
    // Below the level where the paths of `index` and of the last entry part, every level has a sibling; above it
    // only those where the path turns right (RFC 9162 section 2.1.3.2 counts the same).
    let last = size.saturating_sub(1);
    let inner = u64::BITS.saturating_sub((index ^ last).leading_zeros());
    inner.saturating_add(index.checked_shr(inner).unwrap_or(0).count_ones())
}

/// The root that `leaf` at `index` and `path` lead to in a tree of `size` (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// When the index lies outside the tree or the path's length is not that of the tree.
pub fn root_from_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Result<Hash, ProofFault> {
    if index >= size {
        return Err(ProofFault::IndexOutOfTree);
    }
    let length = inclusion_length(index, size);
    match u32::try_from(path.len()).unwrap_or(u32::MAX).cmp(&length) {
        core::cmp::Ordering::Less => return Err(ProofFault::PathTooShort),
        core::cmp::Ordering::Greater => return Err(ProofFault::PathTooLong),
        core::cmp::Ordering::Equal => {}
    }
    let (mut fn_, mut sn) = (index, size.saturating_sub(1));
    let mut root = *leaf;
    for sibling in path {
        if fn_ & 1 == 1 || fn_ == sn {
            root = node_hash(sibling, &root);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    Ok(root)
}

/// Checks that the entry with hash `leaf` stands at `index` in the tree of `size` with this root.
///
/// # Errors
/// The first thing that fails.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofFault> {
    if root_from_inclusion(leaf, index, size, path)? == *root { Ok(()) } else { Err(ProofFault::RootDiffers) }
}

/// Checks that the tree of `size` with `root` continues that of `earlier` with `earlier_root` (RFC 9162 section
/// 2.1.4.2).
///
/// # Errors
/// The first thing that fails.
pub fn verify_consistency(
    earlier: u64,
    earlier_root: &Hash,
    size: u64,
    root: &Hash,
    path: &[Hash],
) -> Result<(), ProofFault> {
    if earlier > size || earlier == 0 {
        return Err(ProofFault::SizesReversed);
    }
    if earlier == size {
        if !path.is_empty() {
            return Err(ProofFault::PathTooLong);
        }
        return if earlier_root == root { Ok(()) } else { Err(ProofFault::RootDiffers) };
    }
    let (mut fn_, mut sn) = (earlier.saturating_sub(1), size.saturating_sub(1));
    let whole = fn_.trailing_ones().min(TREE_LEVELS_MAX);
    fn_ = fn_.checked_shr(whole).unwrap_or(0);
    sn = sn.checked_shr(whole).unwrap_or(0);
    let mut hashes = path.iter();
    let first = if earlier.is_power_of_two() {
        *earlier_root
    } else {
        *hashes.next().ok_or(ProofFault::PathTooShort)?
    };
    let (mut fr, mut sr) = (first, first);
    for hash in hashes {
        if sn == 0 {
            return Err(ProofFault::PathTooLong);
        }
        if fn_ & 1 == 1 || fn_ == sn {
            fr = node_hash(hash, &fr);
            sr = node_hash(hash, &sr);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            sr = node_hash(&sr, hash);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    if sn != 0 {
        return Err(ProofFault::PathTooShort);
    }
    if fr != *earlier_root {
        return Err(ProofFault::EarlierRootDiffers);
    }
    if sr != *root { Err(ProofFault::RootDiffers) } else { Ok(()) }
}
