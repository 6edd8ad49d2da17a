//! Every bound of what a board keeps for its next start.

use node::limits::LAST_WORDS_BYTES_MAX;

/// 32-bit words that a keepsake takes: magic word, how it ended, the last words, checksum.
pub const KEEPSAKE_WORDS: usize = 3 + LAST_WORDS_BYTES_MAX / 4;

/// Seconds after its start within which a panic counts as one of a row: the cause is likely still there.
pub const PANIC_SOON_SECONDS: u64 = 60;
/// Panics in a row after which a board rests before it starts again. Each start writes the boot counter, and an EEPROM
/// takes about a million writes: a board that panics at once, and starts at once, would wear it out within a day.
pub const PANICS_WITHOUT_REST: u8 = 3;
/// Seconds of the first rest; each panic more doubles it.
pub const REST_SECONDS_MIN: u32 = 4;
/// Seconds of the longest rest.
pub const REST_SECONDS_MAX: u32 = 300;

const _: () = assert!(LAST_WORDS_BYTES_MAX.is_multiple_of(4));
const _: () = assert!(REST_SECONDS_MIN < REST_SECONDS_MAX);
