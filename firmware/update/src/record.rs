//! Where an update stands, as a record with a checksum.
//!
//! Little-endian: `LPU1 | generation u32 | phase u8 | present u8 | attempts left u8 | 0 | confirmed 3 × u16 |
//! rejected 3 × u16 | image's version 3 × u16 | 0 0 | image bytes u32 | image hash 32 | from chunk u32 | zeros | CRC-32 u32`.

use devices::checksum::crc32;
use devices::manifest::Version;

use crate::limits::RECORD_BYTES;

const MAGIC: &[u8; 4] = b"LPU1";
const CHECKSUM: usize = RECORD_BYTES - 4;
const CONFIRMED: u8 = 1;
const REJECTED: u8 = 2;

/// An image, as its manifest describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Image {
    pub(crate) version: Version,
    pub(crate) bytes: u32,
    pub(crate) hash: [u8; 32],
}

/// What is being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Nothing.
    Idle,
    /// Chunks from `from_chunk` on are received; each mark beside the record stands for some more.
    Receiving { image: Image, from_chunk: u32, attempts_left: u8 },
    /// The image lies in the download slot, whole.
    Ready { image: Image },
    /// It is to show that it works; each mark beside the record stands for a swap.
    Trial { image: Image },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    /// The higher of two records is the one that counts.
    pub(crate) generation: u32,
    pub(crate) phase: Phase,
    /// The highest version that has shown that it works.
    pub(crate) confirmed: Option<Version>,
    /// The highest version that was rolled back or given up.
    pub(crate) rejected: Option<Version>,
}

impl Record {
    /// What stands where nothing was ever written.
    pub(crate) const NONE: Record =
        Record { generation: 0, phase: Phase::Idle, confirmed: None, rejected: None };

    pub(crate) fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&self.generation.to_le_bytes());
        if let Some(version) = self.confirmed {
            bytes[9] |= CONFIRMED;
            put_version(&mut bytes, 12, version);
        }
        if let Some(version) = self.rejected {
            bytes[9] |= REJECTED;
            put_version(&mut bytes, 18, version);
        }
        let image = match self.phase {
            Phase::Idle => None,
            Phase::Receiving { image, from_chunk, attempts_left } => {
                (bytes[8], bytes[10]) = (1, attempts_left);
                bytes[68..72].copy_from_slice(&from_chunk.to_le_bytes());
                Some(image)
            }
            Phase::Ready { image } => {
                bytes[8] = 2;
                Some(image)
            }
            Phase::Trial { image } => {
                bytes[8] = 3;
                Some(image)
            }
        };
        if let Some(image) = image {
            put_version(&mut bytes, 24, image.version);
            bytes[32..36].copy_from_slice(&image.bytes.to_le_bytes());
            bytes[36..68].copy_from_slice(&image.hash);
        }
        let checksum = crc32(&bytes[..CHECKSUM]);
        bytes[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// `None` where the bytes are no record: erased, torn or worn out.
    pub(crate) fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<Record> {
        if !bytes.starts_with(MAGIC) || bytes[CHECKSUM..] != crc32(&bytes[..CHECKSUM]).to_le_bytes() {
            return None;
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&bytes[36..68]);
        let image = Image { version: version(bytes, 24), bytes: number(bytes, 32), hash };
        let phase = match bytes[8] {
            0 => Phase::Idle,
            1 => Phase::Receiving { image, from_chunk: number(bytes, 68), attempts_left: bytes[10] },
            2 => Phase::Ready { image },
            3 => Phase::Trial { image },
            _ => return None,
        };
        Some(Record {
            generation: number(bytes, 4),
            phase,
            confirmed: (bytes[9] & CONFIRMED != 0).then(|| version(bytes, 12)),
            rejected: (bytes[9] & REJECTED != 0).then(|| version(bytes, 18)),
        })
    }
}

fn put_version(bytes: &mut [u8; RECORD_BYTES], at: usize, version: Version) {
    for (place, number) in [version.major, version.minor, version.patch].into_iter().enumerate() {
        bytes[at + 2 * place..][..2].copy_from_slice(&number.to_le_bytes());
    }
}

fn version(bytes: &[u8; RECORD_BYTES], at: usize) -> Version {
    let number = |place: usize| u16::from_le_bytes([bytes[at + 2 * place], bytes[at + 2 * place + 1]]);
    Version { major: number(0), minor: number(1), patch: number(2) }
}

fn number(bytes: &[u8; RECORD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: Version = Version { major: 1, minor: 2, patch: 3 };

    fn records() -> [Record; 4] {
        let image = Image { version: VERSION, bytes: 70_000, hash: [9; 32] };
        let phases = [
            Phase::Idle,
            Phase::Receiving { image, from_chunk: 512, attempts_left: 7 },
            Phase::Ready { image },
            Phase::Trial { image },
        ];
        phases.map(|phase| Record { generation: 77, phase, confirmed: None, rejected: Some(VERSION) })
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for record in records() {
            assert_eq!(Record::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        let bytes = records()[1].encode();
        for bit in 0..RECORD_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&flipped), None, "bit {bit}");
        }
    }
}
