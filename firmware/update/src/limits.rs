//! Every bound of an update, in one place, with the assertions that relate them.

use devices::limits::{FIRMWARE_CHUNK_BYTES, FIRMWARE_TOPIC_BYTES_MAX, MANIFEST_BYTES_MAX};

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
/// Milliseconds that a broker may take to answer, or to bring what it was asked for.
pub const EXCHANGE_MILLISECONDS_MAX: u64 = 10_000;
/// Seconds of silence after which MQTT asks whether the broker is there.
pub const KEEPALIVE_SECONDS: u16 = 15;
/// Bytes for one MQTT packet from the broker: a chunk with its topic and properties.
pub const RECEIVE_BYTES: usize = 512;
/// Bytes for MQTT packets to the broker: a subscription and its end.
pub const TRANSMIT_BYTES: usize = 512;

const _: () = assert!(RECEIVE_BYTES > FIRMWARE_CHUNK_BYTES + FIRMWARE_TOPIC_BYTES_MAX + 64);
const _: () = assert!(RECEIVE_BYTES > MANIFEST_BYTES_MAX + FIRMWARE_TOPIC_BYTES_MAX + 64);
const _: () = assert!(TRANSMIT_BYTES > 2 * (FIRMWARE_TOPIC_BYTES_MAX + 32));
const _: () = assert!(RECORD_BYTES.is_multiple_of(WORD_BYTES_MAX), "a record is whole words");
const _: () = assert!(FIRMWARE_CHUNK_BYTES.is_multiple_of(WORD_BYTES_MAX), "a chunk is whole words");
const _: () = assert!(TRIAL_BOOTS_MAX >= 1 && ATTEMPTS_MAX >= 1);
