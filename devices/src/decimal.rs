//! Exact decimal numbers: a CBOR integer times a power of ten. No float anywhere.
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use crate::limits::DECIMAL_DIGITS_MAX;

const MANTISSA_MIN: i128 = -(1 << 64);
const MANTISSA_MAX: i128 = (1 << 64) - 1;
const POWERS_OF_TEN: [u32; DECIMAL_DIGITS_MAX as usize + 1] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Why a number is not a decimal of the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecimalError {
    /// The mantissa lies outside CBOR's integers, -2^64 to 2^64 - 1.
    #[error("the number has more digits than 64 bits hold")]
    OutOfRange,
    /// More than nine digits stand after the point.
    #[error("the number has more than nine digits after the point")]
    TooPrecise,
    /// The text is not digits with at most one point and a sign in front.
    #[error("the text is not a decimal number such as -12.53")]
    Text,
}

/// `mantissa × 10^exponent`, normalised: the exponent is 0, or -1 to -9 and the mantissa not divisible by ten.
///
/// ```
/// use devices::Decimal;
/// let value: Decimal = "12.530".parse()?;
/// assert_eq!((value.mantissa(), value.exponent()), (1253, -2));
/// assert_eq!(value.to_string(), "12.53");
/// assert!(value < Decimal::from(13u32));
/// # Ok::<(), devices::decimal::DecimalError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i128,
    exponent: i8,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal { mantissa: 0, exponent: 0 };

    /// The decimal of that value, normalised; an error if it has no place on the wire.
    pub fn new(mantissa: i128, exponent: i8) -> Result<Decimal, DecimalError> {
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        if mantissa == 0 {
            return Ok(Decimal::ZERO);
        }
        while exponent < 0 && ends_with_zero(mantissa) {
            (mantissa, exponent) = (tenth(mantissa), exponent + 1);
        }
        while exponent > 0 {
            if !(MANTISSA_MIN..=MANTISSA_MAX).contains(&mantissa) {
                return Err(DecimalError::OutOfRange);
            }
            (mantissa, exponent) = (mantissa * 10, exponent - 1);
        }
        if exponent < -DECIMAL_DIGITS_MAX {
            return Err(DecimalError::TooPrecise);
        }
        if !(MANTISSA_MIN..=MANTISSA_MAX).contains(&mantissa) {
            return Err(DecimalError::OutOfRange);
        }
        Ok(Decimal { mantissa, exponent })
    }

    /// The integer in front of the power of ten; between -2^64 and 2^64 - 1.
    pub fn mantissa(&self) -> i128 {
        self.mantissa
    }

    /// The power of ten, -9 to 0.
    pub fn exponent(&self) -> i8 {
        self.exponent
    }

    /// The value in units of 10^-9: exact, and the same for equal values only. Less than 2^94 in magnitude.
    #[inline]
    pub fn nanos(&self) -> i128 {
        // Every accepted record is compared by it: a table is many times faster than a power.
        let places = usize::from((DECIMAL_DIGITS_MAX + self.exponent).unsigned_abs());
        self.mantissa * i128::from(POWERS_OF_TEN[places])
    }
}

/// Division of 128 bits takes long, and on a microcontroller two kilobytes; what sensors measure fits into 64.
fn ends_with_zero(mantissa: i128) -> bool {
    i64::try_from(mantissa)
        .map_or_else(|_| divided_by_ten(mantissa.unsigned_abs()).1 == 0, |small| small % 10 == 0)
}

fn tenth(mantissa: i128) -> i128 {
    match i64::try_from(mantissa) {
        Ok(small) => (small / 10).into(),
        // A tenth of what 128 bits hold fits into them with its sign.
        Err(_) => divided_by_ten(mantissa.unsigned_abs()).0 as i128 * mantissa.signum(),
    }
}

/// Quotient and remainder, 32 bits at a time.
fn divided_by_ten(number: u128) -> (u128, u8) {
    let (mut quotient, mut remainder) = (0, 0);
    for place in (0..4).rev() {
        let part = remainder << 32 | u64::from((number >> (32 * place)) as u32);
        quotient = quotient << 32 | u128::from(part / 10);
        remainder = part % 10;
    }
    (quotient, remainder as u8)
}

impl From<u32> for Decimal {
    fn from(value: u32) -> Decimal {
        Decimal { mantissa: value.into(), exponent: 0 }
    }
}

impl From<i32> for Decimal {
    fn from(value: i32) -> Decimal {
        Decimal { mantissa: value.into(), exponent: 0 }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos().cmp(&other.nanos())
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    /// All digits and no more: `-7.25`, `21`, `0.001`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // From the last digit to the first; 20 digits, a point and a sign at most.
        let mut text = [0; 24];
        let mut start = text.len();
        let mut put = |byte: u8| {
            start -= 1;
            text[start] = byte;
        };
        let places = u32::from(self.exponent.unsigned_abs());
        let (mut rest, mut digit) = divided_by_ten(self.mantissa.unsigned_abs());
        let mut written = 0;
        loop {
            put(b'0' + digit);
            written += 1;
            if written == places {
                put(b'.');
            }
            if rest == 0 && written > places {
                break;
            }
            // Without its last digit every mantissa fits into 64 bits.
            let small = rest as u64;
            (rest, digit) = (u128::from(small / 10), (small % 10) as u8);
        }
        if self.mantissa < 0 {
            put(b'-');
        }
        out.write_str(core::str::from_utf8(&text[start..]).unwrap_or_default())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Decimal({self})")
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Digits, at most one point between digits, and `-` in front where it is negative. Zeros at the end are dropped.
    fn from_str(text: &str) -> Result<Decimal, DecimalError> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Text),
            Some((whole, fraction)) => (whole, fraction.trim_end_matches('0')),
            None => (digits, ""),
        };
        if whole.is_empty() {
            return Err(DecimalError::Text);
        }
        let mut mantissa: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return Err(DecimalError::Text);
            }
            let next = mantissa.checked_mul(10).and_then(|tens| tens.checked_add(i128::from(digit - b'0')));
            mantissa = next.ok_or(DecimalError::OutOfRange)?;
        }
        let exponent = i8::try_from(fraction.len()).map_err(|_| DecimalError::TooPrecise)?;
        Decimal::new(sign * mantissa, -exponent)
    }
}
