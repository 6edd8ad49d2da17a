//! What a device learns of the time of day.

use core::fmt;

use embedded_storage::Storage;
use log::{error, info, warn};

use super::Device;
use crate::clock::{self, Verdict};
use crate::limits::CLOCK_DRIFT_SECONDS_MAX;
use crate::sampler::Sensor;

impl<S: Storage<Error: fmt::Debug>, P: Sensor> Device<S, P> {
    /// Tells the time of day, as a host or a clock chip knows it; from now on packs carry a base time. Without it the time
    /// of arrival counts.
    pub fn set_clock(&mut self, now_milliseconds: u64, unix_seconds: u32) {
        let before = self.clock.start_unix_seconds();
        self.clock.set(now_milliseconds, unix_seconds);
        self.remember_clock(before);
    }

    /// A time server has answered: within bounds it is believed ([`crate::clock`]).
    pub fn time_answered(&mut self, now_milliseconds: u64, unix_seconds: u32) -> Verdict {
        let before = self.clock.start_unix_seconds();
        let verdict = self.clock.answered(now_milliseconds, unix_seconds);
        match verdict {
            Verdict::Set => info!("the time is {unix_seconds} seconds since 1970"),
            Verdict::Kept => {}
            Verdict::Doubted => {
                warn!("the time server says {unix_seconds}, which is doubted until others do")
            }
            Verdict::Impossible => warn!("the time server says {unix_seconds}, which is long ago: ignored"),
            Verdict::Stepped(by) => {
                warn!("the clock was wrong by {by} seconds");
                self.condition.count("clock_step", "s", by);
            }
        }
        self.remember_clock(before);
        verdict
    }

    /// No time server answered.
    pub fn time_unanswered(&mut self, now_milliseconds: u64) {
        self.clock.unanswered(now_milliseconds);
        self.link_failed();
    }

    /// When a time server is to be asked next.
    pub fn ask_time_at_milliseconds(&self) -> u64 {
        self.clock.ask_at_milliseconds()
    }

    fn remember_clock(&mut self, before: Option<u32>) {
        let Some(start) = self.clock.start_unix_seconds() else { return };
        if before.is_some_and(|before| before.abs_diff(start) <= CLOCK_DRIFT_SECONDS_MAX) {
            return;
        }
        if clock::remember(&mut self.storage, self.reporter.next().boot, start).is_err() {
            error!("when this boot began cannot be kept: the storage does not answer");
        }
    }
}
