//! The node's pulse: what arrived, was accepted and refused over the last minutes, and how long it took to the disk.
//!
//! Counters are remembered every few seconds and compared; times are counted in steps of an eighth, so nothing is kept an
//! envelope, and no time is said more exactly than it is known. Time is handed in.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{PULSE_INTERVAL, PULSE_WINDOW};

/// Steps to one doubling of a time.
const STEPS: u32 = 8;
/// Steps of microseconds up to two minutes; what takes longer counts as the last one.
const DELAY_STEPS: usize = (27 * STEPS) as usize;

/// Counters since the start of the node, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Envelopes that arrived.
    pub received: u64,
    /// Envelopes that entered the ledger.
    pub accepted_envelopes: u64,
    /// Records in them.
    pub accepted_records: u64,
    /// Refused envelopes by `Refusal::index`.
    pub refused: [u64; 8],
}

impl Counts {
    fn since(&self, earlier: &Counts) -> Counts {
        let mut refused = self.refused;
        refused.iter_mut().zip(earlier.refused).for_each(|(now, then)| *now = now.saturating_sub(then));
        Counts {
            received: self.received.saturating_sub(earlier.received),
            accepted_envelopes: self.accepted_envelopes.saturating_sub(earlier.accepted_envelopes),
            accepted_records: self.accepted_records.saturating_sub(earlier.accepted_records),
            refused,
        }
    }

    /// Refused envelopes, for any reason.
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// How often each step of time was needed.
type Delays = [u64; DELAY_STEPS];

struct Beat {
    at: Instant,
    counts: Counts,
    delays: Delays,
}

/// What happened lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// Over how long: since the start, or the last minutes.
    pub over: Duration,
    /// What was counted in that time.
    pub counts: Counts,
    /// Half of the accepted envelopes were on the disk within this time of being taken from the intake queue; `None`
    /// where there were none.
    pub delay_half: Option<Duration>,
    /// 99 of 100 were.
    pub delay_p99: Option<Duration>,
}

/// The pulse of one node, for one writer and many readers.
pub struct Pulse {
    /// The oldest is as old as the window, or the first one.
    beats: Mutex<VecDeque<Beat>>,
    delays: [AtomicU64; DELAY_STEPS],
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse { beats: Mutex::default(), delays: [const { AtomicU64::new(0) }; DELAY_STEPS] }
    }
}

impl Pulse {
    fn beats(&self) -> MutexGuard<'_, VecDeque<Beat>> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts envelopes that took so long to the disk.
    pub fn took(&self, delay: Duration, envelopes: u64) {
        if let Some(step) = self.delays.get(step_of(delay)) {
            step.fetch_add(envelopes, Ordering::Relaxed);
        }
    }

    /// Remembers the counters, unless that was done a moment ago.
    pub fn beat(&self, now: Instant, counts: impl FnOnce() -> Counts) {
        let mut beats = self.beats();
        if beats.back().is_some_and(|last| now.saturating_duration_since(last.at) < PULSE_INTERVAL) {
            return;
        }
        beats.push_back(Beat { at: now, counts: counts(), delays: self.delays() });
        // One stays that is as old as the window: what is told reaches back to it.
        while beats.get(1).is_some_and(|second| now.saturating_duration_since(second.at) >= PULSE_WINDOW) {
            beats.pop_front();
        }
    }

    /// What happened since the oldest beat, until the present counters.
    pub fn recent(&self, now: Instant, counts: &Counts) -> Recent {
        let delays = self.delays();
        let beats = self.beats();
        let nothing = Beat { at: now, counts: *counts, delays };
        let oldest = beats.front().unwrap_or(&nothing);
        let mut since = delays;
        since.iter_mut().zip(oldest.delays).for_each(|(now, then)| *now = now.saturating_sub(then));
        Recent {
            over: now.saturating_duration_since(oldest.at),
            counts: counts.since(&oldest.counts),
            delay_half: within(&since, 500),
            delay_p99: within(&since, 990),
        }
    }

    fn delays(&self) -> Delays {
        self.delays.each_ref().map(|step| step.load(Ordering::Relaxed))
    }
}

/// The step that a time belongs to: eight to a doubling, from eight microseconds on.
fn step_of(delay: Duration) -> usize {
    let microseconds = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX).max(u64::from(STEPS));
    let doublings = microseconds.ilog2();
    let eighths = (microseconds >> (doublings - STEPS.ilog2())) - u64::from(STEPS);
    let step = u64::from((doublings - STEPS.ilog2()) * STEPS) + eighths;
    usize::try_from(step).unwrap_or(usize::MAX).min(DELAY_STEPS - 1)
}

/// The longest time that belongs to a step, and a microsecond.
fn end_of(step: usize) -> Duration {
    let (doublings, eighths) = (step as u64 / u64::from(STEPS), step as u64 % u64::from(STEPS));
    Duration::from_micros((u64::from(STEPS) + eighths + 1) << doublings)
}

/// The time within which so many of a thousand were.
fn within(delays: &Delays, permille: u64) -> Option<Duration> {
    let all: u64 = delays.iter().sum();
    let wanted = (u128::from(all) * u128::from(permille)).div_ceil(1_000);
    let mut counted = 0_u128;
    let step = delays.iter().position(|count| {
        counted += u128::from(*count);
        counted >= wanted
    });
    step.filter(|_| all > 0).map(end_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(received: u64) -> Counts {
        Counts { received, accepted_envelopes: received / 2, ..Counts::default() }
    }

    #[test]
    fn a_time_is_said_an_eighth_too_long_at_most_and_never_too_short() {
        for microseconds in [8, 9, 15, 16, 17, 1_000, 12_345, 999_999, 60_000_000, 130_000_000] {
            let delay = Duration::from_micros(microseconds);
            let said = end_of(step_of(delay));
            assert!(said > delay, "{delay:?} {said:?}");
            assert!(said <= delay + delay / 7, "{delay:?} {said:?}");
        }
        assert_eq!(step_of(Duration::ZERO), 0);
        assert_eq!(step_of(Duration::from_secs(3_600)), DELAY_STEPS - 1);
    }

    #[test]
    fn half_and_nearly_all_are_told_apart() {
        let pulse = Pulse::default();
        let start = Instant::now();
        pulse.beat(start, || counts(0));
        assert_eq!(pulse.recent(start, &counts(0)).delay_half, None, "nothing took any time");
        pulse.took(Duration::from_millis(10), 985);
        pulse.took(Duration::from_millis(300), 15);
        let recent = pulse.recent(start + PULSE_INTERVAL, &counts(1_000));
        let milliseconds = |delay: Option<Duration>| delay.map(|delay| delay.as_millis());
        assert_eq!(milliseconds(recent.delay_half), Some(10));
        assert_eq!(milliseconds(recent.delay_p99), Some(327));
    }

    #[test]
    fn only_the_window_is_told_and_little_is_kept() {
        let pulse = Pulse::default();
        let start = Instant::now();
        let interval = PULSE_INTERVAL;
        for beat in 0..500 {
            pulse.beat(start + interval * beat, || counts(u64::from(beat) * 10));
            pulse.beat(start + interval * beat + interval / 2, || unreachable!("a moment ago"));
        }
        let recent = pulse.recent(start + interval * 499, &counts(4_990));
        assert_eq!(recent.over, PULSE_WINDOW);
        let beats = u64::try_from(PULSE_WINDOW.as_millis() / interval.as_millis()).unwrap();
        assert_eq!(recent.counts.received, beats * 10);
        assert!(pulse.beats().len() as u64 <= beats + 2);
    }

    #[test]
    fn before_the_first_beat_nothing_has_happened() {
        let recent = Pulse::default().recent(Instant::now(), &counts(7));
        assert_eq!((recent.over, recent.counts), (Duration::ZERO, Counts::default()));
    }
}
