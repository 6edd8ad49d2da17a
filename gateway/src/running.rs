//! The running epoch as pages ask for it: reckoned at most once a block, and never for more than a tenth of the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger::preview::Preview;
use ledger::state::State;

use crate::limits::PREVIEW_REST_FACTOR;

/// The last preview that was reckoned.
#[derive(Debug, Default)]
pub struct Running {
    last: Mutex<Option<Arc<Reckoned>>>,
    /// Held by the one that reckons.
    reckoning: Mutex<()>,
}

#[derive(Debug)]
struct Reckoned {
    height: u64,
    epoch: u64,
    ended: Instant,
    took: Duration,
    preview: Arc<Preview>,
}

impl Running {
    /// What the running epoch comes to so far, however many ask. A reckoning that took long is followed by a rest, so
    /// that a large network's pages do not stop its blocks: until then, and while somebody reckons, the last one answers,
    /// as long as it is of the same epoch. `clock` is read before and after.
    pub fn preview(&self, state: &State, clock: impl Fn() -> Instant) -> Arc<Preview> {
        let began = clock();
        let last = self.last();
        if let Some(reckoned) = last.as_ref().filter(|reckoned| reckoned.answers(state, began)) {
            return reckoned.preview.clone();
        }
        let _reckoning = match (self.reckoning.try_lock(), last) {
            (Ok(alone), _) => alone,
            (Err(_), Some(reckoned)) if reckoned.epoch == state.epoch() => return reckoned.preview.clone(),
            (Err(_), _) => self.reckoning.lock().unwrap_or_else(PoisonError::into_inner),
        };
        // Somebody may have reckoned meanwhile.
        let began = clock();
        if let Some(reckoned) = self.last().filter(|reckoned| reckoned.answers(state, began)) {
            return reckoned.preview.clone();
        }
        let preview = Arc::new(state.preview());
        let ended = clock();
        let reckoned = Reckoned {
            height: state.height(),
            epoch: state.epoch(),
            ended,
            took: ended.duration_since(began),
            preview: preview.clone(),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(reckoned));
        preview
    }

    fn last(&self) -> Option<Arc<Reckoned>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reckoned {
    fn answers(&self, state: &State, now: Instant) -> bool {
        self.answers_at(state.height(), state.epoch(), now)
    }

    fn answers_at(&self, height: u64, epoch: u64, now: Instant) -> bool {
        let rests = now.duration_since(self.ended) < self.took.saturating_mul(PREVIEW_REST_FACTOR);
        self.height == height || (self.epoch == epoch && rests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::SigningKey;
    use ledger::genesis::Genesis;

    fn state() -> State {
        let key = |seed: u8| SigningKey::from_seed([seed; 32]).public_key();
        let genesis =
            Genesis::devnet("devnet", "lamppost/devnet", key(1), key(2), key(3), 60, 1_800_000_000_000);
        State::genesis(&genesis.unwrap()).0
    }

    #[test]
    fn a_preview_is_reckoned_once_a_block_and_rests_in_proportion() {
        let mut state = state();
        let start = Instant::now();
        let running = Running::default();
        let first = running.preview(&state, || start);
        assert!(Arc::ptr_eq(&first, &running.preview(&state, || start)), "the same block");
        let _block = state.begin(state.time_unix_milliseconds()).finish();
        assert!(
            !Arc::ptr_eq(&first, &running.preview(&state, || start)),
            "the next block, and it took no time"
        );
    }

    #[test]
    fn nobody_waits_while_somebody_reckons_for_the_same_epoch() {
        let mut state = state();
        let (start, running) = (Instant::now(), Running::default());
        let first = running.preview(&state, || start);
        let _block = state.begin(state.time_unix_milliseconds()).finish();
        let somebody = running.reckoning.lock().unwrap();
        assert!(Arc::ptr_eq(&first, &running.preview(&state, || start)), "the last one answers");
        drop(somebody);
        assert!(!Arc::ptr_eq(&first, &running.preview(&state, || start)));
    }

    #[test]
    fn a_slow_preview_answers_for_later_blocks_but_for_no_later_epoch() {
        let (state, ended) = (state(), Instant::now());
        let took = Duration::from_millis(100);
        let reckoned = Reckoned { height: 5, epoch: 2, ended, took, preview: Arc::new(state.preview()) };
        assert!(reckoned.answers_at(6, 2, ended + took));
        assert!(!reckoned.answers_at(6, 3, ended + took), "an epoch that was settled is no longer pending");
        assert!(!reckoned.answers_at(6, 2, ended + took * PREVIEW_REST_FACTOR));
    }
}
