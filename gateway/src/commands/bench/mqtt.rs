//! `lamppost bench mqtt`: the whole node behind its embedded broker, loaded by another process.

use serde_json::Value;

use super::child::Child;
use super::measure::percentile;
use super::{Figure, Load, Scratch, Settings, ingest, say};

/// The share of the maximum at which latency is measured.
const SHARE: f64 = 0.5;

/// What the loader tells of a phase.
pub struct Published {
    /// Envelopes that the broker took.
    pub envelopes: f64,
    /// CPU seconds of the loader.
    pub cpu_seconds: f64,
    /// Milliseconds from a watched device's publish to the ack that settles it.
    pub milliseconds: Vec<f64>,
}

/// Starts a loader.
///
/// # Errors
/// When it cannot start.
pub fn loader(
    load: &Load,
    broker: &str,
    skip: f64,
    seconds: f64,
    rate: Option<f64>,
) -> anyhow::Result<Child> {
    let (skip, seconds) = (skip.to_string(), seconds.to_string());
    let rate = rate.map(|rate| rate.to_string());
    let file = load.path.to_str().unwrap_or_default();
    let mut words =
        vec!["bench", "load", "--file", file, "--broker", broker, "--skip", &skip, "--seconds", &seconds];
    if let Some(rate) = &rate {
        words.extend(["--rate", rate]);
    }
    Child::start(words)
}

/// Waits for a loader's end.
///
/// # Errors
/// When it broke off.
pub fn published(mut loader: Child) -> anyhow::Result<Published> {
    let answer = loader.answer()?;
    let usage = loader.usage();
    let samples = answer["samples"].as_array().into_iter().flatten();
    Ok(Published {
        envelopes: number(&answer, "published"),
        cpu_seconds: usage.cpu_seconds,
        milliseconds: samples.filter_map(|sample| sample[1].as_f64()).collect(),
    })
}

fn number(answer: &Value, name: &str) -> f64 {
    answer[name].as_f64().unwrap_or(0.0)
}

/// What arrived somewhere of what was published.
struct Arrived {
    envelopes: f64,
    per_second: f64,
    published: Published,
}

/// Publishes for so many seconds while the node tells what arrives.
fn through(node: &mut Child, loader: Child) -> anyhow::Result<Arrived> {
    node.order("arrived")?;
    let published = published(loader)?;
    let answer = node.answer()?;
    let envelopes = number(&answer, "accepted");
    Ok(Arrived { envelopes, per_second: envelopes / number(&answer, "seconds"), published })
}

/// Measures ingest through MQTT.
///
/// # Errors
/// When node, broker or loader cannot run.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let seconds = f64::from(settings.seconds);
    let load = Load::sign(settings, &scratch, (1.0 + SHARE) * seconds)?;

    say("measuring the ceiling: the same broker, a subscriber that only counts");
    let data = scratch.data();
    let mut counter = Child::start([
        "bench",
        "node",
        "--mqtt",
        "--count-only",
        "--data",
        data.to_str().unwrap_or_default(),
    ])?;
    let counting = url(&counter.answer()?);
    let counted = through(&mut counter, loader(&load, &counting, 0.0, seconds, None)?)?;
    counter.finish()?;

    let mut node = ingest::start(settings, &scratch, &["--mqtt"])?;
    let url = url(&node.ready);
    say("as fast as it can");
    let before = node.usage();
    node.forget_peak();
    let mut full = through(&mut node, loader(&load, &url, 0.0, seconds, None)?)?;
    let (after, counters) = (node.usage(), node.ask("counters")?);
    say("at half of that, for the latency");
    let skip = full.published.envelopes;
    let half = loader(&load, &url, skip, seconds, Some(SHARE * full.per_second))?;
    let mut half = through(&mut node, half)?;
    node.process.finish()?;
    Ok(Figure {
        name: "mqtt: QoS 1, verified, applied, durable, acked".to_owned(),
        unit: "envelopes/s",
        value: full.per_second,
        ceiling: Some(("the same broker, a subscriber that counts".to_owned(), counted.per_second)),
        details: vec![
            ("published", full.published.envelopes, "envelopes"),
            ("accepted", full.envelopes, "envelopes"),
            ("envelope size", load.bytes_each(), "bytes"),
            ("readings", full.per_second * f64::from(settings.records), "records/s"),
            ("publish to ack p50 at half", percentile(&mut half.published.milliseconds, 500), "ms"),
            ("publish to ack p99 at half", percentile(&mut half.published.milliseconds, 990), "ms"),
            ("publish to ack p50 at full load", percentile(&mut full.published.milliseconds, 500), "ms"),
            ("publish to ack p99 at full load", percentile(&mut full.published.milliseconds, 990), "ms"),
            (
                "CPU of broker and node",
                (after.cpu_seconds - before.cpu_seconds) / full.envelopes * 1e6,
                "µs/envelope",
            ),
            ("CPU of the loader", full.published.cpu_seconds / full.envelopes * 1e6, "µs/envelope"),
            ("intake waits", number(&counters, "intake_waits"), ""),
            ("acks", number(&counters, "acks"), ""),
            ("messages the broker did not take", number(&counters, "outbound_dropped"), ""),
            ("peak RSS of broker and node", after.peak_rss_bytes / 1e6, "MB"),
        ],
    })
}

fn url(ready: &Value) -> String {
    format!("mqtt://{}", ready["mqtt"].as_str().unwrap_or_default())
}
