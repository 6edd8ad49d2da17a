//! The outbox: a ring in the EEPROM that keeps every numbered pack until the `ack` topic settles it, so that neither an
//! outage nor a reset nor a power cut loses one. Packs are kept, not envelopes: Ed25519 is deterministic (RFC 8032), so
//! signing the same pack under the same number again gives the same bytes, and a slot takes a third of the room.
//!
//! A slot, little-endian: `boot u32 | count u32 | length u16 | CRC-32 over those and the pack u32 | pack | … | settled u32`.
//! It is settled when its last four bytes are the complement of its CRC. These are written last and in address order, so a
//! torn write leaves either a slot without a valid CRC, which was never sent, or one that is not settled, which is
//! sent once more and refused as replayed: never a loss, never a payment twice.

use devices::checksum::crc32;
use devices::{Ack, Sequence};
use embedded_storage::Storage;

use crate::limits::{FLIGHT_SLOTS, OUTBOX_OFFSET, OUTBOX_SLOT_BYTES_MAX};

const HEADER_BYTES: usize = 14;
const SETTLED_BYTES: usize = 4;

/// Why the outbox cannot take or give a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutboxError<E> {
    /// The storage cannot be read or written.
    Storage(E),
    /// Every slot holds a pack that is not settled yet.
    Full,
    /// The pack is longer than a slot.
    TooLong,
    /// The storage is too small for a single slot, or the slot for a single byte.
    NoRoom,
}

impl<E: core::fmt::Debug> core::fmt::Display for OutboxError<E> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Storage(error) => write!(out, "the outbox's storage does not answer: {error:?}"),
            Self::Full => out.write_str("the outbox is full of packs that wait for their acknowledgement"),
            Self::TooLong => out.write_str("the pack is longer than a slot of the outbox"),
            Self::NoRoom => out.write_str("the storage is too small for an outbox"),
        }
    }
}

/// A pack that lies in the outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its number.
    pub sequence: Sequence,
    /// Its length in bytes.
    pub pack_bytes: usize,
    /// Where it lies, counted from the oldest slot in use.
    place: u32,
}

struct Slot {
    sequence: Sequence,
    pack_bytes: usize,
    checksum: u32,
    settled: bool,
}

/// The ring's bookkeeping; the packs themselves are in the storage that is handed to every call.
pub struct Outbox {
    slot_bytes: u32,
    slots: u32,
    /// The oldest slot that is not settled, where `used` is not 0.
    oldest: u32,
    /// Slots from the oldest to the newest, settled ones between them included.
    used: u32,
    /// Bit i: slot `oldest + i` is settled or damaged.
    settled: u64,
    /// Bit i: slot `oldest + i` was sent in this round.
    sent: u64,
    damaged: u32,
}

impl Outbox {
    /// Finds what an earlier boot has left. Every slot is read once.
    pub fn open<S: Storage>(storage: &mut S, slot_bytes: u32) -> Result<Outbox, OutboxError<S::Error>> {
        let room = u32::try_from(storage.capacity()).unwrap_or(u32::MAX).saturating_sub(OUTBOX_OFFSET);
        let least = (HEADER_BYTES + SETTLED_BYTES) as u32;
        if slot_bytes <= least || slot_bytes > OUTBOX_SLOT_BYTES_MAX || room < slot_bytes {
            return Err(OutboxError::NoRoom);
        }
        let slots = room / slot_bytes;
        let mut outbox = Outbox { slot_bytes, slots, oldest: 0, used: 0, settled: 0, sent: 0, damaged: 0 };
        let mut oldest_unsettled: Option<(Sequence, u32)> = None;
        let mut newest: Option<(Sequence, u32)> = None;
        for index in 0..slots {
            let Some(slot) = outbox.read_slot(storage, index, &mut [])? else { continue };
            if newest.is_none_or(|(sequence, _)| slot.sequence > sequence) {
                newest = Some((slot.sequence, index));
            }
            if !slot.settled && oldest_unsettled.is_none_or(|(sequence, _)| slot.sequence < sequence) {
                oldest_unsettled = Some((slot.sequence, index));
            }
        }
        if let Some((_, newest)) = newest {
            // With nothing unsettled the ring goes on behind the newest, so that all cells wear alike.
            outbox.oldest = oldest_unsettled.map_or((newest + 1) % slots, |(_, index)| index);
            let distance = (newest + slots - outbox.oldest) % slots;
            outbox.used = if oldest_unsettled.is_some() { distance + 1 } else { 0 };
        }
        outbox.advance(storage)?;
        Ok(outbox)
    }

    /// Slots in all.
    pub fn capacity(&self) -> u32 {
        self.slots
    }

    /// Packs that wait: to be sent, or to be acknowledged.
    pub fn waiting(&self) -> u32 {
        self.used - self.settled.count_ones().min(self.used)
    }

    /// Whether a pack was sent in this round and has not been settled yet.
    pub fn in_flight(&self) -> bool {
        self.sent & !self.settled != 0
    }

    /// Slots that were found damaged where a pack should be. Each is a pack that no power cut explains.
    pub fn damaged(&self) -> u32 {
        self.damaged
    }

    /// The longest pack that a slot takes.
    pub fn pack_bytes_max(&self) -> usize {
        self.slot_bytes as usize - HEADER_BYTES - SETTLED_BYTES
    }

    /// Keeps a pack under its number, which must be higher than every number before it. When this returns, the pack
    /// survives power loss.
    pub fn keep<S: Storage>(
        &mut self,
        storage: &mut S,
        sequence: Sequence,
        pack: &[u8],
    ) -> Result<(), OutboxError<S::Error>> {
        if pack.len() > self.pack_bytes_max() {
            return Err(OutboxError::TooLong);
        }
        if self.used == self.slots {
            return Err(OutboxError::Full);
        }
        let offset = self.offset((self.oldest + self.used) % self.slots);
        let mut bytes = [0; OUTBOX_SLOT_BYTES_MAX as usize];
        let end = HEADER_BYTES + pack.len();
        bytes[0..4].copy_from_slice(&sequence.boot.to_le_bytes());
        bytes[4..8].copy_from_slice(&sequence.count.to_le_bytes());
        // A slot is at most 512 bytes long.
        bytes[8..10].copy_from_slice(&(pack.len() as u16).to_le_bytes());
        bytes[HEADER_BYTES..end].copy_from_slice(pack);
        let checksum = slot_checksum(&bytes[..end]);
        bytes[10..14].copy_from_slice(&checksum.to_le_bytes());
        storage.write(offset, &bytes[..end]).map_err(OutboxError::Storage)?;
        self.used += 1;
        Ok(())
    }

    /// The next pack to send, read into `pack`: the oldest that was not sent in this round, of the oldest boot that still
    /// has an unsettled one, and less than a window above the oldest unsettled one.
    pub fn next_to_send<S: Storage>(
        &mut self,
        storage: &mut S,
        pack: &mut [u8],
    ) -> Result<Option<Entry>, OutboxError<S::Error>> {
        let mut oldest: Option<Sequence> = None;
        for place in 0..self.used.min(FLIGHT_SLOTS) {
            let is_sent = self.sent >> place & 1 == 1;
            if self.settled >> place & 1 == 1 || (is_sent && oldest.is_some()) {
                continue;
            }
            let index = (self.oldest + place) % self.slots;
            let Some(slot) = self.read_slot(storage, index, pack)?.filter(|slot| !slot.settled) else {
                self.settled |= 1 << place;
                self.damaged = self.damaged.saturating_add(1);
                continue;
            };
            let first = *oldest.get_or_insert(slot.sequence);
            if is_sent {
                continue;
            }
            let distance = slot.sequence.count.saturating_sub(first.count);
            if slot.sequence.boot != first.boot || distance >= devices::limits::WINDOW {
                return Ok(None);
            }
            return Ok(Some(Entry { sequence: slot.sequence, pack_bytes: slot.pack_bytes, place }));
        }
        Ok(None)
    }

    /// Remembers that the entry is on its way, so that the next is another.
    pub fn sent(&mut self, entry: Entry) {
        self.sent |= 1 << entry.place;
    }

    /// Begins a new round: everything that is not settled is to be sent again.
    pub fn send_again(&mut self) {
        self.sent = 0;
    }

    /// Lets go of all that `ack` settles; returns how many that were.
    pub fn settle<S: Storage>(&mut self, storage: &mut S, ack: &Ack) -> Result<u32, OutboxError<S::Error>> {
        let mut count = 0;
        loop {
            let before = count;
            for place in 0..self.used.min(FLIGHT_SLOTS) {
                if self.settled >> place & 1 == 1 {
                    continue;
                }
                let index = (self.oldest + place) % self.slots;
                let Some(slot) = self.read_slot(storage, index, &mut [])? else { continue };
                if ack.settles(slot.sequence) {
                    let mark = (!slot.checksum).to_le_bytes();
                    storage.write(self.mark_offset(index), &mark).map_err(OutboxError::Storage)?;
                    self.settled |= 1 << place;
                    count += 1;
                }
            }
            self.advance(storage)?;
            // The window has moved: what came into it may be settled too, after a reset that left no mark.
            if count == before {
                return Ok(count);
            }
        }
    }

    /// Moves the oldest slot past everything that is settled.
    fn advance<S: Storage>(&mut self, storage: &mut S) -> Result<(), OutboxError<S::Error>> {
        while self.used > 0 {
            if self.settled & 1 == 0 {
                let slot = self.read_slot(storage, self.oldest, &mut [])?;
                match slot {
                    Some(slot) if !slot.settled => return Ok(()),
                    Some(_) => {}
                    None => self.damaged = self.damaged.saturating_add(1),
                }
            }
            self.oldest = (self.oldest + 1) % self.slots;
            self.used -= 1;
            self.settled >>= 1;
            self.sent >>= 1;
        }
        (self.settled, self.sent) = (0, 0);
        Ok(())
    }

    fn offset(&self, index: u32) -> u32 {
        OUTBOX_OFFSET + index * self.slot_bytes
    }

    fn mark_offset(&self, index: u32) -> u32 {
        self.offset(index) + self.slot_bytes - SETTLED_BYTES as u32
    }

    /// What lies in the slot, if its checksum holds; the pack goes to the front of `pack` as far as it fits.
    fn read_slot<S: Storage>(
        &self,
        storage: &mut S,
        index: u32,
        pack: &mut [u8],
    ) -> Result<Option<Slot>, OutboxError<S::Error>> {
        let mut buffer = [0; OUTBOX_SLOT_BYTES_MAX as usize];
        let bytes = &mut buffer[..self.slot_bytes as usize];
        storage.read(self.offset(index), bytes).map_err(OutboxError::Storage)?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let pack_bytes = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let (sequence, checksum) = (Sequence { boot: word(0), count: word(4) }, word(10));
        let settled = word(bytes.len() - SETTLED_BYTES) == !checksum;
        if pack_bytes == 0 || pack_bytes > self.pack_bytes_max() {
            return Ok(None);
        }
        let end = HEADER_BYTES + pack_bytes;
        if slot_checksum(&bytes[..end]) != checksum {
            return Ok(None);
        }
        let kept = pack_bytes.min(pack.len());
        pack[..kept].copy_from_slice(&bytes[HEADER_BYTES..HEADER_BYTES + kept]);
        Ok(Some(Slot { sequence, pack_bytes, checksum, settled }))
    }
}

/// The CRC over a slot's number, length and pack, which leaves the CRC's own place out.
fn slot_checksum(bytes: &[u8]) -> u32 {
    // Two checksums mixed instead of one copied buffer: both parts decide, in their order.
    crc32(&bytes[..10]).rotate_left(1) ^ crc32(&bytes[HEADER_BYTES..])
}
