//! `lamppost up`: one node with everything embedded.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use super::serving::{self, Door, Front, Place};
use crate::broker;
use crate::city::City;
use crate::host;
use crate::limits;
use crate::mqtt::BrokerUrl;
use crate::sign_in::origin::Origin;
use crate::storage::{self, Wanted};
use crate::telemetry::{LogFormat, Telemetry};

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
    serving::run(arguments.log, up(arguments))
}

async fn up(arguments: Arguments) -> anyhow::Result<()> {
    // Both ports before anything is written: a taken one changes nothing.
    let map = arguments.map.as_deref();
    let front =
        Front::take(arguments.http, "--http", map, arguments.public_url.clone(), arguments.log).await?;
    let door = match arguments.broker {
        None => Door::Embedded(broker::bind(arguments.mqtt).await?),
        Some(url) => Door::External { url, name: None },
    };
    let wanted = Wanted { network: arguments.network.clone(), epoch_seconds: arguments.epoch };
    let data = arguments.data.clone();
    let mut opened = tokio::task::spawn_blocking(move || storage::open(&data, &wanted))
        .await
        .context("the start broke off")??;
    opened.disk_reserve_bytes = arguments.disk_reserve;
    opened.silent_after_seconds = arguments.silent_after;
    let operator_key = opened.directory.key("operator");
    let city = City::open(&opened, &operator_key, arguments.devices)?;
    let place = Place::of(&opened, operator_key);
    let ends = host::start(opened, Arc::new(Telemetry::new()))?;
    serving::serve(front, place, ends, Some(door), Some(city)).await
}
