//! The token that a session's forms carry, written differently each time.

use std::fmt;

/// What every form on a page carries in its field `token`, so that no other site can send one.
///
/// It is shown masked: random bytes, then the token's own under them. So no two pages have it alike, and the lengths of
/// packed pages tell nobody what it is (BREACH).
///
/// ```
/// use dashboard::view::FormToken;
/// let token = FormToken::new("of this session".to_owned());
/// let (one, other) = (token.to_string(), token.to_string());
/// assert_ne!(one, other);
/// assert!(token.is_sent_as(&one) && token.is_sent_as(&other));
/// assert!(!token.is_sent_as("of this session") && !FormToken::default().is_sent_as(""));
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FormToken(String);

impl FormToken {
    /// The token of a session; an empty one is never sent.
    pub fn new(token: String) -> FormToken {
        FormToken(token)
    }

    /// Whether a form's field is this token under some mask; takes the same time wherever they differ.
    pub fn is_sent_as(&self, field: &str) -> bool {
        let own = self.0.as_bytes();
        let Some((mask, masked)) = field.as_bytes().split_at_checked(2 * own.len()) else { return false };
        if own.is_empty() || masked.len() != mask.len() {
            return false;
        }
        let (mask, masked) = (digits(mask), digits(masked));
        let pairs = mask.zip(masked).zip(own);
        let different = pairs.fold(0, |different, ((mask, masked), own)| match (mask, masked) {
            (Some(mask), Some(masked)) => different | (mask ^ masked ^ own),
            _ => u8::MAX,
        });
        different == 0
    }
}

/// Pairs of hex digits as bytes.
fn digits(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    text.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
}

impl fmt::Display for FormToken {
    /// Fails where the system has no randomness.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mask = vec![0; self.0.len()];
        getrandom::fill(&mut mask).map_err(|_| fmt::Error)?;
        mask.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
        mask.iter().zip(self.0.bytes()).try_for_each(|(mask, byte)| write!(out, "{:02x}", mask ^ byte))
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FormToken(…)")
    }
}
