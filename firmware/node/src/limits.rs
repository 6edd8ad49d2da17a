//! Every bound of the firmware's core, in one place, with the assertions that relate them.

use devices::limits::{COMMAND_BYTES_MAX, ENVELOPE_BYTES_MAX, OFFSET_SECONDS_MAX, TOPIC_BYTES_MAX, WINDOW};

/// Milliseconds between two samples where the board does not say otherwise.
pub const SAMPLE_INTERVAL_MILLISECONDS: u64 = 5_000;
/// Records that one sample of all sensors may make.
pub const SAMPLE_RECORDS_MAX: usize = 8;
/// Sensors of one board whose faults are told apart.
pub const SENSORS_MAX: usize = 4;
/// Seconds that a slot's later records may lie after its first: they are kept in two bytes.
pub const SLOT_SECONDS_MAX: u32 = 65_535;

/// Bytes of the largest page of an EEPROM in use, a 24C512's. A chip writes whole pages, also for a single byte: a power cut
/// can take what else lies in it. So what must not go at once lies in pages of its own.
pub const EEPROM_PAGE_BYTES: u32 = 128;
/// Where the boot counter's two slots lie in the EEPROM, each on a page of its own.
pub const SEQUENCE_OFFSET: u32 = 0;
/// Bytes from one slot of the boot counter to the other.
pub const SEQUENCE_SLOT_BYTES: u32 = EEPROM_PAGE_BYTES;
/// Where it is kept at what time the last boots began.
pub const BOOT_TIMES_OFFSET: u32 = 1024;
/// Of how many boots that is kept.
pub const BOOT_TIMES_MAX: u32 = 4;
/// Bytes from one of them to the next.
pub const BOOT_TIME_BYTES: u32 = 16;
/// Where the two slots of what the owner commanded lie.
pub const ORDERS_OFFSET: u32 = 256;
/// Bytes of one of them.
pub const ORDERS_SLOT_BYTES: u32 = 256;
/// Where the two slots of the key's generation lie.
pub const GENERATION_OFFSET: u32 = 768;
/// Bytes from one of them to the other.
pub const GENERATION_SLOT_BYTES: u32 = EEPROM_PAGE_BYTES;
/// Milliseconds that a device is prepared for another key, collecting what it reads, before it goes on with the old one.
pub const KEY_CHANGE_MILLISECONDS_MAX: u64 = 900_000;
/// Milliseconds from one report of a refused command to the next for the same reason.
pub const REFUSED_COMMAND_MILLISECONDS: u64 = 3_600_000;
/// Where the outbox begins; what lies between is for what else needs a fixed place.
pub const OUTBOX_OFFSET: u32 = 1152;
/// Bytes of an outbox slot where the board does not say otherwise: one sample of three quantities.
pub const OUTBOX_SLOT_BYTES: u32 = 128;
/// Bytes of the largest outbox slot: some forty samples.
pub const OUTBOX_SLOT_BYTES_MAX: u32 = 512;
/// Names that are remembered in one slot, so that later records only refer to them.
pub const SLOT_NAMES_MAX: usize = 12;
/// Bytes of one record as it is stored.
pub const STORED_RECORD_BYTES_MAX: usize = 64;
/// Bytes of a base time and a base version in a pack, beside what is reckoned while records are collected.
pub const STAMP_BYTES_MAX: usize = 8;
/// Slots looked at above the oldest unsettled one: the contract allows no count in flight further up.
pub const FLIGHT_SLOTS: u32 = WINDOW;

/// Milliseconds to wait for the retained acknowledgement before sending what may have been sent before.
pub const ACK_GRACE_MILLISECONDS: u64 = 1_500;
/// Milliseconds without an acknowledgement until the same bytes are sent again, at first.
pub const RETRY_MILLISECONDS_MIN: u64 = 8_000;
/// The same, at most: it doubles while nothing comes.
pub const RETRY_MILLISECONDS_MAX: u64 = 300_000;

/// The earliest time that a clock can show: 1 January 2025, before this firmware was made.
pub const CLOCK_UNIX_SECONDS_MIN: u32 = 1_735_689_600;
/// Seconds that a clock may be wrong by between two answers of a time server: a crystal's 200 millionths of an hour and
/// the rounding to seconds.
pub const CLOCK_DRIFT_SECONDS_MAX: u32 = 3;
/// Answers that must agree before the clock is moved by more than that.
pub const CLOCK_AGREEING_ANSWERS: u32 = 3;
/// Milliseconds between two questions to a time server that answers, at first and at most: it doubles. A first answer that
/// was wrong is noticed within minutes.
pub const TIME_ASK_MILLISECONDS_MIN: u64 = 64_000;
/// See [`TIME_ASK_MILLISECONDS_MIN`].
pub const TIME_ASK_MILLISECONDS_MAX: u64 = 3_600_000;
/// Milliseconds until the next question after an answer that was not believed.
pub const TIME_DOUBT_MILLISECONDS: u64 = 60_000;
/// Milliseconds until the next question where no answer came, at first and at most: it doubles.
pub const TIME_ASK_AGAIN_MILLISECONDS_MIN: u64 = 4_000;
/// See [`TIME_ASK_AGAIN_MILLISECONDS_MIN`].
pub const TIME_ASK_AGAIN_MILLISECONDS_MAX: u64 = 1_024_000;

/// Milliseconds between two health reports.
pub const HEALTH_INTERVAL_MILLISECONDS: u64 = 3_600_000;
/// Health records that wait for their place in a pack.
pub const HEALTH_RECORDS_MAX: usize = 12;
/// Bytes of the text that a panic leaves for the next start.
pub const LAST_WORDS_BYTES_MAX: usize = 24;
/// Thresholds of one configuration.
pub const THRESHOLDS_MAX: usize = 8;
/// Milliseconds between two samples that a configuration may ask for, at least and at most.
pub const CONFIGURED_INTERVAL_MILLISECONDS_MIN: u64 = 1_000;
/// See [`CONFIGURED_INTERVAL_MILLISECONDS_MIN`].
pub const CONFIGURED_INTERVAL_MILLISECONDS_MAX: u64 = 86_400_000;

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
/// Bytes for one MQTT packet from the broker: the largest are a CONNACK with its properties and a command.
pub const RECEIVE_BYTES: usize = 512;
/// Bytes for MQTT packets to the broker: one of the largest, and small ones waiting for their PUBACK.
pub const TRANSMIT_BYTES: usize = 2_560;

/// Milliseconds without a sample after which the watchdog is no longer fed, beside the sample interval.
pub const SAMPLER_SILENCE_MILLISECONDS_MAX: u64 = 10_000;
/// Milliseconds without a turn of the uplink after which the watchdog is no longer fed.
pub const UPLINK_SILENCE_MILLISECONDS_MAX: u64 = 60_000;

const _: () = assert!(ORDERS_OFFSET + 2 * ORDERS_SLOT_BYTES <= GENERATION_OFFSET);
const _: () = assert!(GENERATION_OFFSET + 2 * GENERATION_SLOT_BYTES <= BOOT_TIMES_OFFSET);
const _: () = assert!(BOOT_TIMES_OFFSET + BOOT_TIMES_MAX * BOOT_TIME_BYTES <= OUTBOX_OFFSET);
const _: () = assert!(SEQUENCE_OFFSET + 2 * SEQUENCE_SLOT_BYTES <= ORDERS_OFFSET);
const _: () = assert!(
    ORDERS_OFFSET.is_multiple_of(EEPROM_PAGE_BYTES)
        && ORDERS_SLOT_BYTES.is_multiple_of(EEPROM_PAGE_BYTES)
        && GENERATION_OFFSET.is_multiple_of(EEPROM_PAGE_BYTES)
        && BOOT_TIMES_OFFSET.is_multiple_of(EEPROM_PAGE_BYTES)
        && OUTBOX_OFFSET.is_multiple_of(EEPROM_PAGE_BYTES)
);
const _: () = assert!(COMMAND_BYTES_MAX + TOPIC_BYTES_MAX + 16 <= RECEIVE_BYTES, "with MQTT's own fields");
const _: () = assert!(SLOT_SECONDS_MAX <= u16::MAX as u32 && SLOT_SECONDS_MAX < OFFSET_SECONDS_MAX as u32);
const _: () = assert!(STORED_RECORD_BYTES_MAX <= u8::MAX as usize, "its length is one byte");
const _: () = assert!(OUTBOX_SLOT_BYTES <= OUTBOX_SLOT_BYTES_MAX);
const _: () = assert!(FLIGHT_SLOTS <= u64::BITS, "a bit of a u64 for every slot in flight");
const _: () = assert!(TRANSMIT_BYTES > ENVELOPE_BYTES_MAX + TOPIC_BYTES_MAX + 128);
const _: () = assert!(RETRY_MILLISECONDS_MIN < RETRY_MILLISECONDS_MAX);
const _: () = assert!(EXCHANGE_MILLISECONDS_MAX < UPLINK_SILENCE_MILLISECONDS_MAX);
