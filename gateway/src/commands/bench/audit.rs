//! `lamppost bench audit`: a log full of readings recomputed from genesis, against verifying signatures alone.

use super::ingest::{self, Bench};
use super::measure::{cpu_seconds, peak_rss_megabytes};
use super::{Figure, Scratch, Settings};
use crate::clock;
use crate::commands::audit::{Progress, audit_directory};
use crate::shared::Submission;

/// Measures the audit.
///
/// # Errors
/// When the node cannot run or the audit finds a difference.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ceiling_per_second = runtime.block_on(fill(settings, &scratch))?;
    let (cpu_before, began) = (cpu_seconds(), clock::monotonic());
    let findings = audit_directory(&scratch.0.join("data"), None, &mut Progress::new())?;
    let elapsed = began.elapsed().as_secs_f64();
    let transactions = (findings.readings + findings.instructions) as f64;
    Ok(Figure {
        name: "audit: everything recomputed from genesis",
        unit: "transactions/s",
        per_second: transactions / elapsed,
        ceiling: "batch verification on all cores",
        ceiling_per_second,
        details: vec![
            ("transactions", transactions, ""),
            ("took", elapsed, "s"),
            ("CPU", (cpu_seconds() - cpu_before) / transactions * 1e6, "µs/transaction"),
            ("peak RSS, load included", peak_rss_megabytes(), "MB"),
        ],
    })
}

/// Fills a data directory with the load and gives the ceiling.
async fn fill(settings: &Settings, scratch: &Scratch) -> anyhow::Result<f64> {
    let (bench, outbound) = Bench::start(scratch, settings.devices).await?;
    tokio::spawn(ingest::discard(outbound));
    let load = ingest::in_turns(ingest::sign(settings, &bench.seeds)?);
    let ceiling = ingest::verification_ceiling(&load, &bench.seeds, f64::from(settings.seconds).min(5.0));
    let envelopes = load.len() as u64;
    for (kid, bytes) in load {
        bench.intake.send(Submission { topic_kid: Some(kid), bytes, reply: None }).await?;
    }
    bench.drained(envelopes).await;
    bench.stop().await?;
    Ok(ceiling)
}
