//! `lamppost bench mqtt`: the whole node behind an MQTT broker, loaded by another process.

use devices::topic::{TopicFilter, TopicKind};
use serde_json::Value;

use super::child::Child;
use super::measure::percentile;
use super::mosquitto::Mosquitto;
use super::{Figure, Load, Scratch, Settings, ingest, say};
use crate::storage::NETWORK_DEFAULT;

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
    /// The same beside the second in which it was published.
    pub samples: Vec<(f64, f64)>,
    /// What watched devices sent and had settled: kid, boot and count.
    pub settled: Vec<Value>,
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

/// Starts a loader that tells every so many seconds how it goes.
///
/// # Errors
/// When it cannot start.
pub fn loader_telling(
    load: &Load,
    broker: &str,
    seconds: f64,
    rate: f64,
    tell: f64,
) -> anyhow::Result<Child> {
    let [seconds, rate, tell] = [seconds, rate, tell].map(|number| number.to_string());
    let file = load.path.to_str().unwrap_or_default();
    let words = ["--file", file, "--broker", broker, "--seconds", &seconds, "--rate", &rate, "--tell", &tell];
    Child::start(["bench", "load"].into_iter().chain(words))
}

/// Waits for a loader's end.
///
/// # Errors
/// When it broke off.
pub fn published(mut loader: Child) -> anyhow::Result<Published> {
    let answer = loader.answer()?;
    let usage = loader.usage();
    let samples = answer["samples"].as_array().into_iter().flatten();
    let samples: Vec<(f64, f64)> =
        samples.filter_map(|sample| Some((sample[0].as_f64()?, sample[1].as_f64()?))).collect();
    Ok(Published {
        envelopes: number(&answer, "published"),
        cpu_seconds: usage.cpu_seconds,
        milliseconds: samples.iter().map(|(_, took)| *took).collect(),
        settled: answer["settled"].as_array().cloned().unwrap_or_default(),
        samples,
    })
}

fn number(answer: &Value, name: &str) -> f64 {
    answer[name].as_f64().unwrap_or(0.0)
}

/// What arrived somewhere of what was published.
pub struct Arrived {
    /// Envelopes that arrived.
    pub envelopes: f64,
    /// From the first to the last.
    pub per_second: f64,
    /// What the loader tells.
    pub published: Published,
}

/// Publishes while the node tells what arrives.
///
/// # Errors
/// When one of them breaks off.
pub fn through(node: &mut Child, loader: Child) -> anyhow::Result<Arrived> {
    node.order("arrived")?;
    let published = published(loader)?;
    let answer = node.answer()?;
    let envelopes = number(&answer, "accepted");
    Ok(Arrived { envelopes, per_second: envelopes / number(&answer, "seconds"), published })
}

/// Which broker is between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Between {
    /// The node's own.
    Embedded,
    /// A mosquitto that is started for it.
    External,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub settings: Settings,
    /// The broker: the node's own, or a mosquitto that is started for it
    #[arg(long, value_enum, default_value_t = Between::Embedded)]
    broker: Between,
}

/// Measures ingest through MQTT.
///
/// # Errors
/// When node, broker or loader cannot run.
pub fn measure(arguments: &Arguments) -> anyhow::Result<Figure> {
    let settings = &arguments.settings;
    let scratch = Scratch::new(settings)?;
    let seconds = f64::from(settings.seconds);
    let load = Load::sign(settings, &scratch, (1.0 + SHARE) * seconds)?;
    let mut mosquitto = match arguments.broker {
        Between::Embedded => None,
        Between::External => Some(Mosquitto::start(&scratch)?),
    };
    let counted = counted(&load, &scratch, mosquitto.as_mut(), seconds)?;
    let mut node = ingest::start(settings, &scratch, &way(mosquitto.as_ref()))?;
    let url = subscribed(mosquitto.as_mut(), &node.ready)?;
    say("as fast as it can");
    let (before, broker_before) = (node.usage(), mosquitto.as_ref().map(|broker| broker.process.usage()));
    node.forget_peak();
    let mut full = through(&mut node, loader(&load, &url, 0.0, seconds, None)?)?;
    let (after, counters) = (node.usage(), node.ask("counters")?);
    let broker_after = mosquitto.as_ref().map(|broker| broker.process.usage());
    say("at half of that, for the latency");
    let half = loader(&load, &url, full.published.envelopes, seconds, Some(SHARE * full.per_second))?;
    let mut half = through(&mut node, half)?;
    node.process.finish()?;
    let each = |cpu_seconds: f64| cpu_seconds / full.envelopes * 1e6;
    let mut details = vec![
        ("published", full.published.envelopes, "envelopes"),
        ("accepted", full.envelopes, "envelopes"),
        ("envelope size", load.bytes_each(), "bytes"),
        ("readings", full.per_second * f64::from(settings.records), "records/s"),
        ("publish to ack p50 at half", percentile(&mut half.published.milliseconds, 500), "ms"),
        ("publish to ack p99 at half", percentile(&mut half.published.milliseconds, 990), "ms"),
        ("publish to ack p50 at full load", percentile(&mut full.published.milliseconds, 500), "ms"),
        ("publish to ack p99 at full load", percentile(&mut full.published.milliseconds, 990), "ms"),
        ("CPU of the node", each(after.cpu_seconds - before.cpu_seconds), "µs/envelope"),
        ("CPU of the loader", each(full.published.cpu_seconds), "µs/envelope"),
        ("intake waits", number(&counters, "intake_waits"), ""),
        ("acks", number(&counters, "acks"), ""),
        ("messages the broker did not take", number(&counters, "outbound_dropped"), ""),
        ("peak RSS of the node", after.peak_rss_bytes / 1e6, "MB"),
    ];
    if let Some((before, after)) = broker_before.zip(broker_after) {
        details.push(("CPU of mosquitto", each(after.cpu_seconds - before.cpu_seconds), "µs/envelope"));
        details.push(("peak RSS of mosquitto", after.peak_rss_bytes / 1e6, "MB"));
    }
    let between = if mosquitto.is_some() { "mosquitto" } else { "the embedded broker" };
    Ok(Figure {
        name: format!("mqtt: through {between}, QoS 1, verified, applied, durable, acked"),
        unit: "envelopes/s",
        value: full.per_second,
        ceiling: Some(("the same broker, a subscriber that only counts".to_owned(), counted.per_second)),
        details,
    })
}

/// What the same broker delivers to a subscriber that only counts.
fn counted(
    load: &Load,
    scratch: &Scratch,
    mosquitto: Option<&mut Mosquitto>,
    seconds: f64,
) -> anyhow::Result<Arrived> {
    say("measuring the ceiling: the same broker, a subscriber that only counts");
    let data = scratch.data();
    let mut words = vec!["bench", "node", "--count-only", "--data", data.to_str().unwrap_or_default()];
    words.extend(way(mosquitto.as_deref()));
    let mut counter = Child::start(words)?;
    let ready = counter.answer()?;
    let url = subscribed(mosquitto, &ready)?;
    let counted = through(&mut counter, loader(load, &url, 0.0, seconds, None)?)?;
    counter.finish()?;
    Ok(counted)
}

/// The words that give a node its broker.
fn way(mosquitto: Option<&Mosquitto>) -> Vec<&str> {
    mosquitto.map_or(vec!["--mqtt"], |broker| vec!["--broker", &broker.url])
}

/// Where to publish, once a node that is ready hears it.
fn subscribed(mosquitto: Option<&mut Mosquitto>, ready: &Value) -> anyhow::Result<String> {
    let Some(broker) = mosquitto else { return Ok(url(ready)) };
    broker.subscribed(&TopicFilter { network: NETWORK_DEFAULT, kind: TopicKind::Up }.to_string())?;
    Ok(broker.url.clone())
}

/// Where a node's own broker listens.
pub fn url(ready: &Value) -> String {
    format!("mqtt://{}", ready["mqtt"].as_str().unwrap_or_default())
}
