//! Makes a pruned log beside the whole one and switches to it by replacing one small file. A kill at any moment leaves
//! the old log or the new one; what belongs to neither is taken away when the log is opened next.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::merkle::{Frontier, Hash};
use ledger::pruned::PrunedBlock;

use super::base::{BASE_FILE, Base};
use super::frame::{self, FRAME_HEADER_BYTES, Kind};
use super::{LogError, LogReader, Position, history};
use crate::{data_dir, snapshot};

/// The history and the leaf hashes of a log that is being pruned, as they are written.
pub struct Pruning {
    directory: PathBuf,
    reader: LogReader,
    base: Base,
    history: BufWriter<File>,
    leaves: BufWriter<File>,
    log: Frontier,
}

/// A pruned log that lies complete beside the whole one.
#[derive(Debug)]
pub struct Prepared {
    directory: PathBuf,
    base: Base,
}

impl Pruning {
    /// Begins to prune the log in `directory` up to the block of `height`, which nobody appends to meanwhile.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn begin(directory: &Path, reader: &LogReader, height: u64) -> Result<Pruning, LogError> {
        let base =
            Base { height, entries: 0, time_unix_milliseconds: 0, segment: 0, log_root: Default::default() };
        let create = |name: String| {
            let file = directory.join(name);
            File::create(&file).map(BufWriter::new).map_err(|error| LogError::io(&file, error))
        };
        let mut pruning = Pruning {
            directory: directory.to_owned(),
            reader: reader.clone(),
            history: create(base.history())?,
            leaves: create(base.leaves())?,
            base,
            log: Frontier::new(),
        };
        let header = history::header(height, &reader.genesis_hash);
        pruning.history.write_all(&header).map_err(|error| pruning.failed(&pruning.base.history(), error))?;
        Ok(pruning)
    }

    /// Adds what stays of the next block, with the hashes of its entries and its seal. What does not hold together is
    /// not written.
    ///
    /// # Errors
    /// A contradiction, or what the operating system says.
    pub fn add(&mut self, block: &PrunedBlock, leaves: &[Hash]) -> Result<(), LogError> {
        block.verify(leaves, &mut self.log).map_err(|fault| LogError::Broken {
            file: self.directory.clone(),
            offset: 0,
            what: format!("block {}: {fault}", block.seal.height),
        })?;
        let frame = frame::encode_pruned(block)?;
        self.history.write_all(&frame).map_err(|error| self.failed(&self.base.history(), error))?;
        let bytes = leaves.as_flattened();
        self.leaves.write_all(bytes).map_err(|error| self.failed(&self.base.leaves(), error))?;
        self.base.time_unix_milliseconds = block.seal.time_unix_milliseconds;
        Ok(())
    }

    /// Completes the pruned log: the state after the base, and what follows the base's block, whose whole frame lies at
    /// `last`. All of it is on the disk and was read again when this returns.
    ///
    /// # Errors
    /// A contradiction, or what the operating system says.
    pub fn complete(mut self, state: &[u8], last: Position) -> Result<Prepared, LogError> {
        self.base.entries = self.log.size();
        self.base.log_root = self.log.root();
        self.base.segment = last.segment;
        for (name, file) in [(self.base.history(), &mut self.history), (self.base.leaves(), &mut self.leaves)]
        {
            let path = self.directory.join(name);
            file.flush()
                .and_then(|()| file.get_ref().sync_all())
                .map_err(|error| LogError::io(&path, error))?;
        }
        let state = snapshot::encode(self.reader.genesis_hash, self.base.height, state);
        let file = self.base.snapshot();
        data_dir::replace(&self.directory.join(&file), &[&state])
            .map_err(|error| self.failed(&file, error))?;
        self.copy_rest(last)?;
        let prepared = Prepared { directory: self.directory, base: self.base };
        prepared.check(&self.reader)?;
        Ok(prepared)
    }

    /// The first segment of the pruned log: what stands behind the base's block in its segment.
    fn copy_rest(&self, last: Position) -> Result<(), LogError> {
        let payload = self.reader.payload(Kind::Segment, last)?;
        let end = last.offset + (FRAME_HEADER_BYTES + payload.len()) as u64;
        let name = self.base.first_segment();
        let header = frame::file_header(
            Kind::Segment,
            last.segment,
            self.base.height.saturating_add(1),
            &self.reader.genesis_hash,
        );
        let copy = || {
            let mut old = File::open(self.reader.path(last.segment))?;
            old.seek(SeekFrom::Start(end))?;
            let mut new = File::create(self.directory.join(&name))?;
            new.write_all(&header)?;
            std::io::copy(&mut old, &mut new)?;
            new.sync_all()?;
            File::open(&self.directory)?.sync_all()
        };
        copy().map_err(|error| self.failed(&name, error))
    }

    fn failed(&self, name: &str, error: std::io::Error) -> LogError {
        LogError::io(&self.directory.join(name), error)
    }
}

impl Prepared {
    /// Reads everything again, from the base to the log's end.
    fn check(&self, old: &LogReader) -> Result<(), LogError> {
        let new = LogReader {
            disk: old.disk.clone(),
            genesis_hash: old.genesis_hash,
            base: Some(Arc::new(self.base.clone())),
        };
        new.check_history(|_| ())?;
        new.base_state()?;
        new.blocks().try_for_each(|block| block.map(drop))
    }

    /// Switches to the pruned log. Before this returns, the old one stands; after it, the new one. What is left of the
    /// old one is taken away when the log is opened next.
    ///
    /// # Errors
    /// What the operating system says; then it is the old one or the new one.
    pub fn switch(self) -> Result<Base, LogError> {
        let file = self.directory.join(BASE_FILE);
        data_dir::replace(&file, &[self.base.to_string().as_bytes()])
            .map_err(|error| LogError::io(&file, error))?;
        Ok(self.base)
    }

    /// Gives up: what was made is taken away.
    pub fn give_up(self) {
        let base = &self.base;
        for name in [base.history(), base.leaves(), base.snapshot(), base.first_segment()] {
            // Whatever stays is taken away when the log is opened next.
            let _stays = fs::remove_file(self.directory.join(name));
        }
    }
}
