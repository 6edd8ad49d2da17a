//! `lamppost network`: sets up a network of several operators: keys, one genesis document, a configuration file a node.

#[cfg(feature = "bft")]
mod made;
#[cfg(feature = "bft")]
mod plan;
#[cfg(feature = "bft")]
mod run;

use std::path::PathBuf;

use clap::Subcommand;

use crate::limits::{BLOCK_MILLISECONDS_DEFAULT, BLOCK_MILLISECONDS_MAX, BLOCK_MILLISECONDS_MIN};
use crate::storage::EPOCH_SECONDS_DEFAULT;

/// Sets up a network of several operators
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost network new --validators city,utility,university,operator --out testnet"
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
#[cfg_attr(not(feature = "bft"), allow(dead_code, reason = "this build only says that it has no such thing"))]
enum Action {
    /// Makes the keys, one genesis document and a configuration file a node; never overwrites
    #[command(
        after_help = "Example:\n  lamppost network new --validators city,utility,university,operator --gateways gateway-1 --out testnet\n  lamppost network new --validators city,utility,university,operator \\\n    --host city=192.0.2.1,utility=192.0.2.2,university=192.0.2.3,operator=192.0.2.4 --out testnet\n  lamppost node --config testnet/city/node.toml"
    )]
    New(New),
    /// Runs all nodes of a directory on this machine, for trials: each in a process of its own, all stopped by ctrl-c
    #[command(
        after_help = "Example:\n  lamppost network new --validators city,utility,university,operator --gateways gateway-1 --devices 12 --out testnet\n  lamppost network run testnet"
    )]
    Run {
        /// The directory that `lamppost network new` made
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// The name of every node's configuration file.
#[cfg(feature = "bft")]
const FILE: &str = "node.toml";

/// What a new network shall be.
#[derive(Debug, clap::Args)]
#[cfg_attr(not(feature = "bft"), allow(dead_code, reason = "this build only says that it has no such thing"))]
struct New {
    /// Names of the validators, those who vote on blocks: a-z, 0-9 and -
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    validators: Vec<String>,
    /// Names of the gateways, those who bring what devices send
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    gateways: Vec<String>,
    /// Network id
    #[arg(long, value_name = "ID", default_value = "testnet")]
    network: String,
    /// Seconds of a settlement epoch; validators join and leave at its end
    #[arg(long, value_name = "SECONDS", default_value_t = EPOCH_SECONDS_DEFAULT)]
    epoch: u64,
    /// Where nodes run, NAME=HOST each; without any, all of them on this machine
    #[arg(long, value_name = "NAME=HOST", value_delimiter = ',')]
    host: Vec<String>,
    /// First port of API and dashboard on each host, gateways first
    #[arg(long, value_name = "PORT", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    http_port: u16,
    /// First port on which validators talk to each other, on each host
    #[arg(long, value_name = "PORT", default_value_t = 7000, value_parser = clap::value_parser!(u16).range(1..))]
    consensus_port: u16,
    /// First port of validators' doors for gateways, on each host
    #[arg(long, value_name = "PORT", default_value_t = 7100, value_parser = clap::value_parser!(u16).range(1..))]
    gateways_port: u16,
    /// First port of gateways' MQTT brokers, on each host
    #[arg(long, value_name = "PORT", default_value_t = 1883, value_parser = clap::value_parser!(u16).range(1..))]
    mqtt_port: u16,
    /// Takes ports that are free on this machine just now, for trials
    #[arg(long, conflicts_with_all = ["host", "http_port", "consensus_port", "gateways_port", "mqtt_port"])]
    free_ports: bool,
    /// A block is begun so many milliseconds after the one before
    #[arg(long, value_name = "MILLISECONDS", default_value_t = BLOCK_MILLISECONDS_DEFAULT,
        value_parser = clap::value_parser!(u64).range(BLOCK_MILLISECONDS_MIN..=BLOCK_MILLISECONDS_MAX))]
    block_milliseconds: u64,
    /// Virtual devices of each gateway, for trials; their gateway uses the operator's key
    #[arg(long, value_name = "N", default_value_t = 0)]
    devices: u32,
    /// Does nothing where a network is set up already, instead of refusing
    #[arg(long)]
    keep: bool,
    /// Directory that gets everything; made when it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `network new` and `network run`.
///
/// # Errors
/// When a name, a host or the directory is not as it must be, a node ends, or this build knows no consensus of several.
#[cfg(feature = "bft")]
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.action {
        Action::New(new) => make(new),
        Action::Run { directory } => run::run(directory),
    }
}

/// Says that this build knows no consensus of several.
///
/// # Errors
/// Always.
#[cfg(not(feature = "bft"))]
pub fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    Err(super::no_consensus())
}

#[cfg(feature = "bft")]
fn make(new: &New) -> anyhow::Result<()> {
    if new.keep && new.out.join(made::GENESIS).is_file() {
        return match new.json {
            true => super::output::json(&serde_json::json!({ "kept": new.out })),
            false => super::output::line(format!(
                "{} holds a network already: it stays as it is",
                new.out.display()
            )),
        };
    }
    let nodes = plan::of(new)?;
    let made = made::write(new, &nodes)?;
    match new.json {
        true => super::output::json(&made.to_json()),
        false => super::output::text(&made.to_text()),
    }
}

#[cfg(all(test, feature = "bft"))]
mod tests;
