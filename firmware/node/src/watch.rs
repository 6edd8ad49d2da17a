//! Whether the watchdog may be fed: only while sampling and uplink both make progress.

use crate::limits::{SAMPLER_SILENCE_MILLISECONDS_MAX, UPLINK_SILENCE_MILLISECONDS_MAX};

/// When each part last made progress, in milliseconds since start.
pub struct Watch {
    sampled_milliseconds: u64,
    uplink_milliseconds: u64,
    sampler_silence_milliseconds_max: u64,
}

impl Watch {
    /// Both parts count as alive at `now`.
    pub fn new(now_milliseconds: u64, sample_interval_milliseconds: u64) -> Self {
        Self {
            sampled_milliseconds: now_milliseconds,
            uplink_milliseconds: now_milliseconds,
            sampler_silence_milliseconds_max: SAMPLER_SILENCE_MILLISECONDS_MAX
                .saturating_add(sample_interval_milliseconds),
        }
    }

    /// From now on samples come at another interval.
    pub fn expect(&mut self, now_milliseconds: u64, sample_interval_milliseconds: u64) {
        *self = Self {
            uplink_milliseconds: self.uplink_milliseconds,
            ..Self::new(now_milliseconds, sample_interval_milliseconds)
        };
    }

    /// The sampler has taken its turn, whether the sensor answered or not: a missing sensor is no reason to reset.
    pub fn sampled(&mut self, now_milliseconds: u64) {
        self.sampled_milliseconds = now_milliseconds;
    }

    /// The uplink has taken its turn, whether a broker is there or not: an outage is no reason to reset.
    pub fn uplink_turned(&mut self, now_milliseconds: u64) {
        self.uplink_milliseconds = now_milliseconds;
    }

    /// Whether to feed.
    pub fn may_feed(&self, now_milliseconds: u64) -> bool {
        let since = |then: u64| now_milliseconds.saturating_sub(then);
        since(self.sampled_milliseconds) <= self.sampler_silence_milliseconds_max
            && since(self.uplink_milliseconds) <= UPLINK_SILENCE_MILLISECONDS_MAX
    }
}
