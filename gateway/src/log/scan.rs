//! Walks the block log from front to back and tells a torn tail from a broken middle.

use std::io::{self, BufReader, ErrorKind, Read};
use std::path::PathBuf;

use ledger::block::Block;

use crate::disk::DiskFile;

use super::frame::{self, FRAME_HEADER_BYTES, Header, Kind, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::{LogError, LogReader, Position};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Iterator over `(position, height, block)`; it ends after its first error.
pub struct Blocks {
    reader: LogReader,
    segments: Option<Vec<u32>>,
    open: Option<Open>,
    start: Option<Position>,
    next_height: Option<u64>,
    behind: Option<Position>,
    certificate: Option<Vec<u8>>,
    ended: bool,
}

/// A block, and the certificate of those who agreed on it.
type Certified = (Block, Option<Vec<u8>>);

struct Open {
    segment: u32,
    path: PathBuf,
    file: BufReader<FromTo>,
    bytes: u64,
    offset: u64,
    last: bool,
}

/// A part of a file, from front to back.
struct FromTo {
    file: Box<dyn DiskFile>,
    from: u64,
    to: u64,
}

impl Read for FromTo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.to.saturating_sub(self.from)).unwrap_or(usize::MAX);
        let part = left.min(buffer.len());
        self.file.read_at(&mut buffer[..part], self.from)?;
        self.from += part as u64;
        Ok(part)
    }
}

impl Blocks {
    pub(super) fn new(reader: LogReader) -> Blocks {
        let first = reader.first_height();
        Blocks {
            reader,
            segments: None,
            open: None,
            start: None,
            next_height: Some(first),
            behind: None,
            certificate: None,
            ended: false,
        }
    }

    pub(super) fn starting_at(reader: LogReader, position: Position) -> Blocks {
        Blocks {
            reader,
            segments: None,
            open: None,
            start: Some(position),
            next_height: None,
            behind: None,
            certificate: None,
            ended: false,
        }
    }

    /// Where the last block that was given ends; `None` before the first one.
    pub fn behind(&self) -> Option<Position> {
        self.behind
    }

    /// The certificate of the last block that was given, where several validators agreed on it.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    fn advance(&mut self) -> Result<Option<(Position, u64, Block)>, LogError> {
        loop {
            let Some(open) = &mut self.open else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            if open.offset == open.bytes {
                self.open = None;
                continue;
            }
            let position = Position { segment: open.segment, offset: open.offset };
            let (header, (block, certificate)) = match open.read_frame(self.next_height)? {
                Ok(found) => found,
                Err(what) => return Err(open.judge(what)?),
            };
            open.offset += (FRAME_HEADER_BYTES + header.payload_bytes) as u64;
            self.behind = Some(Position { segment: open.segment, offset: open.offset });
            self.next_height = Some(header.height + 1);
            self.certificate = certificate;
            return Ok(Some((position, header.height, block)));
        }
    }

    /// Opens the next segment and checks its header; `false` after the last one.
    fn open_next(&mut self) -> Result<bool, LogError> {
        if self.segments.is_none() {
            let mut segments = self.reader.segments()?;
            segments.retain(|segment| self.start.is_none_or(|start| *segment >= start.segment));
            segments.reverse();
            self.segments = Some(segments);
        }
        let Some(segment) = self.segments.as_mut().and_then(Vec::pop) else { return Ok(false) };
        let last = self.segments.as_ref().is_none_or(Vec::is_empty);
        let path = self.reader.path(segment);
        let io = |error| LogError::io(&path, error);
        let file = self.reader.disk.open(&self.reader.name(segment)).map_err(io)?;
        let bytes = file.length().map_err(io)?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_at(&mut header, 0);
        let torn = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::UnexpectedEof);
        let found = if torn {
            SegmentHeader::Broken
        } else {
            read.map(|()| frame::decode_file_header(Kind::Segment, &header)).map_err(io)?
        };
        match found {
            SegmentHeader::Ours { segment: number, genesis_hash, first_height } => {
                if genesis_hash != self.reader.genesis_hash {
                    return Err(LogError::Foreign { file: path });
                }
                if number != segment || self.next_height.is_some_and(|height| height != first_height) {
                    let what = "the segment is not the one that its name says".to_owned();
                    return Err(LogError::Broken { file: path, offset: 0, what });
                }
            }
            SegmentHeader::Version(version) => return Err(LogError::Version { file: path, version }),
            // The file's creation was torn: no frame was ever written to it.
            SegmentHeader::Broken if last && bytes <= SEGMENT_HEADER_BYTES as u64 => {
                return Err(LogError::TornTail { file: path, offset: 0, bytes });
            }
            SegmentHeader::Broken => {
                let what = "the segment's header is damaged".to_owned();
                return Err(LogError::Broken { file: path, offset: 0, what });
            }
        }
        let mut offset = SEGMENT_HEADER_BYTES as u64;
        if let Some(start) = self.start.take().filter(|start| start.segment == segment) {
            offset = start.offset;
        }
        let file = BufReader::with_capacity(READ_BYTES, FromTo { file, from: offset, to: bytes });
        self.open = Some(Open { segment, path, file, bytes, offset, last });
        Ok(true)
    }
}

impl Open {
    /// The frame at the offset, or what is wrong with it.
    fn read_frame(
        &mut self,
        expected: Option<u64>,
    ) -> Result<Result<(Header, Certified), &'static str>, LogError> {
        let left = self.bytes - self.offset;
        if left < FRAME_HEADER_BYTES as u64 {
            return Ok(Err("the frame's header is incomplete"));
        }
        let io = |error| LogError::io(&self.path, error);
        let mut header = [0; FRAME_HEADER_BYTES];
        self.file.read_exact(&mut header).map_err(io)?;
        let Some(header) = Header::decode(Kind::Segment, &header) else {
            return Ok(Err("the frame's header is damaged"));
        };
        if header.payload_bytes as u64 > left - FRAME_HEADER_BYTES as u64 {
            return Ok(Err("the block is incomplete"));
        }
        let mut payload = vec![0; header.payload_bytes];
        self.file.read_exact(&mut payload).map_err(io)?;
        if !header.covers(&payload) {
            return Ok(Err("the block's checksum differs"));
        }
        if expected.is_some_and(|height| height != header.height) {
            let what = "the block's height is not the next one".to_owned();
            return Err(LogError::Broken { file: self.path.clone(), offset: self.offset, what });
        }
        match frame::decode_payload(&payload) {
            Ok(certified) => Ok(Ok((header, certified))),
            // The checksum held, so this is what was written: no crash does that.
            Err(what) => {
                Err(LogError::Broken { file: self.path.clone(), offset: self.offset, what: what.into() })
            }
        }
    }

    /// Damage or a torn tail: a torn write has no whole block behind it, and only the last segment has a tail.
    fn judge(&mut self, what: &'static str) -> Result<LogError, LogError> {
        let io = |error| LogError::io(&self.path, error);
        let mut rest = vec![0; usize::try_from(self.bytes - self.offset).unwrap_or_default()];
        self.file.get_ref().file.read_at(&mut rest, self.offset).map_err(io)?;
        let (file, offset) = (self.path.clone(), self.offset);
        if self.last && !holds_whole_frame(rest.get(1..).unwrap_or_default()) {
            return Ok(LogError::TornTail { file, offset, bytes: rest.len() as u64 });
        }
        Ok(LogError::Broken { file, offset, what: what.into() })
    }
}

/// Whether a whole frame starts anywhere in the bytes.
fn holds_whole_frame(bytes: &[u8]) -> bool {
    bytes
        .windows(FRAME_HEADER_BYTES)
        .enumerate()
        .filter(|(_, window)| window.starts_with(Kind::Segment.frame_magic()))
        .any(|(at, window)| {
            let header = window.first_chunk().and_then(|bytes| Header::decode(Kind::Segment, bytes));
            header.is_some_and(|header| {
                let payload =
                    bytes.get(at + FRAME_HEADER_BYTES..).and_then(|rest| rest.get(..header.payload_bytes));
                payload.is_some_and(|payload| header.covers(payload))
            })
        })
}

impl Iterator for Blocks {
    type Item = Result<(Position, u64, Block), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.advance();
        self.ended = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}
