//! CRC-32 (ISO-HDLC, the one of zlib and Ethernet), for pages and counters that power loss can tear.

/// The CRC-32 of `bytes`. Bit by bit: it runs over tens of bytes, at boot.
///
/// ```
/// assert_eq!(devices::checksum::crc32(b"123456789"), 0xcbf4_3926);
/// ```
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for byte in bytes {
        register ^= u32::from(*byte);
        for _ in 0..8 {
            let polynomial = if register & 1 == 1 { 0xedb8_8320 } else { 0 };
            register = register >> 1 ^ polynomial;
        }
    }
    !register
}
