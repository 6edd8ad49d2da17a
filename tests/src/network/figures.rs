//! What a network of four validators and a gateway on this machine does, in figures of one run: how long a reading takes to be
//! final, how much goes through, how fast a node catches up, how soon the others go on without one, how much memory each has.
//! Nothing is asserted of them.

mod crowd;
mod probe;

use super::namespaces::Wire;
use super::{Network, Plan};
use crate::node::{Node, Up};
use crate::program;
use crate::wait;
use crowd::Crowd;
use probe::Probes;
use serde_json::Value;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// Envelopes a second at which latency is measured.
const RATE: u32 = 1_000;
/// More than anybody takes.
const RATE_UNBOUNDED: u32 = 50_000;
/// While a node is away: something to decide all the time.
const RATE_LOW: u32 = 50;
/// Devices of the crowd. Each has a window of envelopes under way, so that many devices are a high rate.
const DEVICES: u32 = 200;
/// How long a rate is given until everything runs evenly.
const WARMING: Duration = Duration::from_secs(10);
/// How long after a kill the gaps between blocks are looked at.
const AFTER_KILL: Duration = Duration::from_secs(12);
/// Blocks come as fast as the engine makes them, where many of them are wanted soon.
const BLOCK_MILLISECONDS_FAST: u32 = 10;
/// What the figures are held against.
const BLOCK_MILLISECONDS: u32 = 250;
const EPOCH_SECONDS: u32 = 60;

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Of each phase under load.
    pub seconds: u64,
    /// That a node is behind when it comes back.
    pub blocks_behind: u64,
}

/// The table.
#[derive(Debug, Default)]
pub struct Table(Vec<(String, String)>);

impl Table {
    fn row(&mut self, what: &str, figure: String) {
        eprintln!("figures: {what}: {figure}");
        self.0.push((what.to_owned(), figure));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "| figure | measured |\n|---|---|")?;
        self.0.iter().try_for_each(|(what, figure)| writeln!(out, "| {what} | {figure} |"))
    }
}

/// Measures everything.
///
/// # Panics
/// Where a network or a node does not come up.
pub fn measure(extent: Extent) -> Table {
    let mut table = Table::default();
    let through = of_four(extent, &mut table);
    let alone = of_one(extent, &mut table);
    let limit = limit(&mut table);
    table
        .row("four validators and a gateway, of one node alone", format!("{:.0} %", 100.0 * through / alone));
    table.row(
        "four validators and a gateway, of the arithmetic limit",
        format!("{:.0} %", 100.0 * through / limit),
    );
    behind(extent, &mut table);
    table
}

fn plan(block_milliseconds: u32) -> Plan {
    Plan { wire: Wire::Quick, epoch_seconds: EPOCH_SECONDS, block_milliseconds }
}

/// Latency, recovery, memory and the most that goes through; gives the last.
fn of_four(extent: Extent, table: &mut Table) -> f64 {
    let mut network = Network::started(plan(BLOCK_MILLISECONDS));
    let crowd = Crowd::enrolled(network.gateway.node(), DEVICES);
    let probes = Probes::enrolled(network.gateway.node());
    {
        let _running = crowd.runs(network.gateway.node(), RATE);
        rest(WARMING);
        latency(network.gateway.node(), &probes, extent, "four validators and a gateway", table);
        recovery(&mut network, table);
        for member in network.members() {
            let (now, most) = member.memory_kibibytes();
            table.row(
                &format!("memory of {}", member.name),
                format!("{} MB, at most {} MB", now / 1024, most / 1024),
            );
        }
    }
    most(network.gateway.node(), &crowd, extent, "four validators and a gateway", table)
}

/// The same load on one node alone; gives the most that goes through.
fn of_one(extent: Extent, table: &mut Table) -> f64 {
    let node = Up::new().epoch_seconds(EPOCH_SECONDS).start();
    let crowd = Crowd::enrolled(&node, DEVICES);
    let probes = Probes::enrolled(&node);
    {
        let _running = crowd.runs(&node, RATE);
        rest(WARMING);
        latency(&node, &probes, extent, "one node alone", table);
    }
    most(&node, &crowd, extent, "one node alone", table)
}

fn latency(node: &Node, probes: &Probes, extent: Extent, who: &str, table: &mut Table) {
    let (accepted, height, began) = (accepted(node), height(node), Instant::now());
    let mut milliseconds = probes.measure(&node.mqtt, Duration::from_secs(extent.seconds));
    let seconds = began.elapsed().as_secs_f64();
    let rate = (self::accepted(node) - accepted) as f64 / seconds;
    let blocks = (self::height(node) - height) as f64 / seconds;
    milliseconds.sort_unstable();
    let at = |permille: usize| {
        milliseconds.get(milliseconds.len() * permille / 1_000).copied().unwrap_or_default()
    };
    let what = format!("{who}: from publish to ack at {rate:.0} envelopes/s and {blocks:.1} blocks/s");
    let (median, high, count) = (at(500), at(990), milliseconds.len());
    table.row(&what, format!("p50 {median} ms, p99 {high} ms ({count} samples)"));
}

/// The longest pause between blocks after kill -9 of one, and how soon it is with the others again.
fn recovery(network: &mut Network, table: &mut Table) {
    let mut pauses = Vec::new();
    for one in 0..network.validators.len() {
        network.validators[one].kill();
        let (killed, mut last, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
        let mut before = height(network.gateway.node());
        while killed.elapsed() < AFTER_KILL {
            let now = height(network.gateway.node());
            if now > before {
                longest = longest.max(last.elapsed());
                (before, last) = (now, Instant::now());
            }
            rest(Duration::from_millis(10));
        }
        pauses.push(longest.max(last.elapsed()));
        network.validators[one].start();
        let began = Instant::now();
        let head = height(network.gateway.node());
        network.validators[one].reaches(head);
        let name = network.validators[one].name.clone();
        table.row(
            &format!("{name} killed, served again, has the blocks of meanwhile"),
            format!("{} ms", began.elapsed().as_millis()),
        );
    }
    let pauses: Vec<String> = pauses.iter().map(|pause| pause.as_millis().to_string()).collect();
    table.row(
        "longest pause between blocks in the 12 s after a kill, of each validator",
        format!("{} ms", pauses.join(", ")),
    );
}

/// The most that goes through, envelopes a second.
fn most(node: &Node, crowd: &Crowd, extent: Extent, who: &str, table: &mut Table) -> f64 {
    let _running = crowd.runs(node, RATE_UNBOUNDED);
    rest(WARMING);
    let (before, began) = (accepted(node), Instant::now());
    rest(Duration::from_secs(extent.seconds));
    let rate = (accepted(node) - before) as f64 / began.elapsed().as_secs_f64();
    table.row(&format!("{who}: as much as goes through"), format!("{rate:.0} envelopes/s"));
    rate
}

/// What the cores could verify if every one of five nodes verified every signature, and nothing else were to be done.
fn limit(table: &mut Table) -> f64 {
    let printed = program::run(&["bench", "ingest", "--json", "--seconds", "3"]).success();
    let printed: Value = serde_json::from_str(&printed).expect("bench --json prints JSON");
    let signatures = printed["ceiling_value"].as_f64().unwrap_or_default();
    let limit = signatures / 5.0;
    let what = "arithmetic limit: all cores verify nothing but signatures, each one in each of five nodes";
    table.row(what, format!("{signatures:.0} signatures/s, so {limit:.0} envelopes/s"));
    limit
}

/// A node that was away for many blocks.
fn behind(extent: Extent, table: &mut Table) {
    let mut network = Network::started(plan(BLOCK_MILLISECONDS_FAST));
    let crowd = Crowd::enrolled(network.gateway.node(), DEVICES / 10);
    let running = crowd.runs(network.gateway.node(), RATE_LOW);
    network.validators[0].terminate();
    let (from, began) = (height(network.gateway.node()), Instant::now());
    // As long as it takes: blocks come as fast as they are made.
    let patience = Duration::from_secs(extent.blocks_behind);
    let what = format!("{} blocks are made", extent.blocks_behind);
    wait::until_true(&what, patience, || height(network.gateway.node()) >= from + extent.blocks_behind);
    let made = (height(network.gateway.node()) - from) as f64 / began.elapsed().as_secs_f64();
    network.validators[0].start();
    let (began, from) = (Instant::now(), network.validators[0].height());
    wait::until_true("it has caught up", patience, || {
        network.validators[0].height() + 2 >= height(network.gateway.node())
    });
    let rate = (network.validators[0].height() - from) as f64 / began.elapsed().as_secs_f64();
    drop(running);
    let target = 1_000.0 / f64::from(BLOCK_MILLISECONDS);
    table.row(
        &format!("a node {} blocks behind catches up", extent.blocks_behind),
        format!(
            "{rate:.0} blocks/s while {made:.1} blocks/s were made: {:.0} times these, {:.0} times the {target:.0} of a target of {BLOCK_MILLISECONDS} ms",
            rate / made,
            rate / target
        ),
    );
}

fn accepted(node: &Node) -> u64 {
    node.json("/api/v1/status")["accepted"]["envelopes"].as_u64().unwrap_or_default()
}

fn height(node: &Node) -> u64 {
    node.json("/api/v1/status")["height"].as_u64().unwrap_or_default()
}

/// Time that belongs to what is measured.
fn rest(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}
