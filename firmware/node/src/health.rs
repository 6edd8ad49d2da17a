//! What a board knows of its own life: why it started, what it said before, how much of its stack was never needed.
//!
//! A board fills these in; nothing here knows how a chip tells.

use core::fmt;

use crate::limits::LAST_WORDS_BYTES_MAX;

/// What a board knows when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Birth {
    /// Why it started.
    pub reset: Reset,
    /// Where it panicked, if that is why.
    pub last_words: Option<LastWords>,
    /// The version of its firmware.
    pub firmware: &'static str,
}

/// Why a board started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// Power came.
    PowerOn,
    /// Somebody pressed the button, or a debugger did.
    Button,
    /// The watchdog was not fed.
    Watchdog,
    /// The firmware asked for it.
    Software,
    /// The firmware panicked or faulted.
    Panic,
    /// For a reason that this list does not have.
    Other,
}

impl Reset {
    /// Every reason.
    pub const ALL: [Reset; 6] =
        [Reset::PowerOn, Reset::Button, Reset::Watchdog, Reset::Software, Reset::Panic, Reset::Other];

    /// The reason in records and logs: lower case, words joined by `_`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reset::PowerOn => "power_on",
            Reset::Button => "button",
            Reset::Watchdog => "watchdog",
            Reset::Software => "software",
            Reset::Panic => "panic",
            Reset::Other => "other",
        }
    }
}

impl fmt::Display for Reset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Where a board panicked, as a text that may stand in a SenML name (RFC 8428 §4.5.1): `main.rs:123`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastWords {
    text: [u8; LAST_WORDS_BYTES_MAX],
    bytes: u8,
}

impl LastWords {
    /// A line of a source file. Where the path is too long its end stays: the file's own name says most.
    ///
    /// ```
    /// use node::LastWords;
    /// assert_eq!(LastWords::at("src/main.rs", 123).as_str(), "main.rs:123");
    /// assert_eq!(LastWords::at("/cargo/embassy-net-0.9.1/src/lib.rs", 7).as_str(), "y-net-0.9.1/src/lib.rs:7");
    /// ```
    pub fn at(file: &str, line: u32) -> LastWords {
        let path = file.strip_prefix("src/").unwrap_or(file);
        let room = LAST_WORDS_BYTES_MAX - 2 - line.checked_ilog10().unwrap_or(0) as usize;
        let end = path.get(path.len().saturating_sub(room)..).unwrap_or(path);
        let mut words = LastWords::nothing();
        // Never fails: what finds no room is dropped.
        let _ = fmt::write(&mut words, format_args!("{end}:{line}"));
        words
    }

    /// The beginning of a text; what may not stand in a name becomes `_`. None where nothing is left.
    pub fn new(text: &[u8]) -> Option<LastWords> {
        let mut words = LastWords::nothing();
        words.collect(text);
        (words.bytes > 0).then_some(words)
    }

    fn nothing() -> LastWords {
        LastWords { text: [0; LAST_WORDS_BYTES_MAX], bytes: 0 }
    }

    fn collect(&mut self, text: &[u8]) {
        for byte in text {
            // A name begins with a letter or a digit.
            let is_dropped = self.bytes == 0 && !byte.is_ascii_alphanumeric();
            if let (false, Some(place)) = (is_dropped, self.text.get_mut(usize::from(self.bytes))) {
                let may_stand = byte.is_ascii_alphanumeric() || b"-:./_".contains(byte);
                *place = if may_stand { *byte } else { b'_' };
                self.bytes += 1;
            }
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // ASCII alone was put in.
        core::str::from_utf8(&self.text[..usize::from(self.bytes)]).unwrap_or_default()
    }
}

impl fmt::Write for LastWords {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.collect(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What a board measures of itself now and then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vitals {
    /// Bytes of the stack that were never used since the board started.
    pub stack_free_bytes: u32,
}
