//! How many envelopes a gateway may submit: a bucket that fills with time. Pure, in whole numbers.

use crate::limits::LINK_BATCH_TRANSACTIONS_MAX;

/// A gateway's bucket. What is in it is counted in thousandths of an envelope, so that a millisecond adds a whole number.
#[derive(Debug)]
pub(super) struct Quota {
    envelopes_per_second: u64,
    thousandths: u64,
    full: u64,
    at_milliseconds: u64,
}

impl Quota {
    /// A full bucket: a second's worth, and the largest batch in any case.
    pub(super) fn new(envelopes_per_second: u64, now: u64) -> Quota {
        let burst = envelopes_per_second.max(LINK_BATCH_TRANSACTIONS_MAX as u64);
        let full = burst.saturating_mul(1_000);
        Quota { envelopes_per_second, thousandths: full, full, at_milliseconds: now }
    }

    /// Takes so many envelopes, or says after how many milliseconds they are there.
    pub(super) fn take(&mut self, envelopes: usize, now: u64) -> Result<(), u64> {
        let gained = now.saturating_sub(self.at_milliseconds).saturating_mul(self.envelopes_per_second);
        self.thousandths = self.thousandths.saturating_add(gained).min(self.full);
        self.at_milliseconds = self.at_milliseconds.max(now);
        let wanted = (envelopes as u64).saturating_mul(1_000);
        match self.thousandths.checked_sub(wanted) {
            Some(left) => {
                self.thousandths = left;
                Ok(())
            }
            None => Err((wanted - self.thousandths).div_ceil(self.envelopes_per_second.max(1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_what_it_says_and_a_pause_as_long_as_was_said_suffices() {
        let mut quota = Quota::new(5_000, 100);
        assert_eq!(quota.take(5_000, 100), Ok(()));
        assert_eq!(quota.take(1_000, 100), Err(200));
        assert_eq!(quota.take(1_000, 299), Err(1));
        assert_eq!(quota.take(1_000, 300), Ok(()));
        assert_eq!(quota.take(5_001, 1_000_000), Err(1), "it holds no more than a second's worth");
        assert_eq!(quota.take(0, 0), Ok(()), "a clock that was set back gives nothing and takes nothing");
    }

    #[test]
    fn a_small_quota_still_lets_the_largest_batch_through_in_time() {
        let mut quota = Quota::new(10, 0);
        assert_eq!(quota.take(LINK_BATCH_TRANSACTIONS_MAX, 0), Ok(()));
        let wait = quota.take(LINK_BATCH_TRANSACTIONS_MAX, 0).unwrap_err();
        assert_eq!(wait, LINK_BATCH_TRANSACTIONS_MAX as u64 * 100);
        assert_eq!(quota.take(LINK_BATCH_TRANSACTIONS_MAX, wait), Ok(()));
    }

    #[test]
    fn no_quota_takes_nothing_beyond_its_first_bucket() {
        let mut quota = Quota::new(0, 0);
        assert_eq!(quota.take(LINK_BATCH_TRANSACTIONS_MAX, 0), Ok(()));
        assert!(quota.take(1, u64::MAX).is_err());
    }
}
