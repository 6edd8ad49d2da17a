//! `lamppost bench load`: the loader, a process of its own, so that sending does not count as the node's work.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use fleet::client::Broker;
use fleet::load::bulk;
use fleet::load::press::{self, Order};
use serde_json::json;

use crate::commands::output;
use crate::mqtt::BrokerUrl;
use crate::storage::NETWORK_DEFAULT;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// File of signed envelopes
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Broker
    #[arg(long, value_name = "URL")]
    broker: BrokerUrl,
    /// Envelopes of the file that were published before
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
    /// Seconds after which it ends, if the file has not ended before
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Envelopes a second; as many as the broker takes when absent
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// MQTT connections
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Devices whose acks are listened for: the first ones
    #[arg(long, value_name = "N", default_value_t = 256)]
    watched: u32,
    /// Seconds between lines that tell how it goes
    #[arg(long, value_name = "S")]
    tell: Option<f64>,
}

/// Publishes and prints what came of it.
///
/// # Errors
/// When the broker is lost.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let keys = bulk::keys(&super::SECRET, 0..arguments.watched.into())?;
    let watched: Vec<_> = keys.iter().map(|key| key.kid).collect();
    let order = Order {
        broker: Broker { host: arguments.broker.host.clone(), port: arguments.broker.port },
        network: NETWORK_DEFAULT.to_owned(),
        connections: arguments.connections,
        per_second: arguments.rate,
        within: arguments.seconds.map(Duration::from_secs_f64),
        watched: &watched,
        tell_every: arguments.tell.map(Duration::from_secs_f64),
    };
    let tell = |progress: press::Progress| {
        let line = json!({
            "elapsed": progress.elapsed.as_secs_f64(),
            "sent": progress.sent,
            "unsettled": progress.unsettled,
            "samples": samples(&progress.latencies),
        });
        // Nobody may listen any more; the end is told too.
        let _closed = output::line(line.to_string());
    };
    let report =
        press::publish(&arguments.file, &order, arguments.skip, tell).context("the load broke off")?;
    let settled: Vec<_> = report
        .settled
        .iter()
        .map(|(kid, sequence)| (kid.to_string(), sequence.boot, sequence.count))
        .collect();
    let answer = json!({
        "published": report.published,
        "seconds": report.elapsed.as_secs_f64(),
        "samples": samples(&report.latencies),
        "unsettled": report.unsettled,
        "settled": settled,
    });
    output::line(answer.to_string())
}

/// Seconds from the start to the publish, and milliseconds from there to the ack.
fn samples(latencies: &[(Duration, Duration)]) -> Vec<[f64; 2]> {
    latencies.iter().map(|(sent, took)| [sent.as_secs_f64(), took.as_secs_f64() * 1e3]).collect()
}
