//! Lower-case hexadecimal text of fixed-size identifiers, without an allocator. Every message's topic has one in it, so it
//! is written in one piece and read without a branch a digit.
use core::fmt;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// What [`VALUES`] says of a character that is no digit; no digit has a bit of it.
const NO_DIGIT: u8 = 0x80;
/// The value of each character.
const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// Writes `bytes` as lower-case hex digits.
pub(crate) fn write<const N: usize>(bytes: &[u8; N], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [[0; 2]; N];
    for (digits, byte) in text.iter_mut().zip(bytes) {
        *digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    out.write_str(core::str::from_utf8(text.as_flattened()).map_err(|_| fmt::Error)?)
}

/// Reads exactly `2 * N` lower-case hex digits: one identifier has one text.
pub(crate) fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let (mut bytes, mut seen) = ([0; N], 0);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        *byte = high << 4 | low;
        seen |= high | low;
    }
    (seen & NO_DIGIT == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shown([u8; 4]);

    impl fmt::Display for Shown {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(&self.0, out)
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        extern crate std;
        use std::string::ToString as _;
        let text = Shown([0x00, 0x1f, 0xa9, 0xff]).to_string();
        assert_eq!(text, "001fa9ff");
        assert_eq!(parse(&text), Some([0x00, 0x1f, 0xa9, 0xff]));
        for wrong in ["001fa9f", "001fa9fff", "001FA9FF", "001fa9fg", "001fa9f ", "00\u{e9}fa9ff"] {
            assert_eq!(parse::<4>(wrong), None, "{wrong}");
        }
    }
}
