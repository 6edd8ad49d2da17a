//! Every bound of the sensors, in one place: how long each may show the same values before it counts as stuck, and what that
//! is in samples, for a sensor knows no clock.

/// Seconds of the same temperature until a TMP102, TMP112 or TMP105 counts as stuck: a day. Sixteenths of a degree stand
/// still for hours in a cellar, but nowhere outdoors for a day and a night.
pub const TMP1X2_SAME_SECONDS_MAX: u32 = 86_400;

/// Seconds of the same temperature and humidity until an SHT3x counts as stuck: an hour. Its own noise, 0.04 °C and
/// 0.08 %RH at high repeatability (data sheet, section 1), moves one of the two between any few samples.
pub const SHT3X_SAME_SECONDS_MAX: u32 = 3_600;

/// Seconds of the same two concentrations until an SPS30 counts as stuck: ten minutes. It counts particles, and no two
/// seconds bring the same number of them, unless the air is filtered.
pub const SPS30_SAME_SECONDS_MAX: u32 = 600;

/// Samples of the same values that are nothing to speak of, however far apart they are taken.
pub const SAME_SAMPLES_MIN: u32 = 10;

/// Seconds that an SPS30's fan needs before its values are the air's (data sheet, section 1.1, start-up time).
pub const SPS30_SETTLING_SECONDS: u32 = 30;

/// The samples that are taken in so many seconds, rounded down.
pub const fn samples(seconds: u32, sample_interval_milliseconds: u64) -> u32 {
    let interval = if sample_interval_milliseconds == 0 { 1 } else { sample_interval_milliseconds };
    let samples = seconds as u64 * 1000 / interval;
    if samples > u32::MAX as u64 { u32::MAX } else { samples as u32 }
}

/// The samples after which [`Steady`](crate::Steady) speaks of a sensor that has shown the same for so many seconds.
///
/// ```
/// use sensors::limits::{SPS30_SAME_SECONDS_MAX, TMP1X2_SAME_SECONDS_MAX, same_samples};
/// assert_eq!(same_samples(TMP1X2_SAME_SECONDS_MAX, 60_000), 1_440);
/// assert_eq!(same_samples(SPS30_SAME_SECONDS_MAX, 900_000), 10);
/// ```
pub const fn same_samples(seconds: u32, sample_interval_milliseconds: u64) -> u32 {
    let samples = samples(seconds, sample_interval_milliseconds);
    if samples < SAME_SAMPLES_MIN { SAME_SAMPLES_MIN } else { samples }
}
