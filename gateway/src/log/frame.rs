//! The bytes of the block log: segment header, frame header and a block's payload.

use ledger::block::{Block, Seal};
use ledger::pruned::PrunedBlock;

use super::{FORMAT_VERSION, LogError};
use crate::limits;

/// Bytes of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 24;
/// What a file is: how it and its frames begin, and how long a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole blocks.
    Segment,
    /// What stays of pruned blocks.
    History,
}

impl Kind {
    /// First bytes of the file.
    const fn file_magic(self) -> &'static [u8; 8] {
        match self {
            Kind::Segment => b"LAMPLOG\n",
            Kind::History => b"LAMPHIS\n",
        }
    }

    /// First bytes of a frame.
    pub const fn frame_magic(self) -> &'static [u8; 4] {
        match self {
            Kind::Segment => b"LBLK",
            Kind::History => b"LHIS",
        }
    }

    const fn payload_bytes_max(self) -> usize {
        match self {
            Kind::Segment => limits::FRAME_BYTES_MAX,
            Kind::History => limits::HISTORY_FRAME_BYTES_MAX,
        }
    }
}

/// The header of a segment, or of a history: then the number is 0 and the height that of its last block.
pub fn file_header(
    kind: Kind,
    segment: u32,
    height: u64,
    genesis_hash: &[u8; 32],
) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[..8].copy_from_slice(kind.file_magic());
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_be_bytes());
    bytes[12..16].copy_from_slice(&segment.to_be_bytes());
    bytes[16..24].copy_from_slice(&height.to_be_bytes());
    bytes[24..56].copy_from_slice(genesis_hash);
    let checksum = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// What a segment's header says.
#[derive(Debug, PartialEq, Eq)]
pub enum SegmentHeader {
    /// It is ours: number, first height and genesis hash.
    Ours { segment: u32, first_height: u64, genesis_hash: [u8; 32] },
    /// It was written by another version of the format.
    Version(u32),
    /// It is damaged.
    Broken,
}

/// Reads a segment's or a history's header.
pub fn decode_file_header(kind: Kind, bytes: &[u8; SEGMENT_HEADER_BYTES]) -> SegmentHeader {
    if &bytes[..8] != kind.file_magic() || crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
        return SegmentHeader::Broken;
    }
    let version = u32_at(bytes, 8);
    if version != FORMAT_VERSION {
        return SegmentHeader::Version(version);
    }
    let mut genesis_hash = [0; 32];
    genesis_hash.copy_from_slice(&bytes[24..56]);
    SegmentHeader::Ours { segment: u32_at(bytes, 12), first_height: u64_at(bytes, 16), genesis_hash }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The block's height.
    pub height: u64,
    /// Bytes of the payload.
    pub payload_bytes: usize,
    checksum: u32,
}

impl Header {
    /// Reads a header; `None` when it is damaged.
    pub fn decode(kind: Kind, bytes: &[u8; FRAME_HEADER_BYTES]) -> Option<Header> {
        if &bytes[..4] != kind.frame_magic() || crc32c::crc32c(&bytes[..20]) != u32_at(bytes, 20) {
            return None;
        }
        let payload_bytes = usize::try_from(u32_at(bytes, 12)).ok()?;
        (payload_bytes <= kind.payload_bytes_max()).then(|| Header {
            height: u64_at(bytes, 4),
            payload_bytes,
            checksum: u32_at(bytes, 16),
        })
    }

    /// Whether the payload is the one that was written.
    pub fn covers(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes && crc32c::crc32c(payload) == self.checksum
    }
}

/// The whole frame of a block: header, the block's bytes, and where several validators agreed on it, their certificate
/// with a 16-bit length.
pub fn encode(height: u64, block: &Block, certificate: Option<&[u8]>) -> Result<Vec<u8>, LogError> {
    let too_large = |bytes| LogError::TooLarge { height, bytes };
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    write_block(block, &mut frame).ok_or_else(|| too_large(block_bytes_estimate(block)))?;
    if let Some(certificate) = certificate {
        write_entry(certificate, &mut frame).ok_or_else(|| too_large(certificate.len()))?;
    }
    close(Kind::Segment, height, frame)
}

/// A block's bytes, as validators send them to one another: the number of entries in 32 bits, each entry with a 16-bit
/// length, then the seal with one. `None` for a block that no frame holds.
pub fn encode_block(block: &Block) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(block_bytes_estimate(block));
    write_block(block, &mut bytes)?;
    (bytes.len() <= limits::FRAME_BYTES_MAX).then_some(bytes)
}

/// Reads what [`encode_block`] wrote.
///
/// # Errors
/// What is wrong with it.
pub fn decode_block(bytes: &[u8]) -> Result<Block, &'static str> {
    if bytes.len() > limits::FRAME_BYTES_MAX {
        return Err("the block is larger than a frame");
    }
    match split_block(bytes)? {
        (block, []) => Ok(block),
        _ => Err("bytes follow the seal"),
    }
}

fn block_bytes_estimate(block: &Block) -> usize {
    const SEAL_BYTES: usize = 512;
    block.entries.iter().map(|entry| entry.len() + 2).sum::<usize>() + SEAL_BYTES
}

fn write_block(block: &Block, bytes: &mut Vec<u8>) -> Option<()> {
    bytes.reserve(block_bytes_estimate(block));
    bytes.extend_from_slice(&u32::try_from(block.entries.len()).ok()?.to_be_bytes());
    block.entries.iter().try_for_each(|entry| write_entry(entry, bytes))?;
    write_entry(&block.seal.encode(), bytes)
}

fn write_entry(entry: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    bytes.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
    bytes.extend_from_slice(entry);
    Some(())
}

/// The whole frame of what stays of a pruned block.
pub fn encode_pruned(block: &PrunedBlock) -> Result<Vec<u8>, LogError> {
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    frame.extend_from_slice(&block.encode());
    close(Kind::History, block.seal.height, frame)
}

/// Fills in the header before a payload.
fn close(kind: Kind, height: u64, mut frame: Vec<u8>) -> Result<Vec<u8>, LogError> {
    let payload = &frame[FRAME_HEADER_BYTES..];
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= kind.payload_bytes_max());
    let length = length.ok_or(LogError::TooLarge { height, bytes: payload.len() })?;
    let checksum = crc32c::crc32c(payload);
    frame[..4].copy_from_slice(kind.frame_magic());
    frame[4..12].copy_from_slice(&height.to_be_bytes());
    frame[12..16].copy_from_slice(&length.to_be_bytes());
    frame[16..20].copy_from_slice(&checksum.to_be_bytes());
    let checksum = crc32c::crc32c(&frame[..20]);
    frame[20..24].copy_from_slice(&checksum.to_be_bytes());
    Ok(frame)
}

/// Reads a block from a payload whose checksum held, and the certificate behind it, where there is one.
pub fn decode_payload(payload: &[u8]) -> Result<(Block, Option<Vec<u8>>), &'static str> {
    let (block, rest) = split_block(payload)?;
    if rest.is_empty() {
        return Ok((block, None));
    }
    match split_entry(rest).ok_or("the certificate is incomplete")? {
        (certificate, []) => Ok((block, Some(certificate.to_vec()))),
        _ => Err("bytes follow the certificate"),
    }
}

fn split_block(bytes: &[u8]) -> Result<(Block, &[u8]), &'static str> {
    let (count, mut rest) = bytes.split_first_chunk::<4>().ok_or("the payload is too short")?;
    let count = u32::from_be_bytes(*count) as usize;
    let mut entries = Vec::with_capacity(count.min(limits::BLOCK_TRANSACTIONS_MAX));
    for _ in 0..count {
        let (entry, after) = split_entry(rest).ok_or("an entry is longer than the payload")?;
        entries.push(entry.to_vec());
        rest = after;
    }
    let (seal, rest) = split_entry(rest).ok_or("the seal is missing")?;
    let seal = Seal::decode(seal).map_err(|_| "the seal cannot be read")?;
    Ok((Block { entries, seal }, rest))
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |chunk| u32::from_be_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |chunk| u64::from_be_bytes(*chunk))
}
