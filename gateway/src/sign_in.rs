//! Signing in: who may be shown what is not everybody's. A session lets somebody look and nothing else: every change of the
//! ledger is an instruction that an account's own key signs.
//!
//! Time and randomness come in as values. The tables (`once`, `sessions`, `keyring`, `bucket`) are pure; [`store`] is the
//! file, [`passkey`] knows WebAuthn, and this file joins them behind one lock, which is never held while the disk works.

pub mod bucket;
pub mod keyring;
pub mod once;
pub mod origin;
pub mod passkey;
mod passkeys;
pub mod secret;
pub mod sessions;
pub mod store;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dashboard::view::{FormToken, SignedIn, Viewer};
use devices::{Refusal, VerifiedSignIn};
use ledger::account::AccountId;

use crate::limits;
use bucket::Buckets;
use keyring::{Keyring, KeyringError, OwnPasskey};
use once::Once;
use origin::{Origin, Origins};
use passkey::{Authenticating, PasskeyError, Passkeys, Registering};
use secret::{Secret, SecretHash};
use sessions::{Session, Sessions, Way};
use store::{Kept, Store, StoreError};

/// Why somebody is not signed in, or may not do what they asked.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// They try too often.
    #[error("too many attempts: wait a minute and try again")]
    TooOften,
    /// The answer is no COSE_Sign1 of challenge and origin with the account's key.
    #[error("this is not the answer to a sign-in challenge: `lamppost login` makes one")]
    Malformed,
    /// The signature does not hold on this network.
    #[error("the answer's signature does not hold on this network")]
    Signature,
    /// The answer is for another site.
    #[error("the answer is for {signed}, and this node is reached by {own}")]
    Origin {
        /// What was signed.
        signed: String,
        /// What this node is reached by.
        own: String,
    },
    /// The challenge was not asked, or is spent.
    #[error("the challenge was never asked, was answered already, or is older than two minutes: begin again")]
    Challenge,
    /// The link opens nothing.
    #[error("this link was used already or is too old: `lamppost login` makes another")]
    Link,
    /// Nobody is signed in.
    #[error("nobody is signed in: sign in first")]
    SignedOut,
    /// A page of somebody else sent it, or one of a session that has ended.
    #[error(
        "this was not sent by this node's own page, or the page is older than the session: reload it and try again"
    )]
    Foreign,
    /// The ledger does not know the account.
    #[error("passkeys are kept for accounts that the ledger knows: own a device first, or hold a token")]
    Stranger,
    /// There is no such session or passkey of theirs.
    #[error("there is no such thing any more")]
    Gone,
    /// A passkey's matter.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// No room for it.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// It holds now, and may not after a restart.
    #[error("it is so now, but could not be written down and may be undone by a restart: {0}")]
    Store(#[from] StoreError),
}

/// An account that has just proven itself, and for which site.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The account.
    pub account: AccountId,
    /// The site.
    pub origin: Origin,
}

/// A session as a request shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSession {
    /// Whose it is.
    pub account: AccountId,
    /// Its token's hash.
    pub token: SecretHash,
}

/// Who sent a request.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// Who looks.
    pub viewer: Viewer,
    /// Their session.
    pub session: Option<OpenSession>,
    /// Whether the moment should be written down.
    pub seen_anew: bool,
}

/// What the lock guards.
struct Tables {
    challenges: Once<()>,
    links: Once<(AccountId, Way)>,
    registering: Once<(AccountId, Registering)>,
    authenticating: Once<Authenticating>,
    sessions: Sessions,
    keyring: Keyring,
    by_address: Buckets<IpAddr>,
    by_account: Buckets<AccountId>,
}

/// Everything about signing in to one node.
pub struct SignIn {
    network: String,
    operator: AccountId,
    origins: Origins,
    site: Result<Passkeys, PasskeyError>,
    tables: Mutex<Tables>,
    store: Store,
    writing: Mutex<()>,
}

impl SignIn {
    /// The desk of the node whose data lies in `root`. Where nobody has ever signed in there, also a one-time link for the
    /// operator, made of `random`.
    ///
    /// # Errors
    /// When the file of sessions cannot be read or made.
    pub fn open(
        root: &Path,
        network: &str,
        operator: AccountId,
        origins: Origins,
        now: u64,
        random: [u8; 32],
    ) -> Result<(SignIn, Option<String>), StoreError> {
        let store = Store::in_directory(root);
        let found = store.read(now)?;
        let first_run = found.is_none();
        let (sessions, keyring) = found.unwrap_or_default();
        let tables = Tables {
            challenges: Once::new(limits::CHALLENGES_MAX),
            links: Once::new(limits::LINKS_MAX),
            registering: Once::new(limits::CEREMONIES_MAX),
            authenticating: Once::new(limits::CEREMONIES_MAX),
            sessions,
            keyring,
            by_address: Buckets::new(
                limits::ADDRESSES_COUNTED_MAX,
                limits::ATTEMPTS_OF_ADDRESS,
                limits::ATTEMPT_OF_ADDRESS_MILLISECONDS,
            ),
            by_account: Buckets::new(
                limits::ACCOUNTS_COUNTED_MAX,
                limits::SIGN_INS_OF_ACCOUNT,
                limits::SIGN_IN_OF_ACCOUNT_MILLISECONDS,
            ),
        };
        let desk = SignIn {
            network: network.to_owned(),
            operator,
            site: Passkeys::of(origins.own()),
            origins,
            tables: Mutex::new(tables),
            store,
            writing: Mutex::new(()),
        };
        if !first_run {
            return Ok((desk, None));
        }
        desk.write()?;
        let own = desk.origins.own().clone();
        let link = desk.put_link(now, operator, &own, Way::FirstRun, &Secret::new(random));
        Ok((desk, Some(link)))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes sessions and passkeys to the disk. Waits for it, so never on the event loop.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self) -> Result<(), StoreError> {
        // One writer at a time, each with what is so when its turn comes: the last to write has the newest.
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = {
            let tables = self.tables();
            Kept::of(&tables.sessions, &tables.keyring)
        };
        self.store.write(&kept)
    }

    /// The network, which answers are signed for.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Where people reach this node.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Counts an attempt of an address.
    ///
    /// # Errors
    /// [`SignInError::TooOften`].
    pub fn attempt(&self, now: u64, address: IpAddr) -> Result<(), SignInError> {
        let counted = self.tables().by_address.take(now, bucket::neighbourhood(address));
        if counted { Ok(()) } else { Err(SignInError::TooOften) }
    }

    /// Asks a challenge, made of `random`.
    pub fn challenge(&self, now: u64, random: [u8; 32]) -> Secret {
        let challenge = Secret::new(random);
        self.tables().challenges.put(now, challenge.hash(), (), limits::CHALLENGE_MILLISECONDS);
        challenge
    }

    /// Takes the answer to a challenge: a signature, by the key that the account is named after, over a challenge of ours for
    /// one of our origins. The challenge is spent only by an answer that holds.
    ///
    /// # Errors
    /// What does not hold, the first thing of it.
    pub fn answer(&self, now: u64, bytes: &[u8]) -> Result<Proven, SignInError> {
        let verified = VerifiedSignIn::verify(bytes, &self.network).map_err(|refusal| match refusal {
            Refusal::Signature => SignInError::Signature,
            _ => SignInError::Malformed,
        })?;
        let origin = self.origins.find(verified.answer().origin).ok_or_else(|| SignInError::Origin {
            signed: crate::client::printable(verified.answer().origin),
            own: self.origins.own().to_string(),
        })?;
        let challenge = Secret::new(verified.answer().challenge).hash();
        self.tables().challenges.take(now, &challenge).ok_or(SignInError::Challenge)?;
        Ok(Proven { account: AccountId::of(verified.key()), origin: origin.clone() })
    }

    /// A one-time link that opens a session of a proven account, made of `random`.
    pub fn link(&self, now: u64, proven: &Proven, random: [u8; 32]) -> String {
        self.put_link(now, proven.account, &proven.origin, Way::Link, &Secret::new(random))
    }

    fn put_link(&self, now: u64, account: AccountId, origin: &Origin, way: Way, secret: &Secret) -> String {
        let lifetime = match way {
            Way::FirstRun => limits::FIRST_LINK_MILLISECONDS,
            _ => limits::LINK_MILLISECONDS,
        };
        self.tables().links.put(now, secret.hash(), (account, way), lifetime);
        format!("{origin}/sign-in?link={}", secret.text())
    }

    /// Whose session a link would open; it stays unused.
    pub fn look_at_link(&self, now: u64, link: &str) -> Option<AccountId> {
        let secret = Secret::parse(link)?;
        self.tables().links.look(now, &secret.hash()).map(|(account, _)| *account)
    }

    /// Uses a link up.
    ///
    /// # Errors
    /// [`SignInError::Link`] where it opens nothing (any more).
    pub fn follow_link(&self, now: u64, link: &str) -> Result<(AccountId, Way), SignInError> {
        let secret = Secret::parse(link).ok_or(SignInError::Link)?;
        self.tables().links.take(now, &secret.hash()).ok_or(SignInError::Link)
    }

    /// Opens a session, made of `random`; the browser's former one ends. Gives the token for the cookie.
    ///
    /// # Errors
    /// [`SignInError::TooOften`]. That the disk refuses is no reason not to let somebody look at what it says.
    pub fn open_session(
        &self,
        now: u64,
        session: Session,
        former: Option<OpenSession>,
        random: [u8; 32],
    ) -> Result<Secret, SignInError> {
        let token = Secret::new(random);
        {
            let mut tables = self.tables();
            if !tables.by_account.take(now, session.account) {
                return Err(SignInError::TooOften);
            }
            if let Some(former) = former {
                tables.sessions.end(&former.token);
            }
            tables.sessions.open(now, token.hash(), session);
        }
        if let Err(error) = self.write() {
            tracing::error!(%error, "a session was opened that a restart will end");
        }
        Ok(token)
    }

    /// Who a request's session tokens say sent it. Two different sessions in one request are nobody's: somebody has planted
    /// one of them.
    pub fn visitor<'t>(&self, now: u64, tokens: impl Iterator<Item = &'t str>) -> Visitor {
        let mut tables = self.tables();
        let mut visitor = Visitor::default();
        for token in tokens.take(limits::COOKIES_MAX).filter_map(Secret::parse) {
            let hash = token.hash();
            let Some(found) = tables.sessions.find(now, &hash) else { continue };
            if visitor.session.is_some_and(|other| other.token != hash) {
                return Visitor::default();
            }
            let who = SignedIn {
                account: found.account.to_string(),
                form_token: FormToken::new(token.form_token()),
            };
            visitor = Visitor {
                viewer: match found.account == self.operator {
                    true => Viewer::Operator(who),
                    false => Viewer::Owner(who),
                },
                session: Some(OpenSession { account: found.account, token: hash }),
                seen_anew: found.seen_anew || visitor.seen_anew,
            };
        }
        visitor
    }

    /// An account's open sessions, the last used first.
    pub fn sessions_of(&self, now: u64, account: &AccountId) -> Vec<(SecretHash, Session)> {
        self.tables().sessions.of(now, account)
    }

    /// Signs out.
    ///
    /// # Errors
    /// When it could not be written down.
    pub fn end(&self, session: OpenSession) -> Result<(), SignInError> {
        self.tables().sessions.end(&session.token);
        Ok(self.write()?)
    }

    /// Ends the session of this name, one of the account's own.
    ///
    /// # Errors
    /// When it has none of that name, or it could not be written down.
    pub fn end_named(&self, account: &AccountId, name: &str) -> Result<(), SignInError> {
        if !self.tables().sessions.end_named(account, name) {
            return Err(SignInError::Gone);
        }
        Ok(self.write()?)
    }

    /// Ends all of the account's sessions.
    ///
    /// # Errors
    /// When it could not be written down.
    pub fn end_all(&self, account: &AccountId) -> Result<(), SignInError> {
        self.tables().sessions.end_all(account);
        Ok(self.write()?)
    }

    /// An account's passkeys, oldest first.
    pub fn passkeys_of(&self, account: &AccountId) -> Vec<OwnPasskey> {
        self.tables().keyring.of(account)
    }
}

#[cfg(test)]
mod tests;
