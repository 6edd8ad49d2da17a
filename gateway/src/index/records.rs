//! The bytes of the index's keys and values: places of blocks, ordinals of statements and transfers, lists, counts.

use std::ops::Range;

use ledger::settlement::Settlement;

use crate::log::Position;

/// Bytes of a settlement: eight numbers of 64 bits and three of 128.
const SETTLEMENT_BYTES: usize = 8 * 8 + 3 * 16;

/// Where a block lies and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockPlace {
    /// Its height.
    pub height: u64,
    /// Its frame in the log.
    pub position: Position,
    /// Log index of its first entry.
    pub first_index: u64,
    /// Entries it adds to the log, its seal among them.
    pub entries: u32,
    /// Its time, Unix milliseconds.
    pub time_unix_milliseconds: u64,
}

impl BlockPlace {
    /// Everything but the height, which is the key.
    pub fn encode(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&self.position.segment.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.position.offset.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.first_index.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.entries.to_be_bytes());
        bytes[24..].copy_from_slice(&self.time_unix_milliseconds.to_be_bytes());
        bytes
    }

    /// Reads a place; `None` when the value has another length.
    pub fn decode(height: u64, bytes: &[u8]) -> Option<BlockPlace> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        Some(BlockPlace {
            height,
            position: Position { segment: u32_at(bytes, 0)?, offset: u64_at(bytes, 4)? },
            first_index: u64_at(bytes, 12)?,
            entries: u32_at(bytes, 20)?,
            time_unix_milliseconds: u64_at(bytes, 24)?,
        })
    }
}

/// Bits of an ordinal that number the statements or transfers of one block.
const ORDINAL_BITS: u32 = 24;

/// The ordinals that the statements, or the transfers, of a block have: they grow with the height and within a block.
pub fn ordinals(height: u64) -> Range<u64> {
    let first = |height: u64| height.min(u64::MAX >> ORDINAL_BITS) << ORDINAL_BITS;
    first(height)..first(height.saturating_add(1))
}

/// The block of an ordinal, and its number there.
pub fn height_and_number(ordinal: u64) -> (u64, usize) {
    (ordinal >> ORDINAL_BITS, (ordinal & ((1 << ORDINAL_BITS) - 1)) as usize)
}

/// The key of the value that holds some of a block's statements or transfers.
pub fn value_key(height: u64, number: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&height.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Byte strings one after the other, each with a 32-bit length.
pub fn encode_list<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend_from_slice(&u32::try_from(item.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(item);
    }
    bytes
}

/// The byte strings again; `None` when the lengths do not add up.
pub fn decode_list(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut items = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (item, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        items.push(item);
        bytes = rest;
    }
    bytes.is_empty().then_some(items)
}

/// A settlement and the height of its block: numbers of a fixed width, one after another.
pub fn encode_settlement(height: u64, settlement: &Settlement) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SETTLEMENT_BYTES);
    let narrow = [
        height,
        settlement.first_epoch,
        settlement.last_epoch,
        settlement.tariff_version.into(),
        settlement.statements,
        settlement.pool_before_microtokens,
        settlement.paid_microtokens,
        settlement.remainder_microtokens,
    ];
    let wide = [
        settlement.due_microtokens,
        settlement.withheld_by_cells_microtokens,
        settlement.withheld_by_pool_microtokens,
    ];
    narrow.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
    wide.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
    bytes
}

/// The height and the settlement again; `None` when the value is of another length.
pub fn decode_settlement(bytes: &[u8]) -> Option<(u64, Settlement)> {
    if bytes.len() != SETTLEMENT_BYTES {
        return None;
    }
    let narrow = |place: usize| u64_at(bytes, place * 8);
    let wide =
        |place: usize| bytes.get(64 + place * 16..)?.first_chunk().map(|chunk| u128::from_be_bytes(*chunk));
    let settlement = Settlement {
        first_epoch: narrow(1)?,
        last_epoch: narrow(2)?,
        tariff_version: narrow(3)?.try_into().ok()?,
        statements: narrow(4)?,
        pool_before_microtokens: narrow(5)?,
        paid_microtokens: narrow(6)?,
        remainder_microtokens: narrow(7)?,
        due_microtokens: wide(0)?,
        withheld_by_cells_microtokens: wide(1)?,
        withheld_by_pool_microtokens: wide(2)?,
    };
    Some((narrow(0)?, settlement))
}

/// Eight counters.
pub fn encode_counts(counts: &[u64; 8]) -> Vec<u8> {
    counts.iter().flat_map(|count| count.to_be_bytes()).collect()
}

/// The counters again.
pub fn decode_counts(bytes: &[u8]) -> Option<[u64; 8]> {
    let (counts, []) = bytes.as_chunks::<8>() else { return None };
    let counts: &[[u8; 8]; 8] = counts.try_into().ok()?;
    Some(counts.map(u64::from_be_bytes))
}

/// The big-endian u64 at `at`.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_be_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_grow_with_the_height_and_lead_back_to_it() {
        assert_eq!(height_and_number(ordinals(7).start + 5), (7, 5));
        assert_eq!(ordinals(7).end, ordinals(8).start);
        assert!(ordinals(u64::MAX).start > ordinals(1 << 39).end);
        assert!(value_key(7, 9) < value_key(8, 0));
    }

    #[test]
    fn a_settlement_reads_back() {
        let settlement = Settlement {
            first_epoch: 3,
            last_epoch: 5,
            tariff_version: 2,
            statements: 7,
            pool_before_microtokens: u64::MAX,
            due_microtokens: u128::MAX,
            withheld_by_cells_microtokens: 11,
            withheld_by_pool_microtokens: 12,
            paid_microtokens: 13,
            remainder_microtokens: 14,
        };
        let bytes = encode_settlement(9, &settlement);
        assert_eq!(decode_settlement(&bytes), Some((9, settlement)));
        assert_eq!(decode_settlement(&bytes[1..]), None);
    }

    #[test]
    fn lists_and_counts_read_back() {
        let bytes = encode_list([&b"one"[..], b"", b"three"]);
        assert_eq!(decode_list(&bytes).unwrap(), [&b"one"[..], b"", b"three"]);
        assert_eq!(decode_list(&bytes[..bytes.len() - 1]), None);
        let counts = [1, 2, 3, 4, 5, 6, 7, u64::MAX];
        assert_eq!(decode_counts(&encode_counts(&counts)), Some(counts));
        assert_eq!(decode_counts(&[0; 63]), None);
    }
}
