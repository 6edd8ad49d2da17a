//! A city's day in whole numbers: warm afternoons, moist nights, dusty rush hours. A model for demonstrations.

const DAY_SECONDS: i64 = 86_400;
const HOUR_SECONDS: i64 = 3_600;

/// What one place feels at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conditions {
    /// Thousandths of a degree Celsius.
    pub temperature_millicelsius: i32,
    /// Tenths of a percent of relative humidity.
    pub humidity_tenths: i32,
    /// Hundredths of a microgram of PM2.5 in a cubic metre.
    pub fine_dust_hundredths: i32,
}

/// The weather of one place, which differs a little from its neighbours'.
#[derive(Clone, Debug)]
pub struct Weather {
    noise: u64,
    warmer_millicelsius: i64,
    dustier_percent: i64,
}

impl Weather {
    /// The weather at the place of this number.
    pub fn at_place(number: u64) -> Weather {
        let mut weather = Weather {
            noise: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            warmer_millicelsius: 0,
            dustier_percent: 0,
        };
        weather.warmer_millicelsius = weather.jitter(1_500);
        weather.dustier_percent = 100 + weather.jitter(35);
        weather
    }

    /// What it is like at a time of Unix seconds, with a little noise of the moment.
    pub fn conditions(&mut self, unix_seconds: u32) -> Conditions {
        let second = i64::from(unix_seconds) % DAY_SECONDS;
        let warmth = wave(second, 15 * HOUR_SECONDS);
        let temperature = 13_000 + self.warmer_millicelsius + 6 * warmth + self.jitter(180);
        let humidity = 660 - warmth / 5 + self.jitter(12);
        let traffic = bump(second, 8 * HOUR_SECONDS) + bump(second, 18 * HOUR_SECONDS);
        let dust = (500 + traffic * 9 / 10 + self.jitter(90)) * self.dustier_percent / 100;
        Conditions {
            temperature_millicelsius: temperature as i32,
            humidity_tenths: humidity.clamp(0, 1000) as i32,
            fine_dust_hundredths: dust.max(0) as i32,
        }
    }

    /// A number from -`reach` to `reach`, by xorshift: plausible, not random.
    fn jitter(&mut self, reach: i64) -> i64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 33) as i64 % (2 * reach + 1) - reach
    }
}

/// Seconds between two times of day, the shorter way round.
fn distance(second: i64, other: i64) -> i64 {
    let ahead = (second - other).rem_euclid(DAY_SECONDS);
    ahead.min(DAY_SECONDS - ahead)
}

/// From 1000 at the peak down to -1000 half a day later, smoothly (3u² - 2u³).
fn wave(second: i64, peak: i64) -> i64 {
    let u = distance(second, peak) * 1000 / (DAY_SECONDS / 2);
    let smooth = (3 * u * u * 1000 - 2 * u * u * u) / 1_000_000;
    1000 - 2 * smooth
}

/// From 1000 at the peak down to 0 two hours before and after.
fn bump(second: i64, peak: i64) -> i64 {
    (1000 - distance(second, peak) * 1000 / (2 * HOUR_SECONDS)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afternoons_are_warm_and_dry_and_rush_hours_dusty() {
        let mut weather = Weather::at_place(3);
        let midnight = 1_800_000_000 / 86_400 * 86_400;
        let mut at = |hour: u32| weather.conditions(midnight + hour * 3_600);
        let (night, morning, afternoon) = (at(3), at(8), at(15));
        assert!(afternoon.temperature_millicelsius > night.temperature_millicelsius + 8_000);
        assert!(afternoon.humidity_tenths + 200 < night.humidity_tenths);
        assert!(morning.fine_dust_hundredths > afternoon.fine_dust_hundredths + 300);
    }
}
