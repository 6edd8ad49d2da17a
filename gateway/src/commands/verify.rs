//! `lamppost verify`: checks a receipt offline, with the genesis document and nothing else.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use devices::TransactionId;
use ledger::block::Entry;
use ledger::genesis::Genesis;
use ledger::receipt::{Receipt, VerifiedReceipt};
use serde::Serialize;

use super::output;
use crate::limits::NAMED_FILE_BYTES_MAX;
use crate::senml_json::{self, SenmlRecord};

/// Checks a receipt offline and names the first thing that fails
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -s http://127.0.0.1:8080/genesis > genesis.json\n  lamppost verify reading.tlog-proof --genesis genesis.json"
)]
pub struct Arguments {
    /// The receipt (C2SP tlog-proof)
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,
    /// The network's genesis document: whom to trust. Get it once, from somebody you believe
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What a receipt that holds proves.
#[derive(Debug, Serialize)]
struct Said {
    kind: &'static str,
    id: String,
    index: u64,
    log_size: u64,
    origin: String,
    signers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    senml: Vec<SenmlRecord>,
}

/// Checks the receipt and says what it proves.
///
/// # Errors
/// The first thing that fails, in one sentence.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = text_file(&arguments.receipt)?;
    let genesis = Genesis::from_json(&text_file(&arguments.genesis)?)
        .with_context(|| format!("{} cannot be trusted", arguments.genesis.display()))?;
    let verified = Receipt::parse(&text)?.verify(&genesis)?;
    let said = said(&verified, &genesis)?;
    if arguments.json {
        return output::json(&said);
    }
    output::line(format!(
        "the receipt holds: entry {} of {} in the log {}, signed by {}",
        said.index,
        said.log_size,
        said.origin,
        said.signers.join(", "),
    ))?;
    let device = said.kid.as_ref().map(|kid| format!(" of {kid}")).unwrap_or_default();
    output::line(format!("{} {}{device}", said.kind, said.id))?;
    for record in &said.senml {
        output::line(format!("  {}", serde_json::to_string(record)?))?;
    }
    Ok(())
}

fn text_file(path: &Path) -> anyhow::Result<String> {
    let bytes = super::read_file(path, NAMED_FILE_BYTES_MAX)?;
    let sentence = || format!("{} is no text: it has a byte that is no UTF-8", path.display());
    String::from_utf8(bytes).ok().with_context(sentence)
}

/// What the proven entry says.
fn said(verified: &VerifiedReceipt, genesis: &Genesis) -> anyhow::Result<Said> {
    let mut said = Said {
        kind: "seal",
        id: String::new(),
        index: verified.index(),
        log_size: verified.checkpoint().size,
        origin: verified.checkpoint().origin.clone(),
        signers: verified.signers().to_vec(),
        kid: None,
        boot: None,
        count: None,
        counter: None,
        height: None,
        senml: Vec::new(),
    };
    match Entry::decode(verified.entry()).context("the entry stands in the log, but is of no known kind")? {
        Entry::Seal(seal) => {
            said.id = TransactionId(seal.id()).to_string();
            said.height = Some(seal.height);
        }
        Entry::Reading(reading) => {
            said.kind = "reading";
            said.id = reading.transaction_id(&genesis.network).to_string();
            said.kid = Some(reading.kid().to_string());
            said.boot = Some(reading.sequence().boot);
            said.count = Some(reading.sequence().count);
            said.senml = senml_json::records(&reading.pack());
        }
        Entry::Instruction(instruction) => {
            said.kind = "instruction";
            said.id = instruction.transaction_id(&genesis.network).to_string();
            said.kid = Some(instruction.kid().to_string());
            said.counter = Some(instruction.counter());
        }
    }
    Ok(said)
}
