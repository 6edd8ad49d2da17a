//! A map in the order of its keys for a million items whose keys begin with bits of a hash: a shelf of small trees by the
//! leading bits. Looking up passes fewer nodes than in one large tree, and hands that work at the same time each change
//! shelves of their own. Keys that somebody ground alike only make one tree larger. A small map is one tree: the shelf
//! grows with what it holds.
//!
//! A clone shares every tree with its original until either changes it: so what takes long can look at a state that
//! stands still, while blocks go on with the other.

use crate::account::AccountId;
use crate::workers::{self, Workers};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use devices::identity::DeviceId;

/// Leading bits by which the trees are told apart, at most.
const SHARD_BITS_MAX: u32 = 12;
/// Items of a tree on average, above which there are twice as many trees.
const SHARD_ITEMS: usize = 64;

/// A key that begins with bits of a hash, and is ordered by its bytes.
pub(crate) trait HashedKey: Ord + Copy {
    /// The first two bytes, big-endian.
    fn leading(&self) -> u16;
}

impl HashedKey for DeviceId {
    fn leading(&self) -> u16 {
        let [first, second, ..] = *self.as_bytes();
        u16::from_be_bytes([first, second])
    }
}

impl HashedKey for AccountId {
    fn leading(&self) -> u16 {
        let [first, second, ..] = *self.as_bytes();
        u16::from_be_bytes([first, second])
    }
}

/// The map.
#[derive(Clone, Debug)]
pub(crate) struct Sharded<K, V> {
    /// Always a power of two: as many as the leading bits that tell them apart can count.
    shards: Vec<Shard<K, V>>,
    bits: u32,
    length: usize,
}

/// One of the trees; copied at the first change while a clone looks at it too.
pub(crate) type Shard<K, V> = Arc<BTreeMap<K, V>>;

/// Which of the trees a key lies in that are told apart by so many leading bits.
pub(crate) fn shard_of<K: HashedKey>(key: &K, bits: u32) -> usize {
    key.leading().checked_shr(u16::BITS.saturating_sub(bits)).unwrap_or(0).into()
}

/// Equal maps hold equal items, in whatever trees: those stay apart that were grown for items which are gone.
impl<K: HashedKey, V: Clone + PartialEq> PartialEq for Sharded<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.iter().eq(other.iter())
    }
}

impl<K: HashedKey, V: Clone + Eq> Eq for Sharded<K, V> {}

impl<K: HashedKey, V: Clone> Sharded<K, V> {
    pub(crate) fn new() -> Self {
        Self { shards: alloc::vec![Arc::default()], bits: 0, length: 0 }
    }

    /// The leading bits by which the trees are told apart now.
    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.shards.get(shard_of(key, self.bits))?.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        Arc::make_mut(self.shards.get_mut(shard_of(key, self.bits))?).get_mut(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Puts an item in, and gives the one that had its key.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let shard = self.shards.get_mut(shard_of(&key, self.bits)).expect("there is a tree for all bits");
        let before = Arc::make_mut(shard).insert(key, value);
        self.length = self.length.saturating_add(usize::from(before.is_none()));
        self.grow();
        before
    }

    /// Takes an item out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let removed = Arc::make_mut(self.shards.get_mut(shard_of(key, self.bits))?).remove(key);
        self.length = self.length.saturating_sub(usize::from(removed.is_some()));
        removed
    }

    /// The item, made where it is missing.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        if !self.contains_key(&key) {
            self.insert(key, V::default());
        }
        self.get_mut(&key).expect("it was put in where it was missing")
    }

    /// All items in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// All items in as many stretches as the hands are worth, each stretch and all of them in the order of the keys.
    pub(crate) fn parts(&self, workers: &dyn Workers) -> Vec<&[Shard<K, V>]> {
        workers::slices(workers, &self.shards, 1)
    }

    /// The same, to change the items or add some: whoever adds some says so with [`Self::count_again`].
    pub(crate) fn parts_mut(&mut self, workers: &dyn Workers) -> Vec<&mut [Shard<K, V>]> {
        workers::slices_mut(workers, &mut self.shards, 1)
    }

    pub(crate) fn count_again(&mut self) {
        self.length = self.shards.iter().map(|shard| shard.len()).sum();
        self.grow();
    }

    /// Twice as many trees, as often as they hold too many: each item is moved once or twice in its life, on average.
    fn grow(&mut self) {
        while self.bits < SHARD_BITS_MAX && self.length > SHARD_ITEMS.saturating_mul(self.shards.len()) {
            self.bits = self.bits.saturating_add(1);
            let mut shards = Vec::with_capacity(self.shards.len().saturating_mul(2));
            for shard in core::mem::take(&mut self.shards) {
                // The next leading bit parts a tree in the middle; its items are in order, so each half is made at once.
                let bits = self.bits;
                let (low, high): (Vec<_>, Vec<_>) = Arc::unwrap_or_clone(shard)
                    .into_iter()
                    .partition(|(key, _)| shard_of(key, bits).is_multiple_of(2));
                shards.push(Arc::new(low.into_iter().collect()));
                shards.push(Arc::new(high.into_iter().collect()));
            }
            self.shards = shards;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kid(number: u32) -> DeviceId {
        let [a, b, c, d] = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
        DeviceId([a, b, c, d, 0, 0, 0, 1])
    }

    #[test]
    fn a_shelf_grows_with_its_items_and_keeps_their_order() {
        let (mut sharded, mut tree) = (Sharded::new(), BTreeMap::new());
        for number in 0..20_000 {
            sharded.insert(kid(number), number);
            tree.insert(kid(number), number);
        }
        assert_eq!(sharded.len(), tree.len());
        assert!(sharded.iter().eq(&tree));
        assert!(tree.keys().all(|key| sharded.get(key) == tree.get(key)));
        assert!(sharded.bits() > 0 && 1 << sharded.bits() == sharded.shards.len());
        assert!(sharded.len() <= SHARD_ITEMS * sharded.shards.len(), "as many trees as its items want");
    }

    #[test]
    fn a_clone_stands_still_and_shares_what_was_not_changed_since() {
        let mut sharded = Sharded::new();
        for number in 0..20_000 {
            sharded.insert(kid(number), number);
        }
        let never_cloned: BTreeMap<_, _> = sharded.iter().map(|(kid, number)| (*kid, *number)).collect();
        let still = sharded.clone();
        *sharded.get_mut(&kid(7)).unwrap() = 70;
        assert_eq!(sharded.remove(&kid(8)), Some(8));
        sharded.insert(kid(20_001), 1);
        assert!(still.iter().eq(&never_cloned), "the clone sees nothing of it");
        assert_eq!((sharded.get(&kid(7)), sharded.get(&kid(8)), sharded.len()), (Some(&70), None, 20_000));
        let shared = sharded.shards.iter().zip(&still.shards).filter(|(one, other)| Arc::ptr_eq(one, other));
        assert!(shared.count() + 3 >= still.shards.len(), "only the trees that were changed were copied");
    }

    #[test]
    fn equal_maps_are_equal_however_they_came_to_be() {
        let (mut inserted, mut made) = (Sharded::new(), Sharded::new());
        for number in 0..200 {
            inserted.insert(kid(number), number);
            *made.or_default(kid(199 - number)) = 199 - number;
            *made.or_default(kid(199 - number)) = 199 - number;
        }
        assert_eq!(inserted, made);
        for number in 200..20_000 {
            made.insert(kid(number), number);
        }
        for number in 200..20_000 {
            made.remove(&kid(number));
        }
        assert!(made.bits() > inserted.bits() && inserted == made, "whatever was in between");
    }
}
