//! A map in the order of its keys for a million items whose keys begin with bits of a hash: a shelf of small trees by the
//! leading bits. Looking up passes fewer nodes than in one large tree, and hands that work at the same time each change
//! shelves of their own. Keys that somebody ground alike only make one tree larger.

use crate::account::AccountId;
use crate::workers::{self, Workers};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use devices::identity::DeviceId;

/// Leading bits by which the trees are told apart.
const SHARD_BITS: u32 = 12;
const SHARDS: usize = 1 << SHARD_BITS;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sharded<K, V> {
    shards: Vec<BTreeMap<K, V>>,
    length: usize,
}

/// One of the trees.
pub(crate) type Shard<K, V> = BTreeMap<K, V>;

/// Which tree a key lies in.
pub(crate) fn shard_of<K: HashedKey>(key: &K) -> usize {
    usize::from(key.leading() >> (u16::BITS.saturating_sub(SHARD_BITS)))
}

impl<K: HashedKey, V> Sharded<K, V> {
    pub(crate) fn new() -> Self {
        let mut shards = Vec::with_capacity(SHARDS);
        shards.resize_with(SHARDS, BTreeMap::new);
        Self { shards, length: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.shards.get(shard_of(key))?.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.shards.get_mut(shard_of(key))?.get_mut(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Puts an item in; one of the same key goes.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let shard = self.shards.get_mut(shard_of(&key)).expect("there is a shelf for all leading bits");
        self.length = self.length.saturating_add(usize::from(shard.insert(key, value).is_none()));
    }

    /// The item, made where it is missing.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let shard = self.shards.get_mut(shard_of(&key)).expect("there is a shelf for all leading bits");
        let length = &mut self.length;
        shard.entry(key).or_insert_with(|| {
            *length = length.saturating_add(1);
            V::default()
        })
    }

    /// All items in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flatten()
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
        self.length = self.shards.iter().map(BTreeMap::len).sum();
    }
}
