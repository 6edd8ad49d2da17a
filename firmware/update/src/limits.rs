//! Every bound of an update, in one place, with the assertions that relate them.

use devices::limits::FIRMWARE_CHUNK_BYTES;

/// Bytes of a chunk of an image.
pub const CHUNK_BYTES: u32 = FIRMWARE_CHUNK_BYTES as u32;
/// Chunks between two progress marks: so many are asked for again after a power cut, at most.
pub const MARK_CHUNKS: u32 = 16;
/// Times that a version is swapped in without having shown that it works, where nothing says that it crashed.
pub const TRIAL_BOOTS_MAX: u32 = 3;
/// Times that a version is received whole with a wrong hash before it is given up: chunks are not signed one by one, and a
/// broker that sends rubbish for ever would otherwise wear the flash out.
pub const ATTEMPTS_MAX: u8 = 8;
/// Bytes of the record of where an update stands.
pub const RECORD_BYTES: usize = 96;
/// Bytes of the largest unit that a flash writes at once.
pub const WORD_BYTES_MAX: usize = 32;

const _: () = assert!(RECORD_BYTES.is_multiple_of(WORD_BYTES_MAX), "a record is whole words");
const _: () = assert!(FIRMWARE_CHUNK_BYTES.is_multiple_of(WORD_BYTES_MAX), "a chunk is whole words");
const _: () = assert!(TRIAL_BOOTS_MAX >= 1 && ATTEMPTS_MAX >= 1);
