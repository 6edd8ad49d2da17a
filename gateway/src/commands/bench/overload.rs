//! `lamppost bench overload`: twice the load that a node sustains, through MQTT, and how it comes back.

use std::collections::HashSet;
use std::path::Path;

use devices::SignedReading;
use serde_json::Value;

use super::measure::percentile;
use super::mqtt::{Published, loader, published, through};
use super::{Figure, Load, Scratch, Settings, ingest, mqtt, say};
use crate::data_dir::DataDir;
use crate::log::LogReader;

/// Seconds in which the maximum is found.
const PROBE_SECONDS: f64 = 4.0;
/// Seconds of half of it before, and after.
const CALM_SECONDS: f64 = 8.0;
/// How many times the maximum is offered.
const TIMES: f64 = 2.0;
/// Latency is back to normal when a second's p99 is at most twice that of before, or this.
const NORMAL_MILLISECONDS: f64 = 250.0;

/// Measures the overload.
///
/// # Errors
/// When the node fails, or lost what it had acknowledged.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let seconds = f64::from(settings.seconds);
    // What two cores can take is less than is signed for each second of a full run; twice the maximum is never taken.
    let load = Load::sign(settings, &scratch, PROBE_SECONDS + CALM_SECONDS + seconds)?;
    let mut node = ingest::start(settings, &scratch, &["--mqtt"])?;
    let url = mqtt::url(&node.ready);
    say("finding the maximum");
    let probe = through(&mut node, loader(&load, &url, 0.0, PROBE_SECONDS, None)?)?;
    let maximum = probe.per_second;
    say("half of it");
    let mut skip = probe.published.envelopes;
    let mut before = through(&mut node, loader(&load, &url, skip, CALM_SECONDS, Some(maximum / 2.0))?)?;
    skip += before.published.envelopes;
    let calm_rss = node.usage().rss_bytes;
    say("twice of it");
    node.forget_peak();
    let over: Published = published(loader(&load, &url, skip, seconds, Some(TIMES * maximum))?)?;
    skip += over.envelopes;
    let peak = node.usage().peak_rss_bytes;
    say("half of it again");
    let after = published(loader(&load, &url, skip, CALM_SECONDS, Some(maximum / 2.0))?)?;
    let counters = node.ask("counters")?;
    let usage = node.usage();
    node.process.finish()?;
    let settled: Vec<Value> = [&probe.published, &before.published, &over, &after]
        .into_iter()
        .flat_map(|it| it.settled.clone())
        .collect();
    let lost = missing(&scratch.data(), &settled)?;
    let normal = percentile(&mut before.published.milliseconds, 990);
    let number = |name: &str| counters[name].as_f64().unwrap_or(0.0);
    Ok(Figure {
        name: "overload: back to normal latency after twice the maximum".to_owned(),
        unit: "s",
        value: recovered(&after, (2.0 * normal).max(NORMAL_MILLISECONDS)),
        ceiling: None,
        details: vec![
            ("maximum", maximum, "envelopes/s"),
            ("offered", TIMES * maximum * seconds, "envelopes"),
            ("taken meanwhile", over.envelopes, "envelopes"),
            ("taken a second meanwhile", over.envelopes / seconds, "envelopes/s"),
            ("latency p99 before", normal, "ms"),
            ("latency p99 meanwhile", percentile(&mut over.milliseconds.clone(), 990), "ms"),
            ("latency p99 after", percentile(&mut after.milliseconds.clone(), 990), "ms"),
            ("RSS before", calm_rss / 1e6, "MB"),
            ("peak RSS meanwhile", peak / 1e6, "MB"),
            ("RSS after", usage.rss_bytes / 1e6, "MB"),
            ("acknowledged, watched", settled.len() as f64, "envelopes"),
            ("acknowledged and lost", lost as f64, "envelopes"),
            ("refused", number("refused"), "envelopes"),
            ("messages the broker did not take", number("outbound_dropped"), ""),
        ],
    })
}

/// The first second from which on every second's p99 is normal.
fn recovered(after: &Published, normal: f64) -> f64 {
    let seconds = CALM_SECONDS as usize;
    let p99 = |second: usize| {
        let sent_then = |(sent, _): &&(f64, f64)| *sent as usize == second;
        let mut some: Vec<f64> = after.samples.iter().filter(sent_then).map(|(_, took)| *took).collect();
        percentile(&mut some, 990)
    };
    let last_slow = (0..seconds).rev().find(|second| p99(*second) > normal);
    last_slow.map_or(0.0, |second| (second + 1) as f64)
}

/// How many acknowledged envelopes the log does not hold.
fn missing(data: &Path, settled: &[Value]) -> anyhow::Result<usize> {
    say("looking for every acknowledged envelope in the log");
    let name = |value: &Value| {
        let number = |place: usize| value[place].as_u64();
        Some((value[0].as_str()?.to_owned(), number(1)?, number(2)?))
    };
    let mut missing: HashSet<_> = settled.iter().filter_map(name).collect();
    let watched: HashSet<String> = missing.iter().map(|(kid, ..)| kid.clone()).collect();
    let directory = DataDir::look(data)?;
    let genesis = directory.genesis()?.ok_or_else(|| anyhow::anyhow!("the node has no genesis"))?;
    for block in LogReader::open(&directory.log(), genesis.hash())?.blocks() {
        for entry in block?.2.entries {
            let Ok(reading) = SignedReading::decode(entry) else { continue };
            let kid = reading.kid().to_string();
            if watched.contains(&kid) {
                let sequence = reading.sequence();
                missing.remove(&(kid, sequence.boot.into(), sequence.count.into()));
            }
        }
    }
    Ok(missing.len())
}
