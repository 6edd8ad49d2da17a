//! A signed number of 96 bits. A reading in nano-units stays below 2^94 and an epoch's sums of readings in micro-units
//! below 2^73, so a million devices need not keep 128 bits of each.

use crate::encoding::{Read, Written};
use devices::cbor::{DecodeError, Reader, Writer};

/// The number's words, the least first, in two's complement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signed96([u32; 3]);

const MOST: i128 = (1 << 95) - 1;
const LEAST: i128 = -(1 << 95);

impl Signed96 {
    /// The number, or the nearest one that there is.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the words of a number are what is meant"
    )]
    pub(crate) fn nearest(number: i128) -> Self {
        let number = number.clamp(LEAST, MOST);
        Self([number as u32, (number >> 32) as u32, (number >> 64) as u32])
    }

    pub(crate) fn get(self) -> i128 {
        let [low, middle, high] = self.0.map(i128::from);
        // The highest word's upper half fills with its sign.
        low | (middle << 32) | ((high << 96) >> 32)
    }

    /// Writes its sixteen big-endian bytes, as all numbers wider than 64 bits stand.
    pub(crate) fn write(self, writer: &mut Writer<'_>) -> Written {
        writer.bytes(&self.get().to_be_bytes())
    }

    /// Reads what [`Self::write`] wrote; a wider number is an error.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let number = i128::from_be_bytes(*reader.byte_array::<16>()?);
        let near = Self::nearest(number);
        if near.get() == number { Ok(near) } else { Err(DecodeError::OutOfRange) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_96_bits_comes_back_and_a_wider_one_stops_at_the_end() {
        for number in [0, 1, -1, i128::from(u32::MAX), 1 << 94, -(1 << 94), MOST, LEAST, -4_294_967_296] {
            assert_eq!(Signed96::nearest(number).get(), number);
        }
        assert_eq!(Signed96::nearest(i128::MAX).get(), MOST);
        assert_eq!(Signed96::nearest(i128::MIN).get(), LEAST);
    }
}
