//! One slot of the outbox, byte by byte. Everything in it is written in address order, and each part has a checksum that
//! starts from the part before, so neither a torn write nor what an earlier round of the ring has left is taken for one.
//!
//! | part | bytes | when it is written |
//! |---|---|---|
//! | head | `boot u32, count u32, seconds since start u32, CRC-32` | when the first record comes |
//! | records | each `length u8`, a record ([`crate::compact`]), 24 bits of CRC-32 | as they come |
//! | seal | `bytes of records u16, time u32, CRC-32 over head, records and both` | before it is sent for the first time |
//! | mark | the complement of the head's CRC-32 | when it is settled |
//!
//! Seal and mark stand at the slot's end; all numbers are little-endian.

use devices::Sequence;
use devices::checksum::{Crc32, crc32};
use devices::limits::BASE_TIME_MIN;

use crate::compact::{Names, Stored};
use crate::limits::STORED_RECORD_BYTES_MAX;

/// Bytes of the head.
pub const HEAD_BYTES: usize = 16;
/// Bytes of the seal.
pub const SEAL_BYTES: usize = 10;
/// Bytes of the mark.
pub const MARK_BYTES: usize = 4;
/// Bytes around a stored record: its length and its checksum.
const RECORD_OVERHEAD_BYTES: usize = 4;

/// What a slot begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The number that its pack has.
    pub sequence: Sequence,
    /// When it was opened, in seconds since the start of that boot.
    pub opened_seconds: u32,
}

impl Head {
    /// Its bytes.
    pub fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..4].copy_from_slice(&self.sequence.boot.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.sequence.count.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.opened_seconds.to_le_bytes());
        let checksum = crc32(&bytes[..12]);
        bytes[12..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads one, if its checksum holds.
    pub fn decode(bytes: &[u8; HEAD_BYTES]) -> Option<Head> {
        let sequence = Sequence { boot: word(bytes, 0)?, count: word(bytes, 4)? };
        let head = Head { sequence, opened_seconds: word(bytes, 8)? };
        (head.encode() == *bytes && sequence.boot != 0).then_some(head)
    }

    /// Where every other checksum of the slot starts. Without the head's own one: a CRC over something and its CRC is the
    /// same number for everything, and would bind nothing.
    fn checksum(&self) -> Crc32 {
        Crc32::new().with(&self.encode()[..12])
    }

    /// What stands at the slot's end when it is settled.
    pub fn mark(&self) -> [u8; MARK_BYTES] {
        let [.., a, b, c, d] = self.encode();
        [!a, !b, !c, !d]
    }
}

/// When a pack's records were taken, as it is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    /// The slot was opened at this Unix second.
    Unix(u32),
    /// The slot was opened so many seconds before it was sealed, and nobody knew the time.
    Age(u32),
    /// Nobody knows: a boot that never learned the time has ended.
    Unknown,
}

impl Stamp {
    fn encode(self) -> u32 {
        match self {
            Stamp::Unix(seconds) => seconds.max(BASE_TIME_MIN),
            Stamp::Age(seconds) => seconds.min(BASE_TIME_MIN - 2) + 1,
            Stamp::Unknown => 0,
        }
    }

    fn decode(number: u32) -> Stamp {
        match number {
            0 => Stamp::Unknown,
            1..BASE_TIME_MIN => Stamp::Age(number - 1),
            _ => Stamp::Unix(number),
        }
    }
}

/// Ends a slot: how far its records go, and when they were taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seal {
    /// Bytes of all its records.
    pub records_bytes: u16,
    /// When they were taken.
    pub stamp: Stamp,
}

impl Seal {
    /// Its bytes, for these records under that head.
    pub fn encode(&self, head: &Head, records: &[u8]) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        bytes[0..2].copy_from_slice(&self.records_bytes.to_le_bytes());
        bytes[2..6].copy_from_slice(&self.stamp.encode().to_le_bytes());
        let checksum = head.checksum().with(records).with(&bytes[..6]).value();
        bytes[6..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the seal of a whole slot, if there is one that holds.
    pub fn of(slot: &[u8], head: &Head) -> Option<Seal> {
        let at = slot.len().checked_sub(SEAL_BYTES + MARK_BYTES)?;
        let bytes = slot.get(at..at + SEAL_BYTES)?;
        let records_bytes = u16::from_le_bytes([bytes[0], bytes[1]]);
        let records = slot[..at].get(HEAD_BYTES..HEAD_BYTES + usize::from(records_bytes))?;
        let seal = Seal { records_bytes, stamp: Stamp::decode(word(bytes, 2)?) };
        (seal.encode(head, records) == bytes).then_some(seal)
    }
}

/// Writes one record, the one that stands `at` bytes behind the first, to the front of `out`; returns its length there, or
/// `None` where it has no room.
pub fn append(
    head: &Head,
    record: &Stored<'_>,
    names: &Names<'_>,
    at: usize,
    out: &mut [u8],
) -> Option<usize> {
    let mut body = [0; STORED_RECORD_BYTES_MAX];
    let length = record.encode(names, &mut body)?;
    let place = out.get_mut(..length + RECORD_OVERHEAD_BYTES)?;
    // A stored record is shorter than 256 bytes.
    place[0] = length as u8;
    place[1..=length].copy_from_slice(&body[..length]);
    let checksum = record_checksum(head, at, &place[..=length]);
    place[1 + length..].copy_from_slice(&checksum);
    Some(length + RECORD_OVERHEAD_BYTES)
}

/// 24 bits, bound to the head and to the place: what stood there before belongs to another pack.
fn record_checksum(head: &Head, at: usize, bytes: &[u8]) -> [u8; 3] {
    let [a, b, c, _] = head.checksum().with(&(at as u32).to_le_bytes()).with(bytes).value().to_le_bytes();
    [a, b, c]
}

/// The records of a slot, up to the first that does not hold.
#[derive(Clone)]
pub struct Records<'a> {
    head: Head,
    bytes: &'a [u8],
    at: usize,
    names: Names<'a>,
}

impl<'a> Records<'a> {
    /// The records in `bytes`, which may be longer than they are.
    pub fn of(head: Head, bytes: &'a [u8]) -> Records<'a> {
        Records { head, bytes, at: 0, names: Names::new() }
    }

    /// Bytes of the records that came so far.
    pub fn bytes_read(&self) -> usize {
        self.at
    }

    /// The names of the records that came so far.
    pub fn names(&self) -> &Names<'a> {
        &self.names
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Stored<'a>;

    fn next(&mut self) -> Option<Stored<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let length = usize::from(*rest.first()?);
        let (whole, checksum) = rest.get(..length + RECORD_OVERHEAD_BYTES)?.split_at(1 + length);
        if length == 0 || checksum != record_checksum(&self.head, self.at, whole) {
            return None;
        }
        let record = Stored::decode(&whole[1..], &mut self.names)?;
        self.at += length + RECORD_OVERHEAD_BYTES;
        Some(record)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}
