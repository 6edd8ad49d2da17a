//! Which of its keys a device signs with: two slots with a checksum each, so that a torn write leaves the old key in use.
//!
//! A slot is `generation (u32) | CRC-32 of it (u32)`, little-endian. Generation 0 is the key of the identity page, and
//! needs no slot.

use devices::checksum::crc32;
use embedded_storage::Storage;

use crate::limits::{GENERATION_OFFSET, GENERATION_SLOT_BYTES};

/// Why it is not known which key is the device's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GenerationError<E> {
    /// The storage cannot be read or written.
    Storage(E),
    /// Both slots hold something that is none: no power cut leaves that.
    Damaged,
    /// What was written does not read back.
    Unconfirmed,
}

impl<E: core::fmt::Debug> core::fmt::Display for GenerationError<E> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Storage(_) => out.write_str("the key's generation cannot be read"),
            Self::Damaged => out.write_str("both slots of the key's generation are damaged"),
            Self::Unconfirmed => out.write_str("the key's generation does not read back as it was written"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Blank,
    Generation(u32),
    Damaged,
}

fn read<S: Storage>(storage: &mut S, slot: u32) -> Result<Slot, GenerationError<S::Error>> {
    let mut bytes = [0; 8];
    storage.read(offset(slot), &mut bytes).map_err(GenerationError::Storage)?;
    if bytes == [0; 8] || bytes == [0xff; 8] {
        return Ok(Slot::Blank);
    }
    let [a, b, c, d, ..] = bytes;
    let generation = u32::from_le_bytes([a, b, c, d]);
    Ok(if encode(generation) == bytes { Slot::Generation(generation) } else { Slot::Damaged })
}

fn encode(generation: u32) -> [u8; 8] {
    let [a, b, c, d] = generation.to_le_bytes();
    let [e, f, g, h] = crc32(&[a, b, c, d]).to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

fn offset(slot: u32) -> u32 {
    GENERATION_OFFSET + slot * GENERATION_SLOT_BYTES
}

/// The present generation and the slot that the next one goes to.
fn find<S: Storage>(storage: &mut S) -> Result<(u32, u32), GenerationError<S::Error>> {
    match (read(storage, 0)?, read(storage, 1)?) {
        (Slot::Generation(first), Slot::Generation(second)) => {
            Ok((first.max(second), u32::from(first > second)))
        }
        (Slot::Generation(generation), _) => Ok((generation, 1)),
        (_, Slot::Generation(generation)) => Ok((generation, 0)),
        (Slot::Damaged, Slot::Damaged) => Err(GenerationError::Damaged),
        // The very first write was torn, or never made.
        (_, _) => Ok((0, 0)),
    }
}

/// The generation of the key that the device signs with.
///
/// # Errors
/// Whoever gets one must not publish: it would be under a key that is perhaps no longer the device's.
pub fn present<S: Storage>(storage: &mut S) -> Result<u32, GenerationError<S::Error>> {
    find(storage).map(|(generation, _)| generation)
}

/// Makes `generation` the present one; when this returns, it survives power loss.
///
/// # Errors
/// When it cannot be kept: then the old one is still in use.
pub fn advance<S: Storage>(storage: &mut S, generation: u32) -> Result<(), GenerationError<S::Error>> {
    let (_, slot) = find(storage)?;
    storage.write(offset(slot), &encode(generation)).map_err(GenerationError::Storage)?;
    if read(storage, slot)? == Slot::Generation(generation) {
        Ok(())
    } else {
        Err(GenerationError::Unconfirmed)
    }
}
