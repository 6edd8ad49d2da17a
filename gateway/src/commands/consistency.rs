//! `lamppost consistency`: proves that a node's log still begins with what an older checkpoint covers.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use base64ct::{Base64, Encoding as _};
use ledger::checkpoint::Checkpoint;
use ledger::consistency::ConsistencyProof;
use ledger::merkle::Hash;
use ledger::note::Note;
use serde_json::Value;

use super::proof::hand_over;
use crate::client::Client;
use crate::limits::NAMED_FILE_BYTES_MAX;

/// Fetches the proof that a log only grew since a checkpoint that you kept, which `lamppost verify` checks offline
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  curl -s http://127.0.0.1:8080/checkpoint > january.checkpoint\n  lamppost consistency january.checkpoint --out since-january.consistency-proof\n  lamppost verify since-january.consistency-proof --genesis genesis.json"
)]
pub struct Arguments {
    /// The older signed checkpoint
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,
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

/// Fetches the present checkpoint and the hashes between, and makes one document of them.
///
/// # Errors
/// When the file is no checkpoint, the node cannot be reached, or its log is shorter than it was.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let kept = super::read_file(&arguments.checkpoint, NAMED_FILE_BYTES_MAX)?;
    let (earlier, from) = String::from_utf8(kept)
        .ok()
        .and_then(|text| checkpoint(&text))
        .with_context(|| format!("{} is no signed checkpoint", arguments.checkpoint.display()))?;
    let client = Client::new(&arguments.node)?;
    let (later, to) =
        checkpoint(&client.text("/checkpoint")?).context("the node gave no signed checkpoint")?;
    if from > to {
        bail!(
            "the log of {} has {to} entries, but {from} were signed: it lost its end, or is not told whole",
            client.url()
        );
    }
    let answer = client.json(&format!("/api/v1/consistency?from={from}&to={to}"))?;
    let path = hashes(&answer).context("the node gave no consistency proof")?;
    let proof = ConsistencyProof { path, earlier, later };
    hand_over(&proof.to_string(), arguments.out.as_deref(), arguments.json)
}

/// A signed note and the size that it is of.
fn checkpoint(text: &str) -> Option<(Note, u64)> {
    let note = Note::parse(text).ok()?;
    let size = Checkpoint::parse(&note.text).ok()?.size;
    Some((note, size))
}

fn hashes(answer: &Value) -> Option<Vec<Hash>> {
    let hash = |text: &Value| Base64::decode_vec(text.as_str()?).ok()?.try_into().ok();
    answer.get("hashes")?.as_array()?.iter().map(hash).collect()
}
