//! `lamppost bench`: what this machine does, each figure beside its ceiling, measured in the same run.
//!
//! What is measured is a process of its own (`bench node`, `up`, `audit`), and so is what loads it: its memory and its
//! CPU are its own. Load is signed into a file beforehand.

mod audit;
mod ceiling;
mod child;
mod idle;
mod ingest;
mod load;
mod measure;
mod mosquitto;
mod mqtt;
mod node;
mod open_pages;
mod overload;
mod query;
mod settlement;
mod soak;
mod start;
mod store;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use fleet::load::LoadPlan;
use serde_json::{Map, Value, json};

use super::output;
use crate::clock;
use crate::storage::{EPOCH_SECONDS_DEFAULT, NETWORK_DEFAULT};

/// What the devices' keys of all measurements are derived from.
const SECRET: [u8; 32] = [42; 32];
/// Envelopes signed beforehand for each second of load and each core: more than a core verifies.
const ENVELOPES_PER_SECOND_AND_CORE: u64 = 75_000;
/// Seconds that a ceiling is measured for, with each verifier.
const CEILING_SECONDS: f64 = 2.0;

/// Measures this machine: each figure stands beside its ceiling from the same run
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost bench ingest --seconds 5 --devices 10000\n  lamppost bench mqtt --records 10 --json\n\nA measurement takes all cores: let nothing else run beside it."
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
    /// The same through an MQTT broker, QoS 1, from another process; ceiling: a subscriber that only counts
    #[command(
        after_help = "Example:\n  lamppost bench mqtt --seconds 5 --devices 1000 --records 10\n  lamppost bench mqtt --broker external"
    )]
    Mqtt(mqtt::Arguments),
    /// Blocks through the log, one durable write each; ceiling: a bare file
    #[command(after_help = "Example:\n  lamppost bench store --seconds 3")]
    Store(Settings),
    /// Everything recomputed from genesis; ceiling: signatures alone
    #[command(after_help = "Example:\n  lamppost bench audit --seconds 5")]
    Audit(Settings),
    /// The end of an epoch in which every device sent: rewards a second, and what intake feels of it
    #[command(
        after_help = "Example:\n  lamppost bench settlement --devices 100000 --epoch 20\n  lamppost bench settlement --devices 1000000 --epoch 40 --data kept-for-the-next-run"
    )]
    Settlement(Settings),
    /// Twice the load that a node sustains, through MQTT, and how it comes back
    #[command(after_help = "Example:\n  lamppost bench overload --seconds 60")]
    Overload(Settings),
    /// The time from kill -9 to the ready line, with a long log
    #[command(
        after_help = "Example:\n  lamppost bench start --transactions 10000000 --data kept-for-the-next-run"
    )]
    Start(Long),
    /// Queries by HTTP while a node takes in as much as it can, with a long log
    #[command(
        after_help = "Example:\n  lamppost bench query --transactions 10000000 --data kept-for-the-next-run"
    )]
    Query(Long),
    /// Pages, as browsers see them, while a node takes in as much as it can
    #[command(after_help = "Example:\n  lamppost bench pages --transactions 1000000")]
    Pages(Long),
    /// CPU that open pages cost `lamppost up`, beside the same node without any
    #[command(after_help = "Example:\n  lamppost bench open-pages --pages 1000 --devices 12 --seconds 20")]
    OpenPages(open_pages::Arguments),
    /// Memory and CPU of `lamppost up` with virtual devices
    #[command(after_help = "Example:\n  lamppost bench idle --devices 12 --seconds 20")]
    Idle(Settings),
    /// A share of the maximum for a long time, through MQTT; one JSON line for each span of it
    #[command(after_help = "Example:\n  lamppost bench soak --minutes 30 > soak.jsonl")]
    Soak(soak::Arguments),
    /// The node that is measured; started by the others
    #[command(hide = true, after_help = "Example:\n  lamppost bench node --data DIR --devices 10000")]
    Node(node::Arguments),
    /// Publishes signed envelopes; started by the others
    #[command(hide = true, after_help = "Example:\n  lamppost bench load --file FILE --broker URL")]
    Load(load::Arguments),
}

#[derive(Debug, Clone, clap::Args)]
struct Settings {
    /// Seconds of load
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Devices that take turns; 12 make sense for `idle`
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Records of an envelope, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    records: u32,
    /// Directory in which a node is made and removed again; its disk is what is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Directory of the node that is measured, kept for the next run; made when it is missing
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Seconds of an epoch, fixed when a node is made
    #[arg(long, value_name = "S", default_value_t = EPOCH_SECONDS_DEFAULT, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    epoch: u64,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct Long {
    #[command(flatten)]
    settings: Settings,
    /// Entries that the log has to hold; what is missing is made first
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    transactions: u64,
}

/// One measured figure beside its ceiling.
struct Figure {
    /// What was measured.
    name: String,
    /// Its unit.
    unit: &'static str,
    /// The figure.
    value: f64,
    /// What the ceiling is, and the ceiling.
    ceiling: Option<(String, f64)>,
    /// Further figures, in order: name, value, unit.
    details: Vec<(&'static str, f64, &'static str)>,
}

/// Measures and prints.
///
/// # Errors
/// When the measurement cannot be made.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (settings, figure) = match arguments.what {
        What::Node(arguments) => return node::run(&arguments),
        What::Load(arguments) => return load::run(&arguments),
        What::Ingest(settings) => (settings.clone(), ingest::measure(&settings)?),
        What::Mqtt(arguments) => (arguments.settings.clone(), mqtt::measure(&arguments)?),
        What::Settlement(settings) => (settings.clone(), settlement::measure(&settings)?),
        What::Overload(settings) => (settings.clone(), overload::measure(&settings)?),
        What::Start(long) => (long.settings.clone(), start::measure(&long.settings, long.transactions)?),
        What::Query(long) => {
            (long.settings.clone(), query::measure(&long.settings, long.transactions, query::Asked::Api)?)
        }
        What::Pages(long) => {
            (long.settings.clone(), query::measure(&long.settings, long.transactions, query::Asked::Pages)?)
        }
        What::OpenPages(arguments) => (arguments.settings.clone(), open_pages::measure(&arguments)?),
        What::Soak(arguments) => return soak::run(&arguments),
        What::Idle(settings) => (settings.clone(), idle::measure(&settings)?),
        What::Store(settings) => (settings.clone(), store::measure(&settings)?),
        What::Audit(settings) => (settings.clone(), audit::measure(&settings)?),
    };
    if settings.json { output::json(&figure.as_json(&settings)) } else { figure.print() }
}

impl Figure {
    fn ratio(&self) -> Option<f64> {
        self.ceiling.as_ref().map(|(_, ceiling)| self.value / ceiling)
    }

    fn as_json(&self, settings: &Settings) -> Value {
        let details: Map<String, Value> = self
            .details
            .iter()
            .map(|(name, value, unit)| (name.replace(' ', "_"), json!({"value": value, "unit": unit})))
            .collect();
        json!({
            "figure": self.name,
            "unit": self.unit,
            "value": self.value,
            "ceiling": self.ceiling.as_ref().map(|(name, _)| name),
            "ceiling_value": self.ceiling.as_ref().map(|(_, value)| value),
            "ratio": self.ratio(),
            "devices": settings.devices,
            "records": settings.records,
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
            "details": details,
        })
    }

    fn print(&self) -> anyhow::Result<()> {
        let row = |name: &str, value: f64, unit: &str| {
            let decimals = if value.abs() < 10.0 { 2 } else { 0 };
            output::line(format!("{name:<56} {value:>12.decimals$} {unit}"))
        };
        row(&self.name, self.value, self.unit)?;
        if let Some((name, value)) = &self.ceiling {
            row(&format!("ceiling: {name}"), *value, self.unit)?;
            row("ratio", self.value / value, "")?;
        }
        self.details.iter().try_for_each(|(name, value, unit)| row(name, *value, unit))
    }
}

/// One line of what is going on, on stderr.
fn say(line: &str) {
    eprintln!("bench: {line}");
}

/// A directory that is removed with all that is in it, on the disk that is to be measured.
struct Scratch(PathBuf, Option<PathBuf>);

impl Scratch {
    fn new(settings: &Settings) -> anyhow::Result<Scratch> {
        let path = settings.directory.join(format!("lamppost-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Scratch(path, settings.data.clone()))
    }

    /// Where a measured node keeps everything.
    fn data(&self) -> PathBuf {
        self.1.clone().unwrap_or_else(|| self.0.join("data"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _stays_behind = std::fs::remove_dir_all(&self.0);
    }
}

/// Envelopes of a boot that begins now.
fn plan(settings: &Settings, envelopes: u64) -> anyhow::Result<LoadPlan> {
    let now = u32::try_from(clock::now_unix_milliseconds() / 1_000)?;
    Ok(LoadPlan {
        network: NETWORK_DEFAULT.to_owned(),
        secret: SECRET,
        devices: settings.devices,
        first: 0,
        envelopes,
        records_each: settings.records,
        boot: now,
        base_time: now,
    })
}

/// A file of signed envelopes.
struct Load {
    path: PathBuf,
    envelopes: u64,
    bytes: u64,
}

impl Load {
    /// Signs more envelopes than so many seconds of load can need.
    fn sign(settings: &Settings, scratch: &Scratch, seconds: f64) -> anyhow::Result<Load> {
        Load::sign_behind(settings, scratch, 0, seconds)
    }

    /// The same behind so many others.
    fn sign_behind(settings: &Settings, scratch: &Scratch, first: u64, seconds: f64) -> anyhow::Result<Load> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let envelopes = (seconds * (ENVELOPES_PER_SECOND_AND_CORE * cores) as f64) as u64;
        Load::sign_envelopes(settings, scratch, first + envelopes.max(settings.devices.into()))
    }

    /// Signs so many envelopes, of a boot that begins now.
    fn sign_envelopes(settings: &Settings, scratch: &Scratch, envelopes: u64) -> anyhow::Result<Load> {
        say(&format!("signing {envelopes} envelopes"));
        let plan = plan(settings, envelopes)?;
        let path = scratch.0.join(format!("load-{}", plan.boot));
        let signed = fleet::load::write(&path, &plan)?;
        Ok(Load { path, envelopes: signed.envelopes, bytes: signed.bytes })
    }

    /// Bytes of an envelope.
    fn bytes_each(&self) -> f64 {
        self.bytes as f64 / self.envelopes.max(1) as f64
    }
}
