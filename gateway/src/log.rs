//! The block log on disk: segments of checksummed frames, one frame and one fdatasync a block.
//!
//! `DATA/log/00000001.segment` starts with a 64-byte header (magic, format version, segment number, first height,
//! genesis hash, CRC-32C), then frames follow without gaps: a 24-byte header (magic, height, payload length, CRC-32C
//! of the payload, CRC-32C of the header), then the payload (`frame`). All integers are big-endian. A tail that a
//! crash tore is cut back to the last whole block when the log is opened for writing; anything broken that is
//! followed by a whole block, or lies in an earlier segment, is damage and refuses.
//!
//! A log that was pruned begins behind a base (`base`): what stays of the blocks up to it lies in a history (`history`)
//! beside the segments.

mod base;
mod frame;
mod history;
mod pruning;
mod read;
mod scan;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::block::Block;

use crate::disk::{self, Disk, DiskFile, Files};
use crate::limits;

pub use base::Base;
pub use frame::{decode_block, encode_block};
pub use history::History;
pub use pruning::{Prepared, Pruning};
pub use read::{LogReader, Part};
pub use scan::Blocks;

/// The segment number that stands for the history.
pub const HISTORY: u32 = 0;

/// Version of the format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 2;

/// Where a block lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment, from 1; 0 is the history of a pruned log.
    pub segment: u32,
    /// Byte at which the frame starts.
    pub offset: u64,
}

/// The log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A block in the middle is damaged.
    #[error(
        "the log is damaged: {file} at byte {offset}: {what}; nothing was changed: restore this file from a backup, or \
         move the data directory away and start a new one"
    )]
    Broken {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The last write was torn by a crash.
    #[error(
        "the log ends in a torn block: {file} at byte {offset} ({bytes} bytes); `lamppost up` cuts it off"
    )]
    TornTail {
        /// The file.
        file: PathBuf,
        /// Where the torn block starts.
        offset: u64,
        /// How much of it there is.
        bytes: u64,
    },
    /// The log belongs to another ledger.
    #[error("{file} belongs to another genesis: this data directory was mixed from two networks")]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The log was written by another version of the program.
    #[error(
        "{file} has the log format {version}, this program uses {FORMAT_VERSION}: use the program that wrote it"
    )]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A write could not be made durable, and nothing is known about what the disk holds of it.
    #[error(
        "{file}: a block could not be made durable: {source}; the log takes no more until it is opened again"
    )]
    NotDurable {
        /// The file.
        file: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// An earlier write failed in a way that leaves the file in doubt.
    #[error("{0}: an earlier write failed; the log takes no more until it is opened again")]
    Stopped(PathBuf),
    /// A block is larger than a frame may be.
    #[error("block {height} has {bytes} bytes, a frame of the log holds {}", limits::FRAME_BYTES_MAX)]
    TooLarge {
        /// The block's height.
        height: u64,
        /// Its size.
        bytes: usize,
    },
}

impl LogError {
    fn io(file: &Path, source: io::Error) -> LogError {
        LogError::Io { file: file.to_owned(), source }
    }

    /// Whether the disk is full and nothing else is wrong: the log is as it was before.
    pub fn is_full(&self) -> bool {
        matches!(self, LogError::Io { source, .. } if disk::is_full(source))
    }
}

/// What opening found at the end: the part of a block that a crash tore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: PathBuf,
    /// Where it was cut.
    pub offset: u64,
    /// Bytes cut off.
    pub bytes: u64,
}

/// The log, opened for appending. One exists at a time: the data directory's lock sees to it.
#[derive(Debug)]
pub struct Log {
    reader: LogReader,
    file: Box<dyn DiskFile>,
    segment: u32,
    offset: u64,
    /// Up to where the file has space on the disk.
    reserved_to: u64,
    next_height: u64,
    written_bytes: u64,
    stopped: bool,
}

impl Log {
    /// Opens the log in `directory`, checks every frame, and cuts off a torn tail. A new directory gets a first
    /// segment. The first `promised_entries` entries were acknowledged: they are never taken for a torn tail.
    ///
    /// # Errors
    /// Damage, a foreign or newer log, or what the operating system says.
    pub fn open(
        directory: &Path,
        genesis_hash: [u8; 32],
        promised_entries: u64,
    ) -> Result<(Log, Option<Cut>), LogError> {
        std::fs::create_dir_all(directory).map_err(|error| LogError::io(directory, error))?;
        Log::on(Arc::new(Files::of(directory)), genesis_hash, promised_entries)
    }

    /// The same on any disk. What is found is durable before anything is built on it: a process that was killed leaves
    /// whole blocks behind that were written and never synced.
    ///
    /// # Errors
    /// Damage, a foreign or newer log, or what the disk says.
    pub fn on(
        disk: Arc<dyn Disk>,
        genesis_hash: [u8; 32],
        promised_entries: u64,
    ) -> Result<(Log, Option<Cut>), LogError> {
        let reader = LogReader::on(disk, genesis_hash)?;
        reader.tidy_up()?;
        if let Some(last) = reader.segments()?.last() {
            let file = reader.open_to_write(*last)?;
            let synced =
                file.sync().and_then(|()| file.forget_cache()).and_then(|()| reader.disk.sync_directory());
            synced.map_err(|error| LogError::io(&reader.path(*last), error))?;
        }
        let mut cut = None;
        let mut blocks = reader.blocks();
        let (mut next_height, mut entries) = (reader.first_height(), reader.first_entry());
        for block in &mut blocks {
            match block {
                Ok((_, height, block)) => {
                    next_height = height.saturating_add(1);
                    entries += block.entries.len() as u64 + 1;
                }
                Err(LogError::TornTail { file, offset, .. }) if entries < promised_entries => {
                    let what = "the last block is damaged, and it was acknowledged".to_owned();
                    return Err(LogError::Broken { file, offset, what });
                }
                Err(LogError::TornTail { file, offset, bytes }) => cut = Some(Cut { file, offset, bytes }),
                Err(error) => return Err(error),
            }
        }
        if let Some(cut) = &cut {
            reader.cut_back(cut)?;
        }
        let last = reader.segments()?.last().copied();
        let (file, segment) = match last {
            Some(segment) => (reader.open_to_write(segment)?, segment),
            None => {
                let first = reader.first_segment();
                (reader.create_segment(first, next_height)?, first)
            }
        };
        let offset = file.length().map_err(|error| LogError::io(&reader.path(segment), error))?;
        let (reserved_to, written_bytes, stopped) = (offset, 0, false);
        Ok((Log { reader, file, segment, offset, reserved_to, next_height, written_bytes, stopped }, cut))
    }

    /// A handle for reading, which may outlive this one.
    pub fn reader(&self) -> LogReader {
        self.reader.clone()
    }

    /// Height that the next block must have; 0 while the log is empty.
    pub fn next_height(&self) -> u64 {
        self.next_height
    }

    /// Bytes written since it was opened, headers included.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Takes disk space for the next block, however large it is: an append that follows does not find the disk full,
    /// where the file system can reserve.
    ///
    /// # Errors
    /// That the disk is full ([`LogError::is_full`]; then nothing has changed), or what else it says.
    pub fn make_room(&mut self) -> Result<(), LogError> {
        self.roll_over()?;
        if self.offset + limits::FRAME_BYTES_MAX as u64 <= self.reserved_to {
            return Ok(());
        }
        let reserved = self.file.reserve(self.offset, limits::LOG_RESERVE_BYTES);
        reserved.map_err(|error| LogError::io(&self.reader.path(self.segment), error))?;
        self.reserved_to = self.offset + limits::LOG_RESERVE_BYTES;
        Ok(())
    }

    /// Gives back the space that was reserved and not used.
    pub fn give_back_room(&mut self) {
        // Space that stays reserved is used or given back by whoever opens the log next.
        if !self.stopped && self.reserved_to > self.offset && self.file.set_length(self.offset).is_ok() {
            self.reserved_to = self.offset;
        }
    }

    /// Appends one block and waits until it is on the disk. After an error nobody may rely on this block.
    ///
    /// # Errors
    /// When the disk is full ([`LogError::is_full`]) or refuses to write, the log is as it was before and the block
    /// may be appended again. After [`LogError::NotDurable`] the log takes nothing more: it has to be opened and read
    /// again.
    pub fn append(&mut self, block: &Block) -> Result<Position, LogError> {
        self.append_certified(block, None)
    }

    /// The same with the certificate of those who agreed on the block: one write holds both.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_certified(
        &mut self,
        block: &Block,
        certificate: Option<&[u8]>,
    ) -> Result<Position, LogError> {
        let height = block.seal.height;
        assert_eq!(height, self.next_height, "blocks are appended in order of height");
        let bytes = frame::encode(height, block, certificate)?;
        self.roll_over()?;
        let path = self.reader.path(self.segment);
        if let Err(error) = self.file.write_at(&bytes, self.offset) {
            // Nobody was told of this block, so what stands of it goes; where that fails too, the next start cuts it.
            self.stopped = self.file.set_length(self.offset).is_err();
            self.reserved_to = self.offset;
            return Err(LogError::io(&path, error));
        }
        if let Err(source) = self.file.sync() {
            self.stopped = true;
            // Out of the system's memory with it, so that whoever opens the log next does not find a block there that
            // the disk may not hold.
            let _cut_or_judged_at_next_start =
                self.file.set_length(self.offset).and_then(|()| self.file.sync());
            return Err(LogError::NotDurable { file: path, source });
        }
        let position = Position { segment: self.segment, offset: self.offset };
        self.offset += bytes.len() as u64;
        self.written_bytes += bytes.len() as u64;
        self.next_height += 1;
        Ok(position)
    }

    /// Goes on in the next segment once this one is full.
    fn roll_over(&mut self) -> Result<(), LogError> {
        if self.stopped {
            return Err(LogError::Stopped(self.reader.path(self.segment)));
        }
        if self.offset <= limits::SEGMENT_BYTES_MAX {
            return Ok(());
        }
        match self.reader.create_segment(self.segment + 1, self.next_height) {
            Ok(file) => self.file = file,
            Err(error) => {
                self.stopped = !error.is_full();
                return Err(error);
            }
        }
        self.segment += 1;
        self.offset = frame::SEGMENT_HEADER_BYTES as u64;
        self.reserved_to = self.offset;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
