//! `lamppost bench audit`: a log full of readings recomputed from genesis, against verifying signatures alone.

use super::child::Child;
use super::{CEILING_SECONDS, Figure, Load, Scratch, Settings, ceiling, ingest, say};
use crate::clock;

/// Measures the audit.
///
/// # Errors
/// When the node cannot run or the audit finds a difference.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let seconds = f64::from(settings.seconds);
    let load = Load::sign(settings, &scratch, seconds)?;
    let ceiling = ceiling::verification(&load.path, settings.devices, CEILING_SECONDS)?;
    let mut node = ingest::start(settings, &scratch, &[])?;
    say("filling its log");
    ingest::feed(&mut node, &load, 0.0, seconds, 0.0)?;
    let entries = node.ask("counters")?["accepted"].as_f64().unwrap_or(0.0) + f64::from(settings.devices);
    node.process.finish()?;
    say("auditing it");
    let data = scratch.data();
    let began = clock::monotonic();
    let audit = Child::start(["audit", "--json", "--data", data.to_str().unwrap_or_default()])?;
    let (_findings, usage) = audit.rest()?;
    let elapsed = began.elapsed().as_secs_f64();
    Ok(Figure {
        name: "audit: everything recomputed from genesis".to_owned(),
        unit: "transactions/s",
        value: entries / elapsed,
        ceiling: Some((ceiling.by.to_owned(), ceiling.per_second)),
        details: vec![
            ("transactions", entries, ""),
            ("took", elapsed, "s"),
            ("CPU", usage.cpu_seconds / entries * 1e6, "µs/transaction"),
            ("peak RSS", usage.peak_rss_bytes / 1e6, "MB"),
        ],
    })
}
