//! `lamppost audit`: recomputes everything from genesis, from a data directory or over a node's tiles.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ledger::block::{Block, Seal};
use ledger::genesis::Genesis;
use ledger::limits::TILE_WIDTH;
use ledger::tiles::{TilePath, TileRow};
use ledger::token::Tokens;
use serde_json::json;

use super::output;
use crate::audit::{Audit, Findings, Located};
use crate::client::Client;
use crate::clock;
use crate::data_dir::DataDir;
use crate::limits::NAMED_FILE_BYTES_MAX;
use crate::log::LogReader;

/// Executes the whole log again from genesis and names the first entry that differs
///
/// Every signature is verified, every root, settlement and statement computed anew.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost audit --data lamppost-data\n  lamppost audit --node http://127.0.0.1:8080 --genesis genesis.json"
)]
pub struct Arguments {
    /// The data directory of a node that is stopped
    #[arg(long, value_name = "DIR", conflicts_with = "node", required_unless_present = "node")]
    data: Option<PathBuf>,
    /// A running node: everything is fetched as tiles
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// The genesis document to believe; the directory's or node's own when absent
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Audits and says what was recomputed.
///
/// # Errors
/// The first thing that differs, in one sentence.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let began = clock::monotonic();
    let believed = arguments.genesis.as_deref().map(genesis_file).transpose()?;
    let mut progress = Progress::new();
    let findings = match (&arguments.data, &arguments.node) {
        (Some(data), _) => audit_directory(data, believed, &mut progress)?,
        (None, Some(node)) => audit_node(&Client::new(node)?, believed, &mut progress)?,
        (None, None) => bail!("say what to audit: --data DIR or --node URL"),
    };
    progress.clear();
    report(&findings, began.elapsed(), arguments.json)
}

/// Audits a data directory.
///
/// # Errors
/// The first thing that differs.
pub fn audit_directory(
    data: &Path,
    believed: Option<Genesis>,
    progress: &mut Progress,
) -> anyhow::Result<Findings> {
    let directory = DataDir::look(data)?;
    let stored =
        directory.genesis()?.with_context(|| format!("{} holds no genesis document", data.display()))?;
    if let Some(believed) = &believed
        && believed.hash() != stored.hash()
    {
        bail!(
            "{} is another genesis document than the one that is believed",
            directory.genesis_file().display()
        );
    }
    let checkpoint =
        directory.checkpoint()?.with_context(|| format!("{} holds no signed checkpoint", data.display()))?;
    let log = LogReader::open(&directory.log(), stored.hash());
    let mut audit = Audit::new(stored, &checkpoint)?;
    for step in log.blocks() {
        let (position, _, block) = step?;
        let place = format!("{} at byte {}", log.path(position.segment).display(), position.offset);
        audit.take(Located { place, block })?;
        progress.show(audit.findings(), audit.promised());
    }
    Ok(audit.finish()?)
}

/// Audits a node by nothing but its tlog-tiles.
///
/// # Errors
/// The first thing that differs, or that the node cannot be reached.
pub fn audit_node(
    client: &Client,
    believed: Option<Genesis>,
    progress: &mut Progress,
) -> anyhow::Result<Findings> {
    let genesis = match believed {
        Some(genesis) => genesis,
        None => Genesis::from_json(&client.text("/genesis")?)
            .context("the node's genesis document is not usable")?,
    };
    let mut audit = Audit::new(genesis, &client.text("/checkpoint")?)?;
    let (mut entries, mut fetched) = (Vec::new(), 0);
    while fetched < audit.promised() {
        let width = TILE_WIDTH.min(audit.promised() - fetched);
        let bundle =
            TilePath { row: TileRow::Entries, index: fetched / TILE_WIDTH, width: u16::try_from(width)? };
        let bytes = client.bytes(&format!("/tile/{bundle}"), "application/octet-stream")?;
        let bundled = unbundle(&bytes).filter(|entries| entries.len() as u64 == width);
        for entry in bundled.with_context(|| format!("/tile/{bundle} is no bundle of {width} entries"))? {
            let index = fetched;
            fetched += 1;
            match Seal::decode(&entry) {
                Ok(seal) => {
                    let place = format!("{} entry {index}", client.url());
                    audit.take(Located {
                        place,
                        block: Block { entries: std::mem::take(&mut entries), seal },
                    })?;
                }
                Err(_) => entries.push(entry),
            }
        }
        progress.show(audit.findings(), audit.promised());
    }
    if !entries.is_empty() {
        bail!("the log ends with {} entries that no seal closes", entries.len());
    }
    Ok(audit.finish()?)
}

/// The entries of a bundle: each behind its length, a big-endian u16 (C2SP tlog-tiles).
fn unbundle(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    bytes.is_empty().then_some(entries)
}

fn genesis_file(path: &Path) -> anyhow::Result<Genesis> {
    let bytes = super::read_file(path, NAMED_FILE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is no text", path.display()))?;
    Genesis::from_json(&text).with_context(|| format!("{} cannot be believed", path.display()))
}

fn report(findings: &Findings, elapsed: Duration, as_json: bool) -> anyhow::Result<()> {
    let paid = findings.paid_microtokens;
    if as_json {
        return output::json(&json!({
            "blocks": findings.blocks,
            "entries": findings.entries,
            "readings": findings.readings,
            "instructions": findings.instructions,
            "settled_epochs": findings.settled_epochs,
            "statements": findings.statements,
            "paid_microtokens": paid.to_string(),
            "issued_microtokens": findings.issued_microtokens.to_string(),
            "root": hex::encode(findings.root),
            "milliseconds": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }));
    }
    let paid = Tokens(u64::try_from(paid).unwrap_or(u64::MAX));
    output::line(format!(
        "everything holds: {} blocks with {} entries, {} readings and {} instructions, each signature verified",
        findings.blocks, findings.entries, findings.readings, findings.instructions
    ))?;
    output::line(format!(
        "{} statements of {} epochs paid {paid} tokens of {} issued; root {}",
        findings.statements,
        findings.settled_epochs,
        Tokens(findings.issued_microtokens),
        hex::encode(findings.root)
    ))
}

/// A line on a terminal that says how far it is; silent elsewhere.
#[derive(Debug)]
pub struct Progress {
    on: bool,
    last: Instant,
}

impl Progress {
    /// A line on stderr, where that is a terminal.
    pub fn new() -> Progress {
        Progress { on: stderr().is_terminal(), last: clock::monotonic() }
    }

    fn show(&mut self, findings: &Findings, promised: u64) {
        if !self.on || self.last.elapsed() < Duration::from_millis(100) {
            return;
        }
        self.last = clock::monotonic();
        let percent = findings.entries.saturating_mul(100).checked_div(promised).unwrap_or(100).min(100);
        let _terminal = write!(stderr(), "\r{percent:>3} %  {} of {promised} entries", findings.entries);
    }

    fn clear(&mut self) {
        if self.on {
            let _terminal = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Default for Progress {
    fn default() -> Progress {
        Progress::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_comes_apart_into_its_entries() {
        let entries = vec![b"one".to_vec(), Vec::new(), vec![7; 300]];
        let bundle = ledger::tiles::entry_bundle(&entries).unwrap();
        assert_eq!(unbundle(&bundle), Some(entries));
        assert_eq!(unbundle(&bundle[..bundle.len() - 1]), None);
        assert_eq!(unbundle(&[0]), None);
    }
}
