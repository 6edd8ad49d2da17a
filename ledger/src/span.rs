//! A stretch of a Merkle tree whose leaves are hashed apart from those before it: as few roots of complete subtrees as
//! cover it. Stretches that follow one another make the tree, so that its parts can be hashed at the same time.

use crate::merkle::{Frontier, Hash, node_hash};
use alloc::vec::Vec;

/// Consecutive leaves from some index on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The index after the last leaf.
    end: u64,
    /// Level and root of each subtree, in the order of their leaves.
    subtrees: Vec<(u32, Hash)>,
}

impl Span {
    /// No leaves yet; the first one will have the index `begin`.
    pub(crate) fn beginning_at(begin: u64) -> Self {
        Self { end: begin, subtrees: Vec::new() }
    }

    /// Adds the hash of the next leaf.
    pub(crate) fn append(&mut self, leaf: Hash) {
        let (mut level, mut node, mut index) = (0, leaf, self.end);
        // A node of an odd index completes its parent when its left sibling lies in the stretch too.
        while index & 1 == 1
            && let Some((left_level, left)) = self.subtrees.last()
            && *left_level == level
        {
            node = node_hash(left, &node);
            self.subtrees.pop();
            (level, index) = (level.saturating_add(1), index >> 1);
        }
        self.subtrees.push((level, node));
        self.end = self.end.saturating_add(1);
    }

    /// Continues a tree that ends where this begins.
    ///
    /// # Panics
    /// When it does not end there.
    pub(crate) fn extend(self, tree: &mut Frontier) {
        for (level, root) in self.subtrees {
            tree.append_subtree(level, root);
        }
        assert_eq!(tree.size(), self.end, "a stretch continues the tree that ends where it begins");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, root_of};

    #[test]
    fn stretches_in_order_make_the_tree_wherever_they_are_cut() {
        let leaves: Vec<Hash> = (0_u8..70).map(|number| leaf_hash(&[number])).collect();
        for size in 0..=leaves.len() {
            let (leaves, _) = leaves.split_at(size);
            for other in 0..=size {
                let (before, third) = leaves.split_at(other);
                for one in 0..=other {
                    let (first, second) = before.split_at(one);
                    let mut tree = Frontier::new();
                    for part in [first, second, third] {
                        let mut span = Span::beginning_at(tree.size());
                        part.iter().for_each(|leaf| span.append(*leaf));
                        span.extend(&mut tree);
                    }
                    assert_eq!(tree.root(), root_of(leaves.iter().copied()));
                }
            }
        }
    }
}
