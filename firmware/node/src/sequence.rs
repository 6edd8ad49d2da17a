//! The boot counter: two slots with a checksum each, so that a write torn by power loss never repeats a number.
//!
//! A slot is `boot (u32) | CRC-32 of it (u32)`, little-endian: eight bytes. A boot writes the
//! slot that does not hold the higher number, reads it back, and only then may anything be published.

use devices::checksum::crc32;
use embedded_storage::Storage;

use crate::limits::{SEQUENCE_OFFSET, SEQUENCE_SLOT_BYTES};

/// Why no boot number can be had. Whoever gets this must not publish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SequenceError<E> {
    /// The storage cannot be read or written.
    Storage(E),
    /// Both slots hold something, and neither is a boot number: going on would repeat one.
    Damaged,
    /// The number written does not read back.
    Unconfirmed,
    /// All 2^32 - 2 boots are used up.
    Exhausted,
}

impl<E: core::fmt::Debug> core::fmt::Display for SequenceError<E> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Storage(_) => out.write_str("the boot counter's storage does not answer"),
            Self::Damaged => out.write_str("both slots of the boot counter are damaged"),
            Self::Unconfirmed => out.write_str("the boot counter does not read back as it was written"),
            Self::Exhausted => out.write_str("the boot counter is at its end"),
        }
    }
}

/// What a slot holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// Erased, or never written.
    Blank,
    Boot(u32),
    /// A torn write, or a cell that has worn out.
    Damaged,
}

fn offset(slot: usize) -> u32 {
    if slot == 0 { SEQUENCE_OFFSET } else { SEQUENCE_OFFSET + SEQUENCE_SLOT_BYTES }
}

fn encode(boot: u32) -> [u8; 8] {
    let [a, b, c, d] = boot.to_le_bytes();
    let [e, f, g, h] = crc32(&[a, b, c, d]).to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

fn decode(bytes: [u8; 8]) -> Slot {
    if bytes == [0; 8] || bytes == [0xff; 8] {
        return Slot::Blank;
    }
    let [a, b, c, d, ..] = bytes;
    let boot = u32::from_le_bytes([a, b, c, d]);
    if encode(boot) == bytes { Slot::Boot(boot) } else { Slot::Damaged }
}

fn read<S: Storage>(storage: &mut S, slot: usize) -> Result<Slot, SequenceError<S::Error>> {
    let mut bytes = [0; 8];
    storage.read(offset(slot), &mut bytes).map_err(SequenceError::Storage)?;
    Ok(decode(bytes))
}

/// Which boot comes after what the slots hold, and which slot shall hold it.
///
/// Beside a damaged slot one number is left out: the damage may be a torn write, whose number nobody has used, or decay
/// of the newer slot, whose number has been used.
fn plan<E>(slots: [Slot; 2]) -> Result<(u32, usize), SequenceError<E>> {
    let (last, skip, slot) = match slots {
        [Slot::Boot(first), Slot::Boot(second)] => (first.max(second), 0, usize::from(first > second)),
        [Slot::Boot(boot), Slot::Damaged] => (boot, 1, 1),
        [Slot::Damaged, Slot::Boot(boot)] => (boot, 1, 0),
        [Slot::Boot(boot), Slot::Blank] => (boot, 0, 1),
        [Slot::Blank, Slot::Boot(boot)] => (boot, 0, 0),
        [Slot::Blank, Slot::Blank] => (0, 0, 0),
        // The very first write was torn (or has decayed: then boot 1 has been used).
        [Slot::Damaged, Slot::Blank] => (0, 1, 0),
        [Slot::Blank, Slot::Damaged] => (0, 1, 1),
        [Slot::Damaged, Slot::Damaged] => return Err(SequenceError::Damaged),
    };
    // The highest u32 has a checksum of all ones too, and would read as blank.
    let boot = last.checked_add(1 + skip).filter(|boot| *boot < u32::MAX).ok_or(SequenceError::Exhausted)?;
    Ok((boot, slot))
}

/// Counts a boot and returns its number, which no earlier call on this storage has returned.
pub fn next_boot<S: Storage>(storage: &mut S) -> Result<u32, SequenceError<S::Error>> {
    let slots = [read(storage, 0)?, read(storage, 1)?];
    let (boot, slot) = plan(slots)?;
    write(storage, slot, boot)?;
    Ok(boot)
}

/// Sets the counter so that the next boot is number `boot + 1`: for a storage that does not outlive its program but has a
/// clock to start from (virtual devices), and for a replaced EEPROM.
pub fn preset<S: Storage>(storage: &mut S, boot: u32) -> Result<(), SequenceError<S::Error>> {
    write(storage, 0, boot)
}

fn write<S: Storage>(storage: &mut S, slot: usize, boot: u32) -> Result<(), SequenceError<S::Error>> {
    storage.write(offset(slot), &encode(boot)).map_err(SequenceError::Storage)?;
    if read(storage, slot)? == Slot::Boot(boot) { Ok(()) } else { Err(SequenceError::Unconfirmed) }
}
