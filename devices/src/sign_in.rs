//! The answer to a sign-in challenge: an account's key says that it was asked, by which site and on which network.
//!
//! It is a COSE_Sign1 whose external_aad ends with `/sign-in`, so it can stand for no transaction, and whose payload is
//! `[challenge, origin]`, so that an answer that one site got out of somebody opens no other. The header carries the key:
//! an account is its key's thumbprint, so nobody has to know the account beforehand.

use crate::cbor::{DecodeError, Reader, Writer};
use crate::cose::{self, ContentType, Header, SealError, Sign1};
use crate::identity::{PublicKey, SigningKey};
use crate::limits::{
    CHALLENGE_BYTES, ORIGIN_BYTES_MAX, SIGN_IN_BYTES_MAX, SIGN_IN_PAYLOAD_BYTES_MAX,
    SIGN_IN_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES,
};
use crate::refusal::Refusal;
use crate::signature;

/// The end of the external_aad, after `lamppost/1/{network}`.
const PURPOSE: &str = "/sign-in";
/// An instruction counts here; a challenge is used once anyway.
const NO_COUNTER: [u8; 8] = [0; 8];

/// What is signed to sign in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignInAnswer<'a> {
    /// What the site asked.
    pub challenge: [u8; CHALLENGE_BYTES],
    /// The site that asked, as browsers write it: `https://host`, with the port where it is not the scheme's own.
    pub origin: &'a str,
}

impl<'a> SignInAnswer<'a> {
    /// Signs with an account's key and writes the COSE_Sign1 into `out`; returns its length.
    ///
    /// ```
    /// use devices::{SigningKey, SignInAnswer, VerifiedSignIn, Refusal, limits::SIGN_IN_BYTES_MAX};
    /// let key = SigningKey::from_seed([1; 32]);
    /// let answer = SignInAnswer { challenge: [2; 32], origin: "https://lamppost.example" };
    /// let mut out = [0; SIGN_IN_BYTES_MAX];
    /// let length = answer.sign(&key, "devnet", &mut out)?;
    /// let verified = VerifiedSignIn::verify(&out[..length], "devnet").unwrap();
    /// assert_eq!((verified.key(), verified.answer()), (&key.public_key(), &answer));
    /// assert_eq!(VerifiedSignIn::verify(&out[..length], "othernet").unwrap_err(), Refusal::Signature);
    /// # Ok::<(), devices::SealError>(())
    /// ```
    ///
    /// # Errors
    /// When the network id is none or the origin too long.
    pub fn sign(&self, key: &SigningKey, network: &str, out: &mut [u8]) -> Result<usize, SealError> {
        self.seal(&key.public_key(), network, out, |message| key.sign(message))
    }

    /// Writes what a key elsewhere (in a browser, on a token) has to sign into `out`; returns its length.
    ///
    /// # Errors
    /// As [`SignInAnswer::sign`].
    pub fn message(&self, key: &PublicKey, network: &str, out: &mut [u8]) -> Result<usize, SealError> {
        let mut unsigned = [0; SIGN_IN_BYTES_MAX];
        cose::message_of(out, |sign| self.seal(key, network, &mut unsigned, sign))
    }

    /// Joins it with the signature that was made elsewhere over [`SignInAnswer::message`].
    ///
    /// # Errors
    /// As [`SignInAnswer::sign`]. Whether the signature holds is not looked at.
    pub fn join(
        &self,
        key: &PublicKey,
        network: &str,
        signature: &[u8; SIGNATURE_BYTES],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        self.seal(key, network, out, |_| *signature)
    }

    fn seal(
        &self,
        key: &PublicKey,
        network: &str,
        out: &mut [u8],
        sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES],
    ) -> Result<usize, SealError> {
        if self.origin.len() > ORIGIN_BYTES_MAX {
            return Err(SealError::TooLong);
        }
        let mut payload = [0; SIGN_IN_PAYLOAD_BYTES_MAX];
        let mut writer = Writer::new(&mut payload);
        writer.array_header(2)?;
        writer.bytes(&self.challenge)?;
        writer.text(self.origin)?;
        let length = writer.position();
        let header =
            Header { content_type: ContentType::Cbor, kid: key.kid(), cti: NO_COUNTER, key: Some(*key) };
        let mut scratch = [0; SIGN_IN_SIG_STRUCTURE_BYTES_MAX];
        cose::seal(PURPOSE, network, &header, &payload[..length], &mut scratch, out, sign)
    }

    fn decode(payload: &'a [u8]) -> Result<SignInAnswer<'a>, DecodeError> {
        let mut reader = Reader::new(payload);
        if reader.array_header()? != 2 {
            return Err(DecodeError::Unexpected);
        }
        let challenge = *reader.byte_array()?;
        let origin = reader.text()?;
        reader.end()?;
        if origin.len() > ORIGIN_BYTES_MAX {
            return Err(DecodeError::OutOfRange);
        }
        Ok(SignInAnswer { challenge, origin })
    }
}

/// An answer whose signature holds under the key that it carries. Whether the challenge was ever asked, and by this site,
/// is the asker's to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifiedSignIn<'a> {
    key: PublicKey,
    answer: SignInAnswer<'a>,
}

impl<'a> VerifiedSignIn<'a> {
    /// Takes the COSE_Sign1 apart and checks its signature by ZIP-215's rules.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] or [`Refusal::Signature`].
    pub fn verify(bytes: &'a [u8], network: &str) -> Result<VerifiedSignIn<'a>, Refusal> {
        if bytes.len() > SIGN_IN_BYTES_MAX {
            return Err(Refusal::Malformed);
        }
        let sign1 = Sign1::decode(bytes, ContentType::Cbor).map_err(|_| Refusal::Malformed)?;
        let answer = SignInAnswer::decode(sign1.payload).map_err(|_| Refusal::Malformed)?;
        let key = sign1.header.key.filter(|_| sign1.header.cti == NO_COUNTER).ok_or(Refusal::Malformed)?;
        let signature = bytes.last_chunk().ok_or(Refusal::Malformed)?;
        let mut scratch = [0; SIGN_IN_SIG_STRUCTURE_BYTES_MAX];
        let length = cose::sig_structure_for(PURPOSE, sign1.protected, network, sign1.payload, &mut scratch)
            .map_err(|_| Refusal::Malformed)?;
        if signature::holds(&key, &scratch[..length], signature) {
            Ok(VerifiedSignIn { key, answer })
        } else {
            Err(Refusal::Signature)
        }
    }

    /// The account's key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What it answered.
    pub fn answer(&self) -> &SignInAnswer<'a> {
        &self.answer
    }
}
