//! Times and ages in words, reckoned in integers from Unix milliseconds.

use crate::marks::Integer;
use crate::numbers;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment taken apart, in UTC.
struct Civil {
    year: u64,
    month: usize,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days in a month; `month` counts from 0.
fn month_days(year: u64, month: usize) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Days from 1 January 1970 to 1 January of `year`.
fn days_before(year: u64) -> u64 {
    let leaps = |y: u64| y / 4 - y / 100 + y / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn civil(unix_milliseconds: u64) -> Civil {
    let seconds = unix_milliseconds / 1_000;
    let days = seconds / DAY;
    // 366 days a year never overshoots; what is missing is walked up.
    let mut year = 1970 + days / 366;
    while days_before(year + 1) <= days {
        year += 1;
    }
    let mut left = days - days_before(year);
    let mut month = 0;
    while left >= month_days(year, month) {
        left -= month_days(year, month);
        month += 1;
    }
    Civil {
        year,
        month,
        day: left + 1,
        hour: seconds % DAY / HOUR,
        minute: seconds % HOUR / MINUTE,
        second: seconds % MINUTE,
    }
}

/// `2026-11-22T07:38:46Z` (RFC 3339), for machines.
pub fn rfc3339(unix_milliseconds: u64) -> String {
    let at = civil(unix_milliseconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year,
        at.month + 1,
        at.day,
        at.hour,
        at.minute,
        at.second
    )
}

/// `22 Nov 2026, 07:38:46 UTC`, for people.
pub fn long(unix_milliseconds: u64) -> String {
    let at = civil(unix_milliseconds);
    let month = MONTHS.get(at.month).copied().unwrap_or_default();
    format!("{} {month} {}, {:02}:{:02}:{:02} UTC", at.day, at.year, at.hour, at.minute, at.second)
}

/// `22 Nov, 07:38:46`: within tables whose heading says UTC.
pub fn medium(unix_milliseconds: impl Integer) -> String {
    let at = civil(unix_milliseconds.value());
    let month = MONTHS.get(at.month).copied().unwrap_or_default();
    format!("{} {month}, {:02}:{:02}:{:02}", at.day, at.hour, at.minute, at.second)
}

/// `07:38:46`.
pub fn clock(unix_milliseconds: u64) -> String {
    let at = civil(unix_milliseconds);
    format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second)
}

/// A tick of a time axis, as fine as its step needs.
pub fn tick(unix_milliseconds: u64, step_seconds: u64) -> String {
    let at = civil(unix_milliseconds);
    let month = MONTHS.get(at.month).copied().unwrap_or_default();
    if step_seconds.is_multiple_of(DAY) {
        format!("{} {month}", at.day)
    } else if step_seconds.is_multiple_of(MINUTE) {
        format!("{:02}:{:02}", at.hour, at.minute)
    } else {
        format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second)
    }
}

/// `12 s`, `3 min`, `5 h`, `9 days`: whole units, rounded down. The script speaks the same words.
pub fn duration(seconds: impl Integer) -> String {
    let seconds = seconds.value();
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} days", numbers::grouped(seconds / DAY)),
    }
}

/// `12 s ago`; a time ahead of the clock (another machine's may be) is `just now`.
pub fn age(now_milliseconds: u64, then_milliseconds: u64) -> String {
    match now_milliseconds.saturating_sub(then_milliseconds) / 1_000 {
        0 => "just now".to_owned(),
        seconds => format!("{} ago", duration(seconds)),
    }
}

/// `in 23 s`, or `now` when it is due.
pub fn until(now_milliseconds: u64, then_milliseconds: u64) -> String {
    match then_milliseconds.saturating_sub(now_milliseconds).div_ceil(1_000) {
        0 => "now".to_owned(),
        seconds => format!("in {}", duration(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_told_right() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399_000), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_735_689_599_999), "2024-12-31T23:59:59Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00Z");
        assert_eq!(long(1_795_333_126_000), "22 Nov 2026, 07:38:46 UTC");
    }

    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let mut before = rfc3339(0);
        for day in 1..73_000 {
            let next = rfc3339(day * DAY * 1_000);
            assert!(next > before, "{next} after {before}");
            before = next;
        }
    }

    #[test]
    fn ages_are_whole_units() {
        assert_eq!(age(10_000, 10_400), "just now");
        assert_eq!(age(71_000, 0), "1 min ago");
        assert_eq!(age(59_999, 0), "59 s ago");
        assert_eq!(age(3_600_000, 0), "1 h ago");
        assert_eq!(age(172_800_000, 0), "2 days ago");
        assert_eq!(until(1_000, 24_500), "in 24 s");
        assert_eq!(until(1_000, 900), "now");
    }
}
