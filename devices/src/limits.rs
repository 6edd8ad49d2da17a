//! Every bound of the wire, in one place, with the assertions that relate them.

/// Bytes of one envelope (a reading), tag included. Envelope CDDL.
pub const ENVELOPE_BYTES_MAX: usize = 1024;
/// Bytes of one instruction of an account, tag included.
pub const INSTRUCTION_BYTES_MAX: usize = 16_384;
/// Records of one pack. Envelope CDDL.
pub const RECORDS_MAX: usize = 64;
/// Bytes of a SenML name or base name. Envelope CDDL.
pub const NAME_BYTES_MAX: usize = 32;
/// Bytes of a SenML unit. Envelope CDDL.
pub const UNIT_BYTES_MAX: usize = 16;
/// Seconds that a record's time may lie before or after the base time.
pub const OFFSET_SECONDS_MAX: i32 = 86_400;
/// The smallest absolute base time: below it a SenML time is relative (RFC 8428 §4.5.3).
pub const BASE_TIME_MIN: u32 = 1 << 28;
/// Digits after a decimal's point.
pub const DECIMAL_DIGITS_MAX: i8 = 9;
/// Bytes of a network id: lower-case letters, digits and hyphens.
pub const NETWORK_BYTES_MAX: usize = 32;
/// Counts below the highest that a receiver still tells apart (contract, MQTT; RFC 4303 §3.4.3).
pub const WINDOW: u32 = 64;
/// How deep a CBOR item may nest.
pub const CBOR_DEPTH_MAX: usize = 8;

/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of a reading's protected header: it has one length, whoever wrote it.
pub const READING_HEADER_BYTES: usize = 28;
/// Bytes around the payload of the largest reading: tag, array, header, empty map, payload's length, signature.
pub const ENVELOPE_OVERHEAD_BYTES: usize = 2 + 2 + READING_HEADER_BYTES + 1 + 3 + 2 + SIGNATURE_BYTES;
/// Bytes of the largest pack that fits into an envelope.
pub const PACK_BYTES_MAX: usize = ENVELOPE_BYTES_MAX - ENVELOPE_OVERHEAD_BYTES;
/// What a Sig_structure adds to header and payload: context, three lengths, `lamppost/1/` and the network id.
pub const SIG_STRUCTURE_OVERHEAD_BYTES: usize = 12 + 3 + 2 + 11 + NETWORK_BYTES_MAX + 3;
/// Bytes of the Sig_structure of the largest reading.
pub const READING_SIG_STRUCTURE_BYTES_MAX: usize = ENVELOPE_BYTES_MAX + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of the Sig_structure of the largest instruction.
pub const INSTRUCTION_SIG_STRUCTURE_BYTES_MAX: usize = INSTRUCTION_BYTES_MAX + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of the longest Sig_structure of a proof of possession: a header of algorithm and kid (13), a kid and an account
/// id, and `/rotate` behind the network.
pub const POSSESSION_SIG_STRUCTURE_BYTES_MAX: usize = 13 + 8 + 32 + 7 + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of a sign-in challenge.
pub const CHALLENGE_BYTES: usize = 32;
/// Bytes of an origin (`https://host:port`) that a sign-in is for: a host name has at most 253.
pub const ORIGIN_BYTES_MAX: usize = 272;
/// Bytes of the answer to a sign-in challenge: header with the key, challenge, origin, signature and what is around them.
pub const SIGN_IN_BYTES_MAX: usize = 2 + 2 + 96 + 1 + 3 + SIGN_IN_PAYLOAD_BYTES_MAX + 2 + SIGNATURE_BYTES;
/// Bytes of its payload: an array of the challenge and the origin.
pub const SIGN_IN_PAYLOAD_BYTES_MAX: usize = 1 + 2 + CHALLENGE_BYTES + 3 + ORIGIN_BYTES_MAX;
/// Bytes of its Sig_structure: a header with the key, `/sign-in` behind the network, the payload.
pub const SIGN_IN_SIG_STRUCTURE_BYTES_MAX: usize =
    96 + 8 + SIGN_IN_PAYLOAD_BYTES_MAX + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of one command to a device: it fits into 512 bytes together with its topic and what MQTT puts around both.
pub const COMMAND_BYTES_MAX: usize = 400;
/// Bytes around the payload of a command: tag, array, a header with the key, empty map, payload's length, signature.
pub const COMMAND_OVERHEAD_BYTES: usize = 2 + 2 + COMMAND_HEADER_BYTES + 1 + 3 + 2 + SIGNATURE_BYTES;
/// Bytes of a command's protected header: it always carries the key.
pub const COMMAND_HEADER_BYTES: usize = 72;
/// Bytes of the largest payload of a command.
pub const COMMAND_PAYLOAD_BYTES_MAX: usize = COMMAND_BYTES_MAX - COMMAND_OVERHEAD_BYTES;
/// Bytes of the Sig_structure of a command: `/down` behind the network.
pub const COMMAND_SIG_STRUCTURE_BYTES_MAX: usize =
    COMMAND_HEADER_BYTES + COMMAND_PAYLOAD_BYTES_MAX + 5 + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of an encoded configuration: a device keeps it beside a counter, an account and a checksum in 256 bytes.
pub const CONFIGURATION_BYTES_MAX: usize = 200;
/// Thresholds of one configuration.
pub const THRESHOLDS_MAX: usize = 8;
/// Seconds between two samples, and between two envelopes, at most: a day.
pub const INTERVAL_SECONDS_MAX: u32 = 86_400;
/// Bytes of a device's answer to `rotate_key`: a header without the key; generation, key and proof; signature.
pub const KEY_OFFER_BYTES_MAX: usize = ENVELOPE_OVERHEAD_BYTES + KEY_OFFER_PAYLOAD_BYTES_MAX;
/// Bytes of its payload: an array of a u32, 32 bytes and 64.
pub const KEY_OFFER_PAYLOAD_BYTES_MAX: usize = 1 + 5 + 34 + 2 + SIGNATURE_BYTES;
/// Bytes of its Sig_structure: `/proof` behind the network.
pub const KEY_OFFER_SIG_STRUCTURE_BYTES_MAX: usize =
    READING_HEADER_BYTES + KEY_OFFER_PAYLOAD_BYTES_MAX + 6 + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of a gateway's word for a batch of transactions: header without the key, payload, signature and what is around them.
pub const GATEWAY_BATCH_BYTES_MAX: usize =
    2 + 2 + READING_HEADER_BYTES + 1 + 2 + GATEWAY_BATCH_PAYLOAD_BYTES_MAX + 2 + SIGNATURE_BYTES;
/// Bytes of its payload: an array of a hash and a u32.
pub const GATEWAY_BATCH_PAYLOAD_BYTES_MAX: usize = 1 + 2 + 32 + 5;
/// Bytes of its Sig_structure: `/batch` behind the network.
pub const GATEWAY_BATCH_SIG_STRUCTURE_BYTES_MAX: usize =
    READING_HEADER_BYTES + GATEWAY_BATCH_PAYLOAD_BYTES_MAX + 6 + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of an encoded acknowledgement: an array of two u32 and two u64.
pub const ACK_BYTES_MAX: usize = 1 + 5 + 5 + 9 + 9;
/// Bytes of an encoded refusal notice.
pub const REFUSED_NOTICE_BYTES_MAX: usize = 1 + 5 + 5 + 1 + 16;
/// Bytes of a board's name: lower-case letters, digits and hyphens.
pub const BOARD_BYTES_MAX: usize = 32;
/// Bytes of a firmware image that travel in one message; the last one of an image may have fewer.
pub const FIRMWARE_CHUNK_BYTES: usize = 256;
/// Bytes of the payload of a firmware's manifest: an array of the board, three u16, a u32 and a hash.
pub const MANIFEST_PAYLOAD_BYTES_MAX: usize = 1 + 2 + BOARD_BYTES_MAX + 1 + 3 * 3 + 5 + 2 + 32;
/// Bytes of its protected header: a map of algorithm, content type, kid and a cti without meaning.
const MANIFEST_HEADER_BYTES: usize = 28;
/// Bytes of the largest manifest: tag, array, header, empty map, payload, signature and the heads of the byte strings.
pub const MANIFEST_BYTES_MAX: usize =
    2 + 2 + MANIFEST_HEADER_BYTES + 1 + 2 + MANIFEST_PAYLOAD_BYTES_MAX + 2 + SIGNATURE_BYTES;
/// Bytes of its Sig_structure, with `/manifest` at the end of the external_aad.
pub const MANIFEST_SIG_STRUCTURE_BYTES_MAX: usize =
    MANIFEST_HEADER_BYTES + 9 + MANIFEST_PAYLOAD_BYTES_MAX + SIG_STRUCTURE_OVERHEAD_BYTES;
/// Bytes of the longest topic of a firmware image.
pub const FIRMWARE_TOPIC_BYTES_MAX: usize = 11 + NETWORK_BYTES_MAX + 10 + BOARD_BYTES_MAX + 1 + 17 + 1 + 10;
/// Bytes of the longest topic.
pub const TOPIC_BYTES_MAX: usize = 11 + NETWORK_BYTES_MAX + 5 + 16 + 8;

const _: () = assert!(PACK_BYTES_MAX < ENVELOPE_BYTES_MAX);
const _: () = assert!(INSTRUCTION_BYTES_MAX <= u16::MAX as usize, "offsets are kept as u16");
const _: () = assert!(ENVELOPE_BYTES_MAX <= INSTRUCTION_BYTES_MAX);
const _: () = assert!(SIGN_IN_BYTES_MAX < INSTRUCTION_BYTES_MAX);
const _: () = assert!(MANIFEST_BYTES_MAX <= 300, "a board keeps it on its stack");
const _: () = assert!(
    CONFIGURATION_BYTES_MAX + 1 + 9 + 10 <= COMMAND_PAYLOAD_BYTES_MAX,
    "with the kid and `configure`"
);
const _: () = assert!(WINDOW == u64::BITS, "the window is one u64");
