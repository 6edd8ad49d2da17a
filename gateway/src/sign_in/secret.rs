//! Secrets that are handed to somebody once: the node keeps their hashes, so that whoever reads its file or its memory dump
//! of tables gets nobody's session.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

/// 32 random bytes: a session's token, a one-time link, a challenge.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Of bytes from the operating system's generator.
    pub fn new(random: [u8; 32]) -> Secret {
        Secret(random)
    }

    /// Reads what [`Secret::text`] wrote.
    pub fn parse(text: &str) -> Option<Secret> {
        let mut bytes = [0; 32];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        (decoded.len() == 32).then_some(Secret(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it stands in a cookie or an address: 43 letters, digits, `-` and `_`.
    pub fn text(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0).into())
    }

    /// What the forms of this session's pages carry. It follows from the session's token, which other sites cannot read;
    /// the token does not follow from it.
    pub fn form_token(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"lamppost form token\0").chain_update(self.0).finalize().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// SHA-256 of a secret. Random 32 bytes need no salt and no slow hash: nobody guesses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// A name for it in pages and forms: it says which one, and opens nothing.
    pub fn name(&self) -> String {
        hex::encode(&self.0[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_nothing_like_it_does() {
        let secret = Secret::new([0xa5; 32]);
        let text = secret.text();
        assert_eq!(text.len(), 43);
        assert_eq!(Secret::parse(&text), Some(secret));
        let shorter = &text[..42];
        for wrong in ["", shorter, &format!("{text}A"), &format!("{text}="), &text.replace('p', "+")] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn neither_the_hash_nor_the_form_token_is_the_secret() {
        let (one, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        assert_ne!(&one.hash().0, one.as_bytes());
        assert_ne!(&one.form_token(), one.as_bytes());
        assert_ne!(one.form_token(), other.form_token());
        assert_ne!(Secret::new(one.form_token()).hash(), one.hash());
        assert_eq!(format!("{one:?}"), "Secret(…)");
    }
}
