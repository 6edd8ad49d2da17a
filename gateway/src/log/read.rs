//! Reading the log: by position, from front to back, and what of a pruned log is where.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::block::Block;

use super::base::{BASE_FILE, Base, NoBase};
use super::frame::{self, Kind, SEGMENT_HEADER_BYTES};
use super::{Blocks, Cut, HISTORY, LogError, Position};
use crate::disk::{Disk, DiskFile, Files};
use crate::limits;

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the log's directory.
    pub name: String,
    /// Bytes of it that belong to whole blocks.
    pub bytes: u64,
}

/// Reads blocks while another writes.
#[derive(Debug, Clone)]
pub struct LogReader {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) genesis_hash: [u8; 32],
    pub(super) base: Option<Arc<Base>>,
}

impl LogReader {
    /// Opens a log for reading only: nothing is cut, nothing is created.
    ///
    /// # Errors
    /// When it was pruned and does not say where it begins.
    pub fn open(directory: &Path, genesis_hash: [u8; 32]) -> Result<LogReader, LogError> {
        LogReader::on(Arc::new(Files::of(directory)), genesis_hash)
    }

    /// The same on any disk.
    ///
    /// # Errors
    /// When it was pruned and does not say where it begins.
    pub fn on(disk: Arc<dyn Disk>, genesis_hash: [u8; 32]) -> Result<LogReader, LogError> {
        let base = match disk.open(BASE_FILE) {
            Ok(file) => Some(Arc::new(read_base(&disk.place(BASE_FILE), file.as_ref())?)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(LogError::io(&disk.place(BASE_FILE), error)),
        };
        Ok(LogReader { disk, genesis_hash, base })
    }

    /// Where the log begins when it was pruned.
    pub fn base(&self) -> Option<&Base> {
        self.base.as_deref()
    }

    /// Height of the first block that is whole.
    pub fn first_height(&self) -> u64 {
        self.base().map_or(0, |base| base.height.saturating_add(1))
    }

    /// Log index of that block's first entry.
    pub fn first_entry(&self) -> u64 {
        self.base().map_or(0, |base| base.entries)
    }

    pub(super) fn first_segment(&self) -> u32 {
        self.base().map_or(1, |base| base.segment)
    }

    /// The block whose frame starts at `position`; its checksums are checked.
    ///
    /// # Errors
    /// Damage, or what the operating system says.
    pub fn read(&self, position: Position) -> Result<Block, LogError> {
        self.read_certified(position).map(|(block, _)| block)
    }

    /// The same with the certificate of those who agreed on the block, where there were several.
    ///
    /// # Errors
    /// Damage, or what the operating system says.
    pub fn read_certified(&self, position: Position) -> Result<(Block, Option<Vec<u8>>), LogError> {
        let payload = self.payload(Kind::Segment, position)?;
        frame::decode_payload(&payload).map_err(|what| self.broken(position, what))
    }

    /// The payload of the frame at `position`, whose checksums hold.
    pub(super) fn payload(&self, kind: Kind, position: Position) -> Result<Vec<u8>, LogError> {
        let path = self.path(position.segment);
        let io = |error| LogError::io(&path, error);
        let file = self.disk.open(&self.name(position.segment)).map_err(io)?;
        self.payload_of(file.as_ref(), kind, position)
    }

    /// The same of a file that is open already.
    pub(super) fn payload_of(
        &self,
        file: &dyn DiskFile,
        kind: Kind,
        position: Position,
    ) -> Result<Vec<u8>, LogError> {
        let path = self.path(position.segment);
        let io = |error| LogError::io(&path, error);
        let mut header = [0; frame::FRAME_HEADER_BYTES];
        file.read_at(&mut header, position.offset).map_err(io)?;
        let header = frame::Header::decode(kind, &header);
        let header = header.ok_or_else(|| self.broken(position, "the frame's header is damaged"))?;
        let mut payload = vec![0; header.payload_bytes];
        file.read_at(&mut payload, position.offset + frame::FRAME_HEADER_BYTES as u64).map_err(io)?;
        if !header.covers(&payload) {
            return Err(self.broken(position, "the block's checksum differs"));
        }
        Ok(payload)
    }

    pub(super) fn broken(&self, position: Position, what: &str) -> LogError {
        LogError::Broken { file: self.path(position.segment), offset: position.offset, what: what.into() }
    }

    /// All whole blocks from the first, each with its position and height. The iterator ends after its first error; a
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
            let length = self.disk.open(&self.name(segment)).and_then(|file| file.length());
            bytes += length.map_err(|error| LogError::io(&self.path(segment), error))?;
        }
        Ok(bytes)
    }

    /// The file of a segment.
    pub fn path(&self, segment: u32) -> PathBuf {
        self.disk.place(&self.name(segment))
    }

    /// The name of a segment's file; that of the history for 0.
    pub(super) fn name(&self, segment: u32) -> String {
        match self.base() {
            Some(base) if segment == HISTORY => base.history(),
            Some(base) if segment == base.segment => base.first_segment(),
            _ => format!("{segment:08}.segment"),
        }
    }

    /// Numbers of the log's segments, in order. What lies before the base is no part of it.
    ///
    /// # Errors
    /// A gap in the numbers, or what the operating system says.
    pub fn segments(&self) -> Result<Vec<u32>, LogError> {
        let names = match self.disk.list() {
            Ok(names) => names,
            Err(error) => return Err(LogError::io(&self.disk.place(""), error)),
        };
        let number = |name: &String| name.strip_suffix(".segment").and_then(|number| number.parse().ok());
        let first = self.first_segment();
        let mut segments: Vec<u32> = names.iter().filter_map(number).collect();
        if let Some(base) = self.base() {
            segments.retain(|segment| *segment > first);
            segments.extend(names.contains(&base.first_segment()).then_some(first));
        }
        segments.sort_unstable();
        for (expected, segment) in (first..).zip(&segments) {
            if expected != *segment {
                let what = "the segment is missing".to_owned();
                return Err(LogError::Broken { file: self.path(expected), offset: 0, what });
            }
        }
        Ok(segments)
    }

    pub(super) fn open_to_write(&self, segment: u32) -> Result<Box<dyn DiskFile>, LogError> {
        self.disk.open_to_write(&self.name(segment)).map_err(|error| LogError::io(&self.path(segment), error))
    }

    /// Makes an empty segment. After an error there is none, or one that the next start takes away.
    pub(super) fn create_segment(
        &self,
        segment: u32,
        first_height: u64,
    ) -> Result<Box<dyn DiskFile>, LogError> {
        let path = self.path(segment);
        let file = match self.disk.create(&self.name(segment)) {
            // Left by an attempt that failed and could not be taken back; nothing was ever written behind its header.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.open_to_write(segment)?,
            created => created.map_err(|error| LogError::io(&path, error))?,
        };
        let header = frame::file_header(Kind::Segment, segment, first_height, &self.genesis_hash);
        if let Err(error) = file.write_at(&header, 0) {
            let _taken_by_the_next_attempt = self.disk.remove(&self.name(segment));
            return Err(LogError::io(&path, error));
        }
        // The header is durable before the first frame is, so a header that cannot be read is never a torn write.
        let synced = file.sync().and_then(|()| self.disk.sync_directory());
        synced.map_err(|source| LogError::NotDurable { file: path, source })?;
        Ok(file)
    }

    pub(super) fn cut_back(&self, cut: &Cut) -> Result<(), LogError> {
        let io = |error| LogError::io(&cut.file, error);
        let last = self.segments()?.last().copied().unwrap_or(1);
        if cut.offset == 0 {
            self.disk.remove(&self.name(last)).map_err(io)?;
        } else {
            let file = self.open_to_write(last)?;
            file.set_length(cut.offset).and_then(|()| file.sync()).map_err(io)?;
        }
        self.disk.sync_directory().map_err(io)
    }

    /// The files that make up the log, and how much of each belongs to whole blocks. While somebody appends, that is a
    /// log which was whole at some moment during the call.
    ///
    /// # Errors
    /// Damage, or what the disk says.
    pub fn parts(&self) -> Result<Vec<Part>, LogError> {
        let segments = self.segments()?;
        let mut names = Vec::new();
        if let Some(base) = self.base() {
            names.extend([BASE_FILE.to_owned(), base.history(), base.leaves(), base.snapshot()]);
        }
        names.extend(segments.iter().map(|segment| self.name(*segment)));
        let mut parts = Vec::with_capacity(names.len());
        for name in names {
            let length = self.disk.open(&name).and_then(|file| file.length());
            let bytes = length.map_err(|error| LogError::io(&self.disk.place(&name), error))?;
            parts.push(Part { name, bytes });
        }
        // Only the last one may end in a part of a block: one that is being written, or that a crash tore.
        if let (Some(last), Some(part)) = (segments.last(), parts.last_mut()) {
            let start = Position { segment: *last, offset: SEGMENT_HEADER_BYTES as u64 };
            part.bytes = self.whole_end(start)?.unwrap_or(start).offset.min(part.bytes);
        }
        Ok(parts)
    }

    /// The end of the last whole block in the segment of `start`.
    fn whole_end(&self, start: Position) -> Result<Option<Position>, LogError> {
        let (mut blocks, mut end) = (self.blocks_from(start), None);
        loop {
            match blocks.next() {
                None | Some(Err(LogError::TornTail { .. })) => return Ok(end),
                Some(Err(error)) => return Err(error),
                Some(Ok((position, _, _))) if position.segment != start.segment => return Ok(end),
                Some(Ok(_)) => end = blocks.behind(),
            }
        }
    }

    /// Takes away what a pruning that was interrupted left: files that belong to no base, or to the one before. The log
    /// is the same with them and without them.
    pub(super) fn tidy_up(&self) -> Result<(), LogError> {
        let names = self.disk.list().map_err(|error| LogError::io(&self.disk.place(""), error))?;
        let mut kept = vec![BASE_FILE.to_owned()];
        if let Some(base) = self.base() {
            kept.extend([base.history(), base.leaves(), base.snapshot()]);
        }
        kept.extend(self.segments()?.into_iter().map(|segment| self.name(segment)));
        let is_ours = |name: &&String| {
            [".segment", ".history", ".leaves", ".snapshot"].iter().any(|end| name.ends_with(end))
        };
        let mut left: Vec<&String> = names.iter().filter(is_ours).collect();
        left.retain(|name| !kept.contains(name));
        if self.base().is_none() && self.segments()?.is_empty() && !left.is_empty() {
            let what = "the log was pruned, and the file that says where it begins is missing".to_owned();
            return Err(LogError::Broken { file: self.disk.place(BASE_FILE), offset: 0, what });
        }
        for name in left {
            tracing::info!(file = %self.disk.place(name).display(), "a file that is no part of the log is taken away");
            self.disk.remove(name).map_err(|error| LogError::io(&self.disk.place(name), error))?;
        }
        Ok(())
    }
}

fn read_base(path: &Path, file: &dyn DiskFile) -> Result<Base, LogError> {
    let io = |error| LogError::io(path, error);
    let length = file.length().map_err(io)?.min(limits::NAMED_FILE_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_at(&mut bytes, 0).map_err(io)?;
    let base = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
    base.ok_or_else(|| LogError::Broken { file: path.to_owned(), offset: 0, what: NoBase.to_string() })
}
