//! `lamppost bench ingest`: the whole node, from the intake queue to the answer after the durable write.

use std::ops::{Deref, DerefMut};

use serde_json::Value;

use super::child::Child;
use super::measure::{directory_bytes, percentile};
use super::{CEILING_SECONDS, Figure, Load, Scratch, Settings, ceiling, say};

/// The share of the maximum at which latency is measured.
const SHARE: f64 = 0.5;

/// What a phase of load came to, as the node tells it.
pub struct Fed {
    /// Envelopes that were accepted.
    pub envelopes: f64,
    /// Their bytes.
    pub bytes: f64,
    /// Seconds until the last one was durable.
    pub seconds: f64,
    /// Milliseconds from a sample's way in to its answer.
    pub milliseconds: Vec<f64>,
}

/// Feeds a node from the load, behind the first `skip` envelopes, for so many seconds; 0 a second is as fast as it can.
///
/// # Errors
/// When it breaks off or does not accept everything.
pub fn feed(node: &mut Child, load: &Load, skip: f64, seconds: f64, per_second: f64) -> anyhow::Result<Fed> {
    fed(&node.ask(&format!("feed {} {skip} {seconds} {per_second}", load.path.display()))?)
}

/// Feeds a node with so many envelopes, as fast as it takes them.
///
/// # Errors
/// As [`feed`].
pub fn feed_envelopes(node: &mut Child, load: &Load, skip: f64, envelopes: f64) -> anyhow::Result<Fed> {
    fed(&node.ask(&format!("feed {} {skip} 600 0 {envelopes}", load.path.display()))?)
}

fn fed(answer: &Value) -> anyhow::Result<Fed> {
    let number = |name: &str| answer[name].as_f64().unwrap_or(0.0);
    let samples = answer["samples"].as_array().into_iter().flatten();
    Ok(Fed {
        envelopes: number("accepted"),
        bytes: number("bytes"),
        seconds: number("seconds"),
        milliseconds: samples.filter_map(|sample| sample[1].as_f64()).collect(),
    })
}

/// A node that serves.
pub struct Node {
    /// The process.
    pub process: Child,
    /// Its addresses, as it told them.
    pub ready: Value,
}

impl Deref for Node {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.process
    }
}

impl DerefMut for Node {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.process
    }
}

/// Starts a node in the scratch directory and waits until it serves and all devices are enrolled.
///
/// # Errors
/// When it does not.
pub fn start(settings: &Settings, scratch: &Scratch, more: &[&str]) -> anyhow::Result<Node> {
    say(&format!("starting a node with {} devices", settings.devices));
    let (data, devices) = (scratch.data(), settings.devices.to_string());
    let data = data.to_str().unwrap_or_default();
    let epoch = settings.epoch.to_string();
    let mut words = vec!["bench", "node", "--data", data, "--devices", &devices, "--epoch", &epoch];
    words.extend(more);
    let mut process = Child::start(words)?;
    let ready = process.answer()?;
    Ok(Node { process, ready })
}

/// Measures ingest as it goes on and on: every device has sent once before, so that its key is known and it has a tally.
/// The first envelope of a device costs more; a node meets it once a start and an epoch.
///
/// # Errors
/// When the node cannot run or loses something.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let seconds = f64::from(settings.seconds);
    let round = f64::from(settings.devices);
    let load = Load::sign_behind(settings, &scratch, settings.devices.into(), (1.0 + SHARE) * seconds)?;
    let ceiling = ceiling::verification(&load.path, settings.devices, CEILING_SECONDS)?;
    let mut node = start(settings, &scratch, &[])?;
    say("every device sends");
    let first = feed_envelopes(&mut node, &load, 0.0, round)?;
    say("as fast as it can");
    let (log_before, before) = (node.ask("counters")?["log_bytes"].as_f64().unwrap_or(0.0), node.usage());
    node.forget_peak();
    let mut full = feed(&mut node, &load, round, seconds, 0.0)?;
    let (log_after, after) = (node.ask("counters")?["log_bytes"].as_f64().unwrap_or(0.0), node.usage());
    let per_second = full.envelopes / full.seconds;
    say("at half of that, for the latency");
    let mut half = feed(&mut node, &load, round + full.envelopes, seconds, SHARE * per_second)?;
    let data = scratch.data();
    node.process.finish()?;
    Ok(Figure {
        name: "ingest: verified, applied, durable, acknowledged".to_owned(),
        unit: "envelopes/s",
        value: per_second,
        ceiling: Some((ceiling.by.to_owned(), ceiling.per_second)),
        details: vec![
            ("envelopes", full.envelopes, ""),
            ("envelope size", load.bytes_each(), "bytes"),
            ("every device's first", first.envelopes / first.seconds, "envelopes/s"),
            ("readings", per_second * f64::from(settings.records), "records/s"),
            ("latency p50 at half", percentile(&mut half.milliseconds, 500), "ms"),
            ("latency p99 at half", percentile(&mut half.milliseconds, 990), "ms"),
            ("latency p50 at full load", percentile(&mut full.milliseconds, 500), "ms"),
            ("latency p99 at full load", percentile(&mut full.milliseconds, 990), "ms"),
            ("CPU", (after.cpu_seconds - before.cpu_seconds) / full.envelopes * 1e6, "µs/envelope"),
            ("peak RSS of the node", after.peak_rss_bytes / 1e6, "MB"),
            ("written to the log", (log_after - log_before) / full.bytes, "x envelope bytes"),
            ("written in all", (after.written_bytes - before.written_bytes) / full.bytes, "x envelope bytes"),
            ("index on disk", directory_bytes(&data.join("index")) / 1e6, "MB"),
            ("snapshots on disk", directory_bytes(&data.join("snapshots")) / 1e6, "MB"),
            ("log on disk", directory_bytes(&data.join("log")) / 1e6, "MB"),
        ],
    })
}
