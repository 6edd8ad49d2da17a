//! The desk's part for passkeys: ceremonies begin and end here, each once and within two minutes.

use ledger::account::AccountId;
use serde_json::Value;

use super::keyring::OwnPasskey;
use super::passkey::{PasskeyError, Passkeys};
use super::secret::Secret;
use super::{OpenSession, SignIn, SignInError};
use crate::limits::CHALLENGE_MILLISECONDS;

impl SignIn {
    /// Where passkeys are bound to.
    ///
    /// # Errors
    /// One sentence, where this node has no name to bind them to.
    pub fn site(&self) -> Result<&Passkeys, PasskeyError> {
        self.site.as_ref().map_err(|error| PasskeyError::NoName(error.to_string()))
    }

    /// Begins to make a passkey for the account that is signed in; a second beginning replaces the first.
    ///
    /// # Errors
    /// When there is no site or no room.
    pub fn begin_passkey(&self, now: u64, session: OpenSession) -> Result<Value, SignInError> {
        let site = self.site()?;
        let mut tables = self.tables();
        tables.keyring.room_for(&session.account)?;
        let have: Vec<_> =
            tables.keyring.of(&session.account).into_iter().map(|own| own.credential).collect();
        let (options, state) = site.register(&session.account, &have)?;
        tables.registering.put(now, session.token, (session.account, state), CHALLENGE_MILLISECONDS);
        Ok(options)
    }

    /// Keeps the passkey that the browser made for this session's account.
    ///
    /// # Errors
    /// When none was begun in this session, its answer does not hold, or there is no room.
    pub fn add_passkey(
        &self,
        now: u64,
        session: OpenSession,
        name: &str,
        answer: Value,
    ) -> Result<(), SignInError> {
        let site = self.site()?;
        let begun = self.tables().registering.take(now, &session.token);
        let (account, state) =
            begun.filter(|(account, _)| *account == session.account).ok_or(SignInError::Challenge)?;
        let credential = site.registered(answer, &state)?;
        self.tables().keyring.add(OwnPasskey {
            account,
            name: name.to_owned(),
            host: site.host().to_owned(),
            created_unix_milliseconds: now,
            used_unix_milliseconds: None,
            credential,
        })?;
        Ok(self.write()?)
    }

    /// Begins a sign-in by passkey: the ceremony's name, made of `random`, and what the browser is asked.
    ///
    /// # Errors
    /// When there is no site.
    pub fn begin_sign_in(&self, now: u64, random: [u8; 32]) -> Result<(String, Value), SignInError> {
        let (options, state) = self.site()?.authenticate()?;
        let ceremony = Secret::new(random);
        self.tables().authenticating.put(now, ceremony.hash(), state, CHALLENGE_MILLISECONDS);
        Ok((ceremony.text(), options))
    }

    /// Whose passkey answered. The ceremony is spent whatever comes of it.
    ///
    /// # Errors
    /// When the ceremony is none of ours or spent, the passkey unknown, or the answer does not hold.
    pub fn finish_sign_in(&self, now: u64, ceremony: &str, answer: Value) -> Result<AccountId, SignInError> {
        let site = self.site()?;
        let ceremony = Secret::parse(ceremony).ok_or(SignInError::Challenge)?;
        let mut tables = self.tables();
        let state = tables.authenticating.take(now, &ceremony.hash()).ok_or(SignInError::Challenge)?;
        let claimed = Passkeys::claimed(answer)?;
        let own = tables.keyring.get_mut(&claimed.name()).ok_or(PasskeyError::Refused)?;
        site.authenticated(&claimed, state, &own.account, &mut own.credential)?;
        own.used_unix_milliseconds = Some(now);
        // What is new of it is written with the session that it opens.
        Ok(own.account)
    }

    /// Gives one of the account's own passkeys another name.
    ///
    /// # Errors
    /// When it has none of that id, or it could not be written down.
    pub fn rename_passkey(&self, account: &AccountId, id: &str, name: &str) -> Result<(), SignInError> {
        if !self.tables().keyring.rename(account, id, name) {
            return Err(SignInError::Gone);
        }
        Ok(self.write()?)
    }

    /// Forgets one of the account's own passkeys; the sessions that it opened stay.
    ///
    /// # Errors
    /// When it has none of that id, or it could not be written down.
    pub fn remove_passkey(&self, account: &AccountId, id: &str) -> Result<(), SignInError> {
        if !self.tables().keyring.remove(account, id) {
            return Err(SignInError::Gone);
        }
        Ok(self.write()?)
    }
}
