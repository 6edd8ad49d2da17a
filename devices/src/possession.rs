//! Proof of possession: a device key's own word that it belongs to an account, or takes the place of another key.
//!
//! The proof is a detached Ed25519 signature over a Sig_structure (RFC 9052 §4.4) whose external_aad names the network
//! and the purpose, so it can stand neither for a reading nor for the other purpose nor on another network.

use crate::cbor::{EncodeError, Writer};
use crate::cose::{self, SealError};
use crate::identity::{DeviceId, PublicKey, SigningKey};
use crate::limits::{POSSESSION_SIG_STRUCTURE_BYTES_MAX, SIGNATURE_BYTES};
use crate::signature;

/// What a device key declares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Possession {
    /// The device belongs to this account: what `claim` carries.
    Claim {
        /// The account's 32-byte id.
        account: [u8; 32],
    },
    /// This key takes the place of another, as this account asks: what `rotate_key` carries, signed by the new key.
    Rotation {
        /// The kid of the key that is replaced.
        replaced: DeviceId,
        /// The 32-byte id of the account that signs the instruction.
        account: [u8; 32],
    },
}

impl Possession {
    /// The end of the external_aad, after `lamppost/1/{network}`.
    const fn purpose(&self) -> &'static str {
        match self {
            Possession::Claim { .. } => "/claim",
            Possession::Rotation { .. } => "/rotate",
        }
    }

    /// Signs the declaration with the device's key.
    ///
    /// ```
    /// use devices::{SigningKey, possession::Possession};
    /// let (key, claim) = (SigningKey::from_seed([1; 32]), Possession::Claim { account: [2; 32] });
    /// let proof = claim.sign(&key, "devnet")?;
    /// assert!(claim.holds(&key.public_key(), "devnet", &proof));
    /// assert!(!claim.holds(&key.public_key(), "othernet", &proof));
    /// assert!(!Possession::Claim { account: [3; 32] }.holds(&key.public_key(), "devnet", &proof));
    /// # Ok::<(), devices::SealError>(())
    /// ```
    ///
    /// # Errors
    /// [`SealError::Network`] when the network id is none.
    pub fn sign(&self, key: &SigningKey, network: &str) -> Result<[u8; SIGNATURE_BYTES], SealError> {
        if !cose::network_is_valid(network) {
            return Err(SealError::Network);
        }
        let mut message = [0; POSSESSION_SIG_STRUCTURE_BYTES_MAX];
        let length = self.signed_message(key.kid(), network, &mut message)?;
        Ok(key.sign(&message[..length]))
    }

    /// Whether `proof` is this declaration's signature under `key` on `network`, by ZIP-215's rules.
    pub fn holds(&self, key: &PublicKey, network: &str, proof: &[u8; SIGNATURE_BYTES]) -> bool {
        let mut message = [0; POSSESSION_SIG_STRUCTURE_BYTES_MAX];
        self.signed_message(key.kid(), network, &mut message)
            .is_ok_and(|length| signature::holds(key, &message[..length], proof))
    }

    /// Writes what the signature covers into `out` and returns its length: `["Signature1", {1: -8, 4: kid},
    /// "lamppost/1/{network}/claim" or ".../rotate", account]`, the account after the replaced kid in a rotation.
    ///
    /// # Errors
    /// When `out` is shorter than that.
    pub fn signed_message(&self, kid: DeviceId, network: &str, out: &mut [u8]) -> Result<usize, EncodeError> {
        let mut protected = [0; 16];
        let mut writer = Writer::new(&mut protected);
        writer.map_header(2)?;
        writer.unsigned(1)?;
        writer.integer(cose::ALGORITHM_EDDSA)?;
        writer.unsigned(4)?;
        writer.bytes(kid.as_bytes())?;
        let protected_bytes = writer.position();
        let mut payload = [0; 40];
        let payload_bytes = match self {
            Possession::Claim { account } => {
                payload[..32].copy_from_slice(account);
                32
            }
            Possession::Rotation { replaced, account } => {
                payload[..8].copy_from_slice(replaced.as_bytes());
                payload[8..].copy_from_slice(account);
                40
            }
        };
        let (protected, payload) = (&protected[..protected_bytes], &payload[..payload_bytes]);
        cose::sig_structure_for(self.purpose(), protected, network, payload, out)
    }
}
