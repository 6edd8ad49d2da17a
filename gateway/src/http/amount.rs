//! Amounts as the contract writes them: micro-tokens in a string beside a decimal rendering.

use ledger::limits::MICROTOKENS_PER_TOKEN;
use serde::Serialize;
use utoipa::ToSchema;

/// An amount of tokens. Both members are strings, because a JSON number above 2^53 loses digits in many readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Amount {
    /// Micro-tokens, a decimal integer.
    #[schema(example = "1234")]
    pub microtokens: String,
    /// The same in tokens, with six places.
    #[schema(example = "0.001234")]
    pub tokens: String,
}

impl Amount {
    /// An amount of so many micro-tokens.
    pub fn new(microtokens: u64) -> Amount {
        Amount { microtokens: microtokens.to_string(), tokens: tokens(microtokens) }
    }
}

/// Renders micro-tokens as tokens with six places.
pub fn tokens(microtokens: u64) -> String {
    let whole = microtokens / MICROTOKENS_PER_TOKEN;
    let part = microtokens % MICROTOKENS_PER_TOKEN;
    format!("{whole}.{part:06}")
}

/// Reads tokens with at most six places ("12.5") as micro-tokens; exact, no float.
///
/// # Errors
/// One sentence when the text is no such number or does not fit.
pub fn parse_tokens(text: &str) -> Result<u64, String> {
    let refuse = || format!("\"{text}\" is no amount of tokens: write a decimal number with at most six places");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return Err(refuse());
    }
    let whole: u64 = whole.parse().map_err(|_| refuse())?;
    let part: u64 = format!("{part:0<6}").parse().map_err(|_| refuse())?;
    whole.checked_mul(MICROTOKENS_PER_TOKEN).and_then(|whole| whole.checked_add(part)).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_rendered_exactly() {
        assert_eq!(
            Amount::new(1_234),
            Amount { microtokens: "1234".to_owned(), tokens: "0.001234".to_owned() }
        );
        assert_eq!(tokens(u64::MAX), "18446744073709.551615");
    }

    #[test]
    fn tokens_are_read_without_a_float() {
        assert_eq!(parse_tokens("12.5"), Ok(12_500_000));
        assert_eq!(parse_tokens("18446744073709.551615"), Ok(u64::MAX));
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "1.0000001", "18446744073709.551616", "1 ", "+1"] {
            assert!(parse_tokens(bad).is_err(), "{bad}");
        }
    }
}
