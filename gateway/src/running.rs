//! The state as pages look at it, and what the running epoch comes to: reckoned at most once a block, never for more than
//! a tenth of the time, and on a state that stands still while blocks go on.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, RwLockReadGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use ledger::preview::Preview;
use ledger::state::State;

use crate::clock;
use crate::limits::{DEVICE_COUNT_MAX, PREVIEW_REST_FACTOR, PREVIEW_WAIT_MAX};
use crate::reads::DeviceStatus;
use crate::shared::Shared;

/// The last preview that was reckoned.
#[derive(Debug, Default)]
pub struct Running {
    last: Mutex<Option<Arc<Reckoned>>>,
    counted: Mutex<Option<Counted>>,
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

/// How many devices did how when they were last counted.
#[derive(Debug, Clone, Copy)]
struct Counted {
    /// How many there were: one more is never left out.
    all: usize,
    ended: Instant,
    took: Duration,
    by_status: [u64; 4],
}

/// The state at one moment, with what its running epoch comes to.
pub struct Look<'s> {
    /// The state.
    pub state: Seen<'s>,
    /// What would be settled if the epoch ended now.
    pub preview: Arc<Preview>,
}

/// A state that does not change while it is looked at.
pub enum Seen<'s> {
    /// The node's own: blocks wait.
    Held(RwLockReadGuard<'s, State>),
    /// A clone: blocks go on.
    Still(Box<State>),
}

impl Seen<'_> {
    /// For whoever looks longer than a moment.
    #[must_use]
    pub fn still(self) -> Self {
        match self {
            Seen::Held(state) => Seen::Still(Box::new(state.clone())),
            still @ Seen::Still(_) => still,
        }
    }
}

impl Deref for Seen<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        match self {
            Seen::Held(state) => state,
            Seen::Still(state) => state,
        }
    }
}

impl Running {
    /// The state with what its running epoch comes to so far, however many ask. A reckoning that took long is followed by
    /// a rest, so that a large network's pages do not take its cores: until then, and while somebody reckons, the last
    /// one answers, as long as it is of the same epoch. Nor does anybody wait for a reckoning that takes long: a thread of
    /// its own does it. `clock` is read before and after.
    pub fn look<'s>(
        self: &Arc<Self>,
        state: RwLockReadGuard<'s, State>,
        clock: impl Fn() -> Instant + Send + 'static,
    ) -> Look<'s> {
        let last = self.last();
        if let Some(reckoned) = last.as_ref().filter(|reckoned| reckoned.answers(&state, clock())) {
            return Look { state: Seen::Held(state), preview: reckoned.preview.clone() };
        }
        let alone = self.reckoning.try_lock();
        if let (Err(TryLockError::WouldBlock), Some(reckoned)) = (&alone, &last)
            && reckoned.epoch == state.epoch()
        {
            return Look { state: Seen::Held(state), preview: reckoned.preview.clone() };
        }
        if let Some(reckoned) = last.filter(|last| last.answers_meanwhile(state.epoch(), clock())) {
            drop(alone);
            let (running, still) = (Arc::clone(self), Box::new(state.clone()));
            let reckon = move || drop(running.reckoned(still, clock));
            if let Err(error) = thread::Builder::new().name("preview".to_owned()).spawn(reckon) {
                tracing::warn!(%error, "no thread for the running epoch's preview: it stays as old as it is");
            }
            return Look { state: Seen::Held(state), preview: reckoned.preview.clone() };
        }
        // Reckoning takes as long as a settlement, and so may waiting for who does it: not with the state held.
        drop(alone);
        let still = Box::new(state.clone());
        drop(state);
        self.reckoned(still, clock)
    }

    /// The state with its preview, once nobody else reckons.
    fn reckoned(&self, state: Box<State>, clock: impl Fn() -> Instant) -> Look<'static> {
        let _alone = self.reckoning.lock().unwrap_or_else(PoisonError::into_inner);
        let state = Seen::Still(state);
        // Somebody may have reckoned meanwhile.
        let began = clock();
        if let Some(reckoned) = self.last().filter(|reckoned| reckoned.answers(&state, began)) {
            return Look { state, preview: reckoned.preview.clone() };
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
        Look { state, preview }
    }

    /// Devices by `DeviceStatus::index`. Every page says them, so that a count that took long is followed by a rest.
    fn by_status(&self, state: &State, heard_since: u64, clock: impl Fn() -> Instant) -> [u64; 4] {
        let (all, began) = (state.device_count(), clock());
        let counted = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = counted.filter(|counted| counted.answers(all, began)) {
            return counted.by_status;
        }
        let mut by_status = [0; 4];
        for (_, device) in state.devices() {
            by_status[DeviceStatus::of(device, heard_since).index()] += 1;
        }
        let ended = clock();
        let counted = Counted { all, ended, took: ended.duration_since(began), by_status };
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
        by_status
    }

    fn last(&self) -> Option<Arc<Reckoned>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    /// The state with what its running epoch comes to so far, for a moment: blocks may wait.
    pub fn look(&self) -> Look<'_> {
        self.running.look(self.state(), clock::monotonic)
    }

    /// The same for those who look through all devices or accounts: no block waits for them.
    pub fn look_at_length(&self) -> Look<'_> {
        let Look { state, preview } = self.look();
        Look { state: state.still(), preview }
    }

    /// The devices of a state that is looked at, by `DeviceStatus::index`.
    pub fn devices_by_status(&self, state: &State, now_unix_milliseconds: u64) -> [u64; 4] {
        self.running.by_status(state, self.heard_since(now_unix_milliseconds), clock::monotonic)
    }

    /// The state as it is now, for work that takes long: blocks go on meanwhile, and it stays as it is.
    pub fn still(&self) -> State {
        self.state().clone()
    }
}

impl Counted {
    fn answers(&self, all: usize, now: Instant) -> bool {
        let is_long = self.took > DEVICE_COUNT_MAX;
        self.all == all
            && is_long
            && now.duration_since(self.ended) < self.took.saturating_mul(PREVIEW_REST_FACTOR)
    }
}

impl Reckoned {
    fn answers(&self, state: &State, now: Instant) -> bool {
        self.answers_at(state.height(), state.epoch(), now)
    }

    /// Whether it answers while another is reckoned: not where that takes a moment, or where nobody asked for long.
    fn answers_meanwhile(&self, epoch: u64, now: Instant) -> bool {
        let recent = now.duration_since(self.ended) < self.took.saturating_mul(2 * PREVIEW_REST_FACTOR);
        self.epoch == epoch && self.took > PREVIEW_WAIT_MAX && recent
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
    use std::sync::RwLock;

    fn preview(running: &Arc<Running>, state: &RwLock<State>, now: Instant) -> Arc<Preview> {
        running.look(state.read().unwrap(), move || now).preview
    }

    fn next_block(state: &RwLock<State>) {
        let mut state = state.write().unwrap();
        let time = state.time_unix_milliseconds();
        let _block = state.begin(time).finish();
    }

    fn state() -> State {
        let key = |seed: u8| SigningKey::from_seed([seed; 32]).public_key();
        let genesis =
            Genesis::devnet("devnet", "lamppost/devnet", key(1), key(2), key(3), 60, 1_800_000_000_000);
        State::genesis(&genesis.unwrap()).0
    }

    #[test]
    fn a_preview_is_reckoned_once_a_block_and_rests_in_proportion() {
        let state = RwLock::new(state());
        let start = Instant::now();
        let running = Arc::new(Running::default());
        let first = preview(&running, &state, start);
        assert!(Arc::ptr_eq(&first, &preview(&running, &state, start)), "the same block");
        next_block(&state);
        assert!(
            !Arc::ptr_eq(&first, &preview(&running, &state, start)),
            "the next block, and it took no time"
        );
    }

    #[test]
    fn a_count_of_devices_that_took_long_rests_in_proportion_and_a_quick_one_never() {
        let start = Instant::now();
        let counted = |took| Counted { all: 7, ended: start, took, by_status: [7, 0, 0, 0] };
        let long = counted(2 * DEVICE_COUNT_MAX);
        assert!(long.answers(7, start) && !long.answers(8, start), "a new device is counted at once");
        assert!(!long.answers(7, start + 2 * DEVICE_COUNT_MAX * PREVIEW_REST_FACTOR));
        assert!(!counted(DEVICE_COUNT_MAX).answers(7, start));
    }

    #[test]
    fn blocks_go_on_while_somebody_reckons_or_looks_at_length() {
        let state = Arc::new(RwLock::new(state()));
        let (start, running) = (Instant::now(), Arc::new(Running::default()));
        let looked_at = Arc::clone(&state);
        let reckoned = running.look(state.read().unwrap(), move || {
            assert!(looked_at.try_write().is_ok(), "the state is free while it is reckoned");
            start
        });
        let height = reckoned.state.height();
        next_block(&state);
        assert_eq!(reckoned.state.height(), height, "and whoever looks sees what it looked at");
        let later = running.look(state.read().unwrap(), move || start).state.still();
        next_block(&state);
        assert_eq!(later.height(), height + 1);
    }

    #[test]
    fn nobody_waits_while_somebody_reckons_for_the_same_epoch() {
        let state = RwLock::new(state());
        let (start, running) = (Instant::now(), Arc::new(Running::default()));
        let first = preview(&running, &state, start);
        next_block(&state);
        let somebody = running.reckoning.lock().unwrap();
        assert!(Arc::ptr_eq(&first, &preview(&running, &state, start)), "the last one answers");
        drop(somebody);
        assert!(!Arc::ptr_eq(&first, &preview(&running, &state, start)));
    }

    #[test]
    fn nobody_waits_for_a_reckoning_that_took_long_before() {
        let state = RwLock::new(state());
        let (start, running) = (Instant::now(), Arc::new(Running::default()));
        let slow = Reckoned {
            height: 0,
            epoch: 0,
            ended: start,
            took: PREVIEW_WAIT_MAX * 2,
            preview: Arc::new(state.read().unwrap().preview()),
        };
        *running.last.lock().unwrap() = Some(Arc::new(slow));
        next_block(&state);
        let later = start + PREVIEW_WAIT_MAX * 2 * PREVIEW_REST_FACTOR;
        let before = running.last().unwrap();
        let (told, reckoned) = std::sync::mpsc::channel();
        let look = running.look(state.read().unwrap(), move || {
            let _nobody_listens = told.send(thread::current().id());
            later
        });
        assert!(Arc::ptr_eq(&look.preview, &before.preview), "the last one answers");
        let threads: Vec<_> = reckoned.iter().collect();
        assert!(threads.iter().any(|thread| *thread != thread::current().id()), "another thread reckons");
        assert_eq!(running.last().unwrap().height, 1, "and what it finds answers from then on");
        assert!(before.answers_meanwhile(0, later) && !before.answers_meanwhile(1, later));
        assert!(!before.answers_meanwhile(0, later + later.duration_since(start)), "nobody asked for long");
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
