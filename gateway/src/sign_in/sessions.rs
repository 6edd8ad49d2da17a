//! Who is signed in: sessions by the hashes of their tokens. Time comes in as a number of milliseconds since 1970.

use std::collections::HashMap;

use ledger::account::AccountId;
use serde::{Deserialize, Serialize};

use super::secret::SecretHash;
use crate::limits::{
    SESSION_IDLE_MILLISECONDS, SESSION_MILLISECONDS, SESSION_SEEN_MILLISECONDS, SESSIONS_MAX,
    SESSIONS_OF_ACCOUNT_MAX, SESSIONS_OF_STRANGERS_MAX, USER_AGENT_CHARACTERS_MAX,
};

/// By which way a session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The account's key signed a challenge in the browser, or its answer was pasted there.
    Key,
    /// A one-time link that `lamppost login` got for such an answer.
    Link,
    /// The one-time link of the node's first run.
    FirstRun,
    /// A passkey.
    Passkey,
}

/// One open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub account: AccountId,
    /// Whether the ledger knew the account then.
    pub known: bool,
    /// When it was opened.
    pub created_unix_milliseconds: u64,
    /// When it was last used, to within `SESSION_SEEN_MILLISECONDS`.
    pub seen_unix_milliseconds: u64,
    /// What the browser calls itself.
    pub user_agent: String,
    /// How it was opened.
    pub way: Way,
}

impl Session {
    /// A session that is opened now.
    pub fn new(now: u64, account: AccountId, known: bool, way: Way, user_agent: &str) -> Session {
        let user_agent = user_agent.chars().take(USER_AGENT_CHARACTERS_MAX).collect();
        Session {
            account,
            known,
            created_unix_milliseconds: now,
            seen_unix_milliseconds: now,
            user_agent,
            way,
        }
    }

    /// When it ends unless it is used.
    pub fn until_unix_milliseconds(&self) -> u64 {
        let idle = self.seen_unix_milliseconds.saturating_add(SESSION_IDLE_MILLISECONDS);
        idle.min(self.created_unix_milliseconds.saturating_add(SESSION_MILLISECONDS))
    }

    fn is_open(&self, now: u64) -> bool {
        now < self.until_unix_milliseconds()
    }
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Whose session it is.
    pub account: AccountId,
    /// Whether the time of its last use should be written down.
    pub seen_anew: bool,
}

/// All open sessions, bounded in all and for each account.
#[derive(Debug, Default)]
pub struct Sessions(HashMap<SecretHash, Session>);

impl Sessions {
    /// The sessions that were kept, without those that have ended since.
    pub fn restored(now: u64, kept: impl IntoIterator<Item = (SecretHash, Session)>) -> Sessions {
        let open = kept.into_iter().filter(|(_, session)| session.is_open(now));
        Sessions(open.take(SESSIONS_MAX + SESSIONS_OF_STRANGERS_MAX).collect())
    }

    /// Opens a session. Where there are too many of its account or of its kind, the one used longest ago ends.
    pub fn open(&mut self, now: u64, token: SecretHash, session: Session) {
        self.0.retain(|_, other| other.is_open(now));
        let (account, known) = (session.account, session.known);
        self.make_room(SESSIONS_OF_ACCOUNT_MAX, |other| other.account == account);
        let most = if known { SESSIONS_MAX } else { SESSIONS_OF_STRANGERS_MAX };
        self.make_room(most, |other| other.known == known);
        self.0.insert(token, session);
    }

    fn make_room(&mut self, most: usize, counts: impl Fn(&Session) -> bool) {
        while self.0.values().filter(|session| counts(session)).count() >= most {
            let counted = self.0.iter().filter(|(_, session)| counts(session));
            let Some((oldest, _)) = counted.min_by_key(|(_, session)| session.seen_unix_milliseconds) else {
                return;
            };
            let oldest = *oldest;
            self.0.remove(&oldest);
        }
    }

    /// Whose session a token opens, if it is open; it counts as used.
    pub fn find(&mut self, now: u64, token: &SecretHash) -> Option<Found> {
        let session = self.0.get_mut(token)?;
        if !session.is_open(now) {
            self.0.remove(token);
            return None;
        }
        let seen_anew = now.saturating_sub(session.seen_unix_milliseconds) >= SESSION_SEEN_MILLISECONDS;
        if seen_anew {
            session.seen_unix_milliseconds = now;
        }
        Some(Found { account: session.account, seen_anew })
    }

    /// Ends the session of a token.
    pub fn end(&mut self, token: &SecretHash) -> bool {
        self.0.remove(token).is_some()
    }

    /// Ends the account's session of this name; other accounts' sessions have none of it.
    pub fn end_named(&mut self, account: &AccountId, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|token, session| session.account != *account || token.name() != name);
        self.0.len() < before
    }

    /// Ends all sessions of an account; gives how many.
    pub fn end_all(&mut self, account: &AccountId) -> usize {
        let before = self.0.len();
        self.0.retain(|_, session| session.account != *account);
        before - self.0.len()
    }

    /// An account's open sessions, the last used first.
    pub fn of(&self, now: u64, account: &AccountId) -> Vec<(SecretHash, Session)> {
        let own = self.0.iter().filter(|(_, session)| session.account == *account && session.is_open(now));
        let mut own: Vec<_> = own.map(|(token, session)| (*token, session.clone())).collect();
        own.sort_by_key(|(token, session)| (u64::MAX - session.seen_unix_milliseconds, token.0));
        own
    }

    /// All of them, for keeping.
    pub fn iter(&self) -> impl Iterator<Item = (&SecretHash, &Session)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_795_333_126_000;
    const HOUR: u64 = 60 * 60 * 1_000;

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 32])
    }

    fn token(number: u32) -> SecretHash {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        SecretHash(bytes)
    }

    fn session(now: u64, number: u8) -> Session {
        Session::new(now, account(number), true, Way::Key, "a browser")
    }

    #[test]
    fn a_token_opens_its_own_session_and_no_other() {
        let mut sessions = Sessions::default();
        sessions.open(NOON, token(1), session(NOON, 1));
        assert_eq!(sessions.find(NOON, &token(1)).map(|found| found.account), Some(account(1)));
        assert_eq!(sessions.find(NOON, &token(2)), None);
        for bit in 0..256 {
            let mut altered = token(1);
            altered.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sessions.find(NOON, &altered), None, "bit {bit}");
        }
    }

    #[test]
    fn an_idle_session_ends_and_a_used_one_goes_on() {
        let mut sessions = Sessions::default();
        sessions.open(NOON, token(1), session(NOON, 1));
        sessions.open(NOON, token(2), session(NOON, 1));
        for hour in 1..24 {
            assert!(sessions.find(NOON + hour * HOUR, &token(1)).is_some());
        }
        assert_eq!(sessions.find(NOON + 12 * HOUR, &token(2)), None, "nobody used it for twelve hours");
        assert_eq!(sessions.find(NOON, &token(2)), None, "nor does it come back when the clock is set back");
    }

    #[test]
    fn no_session_lives_longer_than_thirty_days_however_it_is_used() {
        let mut sessions = Sessions::default();
        sessions.open(NOON, token(1), session(NOON, 1));
        let lived = (0..24 * 60).take_while(|hour| sessions.find(NOON + hour * HOUR, &token(1)).is_some());
        assert_eq!(lived.count(), 24 * 30);
    }

    #[test]
    fn only_the_owner_ends_a_session_by_its_name() {
        let mut sessions = Sessions::default();
        sessions.open(NOON, token(1), session(NOON, 1));
        sessions.open(NOON, token(2), session(NOON, 1));
        sessions.open(NOON, token(3), session(NOON, 2));
        assert!(!sessions.end_named(&account(2), &token(1).name()), "it is not theirs");
        assert!(sessions.find(NOON, &token(1)).is_some());
        assert!(sessions.end_named(&account(1), &token(1).name()));
        assert_eq!(sessions.find(NOON, &token(1)), None);
        assert_eq!(sessions.end_all(&account(1)), 1);
        assert!(sessions.find(NOON, &token(3)).is_some(), "others stay");
    }

    #[test]
    fn too_many_sessions_end_the_one_that_was_used_longest_ago() {
        let mut sessions = Sessions::default();
        sessions.open(NOON, token(1_000), session(NOON, 2));
        for number in 0..40 {
            let now = NOON + u64::from(number) * 1_000;
            sessions.open(now, token(number), session(now, 1));
        }
        assert_eq!(sessions.of(NOON + 40_000, &account(1)).len(), SESSIONS_OF_ACCOUNT_MAX);
        assert!(sessions.find(NOON + 40_000, &token(39)).is_some());
        assert!(sessions.find(NOON + 40_000, &token(0)).is_none());
        assert!(
            sessions.find(NOON + 40_000, &token(1_000)).is_some(),
            "another account's is no matter of theirs"
        );
    }

    #[test]
    fn strangers_push_out_strangers_alone() {
        let mut sessions = Sessions::default();
        sessions.open(NOON, token(u32::MAX), session(NOON, 1));
        for number in 0..3 * u32::try_from(SESSIONS_OF_STRANGERS_MAX).unwrap() / 2 {
            let mut id = [9; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            let stranger = Session::new(NOON + 1, AccountId::from_bytes(id), false, Way::Key, "");
            sessions.open(NOON + 1, token(number), stranger);
        }
        assert_eq!(sessions.len(), SESSIONS_OF_STRANGERS_MAX + 1);
        assert!(sessions.find(NOON + 1, &token(u32::MAX)).is_some());
    }

    #[test]
    fn what_was_kept_is_open_again_unless_it_has_ended_since() {
        let kept = [(token(1), session(NOON, 1)), (token(2), session(NOON - 13 * HOUR, 1))];
        let mut sessions = Sessions::restored(NOON, kept);
        assert_eq!(sessions.len(), 1);
        assert!(sessions.find(NOON, &token(1)).is_some());
    }

    #[test]
    fn a_browser_that_calls_itself_long_is_cut() {
        let session = Session::new(NOON, account(1), true, Way::Key, &"ä".repeat(10_000));
        assert_eq!(session.user_agent.chars().count(), USER_AGENT_CHARACTERS_MAX);
    }
}
