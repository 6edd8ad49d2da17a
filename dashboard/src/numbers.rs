//! Integers and exact decimals as people read them; no float on the way.

use crate::marks::Integer;
use crate::view::Exact;

/// Micro-tokens in one token.
const MICROTOKENS: u64 = 1_000_000;

/// An integer with a comma between thousands: `12,345`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount in tokens, always with its six decimals, so that columns align and nothing is rounded.
pub fn tokens(microtokens: u64) -> String {
    format!("{}.{:06}", grouped(microtokens / MICROTOKENS), microtokens % MICROTOKENS)
}

/// `1 reading`, `2 readings`.
pub fn counted(value: impl Integer, one: &str, many: &str) -> String {
    let value = value.value();
    format!("{} {}", grouped(value), if value == 1 { one } else { many })
}

/// An exact decimal as it was measured: `12.53`.
pub fn exact(value: Exact) -> String {
    decimal(value.mantissa, places(value.exponent))
}

/// How many decimals an exponent stands for.
pub fn places(exponent: i8) -> u32 {
    u32::from(exponent.min(0).unsigned_abs())
}

/// A mantissa with `places` decimals; the minus is U+2212, as wide as a digit.
pub fn decimal(mantissa: i128, places: u32) -> String {
    let digits = mantissa.unsigned_abs().to_string();
    let places = places as usize;
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let sign = if mantissa < 0 { "\u{2212}" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_every_microtoken() {
        assert_eq!(tokens(0), "0.000000");
        assert_eq!(tokens(1_234), "0.001234");
        assert_eq!(tokens(1_234_567_000_001), "1,234,567.000001");
        assert_eq!(tokens(u64::MAX), "18,446,744,073,709.551615");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(123_456), "123,456");
    }

    #[test]
    fn decimals_are_exact_on_both_sides_of_zero() {
        assert_eq!(exact(Exact { mantissa: 1253, exponent: -2 }), "12.53");
        assert_eq!(exact(Exact { mantissa: -5, exponent: -2 }), "\u{2212}0.05");
        assert_eq!(exact(Exact { mantissa: 0, exponent: 0 }), "0");
        assert_eq!(exact(Exact { mantissa: -40, exponent: 0 }), "\u{2212}40");
        assert_eq!(
            exact(Exact { mantissa: 18_446_744_073_709_551_615, exponent: -9 }),
            "18446744073.709551615"
        );
    }
}
