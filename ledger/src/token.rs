//! Amounts: integers of micro-tokens, and how they read.

use core::fmt;

/// Micro-tokens of one token.
pub const MICROTOKENS_PER_TOKEN: u64 = 1_000_000;

/// An amount of micro-tokens that displays as tokens, exactly, with six decimals.
///
/// ```
/// use ledger::token::Tokens;
/// assert_eq!(Tokens(1_234).to_string(), "0.001234");
/// assert_eq!("12.5".parse(), Ok(Tokens(12_500_000)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tokens(pub u64);

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / MICROTOKENS_PER_TOKEN, self.0 % MICROTOKENS_PER_TOKEN)
    }
}

/// A text is no amount of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is a number of tokens with at most six decimals, such as 12.5")]
pub struct NotAnAmount;

impl core::str::FromStr for Tokens {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let missing = u32::try_from(decimals.len()).ok().and_then(|n| 6_u32.checked_sub(n));
        let (true, true, Some(missing)) = (digits(whole), digits(decimals), missing) else {
            return Err(NotAnAmount);
        };
        let whole: u64 = whole.parse().map_err(|_| NotAnAmount)?;
        let decimals: u64 = decimals.parse().map_err(|_| NotAnAmount)?;
        let fraction = 10_u64.checked_pow(missing).and_then(|scale| decimals.checked_mul(scale));
        let microtokens =
            whole.checked_mul(MICROTOKENS_PER_TOKEN).zip(fraction).and_then(|(w, f)| w.checked_add(f));
        microtokens.map(Tokens).ok_or(NotAnAmount)
    }
}
