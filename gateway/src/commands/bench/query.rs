//! `lamppost bench query` and `bench pages`: what somebody waits who asks a node by HTTP, by program or by browser, while
//! it takes in as much as it can.

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

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The API.
    Api,
    /// The pages, as a browser that has their styles and scripts already.
    Pages,
}

/// What is asked: the names of its median, its 99th percentile and its count, and the addresses.
type Asker = ([&'static str; 3], Vec<String>);

/// The names of one kind's figures.
macro_rules! figures_of {
    ($kind:literal) => {
        [concat!($kind, " p50"), concat!($kind, " p99"), concat!($kind, " queries")]
    };
}

fn askers(client: &Client, asked: Asked) -> anyhow::Result<Vec<Asker>> {
    let keys = fleet::load::bulk::keys(&super::SECRET, 0..DEVICES)?;
    let kids: Vec<String> = keys.iter().map(|key| key.kid.to_string()).collect();
    let of = |head: &str, tail: &str| -> Vec<String> {
        kids.iter().map(|kid| format!("{head}{kid}{tail}")).collect()
    };
    let transactions = some_transactions(client)?;
    let of_transactions = |head: &str| transactions.iter().map(|id| format!("{head}{id}")).collect();
    if asked == Asked::Api {
        return Ok(vec![
            (figures_of!("device"), of("/api/v1/devices/", "")),
            (figures_of!("statements"), of("/api/v1/devices/", "/statements?limit=20")),
            (figures_of!("readings"), of("/api/v1/devices/", "/readings?limit=20")),
            (figures_of!("transaction"), of_transactions("/api/v1/transactions/")),
        ]);
    }
    let device = client.json(&format!("/api/v1/devices/{}", kids.first().context("no device")?))?;
    let payee = device["owner"].as_str().or(device["escrow"].as_str()).context("a device without payee")?;
    let only = |path: &str| vec![path.to_owned()];
    Ok(vec![
        (figures_of!("home"), only("/")),
        (figures_of!("map"), only("/map")),
        (figures_of!("audit"), only("/audit")),
        (figures_of!("account"), only(&format!("/accounts/{payee}"))),
        (figures_of!("device"), of("/devices/", "")),
        (figures_of!("statements"), of("/devices/", "/statements")),
        (figures_of!("transaction"), of_transactions("/transactions/")),
    ])
}

fn some_transactions(client: &Client) -> anyhow::Result<Vec<String>> {
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
        transactions.extend(ids.map(ToOwned::to_owned));
    }
    Ok(transactions)
}

/// Asks for so long; milliseconds of each answer.
fn ask(client: &Client, addresses: &[String], accept: &str, seconds: f64) -> anyhow::Result<Vec<f64>> {
    let began = clock::monotonic();
    let mut milliseconds = Vec::new();
    for address in addresses.iter().cycle().take_while(|_| began.elapsed().as_secs_f64() < seconds) {
        let asked = clock::monotonic();
        client.bytes(address, accept).with_context(|| address.clone())?;
        milliseconds.push(asked.elapsed().as_secs_f64() * 1e3);
        thread::sleep(REST);
    }
    Ok(milliseconds)
}

/// Measures queries during full ingest.
///
/// # Errors
/// When a question is not answered.
pub fn measure(settings: &Settings, transactions: u64, asked: Asked) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let mut node = start::filled(settings, &scratch, transactions as f64)?;
    let seconds = f64::from(settings.seconds);
    let load = Load::sign(settings, &scratch, seconds + 2.0)?;
    let client = Client::new(&format!("http://{}", node.ready["http"].as_str().unwrap_or_default()))?;
    let askers = askers(&client, asked)?;
    say("asking while it takes in as much as it can");
    node.order(&format!("feed {} 0 {} 0", load.path.display(), seconds + 1.0))?;
    thread::sleep(Duration::from_secs(1));
    let accept = if asked == Asked::Api { "application/json" } else { "text/html" };
    let answered: Vec<([&str; 3], anyhow::Result<Vec<f64>>)> = thread::scope(|scope| {
        let started: Vec<_> = askers
            .iter()
            .map(|(name, addresses)| (*name, scope.spawn(|| ask(&client, addresses, accept, seconds))))
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
    for ([p50_name, p99_name, count_name], answers) in answered {
        let mut answers = answers?;
        let (p50, p99) = (percentile(&mut answers, 500), percentile(&mut answers, 990));
        worst = worst.max(p99);
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
        name: match asked {
            Asked::Api => "query: the slowest kind's p99 during full ingest".to_owned(),
            Asked::Pages => "pages: the slowest page's p99 during full ingest".to_owned(),
        },
        unit: "ms",
        value: worst,
        ceiling: None,
        details,
    })
}
