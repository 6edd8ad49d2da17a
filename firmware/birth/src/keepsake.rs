//! The words that survive a reset in memory which no start clears: how the last life ended.
//!
//! | word | what |
//! |---|---|
//! | 0 | `kept` |
//! | 1 | how it ended, panics in a row, length of the last words, 0 |
//! | 2..8 | the last words, then zeros |
//! | 8 | CRC-32 of all before it (little-endian bytes) |

use devices::checksum::crc32;
use node::LastWords;
use node::limits::LAST_WORDS_BYTES_MAX;

use crate::limits::{
    KEEPSAKE_WORDS, PANIC_SOON_SECONDS, PANICS_WITHOUT_REST, REST_SECONDS_MAX, REST_SECONDS_MIN,
};

const MAGIC: u32 = u32::from_le_bytes(*b"kept");
const CHECKSUM: usize = KEEPSAKE_WORDS - 1;
const RUNNING: u8 = 0;
const STARVED: u8 = 1;
const RESTARTED: u8 = 2;
const PANICKED: u8 = 3;

/// How a life ended, as far as it could say so itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It ran, and said nothing.
    Running,
    /// Its watchdog warned that it is not fed.
    Starved,
    /// It restarted because it wanted to.
    Restarted,
    /// It panicked here.
    Panicked(LastWords),
}

/// What one life leaves to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keepsake {
    /// How it ended.
    pub ending: Ending,
    /// Panics without a longer life between them, this one included.
    pub panics_in_a_row: u8,
}

impl Keepsake {
    /// What a life that has just begun leaves, should it end without a word. `before` is what it found.
    pub fn begun(before: Option<Keepsake>) -> Keepsake {
        let panics_in_a_row = match before {
            Some(Keepsake { ending: Ending::Panicked(_), panics_in_a_row }) => panics_in_a_row,
            _ => 0,
        };
        Keepsake { ending: Ending::Running, panics_in_a_row }
    }

    /// What a life leaves that panics now, so many seconds old.
    pub fn panicked(self, words: LastWords, age_seconds: u64) -> Keepsake {
        let before = if age_seconds < PANIC_SOON_SECONDS { self.panics_in_a_row } else { 0 };
        Keepsake { ending: Ending::Panicked(words), panics_in_a_row: before.saturating_add(1) }
    }

    /// Seconds to wait before this life does anything that wears: none, unless panic follows panic.
    pub fn rest_seconds(self) -> u32 {
        match self.panics_in_a_row.checked_sub(PANICS_WITHOUT_REST) {
            Some(more) => REST_SECONDS_MIN.saturating_mul(1 << u32::from(more).min(16)).min(REST_SECONDS_MAX),
            None => 0,
        }
    }

    /// The words to keep.
    ///
    /// ```
    /// use birth::{Ending, Keepsake};
    /// let keepsake = Keepsake { ending: Ending::Starved, panics_in_a_row: 0 };
    /// assert_eq!(Keepsake::decode(&keepsake.encode()), Some(keepsake));
    /// ```
    pub fn encode(&self) -> [u32; KEEPSAKE_WORDS] {
        let (kind, words) = match &self.ending {
            Ending::Running => (RUNNING, ""),
            Ending::Starved => (STARVED, ""),
            Ending::Restarted => (RESTARTED, ""),
            Ending::Panicked(words) => (PANICKED, words.as_str()),
        };
        let mut text = [0; LAST_WORDS_BYTES_MAX];
        text[..words.len()].copy_from_slice(words.as_bytes());
        let mut kept = [0; KEEPSAKE_WORDS];
        kept[0] = MAGIC;
        kept[1] = u32::from_le_bytes([kind, self.panics_in_a_row, words.len() as u8, 0]);
        for (word, bytes) in kept[2..CHECKSUM].iter_mut().zip(text.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        kept[CHECKSUM] = checksum(&kept);
        kept
    }

    /// What was kept; none where nothing was, as after power came.
    pub fn decode(kept: &[u32; KEEPSAKE_WORDS]) -> Option<Keepsake> {
        if kept[0] != MAGIC || kept[CHECKSUM] != checksum(kept) {
            return None;
        }
        let [kind, panics_in_a_row, length, _] = kept[1].to_le_bytes();
        let mut text = [0; LAST_WORDS_BYTES_MAX];
        for (bytes, word) in text.as_chunks_mut().0.iter_mut().zip(&kept[2..CHECKSUM]) {
            *bytes = word.to_le_bytes();
        }
        let ending = match kind {
            RUNNING => Ending::Running,
            STARVED => Ending::Starved,
            RESTARTED => Ending::Restarted,
            PANICKED => Ending::Panicked(LastWords::new(text.get(..usize::from(length))?)?),
            _ => return None,
        };
        Some(Keepsake { ending, panics_in_a_row })
    }
}

fn checksum(kept: &[u32; KEEPSAKE_WORDS]) -> u32 {
    let mut bytes = [0; 4 * CHECKSUM];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(kept) {
        *bytes = word.to_le_bytes();
    }
    crc32(&bytes)
}
