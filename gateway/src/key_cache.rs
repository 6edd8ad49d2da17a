//! Decompressed keys of the devices that send: finding a key's point is a third of verifying a signature in a batch.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use devices::batch::Signed;
use devices::{DecompressedKey, PublicKey};

/// A bounded cache that the threads which verify share. It grows with the keys that are kept, and holds nothing else.
///
/// What it gives for a key is that very key's point: an entry is compared with the whole key, so there is no stale one.
#[derive(Debug)]
pub struct KeyCache {
    keys_max: usize,
    entries: RwLock<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    keys: Vec<DecompressedKey>,
    /// Where a key may stand, by its first bytes.
    places: HashMap<[u8; 8], u32>,
}

impl KeyCache {
    /// An empty cache that will hold `keys_max` keys at most.
    pub fn new(keys_max: u32) -> KeyCache {
        KeyCache { keys_max: keys_max as usize, entries: RwLock::default() }
    }

    /// The decompressed key of each envelope, in the same place; readings' keys are kept, and a full cache forgets others
    /// for them.
    pub fn decompress<B: AsRef<[u8]>>(
        &self,
        envelopes: &[Signed<B>],
        keys: &[PublicKey],
    ) -> Vec<DecompressedKey> {
        let found = self.find(keys.iter());
        let mut new = Vec::new();
        let decompressed = |(place, (key, found)): (usize, (&PublicKey, Option<DecompressedKey>))| {
            found.unwrap_or_else(|| {
                let key = DecompressedKey::new(key);
                // Whoever likes can make a thousand accounts' keys; devices are enrolled.
                if matches!(envelopes.get(place), Some(Signed::Reading(_))) {
                    new.push(key);
                }
                key
            })
        };
        let decompressed = keys.iter().zip(found).enumerate().map(decompressed).collect();
        self.keep(&new);
        decompressed
    }

    fn find<'a>(&self, keys: impl Iterator<Item = &'a PublicKey>) -> Vec<Option<DecompressedKey>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        keys.map(|key| entries.find(key)).collect()
    }

    fn keep(&self, keys: &[DecompressedKey]) {
        if !keys.is_empty() && self.keys_max > 0 {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            keys.iter().for_each(|key| entries.keep(key, self.keys_max));
        }
    }
}

impl Entries {
    fn find(&self, key: &PublicKey) -> Option<DecompressedKey> {
        let kept = self.keys.get(*self.places.get(&beginning(key))? as usize)?;
        (kept.public_key() == key).then_some(*kept)
    }

    fn keep(&mut self, key: &DecompressedKey, keys_max: usize) {
        let name = beginning(key.public_key());
        let place = match self.places.get(&name) {
            // Kept by another thread meanwhile, or a key that begins with the same bytes.
            Some(place) => *place as usize,
            None if self.keys.len() < keys_max => self.keys.len(),
            // As good as drawn at random: when more devices send in turns than fit, some are still found.
            None => (u64::from_le_bytes(name) % keys_max as u64) as usize,
        };
        match self.keys.get_mut(place) {
            Some(kept) => {
                self.places.remove(&beginning(kept.public_key()));
                *kept = *key;
            }
            None => self.keys.push(*key),
        }
        self.places.insert(name, place as u32);
    }
}

fn beginning(key: &PublicKey) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::SigningKey;

    fn key(number: u8) -> PublicKey {
        SigningKey::from_seed([number; 32]).public_key()
    }

    fn found(cache: &KeyCache, numbers: std::ops::Range<u8>) -> Vec<Option<PublicKey>> {
        let keys: Vec<_> = numbers.map(key).collect();
        cache.find(keys.iter()).into_iter().map(|found| found.map(|found| *found.public_key())).collect()
    }

    #[test]
    fn what_is_kept_is_found_under_its_own_key_alone() {
        let cache = KeyCache::new(8);
        cache.keep(&[DecompressedKey::new(&key(1)), DecompressedKey::new(&key(3))]);
        cache.keep(&[DecompressedKey::new(&key(1))]);
        assert_eq!(found(&cache, 1..5), [Some(key(1)), None, Some(key(3)), None]);
    }

    #[test]
    fn a_full_cache_forgets_and_stays_within_its_bound() {
        let cache = KeyCache::new(8);
        for number in 0..100 {
            cache.keep(&[DecompressedKey::new(&key(number))]);
            assert_eq!(found(&cache, number..number + 1), [Some(key(number))], "the last one is kept");
        }
        let held = found(&cache, 0..100);
        assert_eq!(held.iter().flatten().count(), 8);
        assert!(
            held.into_iter()
                .zip(0..100)
                .all(|(found, number)| found.is_none_or(|found| found == key(number)))
        );
        let entries = cache.entries.read().unwrap();
        assert_eq!((entries.keys.len(), entries.places.len()), (8, 8));
    }

    #[test]
    fn a_cache_of_nothing_keeps_nothing() {
        let cache = KeyCache::new(0);
        cache.keep(&[DecompressedKey::new(&key(1))]);
        assert_eq!(found(&cache, 1..2), [None]);
    }
}
