//! `lamppost bench soak`: a share of the maximum for a long time, through MQTT; one JSON line for each span of it.

use std::fs::OpenOptions;
use std::process::Command;
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use serde_json::json;

use super::measure::{directory_bytes, percentile};
use super::mqtt::{loader, through};
use super::{Load, Scratch, Settings, ingest, mqtt, say};
use crate::commands::output;

/// Seconds in which the maximum is found.
const PROBE_SECONDS: f64 = 8.0;
/// More than any machine takes in that time.
const PROBE_ENVELOPES: u64 = 1 << 32;

/// Signs until nobody takes any more.
type Signing = JoinHandle<anyhow::Result<()>>;

#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub settings: Settings,
    /// Minutes of load
    #[arg(long, value_name = "M", default_value_t = 30.0)]
    minutes: f64,
    /// Share of the maximum, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 80.0)]
    share: f64,
    /// Seconds between lines
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    every: f64,
}

/// Loads a node for so long and prints a line for each span.
///
/// # Errors
/// When the node or the loader breaks off.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = &arguments.settings;
    let scratch = Scratch::new(settings)?;
    let mut node = ingest::start(settings, &scratch, &["--mqtt"])?;
    let url = mqtt::url(&node.ready);
    say("finding the maximum, envelopes being signed beside it as in the long run");
    let (pipe, signing) = signed_beside(settings, &scratch, PROBE_ENVELOPES)?;
    let probe = through(&mut node, loader(&pipe, &url, 0.0, PROBE_SECONDS, None)?)?;
    joined(signing)?;
    std::fs::remove_file(&pipe.path)?;
    let rate = probe.per_second * arguments.share / 100.0;
    let seconds = arguments.minutes * 60.0;
    say(&format!("{rate:.0} envelopes a second for {} minutes", arguments.minutes));
    let (pipe, signing) = signed_beside(settings, &scratch, (rate * seconds) as u64)?;
    let mut loader = mqtt::loader_telling(&pipe, &url, seconds, rate, arguments.every)?;
    let (mut before, mut accepted_before, mut at) = (node.usage(), probe.envelopes, 0.0);
    loop {
        let told = loader.answer()?;
        if told.get("published").is_some() {
            break;
        }
        let (usage, counters) = (node.usage(), node.ask("counters")?);
        let now = told["elapsed"].as_f64().unwrap_or(0.0);
        let accepted = counters["accepted"].as_f64().unwrap_or(0.0);
        let span = now - at;
        let data = scratch.data();
        let samples = told["samples"].as_array().into_iter().flatten();
        let mut milliseconds: Vec<f64> = samples.filter_map(|sample| sample[1].as_f64()).collect();
        let line = json!({
            "seconds": now,
            "rate_wanted": rate,
            "accepted_per_second": (accepted - accepted_before) / span,
            "p50_milliseconds": percentile(&mut milliseconds, 500),
            "p99_milliseconds": percentile(&mut milliseconds, 990),
            "waiting_for_ack": told["unsettled"],
            "rss_megabytes": usage.rss_bytes / 1e6,
            "cpu_percent": (usage.cpu_seconds - before.cpu_seconds) / span * 100.0,
            "written_megabytes_per_second": (usage.written_bytes - before.written_bytes) / span / 1e6,
            "log_megabytes": directory_bytes(&data.join("log")) / 1e6,
            "index_megabytes": directory_bytes(&data.join("index")) / 1e6,
            "index_behind_transactions": counters["index_behind"],
            "refused": counters["refused"],
            "outbound_dropped": counters["outbound_dropped"],
        });
        output::line(line.to_string())?;
        (before, accepted_before, at) = (usage, accepted, now);
    }
    drop(loader);
    node.process.finish()?;
    joined(signing)
}

/// A pipe out of which so many envelopes come, signed as they are taken: half an hour of it is more than a disk should
/// hold twice.
fn signed_beside(settings: &Settings, scratch: &Scratch, envelopes: u64) -> anyhow::Result<(Load, Signing)> {
    let pipe = Load::in_pipe(scratch)?;
    let plan = super::plan(settings, envelopes)?;
    let path = pipe.path.clone();
    let signing = thread::spawn(move || -> anyhow::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        // The loader closes the pipe when its time is over.
        let _reader_gone = fleet::load::write_to(file, &plan);
        Ok(())
    });
    Ok((pipe, signing))
}

fn joined(signing: Signing) -> anyhow::Result<()> {
    signing.join().map_err(|_| anyhow::anyhow!("signing broke off"))?.context("signing broke off")
}

impl Load {
    /// A pipe in the place of a file.
    fn in_pipe(scratch: &Scratch) -> anyhow::Result<Load> {
        let path = scratch.0.join("load");
        let made = Command::new("mkfifo").arg(&path).status().context("`mkfifo` cannot be started")?;
        anyhow::ensure!(made.success(), "the pipe {} cannot be made", path.display());
        Ok(Load { path, envelopes: 0, bytes: 0 })
    }
}
