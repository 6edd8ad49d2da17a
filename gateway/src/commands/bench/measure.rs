//! What a process used, from /proc, and percentiles.

use std::fs;
use std::path::Path;

/// Clock ticks a second in /proc, fixed at 100 on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// CPU seconds, user and system.
    pub cpu_seconds: f64,
    /// Bytes of memory in RAM now.
    pub rss_bytes: f64,
    /// Most bytes that ever were.
    pub peak_rss_bytes: f64,
    /// Bytes that it sent to the disk.
    pub written_bytes: f64,
}

impl Usage {
    /// Of a running process; all zero for one that is gone.
    pub fn of(process: u32) -> Usage {
        let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        let (stat, status, io) = (read("stat"), read("status"), read("io"));
        // The name in parentheses may hold spaces; fields 14 and 15 of proc(5) are the 12th and 13th after it.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        let ticks = after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0)
        };
        Usage {
            cpu_seconds: ticks.sum::<f64>() / TICKS_PER_SECOND,
            rss_bytes: field(&status, "VmRSS:") * 1_024.0,
            peak_rss_bytes: field(&status, "VmHWM:") * 1_024.0,
            written_bytes: field(&io, "write_bytes:"),
        }
    }

    /// Lets the peak of a process's memory begin anew (proc(5), clear_refs).
    pub fn forget_peak(process: u32) {
        // Where the system does not let us, the peak is that of the whole life.
        let _refused = fs::write(format!("/proc/{process}/clear_refs"), "5");
    }

    /// This, or the one before where the process was gone already. One that is ending has no memory any more.
    pub fn or(self, before: Usage) -> Usage {
        let peak_rss_bytes = self.peak_rss_bytes.max(before.peak_rss_bytes);
        Usage { peak_rss_bytes, ..if self.cpu_seconds > 0.0 { self } else { before } }
    }
}

/// Bytes of all files under `directory`.
pub fn directory_bytes(directory: &Path) -> f64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => directory_bytes(&entry.path()),
            Ok(found) => found.len() as f64,
            Err(_) => 0.0,
        })
        .sum()
}

/// The value below which `permille` of a thousand lie.
pub fn percentile(values: &mut [f64], permille: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let place = values.len().saturating_mul(permille) / 1_000;
    values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_a_process_that_is_ending_is_that_before() {
        let running = Usage { cpu_seconds: 1.0, peak_rss_bytes: 5.0, ..Usage::default() };
        let ending = Usage { cpu_seconds: 2.0, ..Usage::default() };
        assert_eq!(ending.or(running), Usage { cpu_seconds: 2.0, ..running });
        assert_eq!(Usage::default().or(running), running, "gone");
    }

    #[test]
    fn this_process_uses_time_and_memory() {
        let usage = Usage::of(std::process::id());
        assert!(usage.peak_rss_bytes > 1e6 && usage.rss_bytes > 1e6, "{usage:?}");
        assert_eq!(Usage::of(0), Usage::default());
    }

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 500), 51.0);
        assert_eq!(percentile(&mut values, 990), 100.0);
        assert_eq!(percentile(&mut [], 500), 0.0);
    }
}
