//! The block log on disk: segments of checksummed frames, one frame and one fdatasync a block.
//!
//! `DATA/log/00000001.segment` starts with a 64-byte header (magic, format version, segment number, first height,
//! genesis hash, CRC-32C), then frames follow without gaps: a 24-byte header (magic, height, payload length, CRC-32C
//! of the payload, CRC-32C of the header), then the payload (`frame`). All integers are big-endian. A tail that a
//! crash tore is cut back to the last whole block when the log is opened for writing; anything broken that is
//! followed by a whole block, or lies in an earlier segment, is damage and refuses.

mod frame;
mod scan;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ledger::block::Block;

use crate::limits;

pub use scan::Blocks;

/// Version of the format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Where a block lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment, from 1.
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
    /// The log was written by a newer program.
    #[error(
        "{file} has format version {version}, this program reads version {FORMAT_VERSION}: use the newer program"
    )]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
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
    file: File,
    segment: u32,
    offset: u64,
    next_height: u64,
    written_bytes: u64,
}

impl Log {
    /// Opens the log in `directory`, checks every frame, and cuts off a torn tail. A new directory gets a first
    /// segment.
    ///
    /// # Errors
    /// Damage, a foreign or newer log, or what the operating system says.
    pub fn open(directory: &Path, genesis_hash: [u8; 32]) -> Result<(Log, Option<Cut>), LogError> {
        fs::create_dir_all(directory).map_err(|error| LogError::io(directory, error))?;
        let reader = LogReader { directory: directory.to_owned(), genesis_hash };
        let mut cut = None;
        let mut blocks = reader.blocks();
        let mut next_height = 0;
        for block in &mut blocks {
            match block {
                Ok((_, height, _)) => next_height = height.saturating_add(1),
                Err(LogError::TornTail { file, offset, bytes }) => cut = Some(Cut { file, offset, bytes }),
                Err(error) => return Err(error),
            }
        }
        if let Some(cut) = &cut {
            cut_back(directory, cut)?;
        }
        let last = reader.segments()?.last().copied();
        let (file, segment) = match last {
            Some(segment) => (open_for_append(&reader.path(segment))?, segment),
            None => (create_segment(&reader, 1, next_height)?, 1),
        };
        let path = reader.path(segment);
        let offset = file.metadata().map_err(|error| LogError::io(&path, error))?.len();
        Ok((Log { reader, file, segment, offset, next_height, written_bytes: 0 }, cut))
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

    /// Appends one block and waits until it is on the disk. After an error the log is as it was before.
    ///
    /// # Errors
    /// What the operating system says, for instance that the disk is full.
    pub fn append(&mut self, block: &Block) -> Result<Position, LogError> {
        let height = block.seal.height;
        assert_eq!(height, self.next_height, "blocks are appended in order of height");
        let bytes = frame::encode(height, block)?;
        if self.offset > limits::SEGMENT_BYTES_MAX {
            self.file = create_segment(&self.reader, self.segment + 1, height)?;
            self.segment += 1;
            self.offset = frame::SEGMENT_HEADER_BYTES as u64;
        }
        let path = self.reader.path(self.segment);
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            // Nobody was told of this block, so what stands of it may go; if even that fails, the next start cuts it.
            let _cut_at_next_start = self.file.set_len(self.offset);
            return Err(LogError::io(&path, error));
        }
        let position = Position { segment: self.segment, offset: self.offset };
        self.offset += bytes.len() as u64;
        self.written_bytes += bytes.len() as u64;
        self.next_height += 1;
        Ok(position)
    }
}

/// Reads blocks while another writes.
#[derive(Debug, Clone)]
pub struct LogReader {
    directory: PathBuf,
    genesis_hash: [u8; 32],
}

impl LogReader {
    /// Opens a log for reading only: nothing is cut, nothing is created.
    pub fn open(directory: &Path, genesis_hash: [u8; 32]) -> LogReader {
        LogReader { directory: directory.to_owned(), genesis_hash }
    }

    /// The block whose frame starts at `position`; its checksums are checked.
    ///
    /// # Errors
    /// Damage, or what the operating system says.
    pub fn read(&self, position: Position) -> Result<Block, LogError> {
        let path = self.path(position.segment);
        let io = |error| LogError::io(&path, error);
        let broken =
            |what: &str| LogError::Broken { file: path.clone(), offset: position.offset, what: what.into() };
        let file = File::open(&path).map_err(io)?;
        let mut header = [0; frame::FRAME_HEADER_BYTES];
        file.read_exact_at(&mut header, position.offset).map_err(io)?;
        let header = frame::Header::decode(&header).ok_or_else(|| broken("the frame's header is damaged"))?;
        let mut payload = vec![0; header.payload_bytes];
        file.read_exact_at(&mut payload, position.offset + frame::FRAME_HEADER_BYTES as u64).map_err(io)?;
        if !header.covers(&payload) {
            return Err(broken("the block's checksum differs"));
        }
        frame::decode_payload(&payload).map_err(broken)
    }

    /// All blocks from the first, each with its position and height. The iterator ends after its first error; a
    /// torn tail is an error here, because a reader cannot cut it.
    pub fn blocks(&self) -> Blocks {
        Blocks::new(self.clone())
    }

    /// All blocks from the one at `position`.
    pub fn blocks_from(&self, position: Position) -> Blocks {
        Blocks::starting_at(self.clone(), position)
    }

    /// Bytes that the segments take on disk.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn size_bytes(&self) -> Result<u64, LogError> {
        let mut bytes = 0;
        for segment in self.segments()? {
            let path = self.path(segment);
            bytes += fs::metadata(&path).map_err(|error| LogError::io(&path, error))?.len();
        }
        Ok(bytes)
    }

    /// The file of a segment.
    pub fn path(&self, segment: u32) -> PathBuf {
        self.directory.join(format!("{segment:08}.segment"))
    }

    /// Numbers of the segments that exist, in order.
    ///
    /// # Errors
    /// A gap in the numbers, or what the operating system says.
    pub fn segments(&self) -> Result<Vec<u32>, LogError> {
        let io = |error| LogError::io(&self.directory, error);
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let number: Option<u32> =
                name.to_str().and_then(|name| name.strip_suffix(".segment")).and_then(|n| n.parse().ok());
            segments.extend(number);
        }
        segments.sort_unstable();
        for (expected, segment) in (1..).zip(&segments) {
            if expected != *segment {
                let what = "the segment is missing".to_owned();
                return Err(LogError::Broken { file: self.path(expected), offset: 0, what });
            }
        }
        Ok(segments)
    }
}

fn open_for_append(path: &Path) -> Result<File, LogError> {
    OpenOptions::new().append(true).open(path).map_err(|error| LogError::io(path, error))
}

fn create_segment(reader: &LogReader, segment: u32, first_height: u64) -> Result<File, LogError> {
    let path = reader.path(segment);
    let io = |error| LogError::io(&path, error);
    let mut file = OpenOptions::new().create_new(true).append(true).open(&path).map_err(io)?;
    file.write_all(&frame::segment_header(segment, first_height, &reader.genesis_hash)).map_err(io)?;
    // The header is durable before the first frame is, so a header that cannot be read is never a torn write.
    file.sync_all().map_err(io)?;
    sync_directory(&reader.directory)?;
    Ok(file)
}

fn cut_back(directory: &Path, cut: &Cut) -> Result<(), LogError> {
    let io = |error| LogError::io(&cut.file, error);
    if cut.offset == 0 {
        fs::remove_file(&cut.file).map_err(io)?;
    } else {
        let file = OpenOptions::new().write(true).open(&cut.file).map_err(io)?;
        file.set_len(cut.offset).and_then(|()| file.sync_all()).map_err(io)?;
    }
    sync_directory(directory)
}

fn sync_directory(directory: &Path) -> Result<(), LogError> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(|error| LogError::io(directory, error))
}

#[cfg(test)]
mod tests;
