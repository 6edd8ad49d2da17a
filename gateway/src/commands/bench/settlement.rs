//! `lamppost bench settlement`: an epoch of many devices closes while a node goes on taking in, with everything durable.

use std::time::Duration;

use serde_json::Value;

use super::measure::percentile;
use super::{Figure, Load, Scratch, Settings, ingest, say};

/// The share of the maximum that is taken in while the epoch closes.
const SHARE: f64 = 0.5;
/// Seconds of that share before and after the epoch's end.
const CALM_SECONDS: f64 = 4.0;
/// A node takes at least so many envelopes a second: what time is planned with before it is measured.
const PER_SECOND_MIN: f64 = 40_000.0;

/// Measures the end of an epoch in which every device has sent one envelope.
///
/// # Errors
/// When the node cannot run or the epoch is not settled.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let devices = f64::from(settings.devices);
    let mut node = ingest::start(settings, &scratch, &[])?;
    let calm = 2.0 * CALM_SECONDS + devices / 100_000.0;
    let load = Load::sign_envelopes(settings, &scratch, (devices + calm * 2.0 * PER_SECOND_MIN) as u64)?;
    let needed = devices / PER_SECOND_MIN + CALM_SECONDS;
    anyhow::ensure!(
        needed < settings.epoch as f64,
        "an epoch of {} s is too short for {} devices: try --epoch {:.0}",
        settings.epoch,
        settings.devices,
        needed * 1.5
    );
    let mut settlements = node.ask("settlements")?;
    while until(&settlements) < needed {
        say("waiting for an epoch to begin");
        settlements = node.ask(&format!("settled {}", closed(&settlements).len()))?;
    }
    say("every device sends");
    node.forget_peak();
    let full = ingest::feed_envelopes(&mut node, &load, 0.0, devices)?;
    let per_second = full.envelopes / full.seconds;
    // Those until now closed epochs of a former run: the feeder ends with an empty queue.
    let settlements = node.ask("settlements")?;
    let before = closed(&settlements).len();
    // A moment before the epoch's end, of which nothing tells.
    std::thread::sleep(Duration::from_secs_f64((until(&settlements) - CALM_SECONDS).max(0.0)));
    say("the epoch ends, and half of the load goes on");
    let seconds = CALM_SECONDS + calm;
    let order = format!("feed {} {devices} {seconds} {}", load.path.display(), SHARE * per_second);
    let cpu_before = node.usage().cpu_seconds;
    let calm = node.ask(&order)?;
    let cpu = node.usage().cpu_seconds - cpu_before;
    let settlements = node.ask("settlements")?;
    let usage = node.usage();
    node.process.finish()?;
    let closed =
        closed(&settlements).get(before).ok_or_else(|| anyhow::anyhow!("the epoch was not settled"))?;
    let (statements, took) = (number(closed, "statements"), number(closed, "seconds"));
    anyhow::ensure!(
        statements >= devices,
        "the epoch closed before every device had sent ({statements} of {devices}): try a longer --epoch"
    );
    let ended = (number(closed, "at_unix_milliseconds") - number(&calm, "began_unix_milliseconds")) / 1e3;
    let (mut meanwhile, mut otherwise) = (Vec::new(), Vec::new());
    for sample in calm["samples"].as_array().into_iter().flatten() {
        let (Some(sent), Some(milliseconds)) = (sample[0].as_f64(), sample[1].as_f64()) else { continue };
        match sent {
            sent if sent < ended - took - 0.1 => otherwise.push(milliseconds),
            sent if sent < ended => meanwhile.push(milliseconds),
            _ => {}
        }
    }
    Ok(Figure {
        name: format!("settlement: rewards of {} devices, applied and durable", settings.devices),
        unit: "rewards/s",
        value: statements / took,
        ceiling: None,
        details: vec![
            ("rewards", statements, ""),
            ("took", took, "s"),
            ("latency p50 before", percentile(&mut otherwise, 500), "ms"),
            ("latency p99 before", percentile(&mut otherwise, 990), "ms"),
            ("latency p50 while it closes", percentile(&mut meanwhile, 500), "ms"),
            ("latency p99 while it closes", percentile(&mut meanwhile, 990), "ms"),
            (
                "latency p99 times before",
                percentile(&mut meanwhile, 990) / percentile(&mut otherwise, 990),
                "",
            ),
            ("intake meanwhile", SHARE * per_second, "envelopes/s"),
            ("CPU of that load and the settlement", cpu, "s"),
            ("ingest before", per_second, "envelopes/s"),
            ("peak RSS of the node", usage.peak_rss_bytes / 1e6, "MB"),
        ],
    })
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or(0.0)
}

/// The epochs that were closed since the node's start.
fn closed(settlements: &Value) -> &[Value] {
    settlements["settlements"].as_array().map_or(&[], Vec::as_slice)
}

/// Seconds until the running epoch ends.
fn until(settlements: &Value) -> f64 {
    (number(settlements, "next_unix_milliseconds") - number(settlements, "now_unix_milliseconds")) / 1e3
}
