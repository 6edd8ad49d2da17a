//! `lamppost receipt`: fetches the proof that an entry stands in the log.

use std::path::PathBuf;

use anyhow::Context as _;
use devices::TransactionId;
use serde_json::json;

use super::output;
use crate::client::Client;

/// Fetches a receipt, which `lamppost verify` checks offline
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost receipt f4473b217fae382ade7a0cc7ded0de46d716af161e26a0bee78b9713e065cd59 --out reading.tlog-proof"
)]
pub struct Arguments {
    /// The transaction's id, 64 hex digits
    #[arg(value_name = "TXID")]
    id: TransactionId,
    /// The node to ask
    #[arg(long, value_name = "URL", env = "LAMPPOST_NODE", default_value = super::NODE)]
    node: String,
    /// Writes the receipt into this new file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also writes how the validators changed since genesis into this new file, for `lamppost verify --validators`
    #[arg(long, value_name = "FILE")]
    validators: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Fetches and prints it.
///
/// # Errors
/// When the node cannot be reached, has no such durable entry, or the file exists.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = Client::new(&arguments.node)?;
    let receipt = client.text(&format!("/api/v1/transactions/{}/receipt", arguments.id))?;
    ledger::receipt::Receipt::parse(&receipt).context("the node gave no receipt")?;
    if let Some(path) = &arguments.validators {
        super::write_new_file(path, client.text("/validators")?.as_bytes())?;
    }
    if let Some(path) = &arguments.out {
        super::write_new_file(path, receipt.as_bytes())?;
    }
    match (&arguments.out, arguments.json) {
        (Some(path), true) => output::json(&json!({"id": arguments.id.to_string(), "file": path})),
        (None, true) => output::json(&json!({"id": arguments.id.to_string(), "receipt": receipt})),
        (Some(path), false) => output::line(format!("{}", path.display())),
        (None, false) => output::text(&receipt),
    }
}
