//! Who can hold tokens: accounts, their ids, and what was posted to them.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use core::fmt;
use core::str::FromStr;
use devices::identity::{DeviceId, PublicKey};
use sha2::{Digest, Sha256};

/// The human-readable part of an account id in text.
const PREFIX: &str = "lamp";

/// An account's id: its key's 32-byte thumbprint, or the hash of a system account's description.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 32]);

/// A text is no account id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account id is bech32m with the prefix lamp, such as lamp1…")]
pub struct NotAnAccountId;

impl AccountId {
    /// The id of a key's account (RFC 9679 thumbprint).
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self(*key.thumbprint().as_bytes())
    }

    /// The account from which rewards are paid.
    #[must_use]
    pub fn pool(network: &str) -> Self {
        Self::system(network, b"pool", &[])
    }

    /// The counterpart of all that was ever issued; its debits are the supply.
    #[must_use]
    pub fn supply(network: &str) -> Self {
        Self::system(network, b"supply", &[])
    }

    /// Where the rewards of a device without an owner wait.
    #[must_use]
    pub fn escrow(network: &str, kid: DeviceId) -> Self {
        Self::system(network, b"escrow", kid.as_bytes())
    }

    /// No key has this id: a thumbprint hashes a COSE_Key, which begins with 0xa3, never with this text.
    fn system(network: &str, name: &[u8], argument: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(b"lamppost system account\0")
            .chain_update(network.as_bytes())
            .chain_update([0])
            .chain_update(name)
            .chain_update([0])
            .chain_update(argument);
        Self(hash.finalize().into())
    }

    /// The id with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight bytes: what an instruction names its signer by.
    #[must_use]
    pub fn kid(&self) -> DeviceId {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        DeviceId([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = Hrp::parse(PREFIX).map_err(|_| fmt::Error)?;
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, prefix, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = NotAnAccountId;

    /// Reads bech32m in lower or upper case (BIP 350); the checksum catches a mistyped id.
    fn from_str(text: &str) -> Result<Self, NotAnAccountId> {
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| NotAnAccountId)?;
        if checked.hrp() != Hrp::parse(PREFIX).map_err(|_| NotAnAccountId)? {
            return Err(NotAnAccountId);
        }
        let mut id = [0; 32];
        let mut bytes = checked.byte_iter();
        for place in &mut id {
            *place = bytes.next().ok_or(NotAnAccountId)?;
        }
        // Encoded again and compared: the padding bits after the last byte have one spelling only.
        let id = Self(id);
        if bytes.next().is_some() || !alloc::format!("{id}").eq_ignore_ascii_case(text) {
            return Err(NotAnAccountId);
        }
        Ok(id)
    }
}

/// What was posted to an account, and the key that may spend from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Sum of all amounts that went out. Wider than an amount, since the same tokens may pass many times.
    pub debits_posted: u128,
    /// Sum of all amounts that came in.
    pub credits_posted: u128,
    /// The key, once an instruction brought it (or genesis did).
    pub key: Option<PublicKey>,
    /// Counter of the account's last accepted instruction; 0 before the first.
    pub counter: u64,
    /// Rewards it was paid, less what corrections took back, in micro-tokens: so much can a correction still take.
    pub rewards_microtokens: u128,
}

impl Account {
    /// What the account holds, in micro-tokens. Zero for the supply account, which only ever gives.
    #[must_use]
    pub fn balance(&self) -> u64 {
        let held = self.credits_posted.saturating_sub(self.debits_posted);
        u64::try_from(held).expect("a balance never exceeds the supply, which is a u64")
    }
}
