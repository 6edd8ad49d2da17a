//! The only place of the gateway that reads the time or asks for randomness.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall time as Unix milliseconds. A clock before 1970 reads as 0.
pub fn now_unix_milliseconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// A point in time for measuring durations; it never goes backwards.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Randomness could not be had from the operating system.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomnessError(String);

/// 32 bytes from the operating system's generator, for a new key.
///
/// # Errors
/// When the operating system has no generator to offer.
pub fn random_seed() -> Result<[u8; 32], RandomnessError> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(|error| RandomnessError(error.to_string()))?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seeds_differ() {
        assert_ne!(random_seed().unwrap(), random_seed().unwrap());
    }

    #[test]
    fn the_wall_clock_is_after_2020() {
        assert!(now_unix_milliseconds() > 1_577_836_800_000);
    }
}
