//! `lamppost prune`: erases the readings of old blocks and keeps what proofs, balances and histories need.

use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::output;
use crate::http::instant;
use crate::prune;

/// Erases old readings of a stopped node and keeps what receipts, balances and roots need
///
/// Readings in whole blocks before the last epoch's end at or before the date go for good. Their leaf hashes stay, and
/// all seals, instructions, transfers and statements: old receipts verify as before, and every balance can still be
/// proven. What can no longer be done: reading them, judging their signatures, explaining their rewards from the log.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost prune --before 2026-10-01 --data lamppost-data\n  lamppost prune --before 2026-10-01T00:00:00+02:00 --data lamppost-data --json"
)]
pub struct Arguments {
    /// Readings before this date go: a day (its beginning in UTC) or an RFC 3339 time
    #[arg(long, value_name = "DATE", value_parser = moment)]
    before: u64,
    /// The data directory of a node that is stopped
    #[arg(long, value_name = "DIR", env = "LAMPPOST_DATA")]
    data: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Prunes and says what was erased.
///
/// # Errors
/// One sentence; the log is then as it was unless it says otherwise.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if stderr().is_terminal() {
        eprintln!("executing the ledger again up to {} ...", instant::rfc3339(arguments.before));
    }
    let pruned = prune::prune(&arguments.data, arguments.before)
        .with_context(|| format!("{} was not pruned", arguments.data.display()))?;
    let time = instant::rfc3339(pruned.time_unix_milliseconds);
    let (before, after) = pruned.bytes;
    if arguments.json {
        return output::json(&json!({
            "height": pruned.height,
            "entries": pruned.entries,
            "time": time,
            "erased_readings": pruned.erased_readings,
            "bytes_before": before,
            "bytes_after": after,
        }));
    }
    output::line(format!(
        "{} readings before block {} of {time} were erased; {before} bytes on disk became {after}",
        pruned.erased_readings, pruned.height
    ))
}

/// A day or an RFC 3339 time as Unix milliseconds.
fn moment(text: &str) -> Result<u64, String> {
    let whole = format!("{text}T00:00:00Z");
    let refuse = |_| format!("\"{text}\" is neither a day such as 2026-10-01 nor an RFC 3339 time");
    instant::parse(if text.contains(['T', 't']) { text } else { &whole }).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        assert_eq!(moment("2027-01-15"), moment("2027-01-15T00:00:00Z"));
        assert_eq!(moment("2027-01-15T09:00:00+01:00"), Ok(1_800_000_000_000));
        for wrong in ["", "yesterday", "2027-13-01", "15.01.2027", "1800000000"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
