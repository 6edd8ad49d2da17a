//! Amounts as the contract writes them: micro-tokens in a string beside a decimal rendering.

use ledger::token::Tokens;
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
        Amount { microtokens: microtokens.to_string(), tokens: Tokens(microtokens).to_string() }
    }
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
        assert_eq!(Amount::new(u64::MAX).tokens, "18446744073709.551615");
    }
}
