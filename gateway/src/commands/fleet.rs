//! `lamppost fleet`: virtual devices against any broker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use devices::{Refusal, SigningKey};
use fleet::client::Broker;
use fleet::{FleetConfig, FleetReport};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{NODE, output, send};
use crate::client::Client;
use crate::clock;
use crate::keys;
use crate::mqtt::BrokerUrl;
use crate::storage::NETWORK_DEFAULT;
use crate::telemetry::{self, LogFormat};

/// Runs virtual devices with the firmware's own core, or replays recordings of sensor.community
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost fleet --devices 20 --rate 10 --operator lamppost-data/keys/operator.pem\n  lamppost fleet --devices 20 --key fleet.pem --list\n      prints the public keys, to be enrolled by somebody else"
)]
pub struct Arguments {
    /// Broker to publish to, mqtt://HOST:PORT
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    broker: BrokerUrl,
    /// Number of devices
    #[arg(long, value_name = "N", default_value_t = 12)]
    devices: usize,
    /// Envelopes a second, of all devices together
    #[arg(long, value_name = "PER_SECOND", default_value_t = 3)]
    rate: u32,
    /// Seconds to run; until ctrl-c when absent
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Recordings of sensor.community (CSV) to replay as readings
    #[arg(long, value_name = "FILE", num_args = 1..)]
    replay: Vec<PathBuf>,
    /// Network id that the devices sign for
    #[arg(long, value_name = "ID", default_value = NETWORK_DEFAULT)]
    network: String,
    /// Key file that the devices' keys are derived from, made when missing; new devices each time when absent
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Directory for the devices' EEPROMs, so that they go on where they stopped
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Operator's key file: devices that the node does not know yet are enrolled first
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Account that the enrolled devices pay
    #[arg(long, value_name = "ACCOUNT", requires = "operator")]
    owner: Option<AccountId>,
    /// Node that enrols
    #[arg(long, value_name = "URL", default_value = NODE)]
    node: String,
    /// Prints the devices' kids and public keys and ends
    #[arg(long)]
    list: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Runs the fleet and prints what became of its readings.
///
/// # Errors
/// When a file cannot be used or the fleet cannot start.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let secret = match &arguments.key {
        Some(file) => keys::read_or_create(file)?.to_seed(),
        None => clock::random_seed()?,
    };
    let seeds = fleet::seeds(&secret, arguments.devices);
    if arguments.list {
        return list(&seeds, arguments.json);
    }
    ensure!(
        arguments.broker.login.is_none(),
        "virtual devices do not log in: name a broker without user and password"
    );
    if let Some(directory) = &arguments.state {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    if let Some(operator) = &arguments.operator {
        enrol(&Client::new(&arguments.node)?, operator, arguments.owner, &seeds)?;
    }
    telemetry::start_logging(LogFormat::Human);
    let config = FleetConfig {
        broker: Broker { host: arguments.broker.host, port: arguments.broker.port },
        network: arguments.network,
        seeds,
        readings_per_second: arguments.rate,
        seconds: arguments.seconds,
        replay: arguments.replay,
        state_directory: arguments.state,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the fleet cannot start")?;
    let began = clock::monotonic();
    let report = runtime.block_on(run_until_stopped(config))?;
    print(&report, began.elapsed(), arguments.json)
}

/// Enrols the devices that the node does not know yet.
fn enrol(
    client: &Client,
    operator: &Path,
    owner: Option<AccountId>,
    seeds: &[[u8; 32]],
) -> anyhow::Result<()> {
    for seed in seeds {
        let public_key = SigningKey::from_seed(*seed).public_key();
        match client.json(&format!("/api/v1/devices/{}", public_key.kid())) {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {
                send::submit(client, operator, &Instruction::Enrol { public_key, owner, position: None })?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn run_until_stopped(config: FleetConfig) -> anyhow::Result<FleetReport> {
    let (stop, stopping) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut running = std::pin::pin!(fleet::run(config, stopping));
    tokio::select! {
        report = &mut running => return Ok(report?),
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    let _fleet_gone = stop.send(true);
    Ok(running.await?)
}

fn list(seeds: &[[u8; 32]], as_json: bool) -> anyhow::Result<()> {
    let keys: Vec<SigningKey> = seeds.iter().map(|seed| SigningKey::from_seed(*seed)).collect();
    if as_json {
        let device = |key: &SigningKey| json!({"kid": key.kid().to_string(), "public_key": key.public_key().to_string()});
        return output::json(&keys.iter().map(device).collect::<Vec<_>>());
    }
    keys.iter().try_for_each(|key| output::line(format!("{}  {}", key.kid(), key.public_key())))
}

fn print(report: &FleetReport, elapsed: Duration, as_json: bool) -> anyhow::Result<()> {
    let reasons = || Refusal::ALL.into_iter().zip(report.refused);
    if as_json {
        let refused: Map<String, Value> =
            reasons().map(|(why, count)| (why.to_string(), count.into())).collect();
        return output::json(&json!({
            "devices": report.devices,
            "seconds": elapsed.as_secs_f64(),
            "kept": report.kept,
            "lost": report.lost,
            "sent": report.sent,
            "settled": report.settled,
            "waiting": report.waiting,
            "refused": refused,
        }));
    }
    output::line(format!(
        "{} devices, {:.1} s: {} readings kept, {} published (repeats included), {} settled, {} waiting, {} lost",
        report.devices,
        elapsed.as_secs_f64(),
        report.kept,
        report.sent,
        report.settled,
        report.waiting,
        report.lost
    ))?;
    let refused: Vec<String> =
        reasons().filter(|(_, count)| *count > 0).map(|(why, count)| format!("{count} {why}")).collect();
    if refused.is_empty() { Ok(()) } else { output::line(format!("refused: {}", refused.join(", "))) }
}
