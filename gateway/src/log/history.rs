//! What stays of pruned blocks: a file of frames as the segments have them, beside a file of leaf hashes.

use ledger::merkle::{Frontier, Hash};
use ledger::pruned::PrunedBlock;

use super::frame::{self, Kind, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::read::LogReader;
use super::{HISTORY, LogError, Position};
use crate::disk::DiskFile;
use crate::snapshot;

impl LogReader {
    /// What stays of the pruned blocks, from genesis to the base, each with its position. The iterator ends after its
    /// first error, and gives nothing for a log that was never pruned.
    pub fn history(&self) -> History {
        History { reader: self.clone(), open: None, next_height: 0, ended: self.base().is_none() }
    }

    /// What stays of the pruned block at `position`, whose checksums hold.
    ///
    /// # Errors
    /// Damage, or what the disk says.
    pub fn read_pruned(&self, position: Position) -> Result<PrunedBlock, LogError> {
        let payload = self.payload(Kind::History, position)?;
        PrunedBlock::decode(&payload).map_err(|_| self.broken(position, "the pruned block cannot be read"))
    }

    /// The leaf hashes of pruned entries, `count` from log index `first` on.
    ///
    /// # Errors
    /// When they are not there.
    pub fn pruned_leaves(&self, first: u64, count: usize) -> Result<Vec<Hash>, LogError> {
        let Some(base) = self.base() else { return Ok(Vec::new()) };
        let io = |error| LogError::io(&self.disk.place(&base.leaves()), error);
        let mut hashes = vec![[0; 32]; count];
        let file = self.disk.open(&base.leaves()).map_err(io)?;
        file.read_at(hashes.as_flattened_mut(), first.saturating_mul(32)).map_err(io)?;
        Ok(hashes)
    }

    /// The file of leaf hashes of a pruned log, 32 bytes each, from the first entry to the base.
    pub fn pruned_leaves_file(&self) -> Option<std::path::PathBuf> {
        self.base().map(|base| self.disk.place(&base.leaves()))
    }

    /// The state after the base, as the ledger's snapshot has it; `None` for a log that was never pruned.
    ///
    /// # Errors
    /// When it is missing or damaged: without it a pruned log cannot be used.
    pub fn base_state(&self) -> Result<Option<Vec<u8>>, LogError> {
        let Some(base) = self.base() else { return Ok(None) };
        let path = self.disk.place(&base.snapshot());
        let io = |error| LogError::io(&path, error);
        let file = self.disk.open(&base.snapshot()).map_err(io)?;
        let mut bytes = vec![0; usize::try_from(file.length().map_err(io)?).unwrap_or_default()];
        file.read_at(&mut bytes, 0).map_err(io)?;
        match snapshot::decode(bytes, self.genesis_hash, base.height) {
            Some(state) => Ok(Some(state)),
            None => Err(LogError::Broken { file: path, offset: 0, what: "the base state is damaged".into() }),
        }
    }

    /// Checks all that can be checked of the pruned blocks, one after another: kept entries against their leaf hashes,
    /// these against the log root in every seal, what was paid against the results root, and the whole against the base.
    /// `each` sees every block that held. Gives the log's edge at the base.
    ///
    /// # Errors
    /// The first block that does not hold.
    pub fn check_history(&self, mut each: impl FnMut(&PrunedBlock)) -> Result<Frontier, LogError> {
        let mut log = Frontier::new();
        let mut last = Position { segment: HISTORY, offset: 0 };
        for step in self.history() {
            let (position, block) = step?;
            let leaves = self.pruned_leaves(log.size(), block.entries.len() + 1)?;
            let fault = |fault: ledger::pruned::PrunedFault| {
                let height = block.seal.height;
                self.broken(position, &format!("block {height}: {fault}"))
            };
            block.verify(&leaves, &mut log).map_err(fault)?;
            each(&block);
            last = position;
        }
        match self.base() {
            Some(base) if (log.size(), log.root()) != (base.entries, base.log_root) => {
                Err(self.broken(last, "the history does not end where the base says"))
            }
            _ => Ok(log),
        }
    }
}

/// Iterator over what stays of pruned blocks.
pub struct History {
    reader: LogReader,
    open: Option<(Box<dyn DiskFile>, u64, u64)>,
    next_height: u64,
    ended: bool,
}

impl History {
    fn advance(&mut self) -> Result<Option<(Position, PrunedBlock)>, LogError> {
        let (offset, length) = match &self.open {
            Some((_, offset, length)) => (*offset, *length),
            None => self.begin()?,
        };
        let position = Position { segment: HISTORY, offset };
        if offset == length {
            let last = self.reader.base().map(|base| base.height.saturating_add(1));
            let whole = last == Some(self.next_height);
            return if whole {
                Ok(None)
            } else {
                Err(self.reader.broken(position, "the history is cut short"))
            };
        }
        let Some((file, offset, _)) = &mut self.open else { return Ok(None) };
        let payload = self.reader.payload_of(file.as_ref(), Kind::History, position)?;
        *offset += (frame::FRAME_HEADER_BYTES + payload.len()) as u64;
        let block = PrunedBlock::decode(&payload)
            .ok()
            .filter(|block| block.seal.height == self.next_height)
            .ok_or_else(|| self.reader.broken(position, "the pruned block is not the next one"))?;
        self.next_height += 1;
        Ok(Some((position, block)))
    }

    /// Opens the file and checks its header; gives where the first frame lies and where the file ends.
    fn begin(&mut self) -> Result<(u64, u64), LogError> {
        let path = self.reader.path(HISTORY);
        let io = |error| LogError::io(&path, error);
        let file = self.reader.disk.open(&self.reader.name(HISTORY)).map_err(io)?;
        let length = file.length().map_err(io)?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        file.read_at(&mut header, 0).map_err(io)?;
        let start = SEGMENT_HEADER_BYTES as u64;
        let base_height = self.reader.base().map(|base| base.height);
        match frame::decode_file_header(Kind::History, &header) {
            SegmentHeader::Ours { genesis_hash, .. } if genesis_hash != self.reader.genesis_hash => {
                return Err(LogError::Foreign { file: path });
            }
            SegmentHeader::Ours { segment: HISTORY, first_height, .. }
                if Some(first_height) == base_height => {}
            SegmentHeader::Version(version) => return Err(LogError::Version { file: path, version }),
            SegmentHeader::Ours { .. } | SegmentHeader::Broken => {
                let what = "the history's header is damaged".to_owned();
                return Err(LogError::Broken { file: path, offset: 0, what });
            }
        }
        self.open = Some((file, start, length));
        Ok((start, length))
    }
}

impl Iterator for History {
    type Item = Result<(Position, PrunedBlock), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.advance();
        self.ended = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

/// The bytes of a history's header.
pub(crate) fn header(height: u64, genesis_hash: &[u8; 32]) -> [u8; SEGMENT_HEADER_BYTES] {
    frame::file_header(Kind::History, HISTORY, height, genesis_hash)
}
