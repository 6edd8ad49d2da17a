//! `lamppost bench query`: what somebody waits who asks a node by HTTP while it takes in as much as it can.

use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use super::measure::percentile;
use super::{Figure, Load, Scratch, Settings, say, start};
use crate::client::Client;
use crate::clock;

/// Devices that are asked for.
const DEVICES: u64 = 1_000;
/// Blocks whose transactions are asked for, at most.
const BLOCKS: u64 = 50;
/// Rest between two questions of one asker.
const REST: Duration = Duration::from_millis(5);

/// What is asked, and the addresses.
type Asker = (&'static str, Vec<String>);

fn askers(client: &Client) -> anyhow::Result<Vec<Asker>> {
    let keys = fleet::load::bulk::keys(&super::SECRET, 0..DEVICES)?;
    let kids: Vec<String> = keys.iter().map(|key| key.kid.to_string()).collect();
    let of_devices =
        |tail: &str| kids.iter().map(|kid| format!("/api/v1/devices/{kid}{tail}")).collect::<Vec<_>>();
    let height = client.json("/api/v1/status")?["height"].as_u64().context("a status without height")?;
    let mut transactions = Vec::new();
    for block in 1..=BLOCKS {
        let block = client.json(&format!("/api/v1/blocks/{}", height * block / (BLOCKS + 1)))?;
        let entries = block["entries"].as_array().cloned().unwrap_or_default();
        // Some of each: neighbours lie in the same place of the index.
        let ids = entries
            .iter()
            .step_by(entries.len().div_ceil(20).max(1))
            .filter_map(|entry| entry["id"].as_str());
        transactions.extend(ids.map(|id| format!("/api/v1/transactions/{id}")));
    }
    Ok(vec![
        ("device", of_devices("")),
        ("statements", of_devices("/statements?limit=20")),
        ("readings", of_devices("/readings?limit=20")),
        ("transaction", transactions),
    ])
}

/// Asks for so long; milliseconds of each answer.
fn ask(client: &Client, addresses: &[String], seconds: f64) -> anyhow::Result<Vec<f64>> {
    let began = clock::monotonic();
    let mut milliseconds = Vec::new();
    for address in addresses.iter().cycle().take_while(|_| began.elapsed().as_secs_f64() < seconds) {
        let asked = clock::monotonic();
        client.bytes(address, "application/json").with_context(|| address.clone())?;
        milliseconds.push(asked.elapsed().as_secs_f64() * 1e3);
        thread::sleep(REST);
    }
    Ok(milliseconds)
}

/// Measures queries during full ingest.
///
/// # Errors
/// When a question is not answered.
pub fn measure(settings: &Settings, transactions: u64) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let mut node = start::filled(settings, &scratch, transactions as f64)?;
    let seconds = f64::from(settings.seconds);
    let load = Load::sign(settings, &scratch, seconds + 2.0)?;
    let client = Client::new(&format!("http://{}", node.ready["http"].as_str().unwrap_or_default()))?;
    let askers = askers(&client)?;
    say("asking while it takes in as much as it can");
    node.order(&format!("feed {} 0 {} 0", load.path.display(), seconds + 1.0))?;
    thread::sleep(Duration::from_secs(1));
    let answered: Vec<(&str, anyhow::Result<Vec<f64>>)> = thread::scope(|scope| {
        let started: Vec<_> = askers
            .iter()
            .map(|(name, addresses)| (*name, scope.spawn(|| ask(&client, addresses, seconds))))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        started.into_iter().map(|(name, thread)| (name, join(thread))).collect()
    });
    let fed = node.answer()?;
    let entries = node.ask("counters")?["entries"].as_f64().unwrap_or(0.0);
    let usage = node.usage();
    node.process.finish()?;
    let mut details = Vec::new();
    let mut worst: f64 = 0.0;
    for (name, answers) in answered {
        let mut answers = answers?;
        let (p50, p99) = (percentile(&mut answers, 500), percentile(&mut answers, 990));
        worst = worst.max(p99);
        let [p50_name, p99_name, count_name] = match name {
            "device" => ["device p50", "device p99", "device queries"],
            "statements" => ["statements p50", "statements p99", "statements queries"],
            "readings" => ["readings p50", "readings p99", "readings queries"],
            _ => ["transaction p50", "transaction p99", "transaction queries"],
        };
        details.extend([
            (p50_name, p50, "ms"),
            (p99_name, p99, "ms"),
            (count_name, answers.len() as f64, ""),
        ]);
    }
    let number = |name: &str| fed[name].as_f64().unwrap_or(0.0);
    details.extend([
        ("ingest meanwhile", number("accepted") / number("seconds"), "envelopes/s"),
        ("entries of the log", entries, ""),
        ("peak RSS of the node", usage.peak_rss_bytes / 1e6, "MB"),
    ]);
    Ok(Figure {
        name: "query: the slowest kind's p99 during full ingest".to_owned(),
        unit: "ms",
        value: worst,
        ceiling: None,
        details,
    })
}
