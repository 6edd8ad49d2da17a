//! `lamppost bench node`: the node that is measured, in a process of its own, with all that `lamppost up` has. It is told
//! by lines on stdin what to do and answers each with a line of JSON.

mod feed;
mod settlements;

use std::io::{BufRead as _, stdin};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use devices::SigningKey;
use devices::topic::{TopicFilter, TopicKind};
use fleet::client::Broker;
use fleet::load::bulk::{BulkKey, BulkSigner};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::broker;
use crate::clock;
use crate::commands::output;
use crate::host::{self, Ends};
use crate::http;
use crate::keys;
use crate::limits;
use crate::mqtt::{self, BrokerUrl};
use crate::outbox;
use crate::shared::{Shared, Submission, SubmitError};
use crate::sign_in::SignIn;
use crate::sign_in::origin::Origins;
use crate::storage::{self, NETWORK_DEFAULT, StorageError, Wanted};
use crate::telemetry::{self, LogFormat, Telemetry};
use crate::window::{Addresses, Window};
use settlements::Settlements;

/// Owners among whom the devices are shared.
const OWNERS: u64 = 1_000;
/// How long after the last arrival nothing more is expected.
const QUIET: Duration = Duration::from_secs(2);
/// How long the node may take to answer for what was handed in.
const DRAIN: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Directory of the node
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Devices to enrol, where there are fewer
    #[arg(long, value_name = "N", default_value_t = 0)]
    devices: u32,
    /// Seconds of an epoch
    #[arg(long, value_name = "S", default_value_t = storage::EPOCH_SECONDS_DEFAULT)]
    epoch: u64,
    /// Listens for MQTT, by the embedded broker
    #[arg(long)]
    mqtt: bool,
    /// External broker to use
    #[arg(long, value_name = "URL")]
    broker: Option<BrokerUrl>,
    /// Only counts what the broker delivers
    #[arg(long)]
    count_only: bool,
}

/// Runs the node until stdin ends.
///
/// # Errors
/// When the node cannot run.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    telemetry::start_logging(LogFormat::Human);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = obey(&runtime, arguments);
    // The broker's threads end with the process.
    runtime.shutdown_background();
    result
}

fn obey(runtime: &tokio::runtime::Runtime, arguments: &Arguments) -> anyhow::Result<()> {
    let node = runtime.block_on(Node::start(arguments))?;
    output::line(json!({"http": node.http.to_string(), "mqtt": node.mqtt.to_string()}).to_string())?;
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["feed", load, skip, seconds, per_second, ref most @ ..] => {
                let order = feed::Order {
                    load: load.into(),
                    skip: skip.parse()?,
                    seconds: seconds.parse()?,
                    per_second: per_second.parse()?,
                    envelopes: most.first().map_or(Ok(u64::MAX), |most| most.parse())?,
                };
                feed::feed(runtime, &node, &order)?
            }
            ["arrived"] => node.arrived(),
            ["counters"] => node.counters(),
            ["settlements"] => node.settlements(),
            ["settled", more_than] => {
                runtime.block_on(node.settled(more_than.parse()?))?;
                node.settlements()
            }
            _ => bail!("the node does not know what {line:?} means"),
        };
        output::line(answer.to_string())?;
    }
    runtime.block_on(node.stop())
}

/// Stops the host, and tells when it has ended.
type Running = (oneshot::Sender<()>, oneshot::Receiver<Result<(), StorageError>>);

/// A running node.
struct Node {
    shared: Option<Arc<Shared>>,
    intake: mpsc::Sender<Submission>,
    telemetry: Arc<Telemetry>,
    http: SocketAddr,
    mqtt: SocketAddr,
    running: Option<Running>,
    settlements: Settlements,
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl Node {
    async fn start(arguments: &Arguments) -> anyhow::Result<Node> {
        if arguments.count_only {
            return Node::count_only(arguments).await;
        }
        let wanted =
            Wanted { network: Some(NETWORK_DEFAULT.to_owned()), epoch_seconds: Some(arguments.epoch) };
        let opened = storage::open(&arguments.data, &wanted)?;
        let operator_key = opened.directory.key("operator");
        let operator = keys::read(&operator_key)?;
        let telemetry = Arc::new(Telemetry::new());
        let Ends { shared, intake, outbound, stop, finished } = host::start(opened, telemetry.clone())?;
        enrol(&shared, &operator, arguments.devices).await?;
        let mqtt = connect(arguments, intake.clone(), outbound, telemetry.clone()).await?;
        let listener = TcpListener::bind(loopback()).await?;
        let http = listener.local_addr()?;
        let addresses = Addresses {
            http_url: format!("http://{http}"),
            mqtt_url: format!("mqtt://{mqtt}"),
            operator_key,
            own_map: None,
        };
        let view = Arc::new(Window::new(shared.clone(), addresses));
        let (now, operator) = (clock::now_unix_milliseconds(), shared.state().operator());
        let origins = Origins::new(None, http);
        let (desk, _) =
            SignIn::open(&arguments.data, NETWORK_DEFAULT, operator, origins, now, clock::random_seed()?)?;
        let router = http::router(shared.clone(), view, Arc::new(desk));
        tokio::spawn(http::serve(listener, router, std::future::pending()));
        let settlements = settlements::watch(&shared);
        let (shared, running) = (Some(shared), Some((stop, finished)));
        Ok(Node { shared, intake, telemetry, http, mqtt, running, settlements })
    }

    /// A broker and somebody who counts what it delivers.
    async fn count_only(arguments: &Arguments) -> anyhow::Result<Node> {
        let telemetry = Arc::new(Telemetry::new());
        let (intake, mut arrivals) = mpsc::channel::<Submission>(limits::INTAKE_MAX);
        let (keep_open, outbound) = outbox::outbox();
        let mqtt = connect(arguments, intake.clone(), outbound, telemetry.clone()).await?;
        let counter = telemetry.clone();
        tokio::spawn(async move {
            let _keep_open = keep_open;
            let mut burst = Vec::new();
            while arrivals.recv_many(&mut burst, limits::VERIFY_BATCH_MAX).await > 0 {
                counter.accepted_envelopes.inc_by(burst.len() as u64);
                burst.clear();
            }
        });
        let (_, settlements) = watch::channel(Vec::new());
        Ok(Node { shared: None, intake, telemetry, http: loopback(), mqtt, running: None, settlements })
    }

    /// Envelopes accepted so far.
    fn accepted(&self) -> u64 {
        self.telemetry.accepted_envelopes.get()
    }

    /// Waits for the first envelope and then until nothing comes any more; how many, and in what time.
    fn arrived(&self) -> Value {
        let look = Duration::from_millis(1);
        let (before, asked) = (self.accepted(), clock::monotonic());
        while self.accepted() == before && asked.elapsed() < DRAIN {
            std::thread::sleep(look);
        }
        let (began, mut last, mut moved) = (clock::monotonic(), before, clock::monotonic());
        while moved.elapsed() < QUIET {
            let now = self.accepted();
            if now > last {
                (last, moved) = (now, clock::monotonic());
            }
            std::thread::sleep(look);
        }
        json!({"accepted": last - before, "seconds": moved.duration_since(began).as_secs_f64()})
    }

    fn counters(&self) -> Value {
        let telemetry = &self.telemetry;
        json!({
            "received": telemetry.received.get(),
            "accepted": self.accepted(),
            "refused": telemetry.refused_counts().iter().sum::<u64>(),
            "log_bytes": telemetry.log_bytes.get(),
            "signatures": telemetry.signatures.get(),
            "intake_waits": telemetry.intake_waits.get(),
            "outbound_dropped": telemetry.outbound_dropped.get(),
            "acks": telemetry.acks.get(),
            "index_errors": telemetry.index_errors.get(),
            "index_behind": self.shared.as_ref().map(|shared| shared.index.behind()),
            "entries": self.shared.as_ref().map(|shared| shared.durable().log_size),
        })
    }

    /// The settlements since the start, and when the next one is due.
    fn settlements(&self) -> Value {
        let next = self.shared.as_ref().map(|shared| shared.state().next_settlement_unix_milliseconds());
        let known = self.settlements.borrow().clone();
        json!({"settlements": known, "next_unix_milliseconds": next, "now_unix_milliseconds": clock::now_unix_milliseconds()})
    }

    /// Waits until more than so many epochs were closed.
    async fn settled(&self, more_than: usize) -> anyhow::Result<()> {
        let mut settlements = self.settlements.clone();
        settlements.wait_for(|seen| seen.len() > more_than).await.context("the node broke off")?;
        Ok(())
    }

    async fn stop(self) -> anyhow::Result<()> {
        let Some((stop, finished)) = self.running else { return Ok(()) };
        drop(stop);
        drop(self.intake);
        Ok(finished.await.context("the node broke off")??)
    }
}

/// Joins the node to its broker; gives where MQTT is spoken.
async fn connect(
    arguments: &Arguments,
    intake: mpsc::Sender<Submission>,
    mut outbound: outbox::Receiver,
    telemetry: Arc<Telemetry>,
) -> anyhow::Result<SocketAddr> {
    if let (Some(url), true) = (&arguments.broker, arguments.count_only) {
        let (broker, filter) = (
            Broker { host: url.host.clone(), port: url.port },
            TopicFilter { network: NETWORK_DEFAULT, kind: TopicKind::Up }.to_string(),
        );
        tokio::spawn(async move {
            let count = || {
                telemetry.accepted_envelopes.inc();
            };
            let in_flight = limits::EXTERNAL_INFLIGHT_MAX;
            if let Err(error) =
                fleet::client::count(&broker, "lamppost-count", &filter, in_flight, count).await
            {
                tracing::error!(%error, "the subscriber that counts broke off");
            }
        });
    } else if let Some(url) = &arguments.broker {
        mqtt::start(url, NETWORK_DEFAULT, "lamppost-bench", intake, outbound, telemetry);
    } else if arguments.mqtt {
        let listener = broker::bind(loopback()).await?;
        let address = listener.local_addr()?;
        broker::start(listener, NETWORK_DEFAULT, intake, outbound, telemetry).await?;
        return Ok(address);
    } else {
        // Acks are taken as a broker would take them, and dropped.
        tokio::spawn(async move {
            let mut burst = Vec::new();
            while outbound.recv_many(&mut burst, 256).await > 0 {
                burst.clear();
            }
        });
    }
    Ok(loopback())
}

/// Enrols the devices that are not enrolled yet.
async fn enrol(shared: &Arc<Shared>, operator: &SigningKey, devices: u32) -> anyhow::Result<()> {
    let enrolled = shared.state().device_count() as u64;
    if enrolled >= devices.into() {
        return Ok(());
    }
    let mut signer =
        BulkSigner::of_instructions(NETWORK_DEFAULT, &super::SECRET, clock::now_unix_milliseconds())?;
    let (operator, mut counter) = (BulkKey::of(operator), clock::now_unix_milliseconds());
    let keys = fleet::load::keys(&super::SECRET, devices)?;
    let owner = |number: u64| {
        let mut seed = [0x4f; 32];
        seed[..8].copy_from_slice(&(number % OWNERS).to_be_bytes());
        AccountId::of(&SigningKey::from_seed(seed).public_key())
    };
    let owners: Vec<AccountId> = (0..OWNERS).map(owner).collect();
    let keys: Vec<_> = (0..).zip(&keys).skip(enrolled as usize).collect();
    for some in keys.chunks(limits::CITY_ENROLMENTS_MAX) {
        let payload = |(number, key): &(u64, &BulkKey)| {
            let owner = owners.get((number % OWNERS) as usize).copied();
            Instruction::Enrol { public_key: key.public_key, owner, position: None }.encode()
        };
        let instructions = signer.instructions(&operator, counter, some.iter().map(payload).collect())?;
        counter += instructions.len() as u64;
        let mut answers = Vec::with_capacity(instructions.len());
        for bytes in instructions {
            answers.push(shared.enqueue(bytes).await?);
        }
        for answer in answers {
            answer.await.unwrap_or(Err(SubmitError::Stopping))?;
        }
    }
    Ok(())
}
