//! A name that is made on the device: short, owned, of SenML's characters.

use core::fmt;

use devices::limits::NAME_BYTES_MAX;

/// Up to 32 bytes of SenML's name characters (RFC 8428 §4.5.1). What is longer is cut, what is no such character becomes
/// `_`, so whatever is written makes a name that a pack takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; NAME_BYTES_MAX],
    length: u8,
}

impl Name {
    /// The name that `text` makes.
    ///
    /// ```
    /// use node::Name;
    /// assert_eq!(Name::of(&"fault:tmp105:no_answer").as_str(), "fault:tmp105:no_answer");
    /// assert_eq!(Name::of(&"panic:main.rs 12").as_str(), "panic:main.rs_12");
    /// assert_eq!(Name::of(&"a-very-long-name-that-nobody-can-remember").as_str().len(), 32);
    /// ```
    pub fn of(text: &dyn fmt::Display) -> Name {
        let mut name = Name { bytes: [0; NAME_BYTES_MAX], length: 0 };
        // Never fails: what finds no room is dropped.
        let _ = fmt::write(&mut name, format_args!("{text}"));
        name
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or("")
    }
}

impl fmt::Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let Some(place) = self.bytes.get_mut(usize::from(self.length)) else { return Ok(()) };
            *place = if byte.is_ascii_alphanumeric() || b"-:./_".contains(&byte) { byte } else { b'_' };
            self.length += 1;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
