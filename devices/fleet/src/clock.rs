//! The fleet's only source of time.
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Counts milliseconds since it was made, and knows the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts counting now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Milliseconds since the start; never goes back.
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant of a count of milliseconds.
    pub fn instant(&self, milliseconds: u64) -> Instant {
        self.0 + std::time::Duration::from_millis(milliseconds)
    }
}

/// Unix seconds of the host's clock.
pub fn unix_seconds() -> u32 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX)
}
