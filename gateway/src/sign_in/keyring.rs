//! Which passkeys belong to which account: bounded in all and for each account.

use std::collections::BTreeMap;

use ledger::account::AccountId;

use super::passkey::Credential;
use super::store::KeptPasskey;
use crate::limits::{PASSKEY_NAME_CHARACTERS_MAX, PASSKEYS_MAX, PASSKEYS_OF_ACCOUNT_MAX};

/// One account's passkey.
#[derive(Debug, Clone)]
pub struct OwnPasskey {
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// The host that it is bound to: it opens nothing under another one.
    pub host: String,
    /// When it was made.
    pub created_unix_milliseconds: u64,
    /// When it last opened a session.
    pub used_unix_milliseconds: Option<u64>,
    /// What checks it.
    pub credential: Credential,
}

/// There is no room for a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The account has enough.
    #[error("an account has at most {PASSKEYS_OF_ACCOUNT_MAX} passkeys: remove one first")]
    OfAccount,
    /// The node has enough.
    #[error("this node keeps no more passkeys: sign in with the account's key")]
    InAll,
    /// It is there already.
    #[error("this passkey is known already")]
    Known,
}

/// All passkeys by the names of their credentials.
#[derive(Debug, Default)]
pub struct Keyring(BTreeMap<String, OwnPasskey>);

impl Keyring {
    /// The passkeys that were kept; `None` where one of them is of no account.
    pub fn restored(kept: Vec<KeptPasskey>) -> Option<Keyring> {
        let passkey = |kept: KeptPasskey| {
            let own = OwnPasskey {
                account: kept.account.parse().ok()?,
                name: kept.name,
                host: kept.host,
                created_unix_milliseconds: kept.created_unix_milliseconds,
                used_unix_milliseconds: kept.used_unix_milliseconds,
                credential: kept.credential,
            };
            Some((own.credential.name(), own))
        };
        kept.into_iter().take(PASSKEYS_MAX).map(passkey).collect::<Option<_>>().map(Keyring)
    }

    /// All of them, for keeping.
    pub fn kept(&self) -> Vec<KeptPasskey> {
        let kept = |own: &OwnPasskey| KeptPasskey {
            account: own.account.to_string(),
            name: own.name.clone(),
            host: own.host.clone(),
            created_unix_milliseconds: own.created_unix_milliseconds,
            used_unix_milliseconds: own.used_unix_milliseconds,
            credential: own.credential.clone(),
        };
        self.0.values().map(kept).collect()
    }

    /// Adds one.
    ///
    /// # Errors
    /// When there is no room, or it is there already, whoever's it is.
    pub fn add(&mut self, own: OwnPasskey) -> Result<(), KeyringError> {
        self.room_for(&own.account)?;
        match self.0.entry(own.credential.name()) {
            std::collections::btree_map::Entry::Occupied(_) => Err(KeyringError::Known),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(OwnPasskey { name: named(&own.name), ..own });
                Ok(())
            }
        }
    }

    /// Whether an account may have one more.
    ///
    /// # Errors
    /// When it may not.
    pub fn room_for(&self, account: &AccountId) -> Result<(), KeyringError> {
        if self.0.values().filter(|other| other.account == *account).count() >= PASSKEYS_OF_ACCOUNT_MAX {
            return Err(KeyringError::OfAccount);
        }
        if self.0.len() >= PASSKEYS_MAX { Err(KeyringError::InAll) } else { Ok(()) }
    }

    /// The passkey of this name.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut OwnPasskey> {
        self.0.get_mut(name)
    }

    /// Gives an account's own passkey another name.
    pub fn rename(&mut self, account: &AccountId, name: &str, new: &str) -> bool {
        let own = self.0.get_mut(name).filter(|own| own.account == *account);
        own.map(|own| own.name = named(new)).is_some()
    }

    /// Forgets an account's own passkey.
    pub fn remove(&mut self, account: &AccountId, name: &str) -> bool {
        let own = self.0.get(name).is_some_and(|own| own.account == *account);
        own && self.0.remove(name).is_some()
    }

    /// An account's passkeys, oldest first.
    pub fn of(&self, account: &AccountId) -> Vec<OwnPasskey> {
        let mut own: Vec<_> = self.0.values().filter(|own| own.account == *account).cloned().collect();
        own.sort_by_key(|own| own.created_unix_milliseconds);
        own
    }
}

/// A name as it is kept: cut, without what acts unseen, and never empty.
fn named(text: &str) -> String {
    let kept: String =
        text.chars().filter(|character| !character.is_control()).take(PASSKEY_NAME_CHARACTERS_MAX).collect();
    let kept = kept.trim();
    if kept.is_empty() { "Passkey".to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_and_never_empty() {
        assert_eq!(named("  Telephone\u{7}  "), "Telephone");
        assert_eq!(named(" \n "), "Passkey");
        assert_eq!(named(&"x".repeat(10_000)).len(), PASSKEY_NAME_CHARACTERS_MAX);
    }
}
