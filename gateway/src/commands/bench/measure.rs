//! What a process used, from /proc, and percentiles.

use std::fs;
use std::time::Duration;

/// Clock ticks a second in /proc, fixed at 100 on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that this process has used, user and system.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces; fields 14 and 15 of proc(5) are the 12th and 13th after it.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks: f64 = after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// Most memory that this process ever had in RAM, in megabytes.
pub fn peak_rss_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok()).unwrap_or(0.0) / 1_024.0
}

/// The value below which `permille` of a thousand lie, in milliseconds.
pub fn percentile_milliseconds(durations: &mut [Duration], permille: usize) -> f64 {
    durations.sort_unstable();
    let place = durations.len().saturating_mul(permille) / 1_000;
    durations
        .get(place.min(durations.len().saturating_sub(1)))
        .map_or(0.0, |duration| duration.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_and_memory() {
        assert!(peak_rss_megabytes() > 1.0);
        assert!(cpu_seconds() >= 0.0);
    }

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let mut durations: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_milliseconds(&mut durations, 500) as u64, 51);
        assert_eq!(percentile_milliseconds(&mut durations, 990) as u64, 100);
        assert_eq!(percentile_milliseconds(&mut [], 500), 0.0);
    }
}
