//! The blocks of a log for the commands that execute it again: from a data directory, or by a node's tiles alone.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ledger::block::{Block, Seal};
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::limits::TILE_WIDTH;
use ledger::tiles::{TilePath, TileRow};

use crate::audit::{Audit, Located};
use crate::client::Client;
use crate::data_dir::DataDir;
use crate::http::instant::rfc3339;
use crate::limits::NAMED_FILE_BYTES_MAX;
use crate::log::LogReader;

/// Which log is executed again.
#[derive(Debug, clap::Args)]
pub struct Log {
    /// The data directory that holds the log
    #[arg(long, value_name = "DIR", conflicts_with = "node", required_unless_present = "node")]
    data: Option<PathBuf>,
    /// A running node: everything is fetched as tiles
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// The genesis document to believe; the directory's or node's own when absent
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

impl Log {
    /// Opens the log.
    ///
    /// # Errors
    /// When the directory or the node cannot be read, or is not of the genesis that is believed.
    pub fn open(&self) -> anyhow::Result<Source> {
        let believed = self.genesis.as_deref().map(genesis_file).transpose()?;
        match (&self.data, &self.node) {
            (Some(data), _) => Source::directory(data, believed),
            (None, Some(node)) => Source::node(Client::new(node)?, believed),
            (None, None) => bail!("say which log: --data DIR or --node URL"),
        }
    }

    /// The node's address, where one was named.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }
}

/// An open log.
pub struct Source {
    /// The genesis document that it begins with.
    pub genesis: Genesis,
    /// The signed checkpoint that says how far it reaches; nothing of it is verified yet.
    pub checkpoint: String,
    /// How the validators changed, as the directory or the node says: each change is verified.
    pub handovers: Handovers,
    place: Place,
    snapshots: Option<PathBuf>,
}

enum Place {
    Directory(LogReader),
    Node(Client),
}

impl Source {
    /// The log of a data directory.
    ///
    /// # Errors
    /// When the directory holds no log, or is not of the genesis that is believed.
    pub fn directory(data: &Path, believed: Option<Genesis>) -> anyhow::Result<Source> {
        let directory = DataDir::look(data)?;
        let genesis =
            directory.genesis()?.with_context(|| format!("{} holds no genesis document", data.display()))?;
        if believed.is_some_and(|believed| believed.hash() != genesis.hash()) {
            let file = directory.genesis_file();
            bail!("{} is another genesis document than the one that is believed", file.display());
        }
        let checkpoint = directory.checkpoint()?;
        let checkpoint =
            checkpoint.with_context(|| format!("{} holds no signed checkpoint", data.display()))?;
        // Behind the checkpoint: whoever signed that is in it.
        let handovers = directory.handovers(&genesis)?;
        let log = LogReader::open(&directory.log(), genesis.hash())?;
        Ok(Source {
            genesis,
            checkpoint,
            handovers,
            place: Place::Directory(log),
            snapshots: Some(directory.snapshots()),
        })
    }

    /// The log of a node.
    ///
    /// # Errors
    /// When the node cannot be reached, or its genesis document is not usable.
    pub fn node(client: Client, believed: Option<Genesis>) -> anyhow::Result<Source> {
        let genesis = match believed {
            Some(genesis) => genesis,
            None => Genesis::from_json(&client.text("/genesis")?)
                .context("the node's genesis document is not usable")?,
        };
        let checkpoint = client.text("/checkpoint")?;
        let handovers = handovers_of(&client, &genesis)?;
        Ok(Source { genesis, checkpoint, handovers, place: Place::Node(client), snapshots: None })
    }

    /// Where a data directory keeps the states that a start believes; a node shows none.
    pub fn snapshots(&self) -> Option<&Path> {
        self.snapshots.as_deref()
    }

    /// The checkpoint that a node has by now, and how the validators changed until then; a directory's does not change.
    ///
    /// # Errors
    /// When the node cannot be reached, or does not show that the validators agreed on their changes.
    pub fn present_checkpoint(&self) -> anyhow::Result<Option<(String, Handovers)>> {
        match &self.place {
            Place::Directory(_) => Ok(None),
            Place::Node(client) => {
                let checkpoint = client.text("/checkpoint")?;
                Ok(Some((checkpoint, handovers_of(client, &self.genesis)?)))
            }
        }
    }

    /// Hands on the blocks of a node's log behind its first `from` entries, which end a block.
    ///
    /// # Errors
    /// When a block cannot be read, or what `take` says.
    pub fn each_after(
        &self,
        from: u64,
        size: u64,
        mut take: impl FnMut(Located) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        match &self.place {
            Place::Directory(_) => Ok(()),
            Place::Node(client) => each_of_node(client, from, size, &mut take),
        }
    }

    /// Entries that the checkpoint promises, once enough validators have signed it.
    ///
    /// # Errors
    /// When too few have.
    pub fn promised(&self) -> anyhow::Result<u64> {
        Ok(Audit::new(self.genesis.clone(), &self.handovers, &self.checkpoint)?.promised())
    }

    /// The log, where it was pruned and so does not begin with genesis.
    pub fn pruned(&self) -> Option<&LogReader> {
        match &self.place {
            Place::Directory(log) if log.base().is_some() => Some(log),
            _ => None,
        }
    }

    /// Hands every block on in order, from genesis to the checkpoint of `size` entries, until `take` breaks off.
    ///
    /// # Errors
    /// When a block cannot be read or its readings were erased, or what `take` says.
    pub fn each(
        &self,
        size: u64,
        take: impl FnMut(Located) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        if let Some(base) = self.pruned().and_then(LogReader::base) {
            let time = rfc3339(base.time_unix_milliseconds);
            bail!("the readings of before {time} were pruned: nothing can be computed from genesis again");
        }
        self.each_whole(size, take)
    }

    /// The same of whole blocks only: those of a pruned log begin behind its base.
    ///
    /// # Errors
    /// When a block cannot be read, or what `take` says.
    pub fn each_whole(
        &self,
        size: u64,
        mut take: impl FnMut(Located) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        match &self.place {
            Place::Directory(log) => each_of_directory(log, take),
            Place::Node(client) => each_of_node(client, 0, size, &mut take),
        }
    }
}

/// How the validators changed, as a node says.
fn handovers_of(client: &Client, genesis: &Genesis) -> anyhow::Result<Handovers> {
    // One validator alone never changes; and a node of before it could say so is still understood.
    if let [_lone] = genesis.validators.as_slice() {
        return Ok(Handovers::of_genesis(genesis));
    }
    let text = client.text("/validators")?;
    Handovers::parse(&text, genesis).context("the node does not show how its validators changed")
}

fn each_of_directory(
    log: &LogReader,
    mut take: impl FnMut(Located) -> anyhow::Result<ControlFlow<()>>,
) -> anyhow::Result<()> {
    let mut blocks = log.blocks();
    while let Some(step) = blocks.next() {
        let (position, _, block) = step?;
        let place = format!("{} at byte {}", log.path(position.segment).display(), position.offset);
        let certificate = blocks.certificate().map(<[u8]>::to_vec);
        if take(Located { place, block, certificate })?.is_break() {
            break;
        }
    }
    Ok(())
}

fn each_of_node(
    client: &Client,
    from: u64,
    size: u64,
    take: &mut dyn FnMut(Located) -> anyhow::Result<ControlFlow<()>>,
) -> anyhow::Result<()> {
    let (mut entries, mut fetched) = (Vec::new(), from);
    while fetched < size {
        // A bundle is fetched whole, whatever of it is known already.
        let (tile, known) = (fetched / TILE_WIDTH, fetched % TILE_WIDTH);
        let width = TILE_WIDTH.min(size - tile * TILE_WIDTH);
        let bundle = TilePath { row: TileRow::Entries, index: tile, width: u16::try_from(width)? };
        let bytes = client.bytes(&format!("/tile/{bundle}"), "application/octet-stream")?;
        let bundled = unbundle(&bytes).filter(|entries| entries.len() as u64 == width);
        let bundled = bundled.with_context(|| format!("/tile/{bundle} is no bundle of {width} entries"))?;
        for entry in bundled.into_iter().skip(usize::try_from(known)?) {
            let index = fetched;
            fetched += 1;
            let Ok(seal) = Seal::decode(&entry) else {
                entries.push(entry);
                continue;
            };
            let place = format!("{} entry {index}", client.url());
            let block = Block { entries: std::mem::take(&mut entries), seal };
            if take(Located { place, block, certificate: None })?.is_break() {
                return Ok(());
            }
        }
    }
    if !entries.is_empty() {
        bail!("the log ends with {} entries that no seal closes", entries.len());
    }
    Ok(())
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

/// Reads a genesis document that somebody named.
///
/// # Errors
/// When the file cannot be read or is no genesis document.
pub fn genesis_file(path: &Path) -> anyhow::Result<Genesis> {
    let bytes = super::read_file(path, NAMED_FILE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is no text", path.display()))?;
    Genesis::from_json(&text).with_context(|| format!("{} cannot be believed", path.display()))
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
