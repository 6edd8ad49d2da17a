//! `lamppost proof`: fetches the proof of what an account holds, what is known of a device, what a tariff says, or who
//! decides.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use devices::DeviceId;
use ledger::account::AccountId;
use ledger::state_proof::StateProof;
use serde_json::json;

use super::output;
use crate::client::Client;

/// Fetches the proof of a balance, a device, a tariff or the validators as of the last epoch's end, which `lamppost verify` checks offline
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost proof account lamp1… --out owner.state-proof\n  lamppost verify owner.state-proof --genesis genesis.json"
)]
pub struct Arguments {
    #[command(subcommand)]
    of: Of,
}

#[derive(Debug, Subcommand)]
enum Of {
    /// What an account holds
    #[command(after_help = "Example:\n  lamppost proof account lamp1… --out owner.state-proof")]
    Account {
        /// The account
        #[arg(value_name = "ACCOUNT")]
        id: AccountId,
        #[command(flatten)]
        fetch: Fetch,
    },
    /// A version of the tariff, and from which epoch on it holds
    #[command(after_help = "Example:\n  lamppost proof tariff 1 --out tariff.state-proof")]
    Tariff {
        /// The tariff's version
        #[arg(value_name = "VERSION")]
        tariff: u32,
        #[command(flatten)]
        fetch: Fetch,
    },
    /// Who decides, in a network of several validators
    #[command(after_help = "Example:\n  lamppost proof validators --out validators.state-proof")]
    Validators {
        #[command(flatten)]
        fetch: Fetch,
    },
    /// What is known of a device: its key, its owner, what it earned
    #[command(after_help = "Example:\n  lamppost proof device be5de2f4bcdc383a --out device.state-proof")]
    Device {
        /// The device's kid, 16 hex digits
        #[arg(value_name = "KID")]
        kid: DeviceId,
        #[command(flatten)]
        fetch: Fetch,
    },
}

/// Where a document comes from and where it goes.
#[derive(Debug, clap::Args)]
struct Fetch {
    /// The node to ask
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
    node: String,
    /// Writes the proof into this new file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Fetches and prints it.
///
/// # Errors
/// When the node cannot be reached, knows no such account or device, or the file exists.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (path, fetch) = match &arguments.of {
        Of::Account { id, fetch } => (format!("/api/v1/accounts/{id}/proof"), fetch),
        Of::Tariff { tariff, fetch } => (format!("/api/v1/tariffs/{tariff}/proof"), fetch),
        Of::Validators { fetch } => ("/api/v1/validators/proof".to_owned(), fetch),
        Of::Device { kid, fetch } => (format!("/api/v1/devices/{kid}/proof"), fetch),
    };
    let proof = Client::new(&fetch.node)?.text(&path)?;
    StateProof::parse(&proof).context("the node gave no proof")?;
    hand_over(&proof, fetch.out.as_deref(), fetch.json)
}

/// Writes a fetched document into its file, or prints it.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn hand_over(document: &str, out: Option<&std::path::Path>, as_json: bool) -> anyhow::Result<()> {
    if let Some(path) = out {
        super::write_new_file(path, document.as_bytes())?;
    }
    match (out, as_json) {
        (Some(path), true) => output::json(&json!({"file": path})),
        (None, true) => output::json(&json!({"proof": document})),
        (Some(path), false) => output::line(format!("{}", path.display())),
        (None, false) => output::text(document),
    }
}
