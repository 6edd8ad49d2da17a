//! `DATA/sign-in.json`: sessions (by the hashes of their tokens) and passkeys (without anything secret), so that both outlive
//! a restart. One file, replaced as a whole, readable by the node's own user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ledger::account::AccountId;
use serde::{Deserialize, Serialize};

use super::keyring::Keyring;
use super::passkey::Credential;
use super::secret::SecretHash;
use super::sessions::{Session, Sessions, Way};
use crate::limits::SIGN_IN_FILE_BYTES_MAX;

/// Version of the file.
const VERSION: u32 = 1;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("{file} cannot be used: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{0} does not hold sessions and passkeys of this version")]
    Broken(PathBuf),
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    version: u32,
    sessions: Vec<KeptSession>,
    passkeys: Vec<KeptPasskey>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptSession {
    token_sha256: String,
    account: String,
    known: bool,
    created_unix_milliseconds: u64,
    seen_unix_milliseconds: u64,
    user_agent: String,
    way: Way,
}

/// A passkey as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPasskey {
    /// Whose it is.
    pub account: String,
    /// What its owner calls it.
    pub name: String,
    /// The host that it is bound to.
    pub host: String,
    /// When it was made.
    pub created_unix_milliseconds: u64,
    /// When it last opened a session.
    pub used_unix_milliseconds: Option<u64>,
    /// Its public key and what else checks it.
    pub credential: Credential,
}

impl Kept {
    /// Of the tables.
    pub fn of(sessions: &Sessions, keyring: &Keyring) -> Kept {
        let session = |(token, session): (&SecretHash, &Session)| KeptSession {
            token_sha256: hex::encode(token.0),
            account: session.account.to_string(),
            known: session.known,
            created_unix_milliseconds: session.created_unix_milliseconds,
            seen_unix_milliseconds: session.seen_unix_milliseconds,
            user_agent: session.user_agent.clone(),
            way: session.way,
        };
        Kept { version: VERSION, sessions: sessions.iter().map(session).collect(), passkeys: keyring.kept() }
    }

    /// The tables again; `None` where something in it is not what it should be.
    fn tables(self, now: u64) -> Option<(Sessions, Keyring)> {
        let session = |kept: KeptSession| -> Option<(SecretHash, Session)> {
            let mut token = SecretHash([0; 32]);
            hex::decode_to_slice(&kept.token_sha256, &mut token.0).ok()?;
            let account: AccountId = kept.account.parse().ok()?;
            let mut session = Session::new(now, account, kept.known, kept.way, &kept.user_agent);
            session.created_unix_milliseconds = kept.created_unix_milliseconds;
            session.seen_unix_milliseconds = kept.seen_unix_milliseconds;
            Some((token, session))
        };
        let sessions: Option<Vec<_>> = self.sessions.into_iter().map(session).collect();
        Some((Sessions::restored(now, sessions?), Keyring::restored(self.passkeys)?))
    }
}

/// The file.
#[derive(Debug)]
pub struct Store(PathBuf);

impl Store {
    /// The file in a data directory.
    pub fn in_directory(root: &Path) -> Store {
        Store(root.join("sign-in.json"))
    }

    /// Reads the tables; `None` where there is no file yet. A file that cannot be read is moved aside, because a node goes on
    /// without anybody signed in rather than not at all.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn read(&self, now: u64) -> Result<Option<(Sessions, Keyring)>, StoreError> {
        let io = |source| StoreError::Io { file: self.0.clone(), source };
        let mut text = Vec::new();
        match File::open(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
            Ok(file) => {
                file.take(SIGN_IN_FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut text).map_err(io)?
            }
        };
        let fits = text.len() as u64 <= SIGN_IN_FILE_BYTES_MAX;
        let kept = serde_json::from_slice::<Kept>(&text).ok().filter(|kept| fits && kept.version == VERSION);
        if let Some(tables) = kept.and_then(|kept| kept.tables(now)) {
            return Ok(Some(tables));
        }
        let aside = self.0.with_extension("json.broken");
        fs::rename(&self.0, &aside).map_err(io)?;
        let error = StoreError::Broken(self.0.clone());
        tracing::error!(%error, moved_to = %aside.display(), "everybody has to sign in again, and to make passkeys anew");
        Ok(Some((Sessions::default(), Keyring::default())))
    }

    /// Replaces the file, so that a crash leaves the old one or the new one, and waits until it is on the disk.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn write(&self, kept: &Kept) -> Result<(), StoreError> {
        let io = |source| StoreError::Io { file: self.0.clone(), source };
        let text = serde_json::to_vec(kept).map_err(|error| io(error.into()))?;
        let new = self.0.with_extension("json.new");
        let write = || -> io::Result<()> {
            // Made anew, so that its mode is ours whatever a crash left there.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => (),
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &self.0)?;
            self.0.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        write().map_err(|error| {
            // On a full disk the half of it would take what space there is.
            let _stays = fs::remove_file(&new);
            io(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const NOON: u64 = 1_795_333_126_000;

    fn tables() -> (Sessions, Keyring) {
        let mut sessions = Sessions::default();
        let account = AccountId::from_bytes([4; 32]);
        sessions.open(
            NOON,
            SecretHash([1; 32]),
            Session::new(NOON, account, true, Way::Link, "a \"browser\""),
        );
        (sessions, Keyring::default())
    }

    #[test]
    fn what_was_written_is_read_and_only_the_node_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::in_directory(directory.path());
        assert!(store.read(NOON).unwrap().is_none(), "the first run has none");
        let (sessions, keyring) = tables();
        fs::write(directory.path().join("sign-in.json.new"), "left behind by a crash").unwrap();
        store.write(&Kept::of(&sessions, &keyring)).unwrap();
        let (read, _) = store.read(NOON + 1).unwrap().unwrap();
        assert_eq!(
            read.of(NOON + 1, &AccountId::from_bytes([4; 32])),
            sessions.of(NOON + 1, &AccountId::from_bytes([4; 32]))
        );
        let file = directory.path().join("sign-in.json");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!directory.path().join("sign-in.json.new").exists());
    }

    #[test]
    fn a_broken_file_is_moved_aside_and_nobody_is_signed_in() {
        let directory = tempfile::tempdir().unwrap();
        let (store, file) = (Store::in_directory(directory.path()), directory.path().join("sign-in.json"));
        let (sessions, keyring) = tables();
        store.write(&Kept::of(&sessions, &keyring)).unwrap();
        let good = fs::read_to_string(&file).unwrap();
        let broken = [
            String::new(),
            "null".to_owned(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("lamp1", "lamp2"),
            good.replace("\"token_sha256\":\"01", "\"token_sha256\":\"zz"),
        ];
        for text in broken {
            fs::write(&file, &text).unwrap();
            let (read, _) = store.read(NOON).unwrap().unwrap();
            assert!(read.is_empty(), "{text}");
            assert_eq!(fs::read_to_string(directory.path().join("sign-in.json.broken")).unwrap(), text);
        }
    }
}
