//! How often somebody may try: a bucket of tokens for each, refilled by time.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

/// Buckets by name. Beyond a number of names the rest shares one bucket, so that the table stays small.
#[derive(Debug)]
pub struct Buckets<K> {
    buckets: HashMap<K, Bucket>,
    shared: Bucket,
    names_max: usize,
    full: u64,
    refill_milliseconds: u64,
}

/// What is in a bucket, counted in the milliseconds that it takes to come back: so there are no fractions.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    milliseconds: u64,
    at_unix_milliseconds: u64,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets of `burst` tokens that get one back in `refill_milliseconds`.
    pub fn new(names_max: usize, burst: u64, refill_milliseconds: u64) -> Buckets<K> {
        let refill_milliseconds = refill_milliseconds.max(1);
        let full = burst.saturating_mul(refill_milliseconds);
        let shared = Bucket { milliseconds: full, at_unix_milliseconds: 0 };
        Buckets { buckets: HashMap::new(), shared, names_max, full, refill_milliseconds }
    }

    /// Takes one token of this name's; false where there is none.
    pub fn take(&mut self, now: u64, name: K) -> bool {
        let full = self.full;
        if self.buckets.len() >= self.names_max && !self.buckets.contains_key(&name) {
            // Who has not tried for long has a full bucket again, and is as good as unknown.
            self.buckets.retain(|_, bucket| bucket.filled(now, full).milliseconds < full);
        }
        let bucket = if self.buckets.len() < self.names_max || self.buckets.contains_key(&name) {
            self.buckets.entry(name).or_insert(Bucket { milliseconds: full, at_unix_milliseconds: now })
        } else {
            &mut self.shared
        };
        *bucket = bucket.filled(now, full);
        let taken = bucket.milliseconds.checked_sub(self.refill_milliseconds);
        bucket.milliseconds = taken.unwrap_or(bucket.milliseconds);
        taken.is_some()
    }
}

impl Bucket {
    fn filled(self, now: u64, full: u64) -> Bucket {
        // A clock that was set back gives nothing, and takes nothing.
        let gained = now.saturating_sub(self.at_unix_milliseconds);
        Bucket { milliseconds: self.milliseconds.saturating_add(gained).min(full), at_unix_milliseconds: now }
    }
}

/// Whose attempts are counted together: an IPv4 address, or the /64 of an IPv6 address, which one household has to itself.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let mut buckets = Buckets::new(10, 5, 1_000);
        assert_eq!((0..100).filter(|_| buckets.take(0, "one")).count(), 5);
        assert!(!buckets.take(999, "one"));
        assert!(buckets.take(1_000, "one"));
        assert!(!buckets.take(1_000, "one"));
        assert_eq!((0..100).filter(|_| buckets.take(1_000_000, "one")).count(), 5, "it holds no more");
        assert!(buckets.take(0, "another"), "everybody has their own");
    }

    #[test]
    fn trying_all_the_time_still_gets_what_the_refill_gives_and_no_more() {
        for refill in [1_000, 3_333, 10_000] {
            let mut buckets = Buckets::new(10, 5, refill);
            let through = (0..60_001).filter(|now| buckets.take(*now, "one")).count() as u64;
            assert_eq!(through, 5 + 60_000 / refill, "{refill}");
        }
    }

    #[test]
    fn many_names_share_what_is_left_and_take_no_more_room() {
        let mut buckets = Buckets::new(100, 5, 1_000);
        let through = (0..100_000_u32).filter(|name| buckets.take(0, *name)).count();
        assert_eq!(through, 100 + 5);
        assert_eq!(buckets.buckets.len(), 100);
        assert!(buckets.take(10_000, 200_000), "full buckets make room");
        assert!(buckets.buckets.len() <= 100);
    }

    #[test]
    fn a_clock_that_is_set_back_lets_nobody_through() {
        let mut buckets = Buckets::new(10, 2, 1_000);
        assert!(buckets.take(1_000_000, "one") && buckets.take(1_000_000, "one"));
        assert!(!buckets.take(0, "one"));
    }

    #[test]
    fn a_household_counts_as_one() {
        let of = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:aaaa::1"), of("2001:db8:1:2:bbbb::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
