//! What sensors measured: fine dust in hundredths of a microgram, by device and day.

/// Seconds of a day, which is the epoch of every trial.
pub const DAY_SECONDS: u32 = 86_400;

/// The two quantities of a dust sensor: the SenML name after the base name `pm`.
pub const QUANTITIES: [&str; 2] = ["10", "2.5"];

/// One moment's measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Seconds since the day began.
    pub second: u32,
    /// PM10 and PM2.5 in hundredths of a microgram in a cubic metre, where they were measured.
    pub hundredths: [Option<i64>; 2],
}

/// One device's day, in the order of time.
pub type Day = Vec<Reading>;

/// A sensor and its days; a day without readings is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// Its number where it comes from.
    pub number: u32,
    /// Latitude and longitude in millionths of a degree.
    pub position: [i32; 2],
    /// Day after day.
    pub days: Vec<Day>,
}

/// The values of one quantity in a day, in the order of time.
pub fn values(day: &Day, quantity: usize) -> impl Iterator<Item = i64> {
    day.iter().filter_map(move |reading| reading.hundredths[quantity])
}

/// The middle of the values of a quantity; 0 where there are none.
#[must_use]
pub fn median(day: &Day, quantity: usize) -> i64 {
    let mut values: Vec<i64> = values(day, quantity).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
