//! The token that a session's forms carry, written differently in each page.

use std::fmt;

/// What every form on a page carries in its field `token`, so that no other site can send one.
///
/// It is shown masked: random bytes of the request, then the token's own under them. So no two pages have it alike, and
/// the lengths of packed pages tell nobody what it is (BREACH).
///
/// ```
/// use dashboard::view::FormToken;
/// let (one, other) = (FormToken::new([7; 32]).under([1; 32]), FormToken::new([7; 32]).under([2; 32]));
/// assert_ne!(one.to_string(), other.to_string());
/// assert!(one.is_sent_as(&other.to_string()) && other.is_sent_as(&one.to_string()));
/// assert!(!one.is_sent_as(&"07".repeat(32)) && !FormToken::default().is_sent_as(&one.to_string()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FormToken {
    /// Nobody's where it is absent.
    token: Option<[u8; 32]>,
    mask: [u8; 32],
}

impl FormToken {
    /// The token of a session, under no mask yet.
    pub fn new(token: [u8; 32]) -> FormToken {
        FormToken { token: Some(token), mask: [0; 32] }
    }

    /// The same under a mask of random bytes that no other page has.
    #[must_use]
    pub fn under(self, mask: [u8; 32]) -> FormToken {
        FormToken { mask, ..self }
    }

    /// Whether a form's field is this token under some mask; takes the same time wherever they differ.
    pub fn is_sent_as(&self, field: &str) -> bool {
        let Some(own) = self.token.filter(|own| field.len() == 4 * own.len()) else { return false };
        let (mask, masked) = field.as_bytes().split_at(2 * own.len());
        let different = digits(mask).zip(digits(masked)).zip(own).fold(0, |different, pair| match pair {
            ((Some(mask), Some(masked)), own) => different | (mask ^ masked ^ own),
            _ => u8::MAX,
        });
        different == 0
    }

    /// Bytes without a meaning, of a number that changes from page to page, for whoever hides a page's length.
    pub(crate) fn noise(&self) -> Vec<u8> {
        let [length, ..] = self.mask;
        self.mask.iter().copied().cycle().take(usize::from(length) / 2).collect()
    }
}

/// Pairs of hex digits as bytes.
fn digits(text: &[u8]) -> impl Iterator<Item = Option<u8>> {
    text.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
}

impl fmt::Display for FormToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(token) = self.token else { return Ok(()) };
        self.mask.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
        self.mask.iter().zip(token).try_for_each(|(mask, byte)| write!(out, "{:02x}", mask ^ byte))
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FormToken(…)")
    }
}
