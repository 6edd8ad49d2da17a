//! The outbox: a ring in the EEPROM that keeps every record until the `ack` topic settles its pack, so that neither an
//! outage nor a reset nor a power cut loses one. Records are kept, not envelopes: they are made into a pack and signed when
//! they are sent, and because Ed25519 is deterministic (RFC 8032), sending again gives the same bytes.
//!
//! A slot ([`crate::slot`]) is one pack. Records are collected in the newest one until it is closed; a reset closes it
//! too. A torn write leaves a slot without its last records, which nobody was told to be kept, or one that is not sealed
//! or not settled yet, which is sent once more and refused as replayed: never a loss, never a payment twice.

use devices::{Ack, Record, Sequence};
use embedded_storage::Storage;

use crate::compact::Stored;
use crate::limits::{FLIGHT_SLOTS, OUTBOX_OFFSET, OUTBOX_SLOT_BYTES_MAX, SLOT_SECONDS_MAX};
use crate::pack;
use crate::slot::{self, HEAD_BYTES, Head, MARK_BYTES, Records, SEAL_BYTES, Seal, Stamp};

/// Room for one slot, whatever its size.
pub type SlotBuffer = [u8; OUTBOX_SLOT_BYTES_MAX as usize];

/// Why the outbox cannot take or give a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutboxError<E> {
    /// The storage cannot be read or written.
    Storage(E),
    /// Every slot holds a pack that is not settled yet.
    Full,
    /// One sample is longer than a slot, or than an envelope takes.
    TooLong,
    /// The storage is too small for a single slot, or the slot for a single byte.
    NoRoom,
}

impl<E: core::fmt::Debug> core::fmt::Display for OutboxError<E> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            // Its own error is left out here and elsewhere: drivers' texts would take a kilobyte of a board's flash.
            Self::Storage(_) => out.write_str("the outbox's storage does not answer"),
            Self::Full => out.write_str("the outbox is full of packs that wait for their acknowledgement"),
            Self::TooLong => out.write_str("the sample is longer than a slot of the outbox"),
            Self::NoRoom => out.write_str("the storage is too small for an outbox"),
        }
    }
}

/// A sealed slot that is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its number and when it was opened.
    pub head: Head,
    /// How long its records are, and when they were taken.
    pub seal: Seal,
    /// Where it lies, counted from the oldest slot in use.
    place: u32,
}

impl Entry {
    /// The records in the buffer that the slot was read into.
    pub fn records<'a>(&self, slot: &'a SlotBuffer) -> &'a [u8] {
        &slot[HEAD_BYTES..][..usize::from(self.seal.records_bytes)]
    }
}

/// The slot that still takes records, as it stands in the storage.
struct Open {
    head: Head,
    bytes: SlotBuffer,
    records_bytes: usize,
}

impl Open {
    fn new(head: Head) -> Open {
        let mut bytes = [0; OUTBOX_SLOT_BYTES_MAX as usize];
        bytes[..HEAD_BYTES].copy_from_slice(&head.encode());
        Open { head, bytes, records_bytes: 0 }
    }

    /// Writes records behind those within the first `room` bytes; returns how many bytes there are then, or `None` where
    /// they do not fit, or not into one envelope. What was there before stands in any case.
    fn write(&mut self, now_seconds: u32, records: &[Record<'_>], room: usize) -> Option<usize> {
        let since =
            now_seconds.checked_sub(self.head.opened_seconds).filter(|since| *since <= SLOT_SECONDS_MAX)?;
        let mut end = self.records_bytes;
        for record in records {
            let stored = Stored::of(record, u16::try_from(since).ok()?);
            let (before, behind) = self.bytes[HEAD_BYTES..HEAD_BYTES + room].split_at_mut(end);
            let mut before = Records::of(self.head, before);
            before.by_ref().for_each(drop);
            end += slot::append(&self.head, &stored, before.names(), end, behind)?;
        }
        pack::fits(&self.head, &self.bytes[HEAD_BYTES..HEAD_BYTES + end]).then_some(end)
    }
}

/// The ring's bookkeeping; the slots themselves are in the storage that is handed to every call.
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
    /// The newest slot, while it takes records.
    open: Option<Open>,
    damaged: u32,
}

impl Outbox {
    /// Finds what an earlier boot has left. Head and mark of every slot are read once.
    ///
    /// # Errors
    /// When the storage fails, or has no room for a slot.
    pub fn open<S: Storage>(storage: &mut S, slot_bytes: u32) -> Result<Outbox, OutboxError<S::Error>> {
        let room = u32::try_from(storage.capacity()).unwrap_or(u32::MAX).saturating_sub(OUTBOX_OFFSET);
        let least = (HEAD_BYTES + SEAL_BYTES + MARK_BYTES) as u32;
        if slot_bytes <= least || slot_bytes > OUTBOX_SLOT_BYTES_MAX || room < slot_bytes {
            return Err(OutboxError::NoRoom);
        }
        let slots = room / slot_bytes;
        let mut outbox =
            Outbox { slot_bytes, slots, oldest: 0, used: 0, settled: 0, sent: 0, open: None, damaged: 0 };
        let mut oldest_unsettled: Option<(Sequence, u32)> = None;
        let mut newest: Option<(Sequence, u32)> = None;
        for index in 0..slots {
            let Some(head) = outbox.head(storage, index)? else { continue };
            if newest.is_none_or(|(sequence, _)| head.sequence > sequence) {
                newest = Some((head.sequence, index));
            }
            if oldest_unsettled.is_none_or(|(sequence, _)| head.sequence < sequence)
                && !outbox.is_marked(storage, index, &head)?
            {
                oldest_unsettled = Some((head.sequence, index));
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

    /// Packs that wait: to be closed, to be sent, or to be acknowledged.
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

    /// Whether the newest slot still takes records.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Closes the newest slot: it may be sent from now on.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Keeps the records of one sample, all of them or none: in the slot that is open, or, where they do not fit there,
    /// in a new one under the number `next`, which must be higher than every number before it. When this returns their
    /// number, they survive power loss.
    ///
    /// # Errors
    /// When there is no room, or the storage fails.
    pub fn append<S: Storage>(
        &mut self,
        storage: &mut S,
        next: Sequence,
        now_seconds: u32,
        records: &[Record<'_>],
    ) -> Result<Sequence, OutboxError<S::Error>> {
        let room = self.records_room();
        let newest = (self.oldest + self.used + self.slots - 1) % self.slots;
        let newest = self.offset(newest);
        if let Some(open) = &mut self.open {
            if let Some(end) = open.write(now_seconds, records, room) {
                let start = HEAD_BYTES + open.records_bytes;
                let bytes = &open.bytes[start..HEAD_BYTES + end];
                storage.write(newest + start as u32, bytes).map_err(OutboxError::Storage)?;
                open.records_bytes = end;
                return Ok(open.head.sequence);
            }
            self.close();
        }
        if self.used == self.slots {
            return Err(OutboxError::Full);
        }
        let mut open = Open::new(Head { sequence: next, opened_seconds: now_seconds });
        open.records_bytes = open.write(now_seconds, records, room).ok_or(OutboxError::TooLong)?;
        let offset = self.offset((self.oldest + self.used) % self.slots);
        let bytes = &open.bytes[..HEAD_BYTES + open.records_bytes];
        storage.write(offset, bytes).map_err(OutboxError::Storage)?;
        self.used += 1;
        self.open = Some(open);
        Ok(next)
    }

    /// The next slot to send, read into `slot`: the oldest that was not sent in this round, of the oldest boot that still
    /// has an unsettled one, and less than a window above the oldest unsettled one. Its records are sealed, if they are
    /// not yet, under what `stamp_of` says.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn next_to_send<S: Storage>(
        &mut self,
        storage: &mut S,
        slot: &mut SlotBuffer,
        mut stamp_of: impl FnMut(&mut S, &Head) -> Stamp,
    ) -> Result<Option<Entry>, OutboxError<S::Error>> {
        let mut oldest: Option<Sequence> = None;
        for place in 0..self.closed().min(FLIGHT_SLOTS) {
            let is_sent = self.sent >> place & 1 == 1;
            if self.settled >> place & 1 == 1 || (is_sent && oldest.is_some()) {
                continue;
            }
            let index = (self.oldest + place) % self.slots;
            let Some(head) = self.head(storage, index)? else {
                self.settled |= 1 << place;
                self.damaged = self.damaged.saturating_add(1);
                continue;
            };
            if self.is_marked(storage, index, &head)? {
                self.settled |= 1 << place;
                continue;
            }
            let first = *oldest.get_or_insert(head.sequence);
            if is_sent {
                continue;
            }
            let distance = head.sequence.count.saturating_sub(first.count);
            if head.sequence.boot != first.boot || distance >= devices::limits::WINDOW {
                return Ok(None);
            }
            if let Some(seal) = self.sealed(storage, index, &head, slot, &mut stamp_of)? {
                return Ok(Some(Entry { head, seal, place }));
            }
            // The power went while its first record was written: there is nothing to send, under a number that nobody
            // has seen.
            self.mark(storage, index, &head)?;
            self.settled |= 1 << place;
            oldest = oldest.filter(|oldest| *oldest != head.sequence);
        }
        Ok(None)
    }

    /// Remembers that the entry is on its way, so that the next is another.
    pub fn sent(&mut self, entry: Entry) {
        self.sent |= 1 << entry.place;
    }

    /// Lets go of an entry that cannot be made into a pack: its storage has decayed in a way that its checksums have missed.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn discard<S: Storage>(
        &mut self,
        storage: &mut S,
        entry: Entry,
    ) -> Result<(), OutboxError<S::Error>> {
        self.mark(storage, (self.oldest + entry.place) % self.slots, &entry.head)?;
        self.settled |= 1 << entry.place;
        self.damaged = self.damaged.saturating_add(1);
        Ok(())
    }

    /// Begins a new round: everything that is not settled is to be sent again.
    pub fn send_again(&mut self) {
        self.sent = 0;
    }

    /// Lets go of all that `ack` settles; returns how many packs that were. What still takes records was never sent, so
    /// nobody can have settled it.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn settle<S: Storage>(&mut self, storage: &mut S, ack: &Ack) -> Result<u32, OutboxError<S::Error>> {
        let mut count = 0;
        loop {
            let before = count;
            for place in 0..self.closed().min(FLIGHT_SLOTS) {
                if self.settled >> place & 1 == 1 {
                    continue;
                }
                let index = (self.oldest + place) % self.slots;
                let Some(head) = self.head(storage, index)? else { continue };
                if ack.settles(head.sequence) {
                    self.mark(storage, index, &head)?;
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
                match self.head(storage, self.oldest)? {
                    Some(head) if !self.is_marked(storage, self.oldest, &head)? => return Ok(()),
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

    /// Reads the slot and gives its seal, which is written where there is none yet; `None` where it holds no record.
    fn sealed<S: Storage>(
        &self,
        storage: &mut S,
        index: u32,
        head: &Head,
        buffer: &mut SlotBuffer,
        stamp_of: &mut impl FnMut(&mut S, &Head) -> Stamp,
    ) -> Result<Option<Seal>, OutboxError<S::Error>> {
        let slot = &mut buffer[..self.slot_bytes as usize];
        storage.read(self.offset(index), slot).map_err(OutboxError::Storage)?;
        if let Some(seal) = Seal::of(slot, head) {
            return Ok(Some(seal));
        }
        let mut records = Records::of(*head, &slot[HEAD_BYTES..HEAD_BYTES + self.records_room()]);
        records.by_ref().for_each(drop);
        let length = records.bytes_read();
        if length == 0 {
            return Ok(None);
        }
        // A slot is at most 512 bytes long.
        let seal = Seal { records_bytes: length as u16, stamp: stamp_of(storage, head) };
        let bytes = seal.encode(head, &slot[HEAD_BYTES..HEAD_BYTES + length]);
        let offset = self.mark_offset(index) - SEAL_BYTES as u32;
        storage.write(offset, &bytes).map_err(OutboxError::Storage)?;
        Ok(Some(seal))
    }

    /// Slots in use that take no records any more.
    fn closed(&self) -> u32 {
        self.used - u32::from(self.is_open())
    }

    fn records_room(&self) -> usize {
        self.slot_bytes as usize - HEAD_BYTES - SEAL_BYTES - MARK_BYTES
    }

    fn offset(&self, index: u32) -> u32 {
        OUTBOX_OFFSET + index * self.slot_bytes
    }

    fn mark_offset(&self, index: u32) -> u32 {
        self.offset(index) + self.slot_bytes - MARK_BYTES as u32
    }

    fn head<S: Storage>(&self, storage: &mut S, index: u32) -> Result<Option<Head>, OutboxError<S::Error>> {
        let mut bytes = [0; HEAD_BYTES];
        storage.read(self.offset(index), &mut bytes).map_err(OutboxError::Storage)?;
        Ok(Head::decode(&bytes))
    }

    fn is_marked<S: Storage>(
        &self,
        storage: &mut S,
        index: u32,
        head: &Head,
    ) -> Result<bool, OutboxError<S::Error>> {
        let mut bytes = [0; MARK_BYTES];
        storage.read(self.mark_offset(index), &mut bytes).map_err(OutboxError::Storage)?;
        Ok(bytes == head.mark())
    }

    fn mark<S: Storage>(
        &self,
        storage: &mut S,
        index: u32,
        head: &Head,
    ) -> Result<(), OutboxError<S::Error>> {
        storage.write(self.mark_offset(index), &head.mark()).map_err(OutboxError::Storage)
    }
}
