//! `lamppost bench`: what this machine does, each figure beside its ceiling, measured in the same run.

mod audit;
mod ingest;
mod load;
mod measure;
mod mqtt;
mod store;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use super::output;

/// Measures this machine: each figure stands beside its ceiling from the same run
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost bench ingest --seconds 5 --devices 10000\n  lamppost bench mqtt --records 10 --json"
)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Signed envelopes in process: verified, applied, durable and acknowledged; ceiling: signatures alone
    #[command(after_help = "Example:\n  lamppost bench ingest --seconds 5 --devices 10000")]
    Ingest(Settings),
    /// The same through the embedded MQTT broker, QoS 1, from another process; ceiling: a subscriber that counts
    #[command(after_help = "Example:\n  lamppost bench mqtt --seconds 5 --devices 1000 --records 10")]
    Mqtt(Settings),
    /// Blocks through the log, one durable write each; ceiling: a bare file
    #[command(after_help = "Example:\n  lamppost bench store --seconds 3")]
    Store(Settings),
    /// Everything recomputed from genesis; ceiling: signatures alone
    #[command(after_help = "Example:\n  lamppost bench audit --seconds 5")]
    Audit(Settings),
    /// Publishes signed envelopes when told; started by `bench mqtt`
    #[command(hide = true, after_help = "Example:\n  lamppost bench load")]
    Load(load::Arguments),
}

#[derive(Debug, Clone, clap::Args)]
struct Settings {
    /// Seconds of load, roughly: as many envelopes are signed beforehand as these seconds need
    #[arg(long, value_name = "S", default_value_t = 5)]
    seconds: u32,
    /// Devices that send
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    devices: u32,
    /// Records of an envelope, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    records: u32,
    /// Directory in which a node is made and removed again; its disk is what is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// One measured figure beside its ceiling.
struct Figure {
    /// What was measured.
    name: &'static str,
    /// Its unit, a second.
    unit: &'static str,
    /// The figure.
    per_second: f64,
    /// What the ceiling is.
    ceiling: &'static str,
    /// The ceiling.
    ceiling_per_second: f64,
    /// Further figures, in order: name, value, unit.
    details: Vec<(&'static str, f64, &'static str)>,
}

/// Measures and prints.
///
/// # Errors
/// When the measurement cannot be made.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (settings, figure) = match arguments.what {
        What::Load(arguments) => return load::run(&arguments),
        What::Ingest(settings) => (settings.clone(), ingest::measure(&settings)?),
        What::Mqtt(settings) => (settings.clone(), mqtt::measure(&settings)?),
        What::Store(settings) => (settings.clone(), store::measure(&settings)?),
        What::Audit(settings) => (settings.clone(), audit::measure(&settings)?),
    };
    if settings.json { output::json(&as_json(&settings, &figure)) } else { print(&figure) }
}

fn as_json(settings: &Settings, figure: &Figure) -> Value {
    let details: serde_json::Map<String, Value> = figure
        .details
        .iter()
        .map(|(name, value, unit)| (name.replace(' ', "_"), json!({"value": value, "unit": unit})))
        .collect();
    json!({
        "figure": figure.name,
        "unit": figure.unit,
        "per_second": figure.per_second,
        "ceiling": figure.ceiling,
        "ceiling_per_second": figure.ceiling_per_second,
        "ratio": figure.per_second / figure.ceiling_per_second,
        "devices": settings.devices,
        "records": settings.records,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "details": details,
    })
}

fn print(figure: &Figure) -> anyhow::Result<()> {
    let row = |name: &str, value: f64, unit: &str| {
        let decimals = if value < 10.0 { 2 } else { 0 };
        output::line(format!("{name:<56} {value:>12.decimals$} {unit}"))
    };
    row(figure.name, figure.per_second, figure.unit)?;
    row(&format!("ceiling: {}", figure.ceiling), figure.ceiling_per_second, figure.unit)?;
    row("ratio", figure.per_second / figure.ceiling_per_second, "")?;
    figure.details.iter().try_for_each(|(name, value, unit)| row(name, *value, unit))
}

/// A directory that is removed with all that is in it, on the disk that is to be measured.
struct Scratch(PathBuf);

impl Scratch {
    fn new(settings: &Settings) -> anyhow::Result<Scratch> {
        let path = settings.directory.join(format!("lamppost-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _stays_behind = std::fs::remove_dir_all(&self.0);
    }
}
