//! Waiting for something to become true: looked at again and again until a deadline, never a fixed sleep.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what takes a moment.
pub const SHORT: Duration = Duration::from_secs(20);
/// How long a test waits for what takes a while: an epoch's end, a board that boots.
pub const LONG: Duration = Duration::from_secs(60);

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What `look` gives as soon as it gives something.
///
/// # Panics
/// After `patience`, naming what did not happen.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", patience.as_secs());
        // Parked rather than asleep: whoever has news may unpark this thread.
        thread::park_timeout(BETWEEN_LOOKS);
    }
}

/// Waits until `look` is true.
///
/// # Panics
/// After `patience`, naming what did not happen.
pub fn until_true(what: &str, patience: Duration, mut look: impl FnMut() -> bool) {
    until(what, patience, || look().then_some(()));
}
