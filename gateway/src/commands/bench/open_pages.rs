//! `lamppost bench open-pages`: what it costs a node that many people leave its pages open.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::child::Child;
use super::measure::percentile;
use super::{Figure, Scratch, Settings, idle, say};
use crate::client::Client;
use crate::clock;

/// How often a page lets itself be told news, and draws itself anew at most; as the pages' header asks.
const EVERY: Duration = Duration::from_secs(2);
/// The stream that a page's header opens.
const EVENTS: &str = "/api/v1/events?every_milliseconds=2000";
/// One of so many pages is the home page, the others are devices'.
const HOME_ONE_IN: usize = 4;

#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    pub settings: Settings,
    /// Pages that are open
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pages: u32,
}

/// What the pages' readers saw.
#[derive(Default)]
struct Seen {
    /// Whether it counts already.
    counts: AtomicBool,
    events: AtomicU64,
    bytes: AtomicU64,
    /// What went wrong first, if anything.
    failure: Mutex<Option<String>>,
    /// Milliseconds of each refresh.
    refreshes: Mutex<Vec<f64>>,
}

impl Seen {
    fn bytes(&self, count: usize) {
        if self.counts.load(Ordering::Relaxed) {
            self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    fn refreshed(&self, asked: Instant) {
        if self.counts.load(Ordering::Relaxed) {
            let milliseconds = asked.elapsed().as_secs_f64() * 1e3;
            self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).push(milliseconds);
        }
    }

    fn failed(&self, error: &anyhow::Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| format!("{error:#}"));
    }
}

/// Measures a node with so many open pages beside the same node without any.
///
/// # Errors
/// When the node does not start, or a page loses its stream or is not answered.
pub fn measure(arguments: &Arguments) -> anyhow::Result<Figure> {
    let settings = &arguments.settings;
    let scratch = Scratch::new(settings)?;
    let (up, address) = idle::up(&scratch, &settings.devices.to_string())?;
    let client = Client::new(&format!("http://{address}"))?;
    let paths = paths(&client)?;
    std::thread::sleep(idle::SETTLING);
    say("watching it without a page");
    let without = cpu_seconds_of(&up, settings.seconds);
    say("opening the pages");
    let seen = Arc::new(Seen::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let with = runtime.block_on(watched(arguments, &up, &address, &paths, &seen));
    let usage = up.usage();
    up.terminate()?;
    if let Some(failure) = seen.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        bail!("a page was lost: {failure}");
    }
    let mut refreshes = seen.refreshes.lock().unwrap_or_else(PoisonError::into_inner).split_off(0);
    let seconds = f64::from(settings.seconds);
    let a_second = |count: u64| count as f64 / seconds;
    Ok(Figure {
        name: "open pages: CPU that they cost the node".to_owned(),
        unit: "% of a core",
        value: (with - without) / seconds * 100.0,
        ceiling: None,
        details: vec![
            ("pages", f64::from(arguments.pages), ""),
            ("CPU without them", without / seconds * 100.0, "% of a core"),
            ("events", a_second(seen.events.load(Ordering::Relaxed)), "/s"),
            ("refreshes", a_second(refreshes.len() as u64), "/s"),
            ("refresh p50", percentile(&mut refreshes, 500), "ms"),
            ("refresh p99", percentile(&mut refreshes, 990), "ms"),
            ("sent", a_second(seen.bytes.load(Ordering::Relaxed)) / 1e6, "MB/s"),
            ("RSS", usage.rss_bytes / 1e6, "MB"),
        ],
    })
}

/// The pages that are open: every fourth the home page, the others devices'.
fn paths(client: &Client) -> anyhow::Result<Vec<String>> {
    let devices = client.json("/api/v1/devices")?;
    let kids = devices.as_array().into_iter().flatten().filter_map(|device| device["kid"].as_str());
    let paths: Vec<String> = kids.map(|kid| format!("/devices/{kid}")).collect();
    if paths.is_empty() { bail!("the node has no device whose page could be open") } else { Ok(paths) }
}

fn cpu_seconds_of(node: &Child, seconds: u32) -> f64 {
    let before = node.usage();
    std::thread::sleep(Duration::from_secs(seconds.into()));
    node.usage().cpu_seconds - before.cpu_seconds
}

/// CPU seconds of the node while the pages are open.
async fn watched(
    arguments: &Arguments,
    node: &Child,
    address: &str,
    paths: &[String],
    seen: &Arc<Seen>,
) -> f64 {
    let mut pages = JoinSet::new();
    for number in 0..arguments.pages as usize {
        let is_home = number.is_multiple_of(HOME_ONE_IN);
        let device = paths.get(number % paths.len()).map_or("/", String::as_str);
        let path = if is_home { "/".to_owned() } else { device.to_owned() };
        let (address, seen) = (address.to_owned(), Arc::clone(seen));
        pages.spawn(async move {
            if let Err(error) = page(&address, &path, &seen).await {
                seen.failed(&error);
            }
        });
    }
    // All have been told news at least once by then.
    tokio::time::sleep(2 * EVERY).await;
    say("watching it with the pages");
    let before = node.usage();
    seen.counts.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(arguments.settings.seconds.into())).await;
    seen.counts.store(false, Ordering::Relaxed);
    let cpu_seconds = node.usage().cpu_seconds - before.cpu_seconds;
    pages.shutdown().await;
    cpu_seconds
}

/// One open page, as its script behaves: it listens, and on news it is fetched again, not more often than [`EVERY`], over
/// a connection that a browser keeps.
async fn page(address: &str, path: &str, seen: &Seen) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut kept = BufReader::new(TcpStream::connect(address).await?);
    let head = format!("GET {EVENTS} HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    let mut refreshed: Option<Instant> = None;
    loop {
        let line = lines.next_line().await?.context("the node ended an event stream")?;
        seen.bytes(line.len());
        if !line.starts_with("event:") {
            continue;
        }
        if seen.counts.load(Ordering::Relaxed) {
            seen.events.fetch_add(1, Ordering::Relaxed);
        }
        let asked = clock::monotonic();
        if refreshed.is_none_or(|last| asked.duration_since(last) >= EVERY) {
            refreshed = Some(asked);
            seen.bytes(refresh(&mut kept, address, path).await?);
            seen.refreshed(asked);
        }
    }
}

/// Fetches a page again; the bytes of its body.
async fn refresh(kept: &mut BufReader<TcpStream>, address: &str, path: &str) -> anyhow::Result<usize> {
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nhx-request: true\r\naccept: text/html\r\n\
         accept-encoding: gzip\r\n\r\n"
    );
    kept.get_mut().write_all(head.as_bytes()).await?;
    let (mut status, mut length) = (String::new(), None);
    kept.read_line(&mut status).await?;
    if !status.starts_with("HTTP/1.1 200 ") {
        bail!("{path} was answered with {}", status.trim());
    }
    loop {
        let mut line = String::new();
        kept.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = Some(value.trim().parse::<usize>()?);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length.context("a page does not say how long it is")?];
    kept.read_exact(&mut body).await?;
    Ok(body.len())
}
