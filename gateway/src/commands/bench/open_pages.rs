//! `lamppost bench open-pages`: what it costs a node that many people leave its pages open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

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

/// What the pages' readers see, all together.
struct Seen {
    /// One for each page that was drawn anew or lost.
    begun: Semaphore,
    counted: Mutex<Counted>,
}

/// What was seen since somebody last took it.
#[derive(Default)]
struct Counted {
    events: u64,
    bytes: usize,
    /// Milliseconds of each refresh.
    refreshes: Vec<f64>,
    /// What went wrong last, if anything.
    failure: Option<String>,
}

impl Seen {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen, from here on anew.
    ///
    /// # Errors
    /// When a page was lost.
    fn take(&self) -> anyhow::Result<Counted> {
        let counted = std::mem::take(&mut *self.counted());
        match counted.failure {
            Some(failure) => bail!("a page was lost: {failure}"),
            None => Ok(counted),
        }
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
    let [before, after] = idle::watched(&up, settings.seconds);
    let without = after.cpu_seconds - before.cpu_seconds;
    say("opening the pages");
    let seen = Arc::new(Seen { begun: Semaphore::new(0), counted: Mutex::default() });
    let readers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let opened = open(&readers, arguments.pages, &address, &paths, &seen);
    readers.block_on(seen.begun.acquire_many(arguments.pages))?.forget();
    seen.take()?;
    let began = clock::monotonic();
    let [before, usage] = idle::watched(&up, settings.seconds);
    let mut counted = seen.take()?;
    let a_second = |count: f64| count / began.elapsed().as_secs_f64();
    let with = usage.cpu_seconds - before.cpu_seconds;
    drop(opened);
    up.terminate()?;
    let seconds = f64::from(settings.seconds);
    Ok(Figure {
        name: "open pages: CPU that they cost the node".to_owned(),
        unit: "% of a core",
        value: (with - without) / seconds * 100.0,
        ceiling: None,
        details: vec![
            ("pages", f64::from(arguments.pages), ""),
            ("CPU without them", without / seconds * 100.0, "% of a core"),
            ("events", a_second(counted.events as f64), "/s"),
            ("refreshes", a_second(counted.refreshes.len() as f64), "/s"),
            ("refresh p50", percentile(&mut counted.refreshes, 500), "ms"),
            ("refresh p99", percentile(&mut counted.refreshes, 990), "ms"),
            ("sent", a_second(counted.bytes as f64) / 1e6, "MB/s"),
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

/// Opens the pages; they stay open as long as what is returned.
fn open(
    readers: &tokio::runtime::Runtime,
    count: u32,
    address: &str,
    paths: &[String],
    seen: &Arc<Seen>,
) -> JoinSet<()> {
    let _within = readers.enter();
    let mut pages = JoinSet::new();
    for number in 0..count as usize {
        let is_home = number.is_multiple_of(HOME_ONE_IN);
        let device = paths.get(number % paths.len()).map_or("/", String::as_str);
        let path = if is_home { "/".to_owned() } else { device.to_owned() };
        let (address, seen) = (address.to_owned(), Arc::clone(seen));
        pages.spawn(async move {
            if let Err(error) = page(&address, &path, &seen).await {
                seen.counted().failure = Some(format!("{error:#}"));
                seen.begun.add_permits(1);
            }
        });
    }
    pages
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
        seen.counted().bytes += line.len();
        if !line.starts_with("event:") {
            continue;
        }
        seen.counted().events += 1;
        let asked = clock::monotonic();
        if refreshed.is_none_or(|last| asked.duration_since(last) >= EVERY) {
            let bytes = refresh(&mut kept, address, path).await?;
            if refreshed.replace(asked).is_none() {
                seen.begun.add_permits(1);
            }
            let mut counted = seen.counted();
            counted.bytes += bytes;
            counted.refreshes.push(asked.elapsed().as_secs_f64() * 1e3);
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
