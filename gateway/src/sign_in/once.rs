//! What may be used once and not for long: challenges, one-time links, passkey ceremonies under way.

use std::collections::{HashMap, VecDeque};

use super::secret::SecretHash;

/// A bounded table of things that are good for one use. Where it is full the oldest goes: whoever floods it loses its own.
#[derive(Debug)]
pub struct Once<V> {
    kept: HashMap<SecretHash, Kept<V>>,
    order: VecDeque<SecretHash>,
    most: usize,
}

#[derive(Debug)]
struct Kept<V> {
    until_unix_milliseconds: u64,
    value: V,
}

impl<V> Once<V> {
    /// An empty table for at most so many.
    pub fn new(most: usize) -> Once<V> {
        Once { kept: HashMap::new(), order: VecDeque::new(), most }
    }

    /// Keeps a value under a secret's hash for so long.
    pub fn put(&mut self, now: u64, secret: SecretHash, value: V, lifetime_milliseconds: u64) {
        // What is begun anew takes the place of what was begun before, in the order too.
        if self.kept.remove(&secret).is_some() {
            self.order.retain(|other| *other != secret);
        }
        while self.kept.len() >= self.most {
            match self.order.pop_front() {
                Some(oldest) => drop(self.kept.remove(&oldest)),
                None => self.kept.clear(),
            }
        }
        // What was used leaves its place in the order behind; it is swept before it takes more room than the rest.
        if self.order.len() >= self.most.saturating_mul(2) {
            self.kept.retain(|_, kept| now < kept.until_unix_milliseconds);
            self.order.retain(|secret| self.kept.contains_key(secret));
        }
        let until_unix_milliseconds = now.saturating_add(lifetime_milliseconds);
        self.kept.insert(secret, Kept { until_unix_milliseconds, value });
        self.order.push_back(secret);
    }

    /// The value, unused; `None` where it was never put, was used or is too old.
    pub fn look(&self, now: u64, secret: &SecretHash) -> Option<&V> {
        self.kept.get(secret).filter(|kept| now < kept.until_unix_milliseconds).map(|kept| &kept.value)
    }

    /// Takes the value: nobody gets it again.
    pub fn take(&mut self, now: u64, secret: &SecretHash) -> Option<V> {
        self.kept.remove(secret).filter(|kept| now < kept.until_unix_milliseconds).map(|kept| kept.value)
    }

    /// How many are kept, those too old among them.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> SecretHash {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        SecretHash(bytes)
    }

    #[test]
    fn what_was_taken_is_not_given_again() {
        let mut table = Once::new(4);
        table.put(1_000, name(1), "link", 500);
        assert_eq!(table.look(1_000, &name(1)), Some(&"link"));
        assert_eq!(table.look(1_000, &name(1)), Some(&"link"), "looking spends nothing");
        assert_eq!(table.take(1_000, &name(1)), Some("link"));
        assert_eq!(table.take(1_000, &name(1)), None);
        assert_eq!(table.look(1_000, &name(1)), None);
    }

    #[test]
    fn what_is_too_old_is_not_given_at_all() {
        let mut table = Once::new(4);
        table.put(1_000, name(1), (), 500);
        assert!(table.look(1_499, &name(1)).is_some());
        assert!(table.look(1_500, &name(1)).is_none());
        assert!(table.take(1_500, &name(1)).is_none());
        assert!(table.take(1_000, &name(1)).is_none(), "nor when the clock is set back: it is gone");
    }

    #[test]
    fn who_begins_anew_a_thousand_times_has_begun_once() {
        let mut table = Once::new(8);
        table.put(0, name(7), 7, 1_000_000);
        for number in 0..1_000 {
            table.put(number as u64, name(1), number, 1_000_000);
        }
        assert_eq!((table.len(), table.order.len()), (2, 2));
        assert_eq!(table.take(1_000, &name(1)), Some(999));
        assert_eq!(table.take(1_000, &name(7)), Some(7), "nobody else's was pushed out");
    }

    #[test]
    fn a_flood_takes_no_more_room_than_was_granted() {
        let mut table = Once::new(8);
        for number in 0..1_000 {
            table.put(number as u64, name(number), number, 1_000_000);
            assert!(table.len() <= 8 && table.order.len() <= 17);
            if number % 3 == 0 {
                assert_eq!(table.take(number as u64, &name(number)), Some(number));
            }
        }
        assert_eq!(table.look(1_000, &name(0)), None, "the oldest went");
        assert_eq!(table.look(1_000, &name(998)), Some(&998));
    }
}
