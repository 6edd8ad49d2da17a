//! Whether this directory remembers what its key has voted. A validator's key whose record is gone may have voted before:
//! it never votes from here again, because two votes in one round are misbehaviour.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use devices::PublicKey;

use crate::data_dir::replace;

/// Where the agreement keeps what must outlive a crash: `DATA/consensus`.
pub fn directory(data: &Path) -> PathBuf {
    data.join("consensus")
}

/// The engine's record of the votes of the height that is being decided.
pub fn wal(data: &Path) -> PathBuf {
    directory(data).join("votes.wal")
}

/// Blocks that were proposed or voted for and are not decided yet.
pub fn proposals(data: &Path) -> PathBuf {
    directory(data).join("proposals")
}

fn permit(data: &Path) -> PathBuf {
    directory(data).join("record")
}

/// Why a validator's key does not vote.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The record is missing, or of another key.
    #[error(
        "this validator's key does not vote: {} holds no record of its votes, so it may have voted before and must not vote \
         twice; make a new key with `lamppost key validator --data {} --name NAME`, which says how the others add it; \
         until then this node only follows", directory.display(), data.display()
    )]
    NoRecord {
        /// Where it should be.
        directory: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// The disk.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn line(key: &PublicKey, word: &str) -> String {
    format!("lamppost votes 1\n{key}\n{word}\n")
}

/// Writes that a key, just made, has never voted. Only whoever makes a key may say so.
///
/// # Errors
/// When the directory cannot be written, or holds a record already.
pub fn begin(data: &Path, key: &PublicKey) -> Result<(), RecordError> {
    let (directory, file) = (directory(data), permit(data));
    let io = |source| RecordError::Io { file: file.clone(), source };
    fs::create_dir_all(&directory).map_err(io)?;
    if file.exists() {
        return Err(io(io::ErrorKind::AlreadyExists.into()));
    }
    replace(&file, &[line(key, "none").as_bytes()]).map_err(io)
}

/// Puts what another key left here aside, before a new key is made: its votes are no record of the new key's.
///
/// # Errors
/// When the directory cannot be renamed.
pub fn set_aside(data: &Path) -> Result<(), RecordError> {
    let directory = directory(data);
    if !directory.exists() {
        return Ok(());
    }
    let aside = (1_u32..).map(|number| data.join(format!("consensus.former-{number}")));
    let Some(aside) = aside.into_iter().find(|aside| !aside.exists()) else { return Ok(()) };
    fs::rename(&directory, &aside).map_err(|source| RecordError::Io { file: directory, source })
}

/// Whether the key may vote from this directory; from now on the votes' record must be there.
///
/// # Errors
/// `NoRecord` when nothing here shows that the key's votes are remembered, or what the disk says.
pub fn check(data: &Path, key: &PublicKey) -> Result<(), RecordError> {
    let file = permit(data);
    let io = |source| RecordError::Io { file: file.clone(), source };
    // One that only follows keeps what is proposed as well, so that it has what is decided.
    fs::create_dir_all(proposals(data)).map_err(io)?;
    let missing = || RecordError::NoRecord { directory: directory(data), data: data.to_owned() };
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
        Err(error) => return Err(io(error)),
    };
    if text == line(key, "none") {
        return replace(&file, &[line(key, "voting").as_bytes()]).map_err(io);
    }
    // A first start that broke off before the engine wrote anything has voted for nothing.
    if text == line(key, "voting") && wal(data).exists() { Ok(()) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::SigningKey;

    fn key(seed: u8) -> PublicKey {
        SigningKey::from_seed([seed; 32]).public_key()
    }

    #[test]
    fn a_new_key_votes_and_goes_on_while_its_record_is_there() {
        let data = tempfile::tempdir().unwrap();
        begin(data.path(), &key(1)).unwrap();
        check(data.path(), &key(1)).unwrap();
        fs::write(wal(data.path()), "").unwrap();
        check(data.path(), &key(1)).unwrap();
    }

    #[test]
    fn a_key_on_a_wiped_disk_never_votes_again() {
        let data = tempfile::tempdir().unwrap();
        let error = check(data.path(), &key(1)).unwrap_err();
        assert!(matches!(error, RecordError::NoRecord { .. }), "{error}");
        assert!(error.to_string().contains("lamppost key validator --data"), "{error}");
    }

    #[test]
    fn a_key_whose_votes_were_deleted_never_votes_again() {
        let data = tempfile::tempdir().unwrap();
        begin(data.path(), &key(1)).unwrap();
        check(data.path(), &key(1)).unwrap();
        fs::write(wal(data.path()), "").unwrap();
        fs::remove_file(wal(data.path())).unwrap();
        assert!(matches!(check(data.path(), &key(1)), Err(RecordError::NoRecord { .. })));
    }

    #[test]
    fn another_keys_record_is_none() {
        let data = tempfile::tempdir().unwrap();
        begin(data.path(), &key(1)).unwrap();
        assert!(matches!(check(data.path(), &key(2)), Err(RecordError::NoRecord { .. })));
    }

    #[test]
    fn a_new_key_begins_anew_and_the_former_one_never_votes_here_again() {
        let data = tempfile::tempdir().unwrap();
        set_aside(data.path()).unwrap();
        for seed in 1..4 {
            begin(data.path(), &key(seed)).unwrap();
            check(data.path(), &key(seed)).unwrap();
            fs::write(wal(data.path()), "votes").unwrap();
            set_aside(data.path()).unwrap();
            assert!(matches!(check(data.path(), &key(seed)), Err(RecordError::NoRecord { .. })));
        }
        for number in 1..4 {
            let former = data.path().join(format!("consensus.former-{number}/votes.wal"));
            assert_eq!(fs::read_to_string(former).unwrap(), "votes", "nothing is deleted");
        }
    }

    #[test]
    fn a_record_is_never_begun_twice() {
        let data = tempfile::tempdir().unwrap();
        begin(data.path(), &key(1)).unwrap();
        assert!(begin(data.path(), &key(1)).is_err());
    }
}
