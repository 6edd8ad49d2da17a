//! `lamppost bench mqtt`: the whole node behind its embedded broker, loaded by another process.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use super::ingest::Bench;
use super::measure::{cpu_seconds, peak_rss_megabytes};
use super::{Figure, Scratch, Settings};
use crate::broker;
use crate::clock;
use crate::limits;
use crate::shared::Submission;
use crate::storage::NETWORK_DEFAULT;
use crate::telemetry::Telemetry;

/// How long after the last arrival the counting subscriber waits for more.
const QUIET_MILLISECONDS: u64 = 2_000;

/// Measures ingest through MQTT.
///
/// # Errors
/// When node, broker or loader cannot run.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figure = runtime.block_on(run(settings, &scratch));
    runtime.shutdown_background();
    figure
}

async fn run(settings: &Settings, scratch: &Scratch) -> anyhow::Result<Figure> {
    let mut loader = Loader::start(settings).await?;
    let (bench, outbound) = Bench::start(scratch, settings.devices).await?;
    let (counted, counted_for) = count_only(&mut loader).await?;

    let listener = broker::bind(loopback()).await?;
    let address = listener.local_addr()?;
    broker::start(listener, NETWORK_DEFAULT, bench.intake.clone(), outbound, bench.telemetry.clone()).await?;
    let cpu_before = cpu_seconds();
    let began = clock::monotonic();
    let published = loader.publish(address).await?;
    let elapsed = bench.drained(published).await.duration_since(began);
    let cpu = cpu_seconds() - cpu_before;
    let accepted = bench.accepted();
    let waits = bench.telemetry.intake_waits.get();
    loader.stop().await?;
    // The broker's threads hold the intake open: the node ends with the process.
    let count = accepted as f64;
    Ok(Figure {
        name: "mqtt: QoS 1, verified, applied, durable, acked",
        unit: "envelopes/s",
        per_second: count / elapsed.as_secs_f64(),
        ceiling: "the same broker, a subscriber that counts",
        ceiling_per_second: counted as f64 / counted_for.as_secs_f64(),
        details: vec![
            ("published", published as f64, "envelopes"),
            ("accepted", count, "envelopes"),
            ("envelope size", loader.bytes as f64 / loader.envelopes.max(1) as f64, "bytes"),
            ("readings", count * f64::from(settings.records) / elapsed.as_secs_f64(), "records/s"),
            ("CPU of broker and node", cpu / count * 1e6, "µs/envelope"),
            ("intake waits", waits as f64, ""),
            ("peak RSS", peak_rss_megabytes(), "MB"),
        ],
    })
}

/// What a broker delivers to somebody who only counts: arrivals, and the time from the first to the last.
async fn count_only(loader: &mut Loader) -> anyhow::Result<(u64, Duration)> {
    let (intake, mut arrivals) = mpsc::channel::<Submission>(limits::INTAKE_MAX);
    let (keep_open, outbound) = mpsc::channel(1);
    let counted = Arc::new(AtomicU64::new(0));
    let listener = broker::bind(loopback()).await?;
    let address = listener.local_addr()?;
    broker::start(listener, NETWORK_DEFAULT, intake, outbound, Arc::new(Telemetry::new())).await?;
    let counter = counted.clone();
    let counting = tokio::spawn(async move {
        let (mut first, mut last): (Option<Instant>, Option<Instant>) = (None, None);
        let mut burst = Vec::new();
        let quiet = Duration::from_millis(QUIET_MILLISECONDS);
        loop {
            match tokio::time::timeout(quiet, arrivals.recv_many(&mut burst, 1_024)).await {
                Ok(0) => break,
                Ok(count) => {
                    counter.fetch_add(count as u64, Ordering::Relaxed);
                    let now = clock::monotonic();
                    first.get_or_insert(now);
                    last = Some(now);
                    burst.clear();
                }
                Err(_) if first.is_some() => break,
                Err(_) => {}
            }
        }
        first.zip(last).map_or(Duration::ZERO, |(first, last)| last.duration_since(first))
    });
    loader.publish(address).await?;
    let elapsed = counting.await?;
    drop(keep_open);
    Ok((counted.load(Ordering::Relaxed), elapsed))
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// The loading process.
struct Loader {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    envelopes: u64,
    bytes: u64,
}

impl Loader {
    async fn start(settings: &Settings) -> anyhow::Result<Loader> {
        let program = std::env::current_exe().context("this program's own file is unknown")?;
        let mut process = Command::new(program)
            .args(["bench", "load", "--seconds", &settings.seconds.to_string()])
            .args(["--devices", &settings.devices.to_string(), "--records", &settings.records.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the loader cannot start")?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("the loader has no stdin or stdout");
        };
        let mut loader =
            Loader { process, orders, answers: BufReader::new(answers).lines(), envelopes: 0, bytes: 0 };
        let (envelopes, bytes) = loader.answer("signed").await?;
        (loader.envelopes, loader.bytes) = (envelopes.parse()?, bytes.parse()?);
        Ok(loader)
    }

    async fn publish(&mut self, address: SocketAddr) -> anyhow::Result<u64> {
        self.orders.write_all(format!("mqtt://{address}\n").as_bytes()).await?;
        Ok(self.answer("published").await?.0.parse()?)
    }

    async fn answer(&mut self, word: &str) -> anyhow::Result<(String, String)> {
        let line = self.answers.next_line().await?.context("the loader ended early")?;
        let mut fields = line.split(' ');
        match (fields.next(), fields.next(), fields.next()) {
            (Some(found), Some(first), Some(second)) if found == word => {
                Ok((first.to_owned(), second.to_owned()))
            }
            _ => bail!("the loader said {line:?} instead of {word}"),
        }
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        self.orders.shutdown().await?;
        // Its stdin is closed only when the handle is gone; it has nothing left to do either way.
        self.process.start_kill()?;
        self.process.wait().await?;
        Ok(())
    }
}
