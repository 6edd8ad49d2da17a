//! What a validator answers to one gateway's verified batches: once taken, a batch is not handed on twice, and nobody
//! submits more than its quota. Pure: time (milliseconds of any clock that never goes back) is handed in.

use std::collections::{BTreeMap, VecDeque};

use super::batch::VerifiedBatch;
use super::message::Reason;
use super::quota::Quota;
use crate::limits::{
    LINK_FULL_RETRY_MILLISECONDS, LINK_REMEMBERED_BATCHES_MAX, LINK_REMEMBERED_MILLISECONDS,
};

/// What is remembered of one gateway.
#[derive(Debug)]
pub(super) struct Judge {
    quota: Quota,
    /// What was taken lately: the content and the time.
    taken: BTreeMap<u64, ([u8; 32], u64)>,
    /// The same in the order of time.
    order: VecDeque<u64>,
}

/// What is to be done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on to the validator's intake.
    HandOn,
    /// It has gone there already.
    Repeated,
    /// It was not taken.
    Refused {
        /// Why.
        reason: Reason,
        /// When it may come again.
        retry_after_milliseconds: u64,
    },
}

impl Judge {
    /// Nothing was taken yet.
    pub(super) fn new(envelopes_per_second: u64, now: u64) -> Judge {
        let quota = Quota::new(envelopes_per_second, now);
        Judge { quota, taken: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Judges a batch for which there is room or not.
    pub(super) fn judge(&mut self, batch: &VerifiedBatch, has_room: bool, now: u64) -> Verdict {
        self.forget(now);
        let refused =
            |reason, retry_after_milliseconds| Verdict::Refused { reason, retry_after_milliseconds };
        if let Some((content, since)) = self.taken.get(&batch.sequence()) {
            if *content == batch.content_hash() {
                return Verdict::Repeated;
            }
            let forgotten_at = since.saturating_add(LINK_REMEMBERED_MILLISECONDS);
            return refused(Reason::Stale, forgotten_at.saturating_sub(now).max(1));
        }
        if !has_room {
            return refused(Reason::Full, LINK_FULL_RETRY_MILLISECONDS);
        }
        if let Err(retry_after_milliseconds) = self.quota.take(batch.transactions().len(), now) {
            return refused(Reason::OverQuota, retry_after_milliseconds);
        }
        self.taken.insert(batch.sequence(), (batch.content_hash(), now));
        self.order.push_back(batch.sequence());
        Verdict::HandOn
    }

    /// Forgets what was taken long ago: were it still not final, it should go on again. And what is too much.
    fn forget(&mut self, now: u64) {
        while let Some(oldest) = self.order.front() {
            let since = self.taken.get(oldest).map_or(0, |(_, since)| *since);
            let is_old = now.saturating_sub(since) >= LINK_REMEMBERED_MILLISECONDS;
            if !is_old && self.order.len() < LINK_REMEMBERED_BATCHES_MAX {
                return;
            }
            self.taken.remove(oldest);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::batch::Batch;
    use devices::SigningKey;

    fn batch(sequence: u64, content: &[u8]) -> VerifiedBatch {
        let key = SigningKey::from_seed([9; 32]);
        let bytes = Batch::sign(&key, "devnet", sequence, &[content.to_vec()]).unwrap();
        Batch::decode(&bytes).unwrap().verify(&key.public_key(), "devnet").unwrap()
    }

    #[test]
    fn a_batch_is_handed_on_once_and_again_only_when_it_was_forgotten() {
        let mut judge = Judge::new(1_000, 0);
        assert_eq!(judge.judge(&batch(1, b"one"), true, 0), Verdict::HandOn);
        assert_eq!(judge.judge(&batch(1, b"one"), true, 1), Verdict::Repeated);
        assert_eq!(judge.judge(&batch(1, b"one"), false, 1), Verdict::Repeated, "it takes no room");
        let stale = Verdict::Refused {
            reason: Reason::Stale,
            retry_after_milliseconds: LINK_REMEMBERED_MILLISECONDS - 5,
        };
        assert_eq!(judge.judge(&batch(1, b"two"), true, 5), stale, "a number stands for one content");
        assert_eq!(judge.judge(&batch(1, b"one"), true, LINK_REMEMBERED_MILLISECONDS), Verdict::HandOn);
        assert_eq!(judge.judge(&batch(0, b"zero"), true, 7), Verdict::HandOn, "an older one comes late");
    }

    #[test]
    fn what_is_refused_is_not_remembered() {
        let mut judge = Judge::new(1, 0);
        let full =
            Verdict::Refused { reason: Reason::Full, retry_after_milliseconds: LINK_FULL_RETRY_MILLISECONDS };
        assert_eq!(judge.judge(&batch(1, b"one"), false, 0), full);
        assert_eq!(judge.judge(&batch(1, b"one"), true, 0), Verdict::HandOn);
        while judge.quota.take(1, 0).is_ok() {}
        let over = Verdict::Refused { reason: Reason::OverQuota, retry_after_milliseconds: 1_000 };
        assert_eq!(judge.judge(&batch(2, b"two"), true, 0), over);
        assert_eq!(judge.judge(&batch(2, b"two"), true, 1_000), Verdict::HandOn);
    }

    #[test]
    fn a_bounded_number_is_remembered() {
        let mut judge = Judge::new(1_000_000, 0);
        let one = batch(0, b"one");
        for sequence in 0..=LINK_REMEMBERED_BATCHES_MAX as u64 {
            let taken = VerifiedBatch::of(sequence, one.content_hash(), one.transactions().to_vec());
            assert_eq!(judge.judge(&taken, true, 0), Verdict::HandOn);
            assert!(judge.taken.len() <= LINK_REMEMBERED_BATCHES_MAX);
            assert_eq!(judge.taken.len(), judge.order.len());
        }
        assert_eq!(judge.judge(&one, true, 0), Verdict::HandOn, "the oldest was forgotten");
    }
}
