//! What every node that runs has in common, whoever decides its blocks: the addresses it serves at, its pages and its API, how
//! devices reach it, the ready line, signals, and an end in order.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::broker;
use crate::city::City;
use crate::clock;
use crate::descriptors;
use crate::host::Ends;
use crate::http;
use crate::limits;
use crate::mqtt::{self, BrokerUrl};
use crate::outbox;
use crate::own_map::OwnMap;
use crate::shared::{Shared, Submission};
use crate::sign_in::SignIn;
use crate::sign_in::origin::{Origin, Origins};
use crate::storage::{Opened, StorageError};
use crate::telemetry::{self, LogFormat};
use crate::window::{Addresses, Window};

/// Runs a node to its end, on a runtime of its own.
///
/// # Errors
/// One sentence about what stands in the way.
pub fn run(log: LogFormat, node: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    telemetry::start_logging(log);
    descriptors::raise();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the node cannot start")?;
    let result = runtime.block_on(node);
    // The broker's threads and open connections end with the process.
    runtime.shutdown_background();
    result
}

/// What a node shows to the outside, taken before anything is written: a taken port changes nothing.
pub struct Front {
    http: TcpListener,
    own_map: Option<Arc<OwnMap>>,
    public_url: Option<Origin>,
    log: LogFormat,
}

impl Front {
    /// Takes the address of API and dashboard; `choose` says where another one would be chosen.
    ///
    /// # Errors
    /// When the address is taken, or the map is none.
    pub async fn take(
        address: SocketAddr,
        choose: &str,
        map: Option<&Path>,
        public_url: Option<Origin>,
        log: LogFormat,
    ) -> anyhow::Result<Front> {
        let own_map = map.map(OwnMap::open).transpose()?.map(Arc::new);
        let http = TcpListener::bind(address).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
                "the HTTP address {address} is taken by another program: choose another with {choose}, port 0 picks a free one"
            ),
            _ => anyhow::anyhow!("the HTTP address {address} cannot be used: {error}"),
        })?;
        Ok(Front { http, own_map, public_url, log })
    }
}

/// How devices reach the node.
pub enum Door {
    /// By a broker of its own.
    Embedded(TcpListener),
    /// By somebody else's, where the node is a client; of several nodes each has a name of its own there.
    External {
        /// The broker.
        url: BrokerUrl,
        /// What tells this node from others of its network.
        name: Option<String>,
    },
}

impl Door {
    /// Lets devices in; gives where they go.
    async fn open(
        self,
        shared: &Shared,
        intake: mpsc::Sender<Submission>,
        outbound: outbox::Receiver,
    ) -> anyhow::Result<BrokerUrl> {
        let (network, telemetry) = (&shared.genesis.network, shared.telemetry.clone());
        match self {
            Door::Embedded(listener) => {
                let address = listener.local_addr().context("the MQTT port is gone")?;
                broker::start(listener, network, intake, outbound, telemetry).await?;
                Ok(BrokerUrl { host: reachable(address).ip().to_string(), port: address.port(), login: None })
            }
            Door::External { url, name } => {
                let name = name.unwrap_or_else(|| hex::encode(&shared.genesis.hash()[..4]));
                mqtt::start(
                    &url,
                    network,
                    &format!("lamppost-{network}-{name}"),
                    intake,
                    outbound,
                    telemetry,
                );
                Ok(url)
            }
        }
    }
}

/// Where a node's things lie, for what is served beside the ledger.
pub struct Place {
    root: PathBuf,
    snapshots: PathBuf,
    operator_key: PathBuf,
}

impl Place {
    /// That of an opened directory; commands on its pages name the operator's key as it lies in `operator_key`.
    pub fn of(opened: &Opened, operator_key: PathBuf) -> Place {
        let directory = &opened.directory;
        tracing::info!(
            data = %directory.root().display(),
            network = %opened.genesis.network,
            height = opened.durable.height,
            entries = opened.durable.log_size,
            snapshot = opened.snapshot_height,
            replayed = opened.replayed.blocks,
            "the ledger is open"
        );
        Place { root: directory.root().to_owned(), snapshots: directory.snapshots(), operator_key }
    }
}

/// Serves a started node until SIGTERM or ctrl-c, or until it ends by itself.
///
/// # Errors
/// What keeps it from serving, or why it ended.
pub async fn serve(
    front: Front,
    place: Place,
    ends: Ends,
    door: Option<Door>,
    city: Option<City>,
) -> anyhow::Result<()> {
    let Ends { shared, intake, outbound, stop, mut finished } = ends;
    let (broker_url, _kept) = match door {
        Some(door) => (Some(door.open(&shared, intake, outbound).await?), None),
        // Nobody brings envelopes in bulk here, and nothing goes out: but ends that are gone would end the node.
        None => (None, Some((intake, outbound))),
    };
    let log = front.log;
    let (stop_doors, stopping) = watch::channel(false);
    let Pages { http_url, first_link, serving } =
        pages(front, place, &shared, broker_url.as_ref(), stopping.clone())?;
    let fleet = match (city, &broker_url) {
        (Some(city), Some(broker_url)) => city.settle(shared.clone(), broker_url, stopping).await?,
        _ => None,
    };
    let stop_signal = stop_signal()?;
    if let Some(link) = first_link {
        tell_first_link(&link, log);
    }
    match &broker_url {
        Some(broker_url) => println!("ready http={http_url} mqtt={broker_url}"),
        None => println!("ready http={http_url}"),
    }
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

/// API and dashboard, being served.
struct Pages {
    http_url: String,
    /// Where nobody has ever signed in.
    first_link: Option<String>,
    serving: tokio::task::JoinHandle<()>,
}

fn pages(
    front: Front,
    place: Place,
    shared: &Arc<Shared>,
    broker_url: Option<&BrokerUrl>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<Pages> {
    let Front { http, own_map, public_url, .. } = front;
    let Place { root, snapshots, operator_key } = place;
    let address = http.local_addr().context("the HTTP port is gone")?;
    let http_url = format!("http://{}", reachable(address));
    let mqtt_url = broker_url.map(BrokerUrl::to_string).unwrap_or_default();
    let own_map_path = own_map.as_ref().map(|_| http::own_map::PATH);
    let addresses = Addresses { http_url: http_url.clone(), mqtt_url, operator_key, own_map: own_map_path };
    let origins = Origins::new(public_url, address);
    let operator = shared.state().operator();
    let (now, random) = (clock::now_unix_milliseconds(), clock::random_seed()?);
    let network = &shared.genesis.network;
    let (desk, first_link) = SignIn::open(&root, network, operator, origins, now, random)?;
    let view = Arc::new(Window::new(shared.clone(), addresses).with_snapshots(snapshots));
    let router = http::router(shared.clone(), view, Arc::new(desk)).merge(http::own_map::router(own_map));
    let serving = tokio::spawn(http::serve(http, router, async move {
        let _sender_gone = stopping.wait_for(|stop| *stop).await;
    }));
    Ok(Pages { http_url, first_link, serving })
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

/// SIGTERM or ctrl-c, whichever comes first. Listens from the call on, not from the first poll: a signal right after the ready line must find a listener.
///
/// # Errors
/// When the system lets nobody listen.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "ctrl-c",
        }
    })
}
