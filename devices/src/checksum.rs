//! CRC-32 (ISO-HDLC, the one of zlib and Ethernet), for pages and counters that power loss can tear.

/// The CRC-32 of `bytes`. Bit by bit: it runs over tens of bytes, at boot.
///
/// ```
/// assert_eq!(devices::checksum::crc32(b"123456789"), 0xcbf4_3926);
/// ```
pub fn crc32(bytes: &[u8]) -> u32 {
    Crc32::new().with(bytes).value()
}

/// A CRC-32 over several pieces, as if they were one.
///
/// ```
/// use devices::checksum::{Crc32, crc32};
/// assert_eq!(Crc32::new().with(b"1234").with(b"56789").value(), crc32(b"123456789"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crc32(u32);

impl Crc32 {
    /// Over nothing yet.
    pub const fn new() -> Self {
        Self(u32::MAX)
    }

    /// With these bytes after those before.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let mut register = self.0;
        for byte in bytes {
            register ^= u32::from(*byte);
            for _ in 0..8 {
                let polynomial = if register & 1 == 1 { 0xedb8_8320 } else { 0 };
                register = register >> 1 ^ polynomial;
            }
        }
        Self(register)
    }

    /// The checksum of all of them.
    pub const fn value(self) -> u32 {
        !self.0
    }
}

impl Default for Crc32 {
    fn default() -> Self {
        Self::new()
    }
}
