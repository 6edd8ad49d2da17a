//! `lamppost up`: one node with everything embedded.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::broker;
use crate::city;
use crate::clock;
use crate::descriptors;
use crate::host::{self, Ends};
use crate::http;
use crate::limits;
use crate::mqtt::{self, BrokerUrl};
use crate::own_map::OwnMap;
use crate::sign_in::SignIn;
use crate::sign_in::origin::{Origin, Origins};
use crate::storage::{self, StorageError, Wanted};
use crate::telemetry::{self, LogFormat, Telemetry};
use crate::window::{Addresses, Window};

/// Runs a node with everything in it: MQTT broker, gateway, ledger, dashboard and virtual devices
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost up --devices 3 --epoch 5\n  lamppost up --broker mqtt://broker.example:1883 --devices 0"
)]
pub struct Arguments {
    /// Directory that holds everything; made when it is missing
    #[arg(long, value_name = "DIR", default_value = "./lamppost-data", env = "LAMPPOST_DATA")]
    data: PathBuf,
    /// Address of API and dashboard; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", env = "LAMPPOST_HTTP")]
    http: SocketAddr,
    /// Address of the embedded MQTT broker; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:1883", env = "LAMPPOST_MQTT")]
    mqtt: SocketAddr,
    /// Where people reach the node, https://HOST: they sign in there and nowhere else [default: http://localhost:PORT]
    #[arg(long, value_name = "URL", env = "LAMPPOST_PUBLIC_URL")]
    public_url: Option<Origin>,
    /// External MQTT broker to use instead of the embedded one, mqtt://[USER:PASSWORD@]HOST:PORT
    #[arg(long, value_name = "URL", env = "LAMPPOST_BROKER", hide_env_values = true)]
    broker: Option<BrokerUrl>,
    /// Network id; fixed when the data directory is made [default: devnet]
    #[arg(long, value_name = "ID", env = "LAMPPOST_NETWORK")]
    network: Option<String>,
    /// Seconds of a settlement epoch; fixed when the data directory is made [default: 60]
    #[arg(long, value_name = "SECONDS", env = "LAMPPOST_EPOCH")]
    epoch: Option<u64>,
    /// Map of the city behind the devices' cells, a PMTiles file; without it the coasts and borders of the world
    #[arg(long, value_name = "FILE", env = "LAMPPOST_MAP")]
    map: Option<PathBuf>,
    /// Virtual devices to run
    #[arg(long, value_name = "N", default_value_t = 12, env = "LAMPPOST_DEVICES")]
    devices: u32,
    /// Bytes that stay free on the disk; with less, the node accepts nothing until there is room again
    #[arg(long, value_name = "BYTES", default_value_t = limits::DISK_RESERVE_BYTES, env = "LAMPPOST_DISK_RESERVE")]
    disk_reserve: u64,
    /// Seconds after which a device of which nothing is accepted counts as silent, and needs somebody to look at it
    #[arg(long, value_name = "SECONDS", default_value_t = limits::SILENT_AFTER_SECONDS,
        value_parser = clap::value_parser!(u64).range(1..=limits::SILENT_AFTER_SECONDS_MAX), env = "LAMPPOST_SILENT_AFTER")]
    silent_after: u64,
    /// How log lines are written to stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Human, env = "LAMPPOST_LOG_FORMAT")]
    log: LogFormat,
}

/// Runs the node until SIGTERM or ctrl-c.
///
/// # Errors
/// One sentence about what stands in the way.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    telemetry::start_logging(arguments.log);
    descriptors::raise();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the node cannot start")?;
    let result = runtime.block_on(up(arguments));
    // The broker's threads and open connections end with the process.
    runtime.shutdown_background();
    result
}

async fn up(arguments: Arguments) -> anyhow::Result<()> {
    let own_map = arguments.map.as_deref().map(OwnMap::open).transpose()?.map(Arc::new);
    // Both ports before anything is written: a taken one changes nothing.
    let http = bind_http(arguments.http).await?;
    let mqtt = match &arguments.broker {
        None => Some(broker::bind(arguments.mqtt).await?),
        Some(_) => None,
    };
    let wanted = Wanted { network: arguments.network.clone(), epoch_seconds: arguments.epoch };
    let data = arguments.data.clone();
    let mut opened = tokio::task::spawn_blocking(move || storage::open(&data, &wanted))
        .await
        .context("the start broke off")??;
    opened.disk_reserve_bytes = arguments.disk_reserve;
    opened.silent_after_seconds = arguments.silent_after;
    let telemetry = Arc::new(Telemetry::new());
    let city = city::City::open(&opened, arguments.devices)?;
    let genesis_hash = opened.genesis.hash();
    let root = opened.directory.root().to_owned();
    let operator_key = opened.directory.key("operator");
    let snapshots = opened.directory.snapshots();
    tracing::info!(
        data = %opened.directory.root().display(),
        network = %opened.genesis.network,
        height = opened.durable.height,
        entries = opened.durable.log_size,
        snapshot = opened.snapshot_height,
        replayed = opened.replayed.blocks,
        "the ledger is open"
    );
    let Ends { shared, intake, outbound, stop, mut finished } = host::start(opened, telemetry.clone())?;
    let network = shared.genesis.network.clone();
    let broker_url = match (mqtt, &arguments.broker) {
        (Some(listener), _) => {
            let address = listener.local_addr().context("the MQTT port is gone")?;
            broker::start(listener, &network, intake, outbound, telemetry).await?;
            BrokerUrl { host: reachable(address).ip().to_string(), port: address.port(), login: None }
        }
        (None, Some(url)) => {
            let id = format!("lamppost-{network}-{}", hex::encode(&genesis_hash[..4]));
            mqtt::start(url, &network, &id, intake, outbound, telemetry);
            url.clone()
        }
        (None, None) => anyhow::bail!("there is neither an embedded nor an external broker"),
    };
    let (stop_doors, stopping) = watch::channel(false);
    let stopped = |mut stopping: watch::Receiver<bool>| async move {
        let _sender_gone = stopping.wait_for(|stop| *stop).await;
    };
    let address = http.local_addr().context("the HTTP port is gone")?;
    let http_url = format!("http://{}", reachable(address));
    let mqtt_url = broker_url.to_string();
    let own_map_path = own_map.as_ref().map(|_| http::own_map::PATH);
    let addresses = Addresses { http_url: http_url.clone(), mqtt_url, operator_key, own_map: own_map_path };
    let origins = Origins::new(arguments.public_url.clone(), address);
    let operator = shared.state().operator();
    let (now, random) = (clock::now_unix_milliseconds(), clock::random_seed()?);
    let (desk, first_link) = SignIn::open(&root, &network, operator, origins, now, random)?;
    let view = Arc::new(Window::new(shared.clone(), addresses).with_snapshots(snapshots));
    let router = http::router(shared.clone(), view, Arc::new(desk)).merge(http::own_map::router(own_map));
    let serving = tokio::spawn(http::serve(http, router, stopped(stopping.clone())));
    let fleet = city.settle(shared.clone(), &broker_url, stopping).await?;
    let stop_signal = stop_signal()?;
    if let Some(link) = first_link {
        tell_first_link(&link, arguments.log);
    }
    println!("ready http={http_url} mqtt={broker_url}");
    std::io::stdout().flush().context("stdout is closed")?;

    let failed = tokio::select! {
        signal = stop_signal => {
            tracing::info!(signal, "stopping");
            None
        }
        result = &mut finished => Some(result),
    };
    let _doors_gone = stop_doors.send(true);
    let _served = serving.await;
    if let Some(fleet) = fleet {
        let _fleet_ended = fleet.await;
    }
    drop(stop);
    let result = match failed {
        Some(result) => result,
        None => finished.await,
    };
    result.context("the node broke off")?.map_err(|error: StorageError| error.into())
}

/// Tells the operator how to sign in: once, where nobody has ever signed in. Not on stdout, which programs read.
fn tell_first_link(link: &str, format: LogFormat) {
    let minutes = limits::FIRST_LINK_MILLISECONDS / 60_000;
    match format {
        LogFormat::Human => eprintln!(
            "Sign in as the operator, once, within {minutes} minutes:\n  {link}\nLater: lamppost login --key OPERATOR.pem"
        ),
        LogFormat::Json => tracing::warn!(link, minutes, "the operator's one-time link"),
    }
}

/// An address that a client on this machine can connect to: a listener on all addresses answers on loopback too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn bind_http(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "the HTTP address {address} is taken by another program: choose another with --http, port 0 picks a free one"
        ),
        _ => anyhow::anyhow!("the HTTP address {address} cannot be used: {error}"),
    })
}

/// Listens from the call on, not from the first poll: a signal right after the ready line must find a listener.
fn stop_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "ctrl-c",
        }
    })
}
