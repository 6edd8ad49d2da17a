//! Every bound of the fleet, in one place, with the assertions that relate them.

/// Devices of one fleet.
pub const DEVICES_MAX: usize = 100_000;
/// MQTT connections of one fleet; more devices than that share them.
pub const CONNECTIONS_MAX: usize = 256;
/// Bytes of a virtual EEPROM: those of an AT24C64, as on the emulated board.
pub const EEPROM_BYTES: usize = 8192;
/// Bytes of an outbox slot: a pack of three quantities fits.
pub const OUTBOX_SLOT_BYTES: u32 = 128;
/// Rows of all replayed files together.
pub const REPLAY_ROWS_MAX: usize = 2_000_000;
/// Bytes of one replayed file.
pub const REPLAY_FILE_BYTES_MAX: u64 = 256 << 20;
/// Requests that wait for a connection.
pub const REQUESTS_MAX: usize = 256;
/// Events that wait for the devices of a connection.
pub const EVENTS_MAX: usize = 256;
/// Publishes on the way to the broker, on one connection, without a PUBACK.
pub const IN_FLIGHT_MAX: u16 = 200;
/// Bytes of one MQTT packet: a SUBSCRIBE for all devices of a connection fits.
pub const PACKET_BYTES_MAX: usize = 1 << 20;
/// Milliseconds until the next connection attempt, at first and at most.
pub const RECONNECT_MILLISECONDS_MIN: u64 = 250;
/// See [`RECONNECT_MILLISECONDS_MIN`].
pub const RECONNECT_MILLISECONDS_MAX: u64 = 8_000;
/// Milliseconds after which a full request queue is tried again.
pub const FULL_QUEUE_MILLISECONDS: u64 = 10;
/// Milliseconds that a fleet, when its seconds are over, waits for what is still unsettled.
pub const DRAIN_MILLISECONDS_MAX: u64 = 15_000;
/// Milliseconds without any PUBACK after which a load run gives up.
pub const LOAD_STALL_MILLISECONDS_MAX: u64 = 30_000;
/// Envelopes of one device and load run: each is a count of one boot.
pub const LOAD_ENVELOPES_EACH_MAX: u32 = 1_000_000;

const _: () = assert!(OUTBOX_SLOT_BYTES <= node::limits::OUTBOX_SLOT_BYTES_MAX);
const _: () = assert!(
    DEVICES_MAX.div_ceil(CONNECTIONS_MAX) * 2 * (devices::limits::TOPIC_BYTES_MAX + 3) < PACKET_BYTES_MAX,
    "one SUBSCRIBE holds both topics of every device of a connection"
);
const _: () = assert!(RECONNECT_MILLISECONDS_MIN < RECONNECT_MILLISECONDS_MAX);
