//! Every bound of the firmware's core, in one place, with the assertions that relate them.

use devices::limits::{ENVELOPE_BYTES_MAX, TOPIC_BYTES_MAX, WINDOW};

/// Milliseconds between two samples where the board does not say otherwise.
pub const SAMPLE_INTERVAL_MILLISECONDS: u64 = 5_000;
/// Records that one sample of all sensors may make.
pub const SAMPLE_RECORDS_MAX: usize = 8;
/// Sensors of one board whose faults are told apart.
pub const SENSORS_MAX: usize = 4;
/// Bytes of the pack that one sample makes, at most.
pub const SAMPLE_PACK_BYTES_MAX: usize = 256;

/// Where the boot counter's two slots lie in the EEPROM, each on a page of its own.
pub const SEQUENCE_OFFSET: u32 = 0;
/// Bytes from one slot of the boot counter to the other: a page of the smallest EEPROM in use.
pub const SEQUENCE_SLOT_BYTES: u32 = 32;
/// Where the outbox begins; what lies between is for what later needs a fixed place.
pub const OUTBOX_OFFSET: u32 = 256;
/// Bytes of an outbox slot where the board does not say otherwise: two pages, a pack of 46 bytes.
pub const OUTBOX_SLOT_BYTES: u32 = 64;
/// Bytes of the largest outbox slot.
pub const OUTBOX_SLOT_BYTES_MAX: u32 = 512;
/// Slots looked at above the oldest unsettled one: the contract allows no count in flight further up.
pub const FLIGHT_SLOTS: u32 = WINDOW;

/// Milliseconds to wait for the retained acknowledgement before sending what may have been sent before.
pub const ACK_GRACE_MILLISECONDS: u64 = 1_500;
/// Milliseconds without an acknowledgement until the same bytes are sent again, at first.
pub const RETRY_MILLISECONDS_MIN: u64 = 8_000;
/// The same, at most: it doubles while nothing comes.
pub const RETRY_MILLISECONDS_MAX: u64 = 300_000;

/// Seconds of silence after which MQTT asks whether the broker is there.
pub const KEEPALIVE_SECONDS: u16 = 15;
/// Milliseconds that one MQTT exchange may take.
pub const EXCHANGE_MILLISECONDS_MAX: u64 = 10_000;
/// Milliseconds that the uplink waits for the network at least, in each of its turns.
pub const TURN_MILLISECONDS_MIN: u64 = 5;
/// Milliseconds to the next connection attempt, at first and at most.
pub const RECONNECT_MILLISECONDS_MIN: u64 = 250;
/// See [`RECONNECT_MILLISECONDS_MIN`].
pub const RECONNECT_MILLISECONDS_MAX: u64 = 8_000;
/// Bytes for one MQTT packet from the broker: the largest is a CONNACK with its properties.
pub const RECEIVE_BYTES: usize = 512;
/// Bytes for MQTT packets to the broker: one of the largest, and small ones waiting for their PUBACK.
pub const TRANSMIT_BYTES: usize = 2_560;

/// Milliseconds without a sample after which the watchdog is no longer fed, beside the sample interval.
pub const SAMPLER_SILENCE_MILLISECONDS_MAX: u64 = 10_000;
/// Milliseconds without a turn of the uplink after which the watchdog is no longer fed.
pub const UPLINK_SILENCE_MILLISECONDS_MAX: u64 = 60_000;

const _: () = assert!(SEQUENCE_OFFSET + 2 * SEQUENCE_SLOT_BYTES <= OUTBOX_OFFSET);
const _: () = assert!(OUTBOX_SLOT_BYTES <= OUTBOX_SLOT_BYTES_MAX);
const _: () = assert!(FLIGHT_SLOTS <= u64::BITS, "a bit of a u64 for every slot in flight");
const _: () = assert!(TRANSMIT_BYTES > ENVELOPE_BYTES_MAX + TOPIC_BYTES_MAX + 128);
const _: () = assert!(RETRY_MILLISECONDS_MIN < RETRY_MILLISECONDS_MAX);
const _: () = assert!(EXCHANGE_MILLISECONDS_MAX < UPLINK_SILENCE_MILLISECONDS_MAX);
