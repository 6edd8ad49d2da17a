//! What time it is: asked of a time server, believed within bounds, and remembered of earlier boots.
//!
//! A first answer sets the clock. A later one that differs by more than a clock drifts is doubted until others say the
//! same, so a server that is wrong once moves nothing, and what moves the clock is told.

use devices::checksum::crc32;
use embedded_storage::Storage;

use crate::limits::{
    BOOT_TIME_BYTES, BOOT_TIMES_MAX, BOOT_TIMES_OFFSET, CLOCK_AGREEING_ANSWERS, CLOCK_DRIFT_SECONDS_MAX,
    CLOCK_UNIX_SECONDS_MIN, TIME_ASK_AGAIN_MILLISECONDS_MAX, TIME_ASK_AGAIN_MILLISECONDS_MIN,
    TIME_ASK_MILLISECONDS_MAX, TIME_ASK_MILLISECONDS_MIN, TIME_DOUBT_MILLISECONDS,
};

/// What became of a time server's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The clock was not set before, and is now.
    Set,
    /// The clock was right, within its drift.
    Kept,
    /// It differs too much to be believed alone.
    Doubted,
    /// As many answers as are needed say the same: the clock was wrong by so many seconds, and is right now.
    Stepped(i64),
    /// The time lies before this firmware was made.
    Impossible,
}

/// A device's clock. Times given to it are milliseconds since start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Unix seconds at the start of the millisecond count, once known.
    start: Option<u32>,
    /// Another start that answers have spoken for, and how many did.
    doubted: Option<(u32, u32)>,
    ask_at: u64,
    /// How long to wait after an answer that was believed.
    ask_after: u64,
    /// How long to wait after none.
    ask_again: u64,
}

impl Clock {
    /// A clock that nobody has set.
    pub const fn new() -> Self {
        Self {
            start: None,
            doubted: None,
            ask_at: 0,
            ask_after: TIME_ASK_MILLISECONDS_MIN,
            ask_again: TIME_ASK_AGAIN_MILLISECONDS_MIN,
        }
    }

    /// Unix seconds at the start of the millisecond count, once known.
    pub fn start_unix_seconds(&self) -> Option<u32> {
        self.start
    }

    /// Sets the clock to what somebody knows for certain: a host, a clock chip.
    pub fn set(&mut self, now: u64, unix_seconds: u32) {
        self.start = unix_seconds.checked_sub(seconds(now));
        self.doubted = None;
    }

    /// A time server has answered.
    pub fn answered(&mut self, now: u64, unix_seconds: u32) -> Verdict {
        self.ask_again = TIME_ASK_AGAIN_MILLISECONDS_MIN;
        self.ask_at = now.saturating_add(TIME_DOUBT_MILLISECONDS);
        let start = match unix_seconds.checked_sub(seconds(now)) {
            Some(start) if unix_seconds >= CLOCK_UNIX_SECONDS_MIN => start,
            _ => return Verdict::Impossible,
        };
        let verdict = match self.start {
            None => Verdict::Set,
            Some(known) if known.abs_diff(start) <= CLOCK_DRIFT_SECONDS_MAX => Verdict::Kept,
            Some(known) => {
                let agreeing = match self.doubted {
                    Some((doubted, count)) if doubted.abs_diff(start) <= CLOCK_DRIFT_SECONDS_MAX => count + 1,
                    _ => 1,
                };
                self.doubted = Some((start, agreeing));
                if agreeing < CLOCK_AGREEING_ANSWERS {
                    return Verdict::Doubted;
                }
                Verdict::Stepped(i64::from(start) - i64::from(known))
            }
        };
        (self.start, self.doubted) = (Some(start), None);
        if matches!(verdict, Verdict::Stepped(_)) {
            self.ask_after = TIME_ASK_MILLISECONDS_MIN;
        }
        self.ask_at = now.saturating_add(self.ask_after);
        self.ask_after = (self.ask_after * 2).min(TIME_ASK_MILLISECONDS_MAX);
        verdict
    }

    /// No answer came, or none that can be read: asks again, and waits twice as long each time.
    pub fn unanswered(&mut self, now: u64) {
        self.ask_at = now.saturating_add(self.ask_again);
        self.ask_again = (self.ask_again * 2).min(TIME_ASK_AGAIN_MILLISECONDS_MAX);
    }

    /// When the time server is to be asked next.
    pub fn ask_at_milliseconds(&self) -> u64 {
        self.ask_at
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX)
}

/// Keeps at what time a boot began, so that what it has left unsent gets its time even after a reset. Takes the place of
/// the boot four before it.
///
/// # Errors
/// When the storage fails.
pub fn remember<S: Storage>(storage: &mut S, boot: u32, start_unix_seconds: u32) -> Result<(), S::Error> {
    storage.write(place(boot), &encode(boot, start_unix_seconds))
}

/// At what Unix second a boot began, where that is kept.
///
/// # Errors
/// When the storage fails.
pub fn recall<S: Storage>(storage: &mut S, boot: u32) -> Result<Option<u32>, S::Error> {
    let mut bytes = [0; 12];
    storage.read(place(boot), &mut bytes)?;
    let start = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    Ok((encode(boot, start) == bytes).then_some(start))
}

fn place(boot: u32) -> u32 {
    BOOT_TIMES_OFFSET + boot % BOOT_TIMES_MAX * BOOT_TIME_BYTES
}

fn encode(boot: u32, start_unix_seconds: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[0..4].copy_from_slice(&boot.to_le_bytes());
    bytes[4..8].copy_from_slice(&start_unix_seconds.to_le_bytes());
    let checksum = crc32(&bytes[..8]);
    bytes[8..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u32 = 1_900_000_000;
    const HOUR: u64 = 3_600_000;

    #[test]
    fn the_first_answer_sets_the_clock_and_drift_is_followed() {
        let mut clock = Clock::new();
        assert_eq!(clock.answered(5_000, NOON), Verdict::Set);
        assert_eq!(clock.start_unix_seconds(), Some(NOON - 5));
        assert_eq!(clock.answered(HOUR, NOON + 3_595 + 2), Verdict::Kept);
        assert_eq!(clock.start_unix_seconds(), Some(NOON - 3));
    }

    #[test]
    fn a_jump_is_believed_only_when_answers_agree_on_it() {
        let mut clock = Clock::new();
        clock.answered(0, NOON);
        let wrong = NOON + 86_400;
        assert_eq!(clock.answered(1_000, wrong + 1), Verdict::Doubted);
        assert_eq!(clock.answered(2_000, NOON + 2), Verdict::Kept, "one wrong answer moves nothing");
        assert_eq!(clock.answered(3_000, wrong + 3), Verdict::Doubted);
        assert_eq!(clock.answered(4_000, NOON + 500_004), Verdict::Doubted, "the two do not agree");
        assert_eq!(clock.answered(5_000, wrong + 5), Verdict::Doubted);
        assert_eq!(clock.answered(6_000, wrong + 6), Verdict::Doubted);
        assert_eq!(clock.answered(7_000, wrong + 7), Verdict::Stepped(86_400));
        assert_eq!(clock.start_unix_seconds(), Some(wrong));
    }

    #[test]
    fn a_time_before_the_firmware_was_made_sets_nothing() {
        let mut clock = Clock::new();
        assert_eq!(clock.answered(0, 0), Verdict::Impossible);
        assert_eq!(clock.answered(u64::MAX, NOON), Verdict::Impossible);
        assert_eq!(clock.start_unix_seconds(), None);
    }

    #[test]
    fn a_server_that_does_not_answer_is_asked_ever_less_often() {
        let mut clock = Clock::new();
        let mut waits = [0; 12];
        let mut now = 0;
        for wait in &mut waits {
            clock.unanswered(now);
            *wait = clock.ask_at_milliseconds() - now;
            now = clock.ask_at_milliseconds();
        }
        assert_eq!(waits[..3], [4_000, 8_000, 16_000]);
        assert_eq!(waits[11], TIME_ASK_AGAIN_MILLISECONDS_MAX);
        let mut waits = [0; 12];
        for wait in &mut waits {
            clock.answered(now, NOON);
            *wait = clock.ask_at_milliseconds() - now;
        }
        assert_eq!(waits[..3], [64_000, 128_000, 256_000], "and one that does is asked less often too");
        assert_eq!(waits[11], TIME_ASK_MILLISECONDS_MAX);
    }
}
