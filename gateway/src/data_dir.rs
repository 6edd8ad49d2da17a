//! The data directory: its layout, its lock against a second process, its format version.
//!
//! ```text
//! DATA/format           "lamppost data 2"
//! DATA/lock             held (flock) by the one process that serves it
//! DATA/genesis.json     the genesis document
//! DATA/checkpoint       the last signed checkpoint
//! DATA/validators       the validators' changes since genesis, where there were any, derived
//! DATA/keys/*.pem       operator, treasury, validator; of a devnet also the demo devices' owners
//! DATA/log/             the block log: the truth
//! DATA/rows/            Merkle rows, derived
//! DATA/snapshots/       the state now and then, derived
//! DATA/state/           the state's leaves at the last epochs' ends, for proofs of balances, derived
//! DATA/index/           the queries' index, derived
//! DATA/sign-in.json      sessions by their hashes, passkeys
//! DATA/commands/*.cose   the last command of an owner to each device
//! DATA/consensus/        of a validator: the record of its votes, which never goes back nor elsewhere
//! DATA/outbox/           of a gateway: the batches that are not final yet
//! DATA/fleet/           seeds and outboxes of the virtual devices
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ledger::genesis::Genesis;
use ledger::handovers::{HandoverError, Handovers};

/// Version of the layout and of all files in it; `gateway/docs/formats.md` says what it holds.
pub const FORMAT_VERSION: u32 = 2;

/// The list of a backup's files; a directory that has one is a backup.
pub const BACKUP_FILE: &str = "backup.json";

/// The document of the validators' changes.
pub const VALIDATORS_FILE: &str = "validators";

/// What the file `format` holds.
pub fn format_line() -> String {
    format!("lamppost data {FORMAT_VERSION}\n")
}

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The operating system refused.
    #[error("the data directory cannot be used: {file}: {source}")]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It is not a directory.
    #[error("{0} is not a directory: choose another place with --data")]
    NotADirectory(PathBuf),
    /// It holds something else.
    #[error("{0} is not empty and was not made by lamppost: choose another directory with --data")]
    Foreign(PathBuf),
    /// There is none.
    #[error("{0} holds no lamppost data: `lamppost up --data {0}` makes some")]
    Missing(PathBuf),
    /// An older program made it.
    #[error(
        "{directory} has the data format {found}, which an older lamppost made; this one uses {FORMAT_VERSION} and cannot \
         read it: go on with the program that made it, or start a new directory with --data"
    )]
    Older {
        /// The directory.
        directory: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A newer program made it.
    #[error(
        "{directory} has the data format {found}, which a newer lamppost made; this one uses {FORMAT_VERSION}: going back \
         is not possible, use the newer program"
    )]
    Newer {
        /// The directory.
        directory: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is a backup.
    #[error(
        "{0} is a backup, which stays as it is: `lamppost restore {0} --data DIR` makes a data directory of it"
    )]
    Backup(PathBuf),
    /// The format file says nothing that can be read.
    #[error("{0} does not say which data format this is; restore it from a backup")]
    Unreadable(PathBuf),
    /// Another process serves it.
    #[error("{0} is used by another lamppost process: stop it first or choose another directory with --data")]
    Locked(PathBuf),
    /// The genesis document is broken.
    #[error("{file} is not a genesis document: {what}; restore it from a backup")]
    Genesis {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The document of the validators' changes is broken.
    #[error("{file} does not say how the validators changed: {error}; a start makes it anew")]
    Validators {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: HandoverError,
    },
    /// The directory belongs to another network.
    #[error(
        "{directory} belongs to the network {found:?}, not to {wanted:?}: choose another directory with --data"
    )]
    Network {
        /// The directory.
        directory: PathBuf,
        /// Its network.
        found: String,
        /// The network asked for.
        wanted: String,
    },
}

impl DataDirError {
    /// The refusal of another version than this program's.
    pub fn of_version(directory: &Path, found: u32) -> DataDirError {
        let directory = directory.to_owned();
        match found < FORMAT_VERSION {
            true => DataDirError::Older { directory, found },
            false => DataDirError::Newer { directory, found },
        }
    }
}

/// A data directory that this process holds alone, until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: Option<File>,
}

impl DataDir {
    /// Takes the directory for this process, making it when it is missing or empty.
    ///
    /// # Errors
    /// One sentence: unreadable, foreign, of another version, or used by another process.
    pub fn open(root: &Path) -> Result<DataDir, DataDirError> {
        let io = |source: io::Error| match source.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                DataDirError::NotADirectory(root.to_owned())
            }
            _ => DataDirError::Io { file: root.to_owned(), source },
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(io)?;
        if root.join(BACKUP_FILE).exists() {
            return Err(DataDirError::Backup(root.to_owned()));
        }
        let format = root.join("format");
        match fs::read_to_string(&format) {
            Ok(found) => check_format(root, &found)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let strangers = fs::read_dir(root).map_err(io)?.filter_map(Result::ok);
                if strangers.into_iter().any(|entry| entry.file_name() != "lock") {
                    return Err(DataDirError::Foreign(root.to_owned()));
                }
            }
            Err(source) => return Err(DataDirError::Io { file: format, source }),
        }
        let lock = lock(root)?;
        let directory = DataDir { root: root.to_owned(), _lock: Some(lock) };
        for name in ["keys", "fleet"] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory.root.join(name))
                .map_err(io)?;
        }
        if !format.exists() {
            directory.replace("format", format_line().as_bytes())?;
        }
        Ok(directory)
    }

    /// Looks at a directory without taking it: nothing is made, locked or changed.
    ///
    /// # Errors
    /// When there is none, or it is of another version.
    pub fn look(root: &Path) -> Result<DataDir, DataDirError> {
        match fs::read_to_string(root.join("format")) {
            Ok(found) => check_format(root, &found)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(DataDirError::Missing(root.to_owned()));
            }
            Err(source) => return Err(DataDirError::Io { file: root.join("format"), source }),
        }
        Ok(DataDir { root: root.to_owned(), _lock: None })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The block log's directory.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The Merkle rows' directory.
    pub fn rows(&self) -> PathBuf {
        self.root.join("rows")
    }

    /// The index's directory.
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// The directory of the last command to each device.
    pub fn commands(&self) -> PathBuf {
        self.root.join("commands")
    }

    /// The directory of the batches that a gateway submits to validators.
    pub fn outbox(&self) -> PathBuf {
        self.root.join("outbox")
    }

    /// The snapshots' directory.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// The directory of the state's leaves at the last epochs' ends.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The virtual devices' directory.
    pub fn fleet(&self) -> PathBuf {
        self.root.join("fleet")
    }

    /// The file of a key.
    pub fn key(&self, name: &str) -> PathBuf {
        self.root.join("keys").join(format!("{name}.pem"))
    }

    /// The file of the genesis document.
    pub fn genesis_file(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// Reads the genesis document; `None` when there is none yet.
    ///
    /// # Errors
    /// When it cannot be read or is broken.
    pub fn genesis(&self) -> Result<Option<Genesis>, DataDirError> {
        let file = self.genesis_file();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DataDirError::Io { file, source }),
        };
        Genesis::from_json(&text)
            .map(Some)
            .map_err(|error| DataDirError::Genesis { file, what: error.to_string() })
    }

    /// Writes the genesis document of a new ledger.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_genesis(&self, genesis: &Genesis) -> Result<(), DataDirError> {
        self.replace("genesis.json", genesis.to_json().as_bytes())
    }

    /// The last signed checkpoint; `None` when there is none yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn checkpoint(&self) -> Result<Option<String>, DataDirError> {
        let file = self.root.join("checkpoint");
        match fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DataDirError::Io { file, source }),
        }
    }

    /// Keeps the last signed checkpoint. It is not waited for: it may be older than the log, never newer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_checkpoint(&self, text: &str) -> Result<(), DataDirError> {
        let (file, new) = (self.root.join("checkpoint"), self.root.join("checkpoint.new"));
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &file));
        written.map_err(|source| DataDirError::Io { file, source })
    }

    /// How the validators of genesis became the present ones; as genesis says, when nothing says that they changed.
    ///
    /// # Errors
    /// When the document cannot be read, or does not hold.
    pub fn handovers(&self, genesis: &Genesis) -> Result<Handovers, DataDirError> {
        let file = self.root.join(VALIDATORS_FILE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Handovers::of_genesis(genesis)),
            Err(source) => return Err(DataDirError::Io { file, source }),
        };
        Handovers::parse(&text, genesis).map_err(|error| DataDirError::Validators { file, error })
    }

    /// Replaces a file so that a crash leaves the old one or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), DataDirError> {
        let file = self.root.join(name);
        replace(&file, &[content]).map_err(|source| DataDirError::Io { file, source })
    }
}

/// Replaces a file so that a crash leaves the old one or the new one, and waits until it is on the disk. The parts are
/// written one after another.
///
/// # Errors
/// What the operating system says.
pub fn replace(file: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut draft = Draft::of(file)?;
    parts.iter().try_for_each(|part| draft.write_all(part))?;
    draft.keep()
}

/// What shall replace a file, written beside it.
pub struct Draft {
    file: PathBuf,
    new: PathBuf,
    open: File,
    is_kept: bool,
}

impl Draft {
    /// An empty one.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn of(file: &Path) -> io::Result<Draft> {
        let mut name = file.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let open = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
        Ok(Draft { file: file.to_owned(), new, open, is_kept: false })
    }

    /// Replaces the file so that a crash leaves the old one or the new one, and waits until it is on the disk.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep(mut self) -> io::Result<()> {
        self.open.sync_all()?;
        fs::rename(&self.new, &self.file)?;
        self.is_kept = true;
        match self.file.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Deref for Draft {
    type Target = File;

    fn deref(&self) -> &File {
        &self.open
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.open
    }
}

impl Drop for Draft {
    /// On a full disk the half of it would take what space there is.
    fn drop(&mut self) {
        if !self.is_kept {
            let _stays = fs::remove_file(&self.new);
        }
    }
}

fn check_format(root: &Path, text: &str) -> Result<(), DataDirError> {
    let version = text.strip_prefix("lamppost data ").and_then(|rest| rest.strip_suffix('\n'));
    match version.and_then(|version| version.parse().ok()) {
        Some(FORMAT_VERSION) => Ok(()),
        Some(found) => Err(DataDirError::of_version(root, found)),
        None => Err(DataDirError::Unreadable(root.join("format"))),
    }
}

fn lock(root: &Path) -> Result<File, DataDirError> {
    let file = root.join("lock");
    let io = |source| DataDirError::Io { file: file.clone(), source };
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&file).map_err(io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(DataDirError::Locked(root.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused_until_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        let first = DataDir::open(&root).unwrap();
        assert!(matches!(DataDir::open(&root), Err(DataDirError::Locked(_))));
        drop(first);
        DataDir::open(&root).unwrap();
    }

    #[test]
    fn a_foreign_directory_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("thesis.tex"), "\\begin").unwrap();
        assert!(matches!(DataDir::open(directory.path()), Err(DataDirError::Foreign(_))));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_one_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("data");
        fs::write(&file, "").unwrap();
        let error = DataDir::open(&file).unwrap_err();
        assert!(matches!(error, DataDirError::NotADirectory(_)), "{error}");
    }

    #[test]
    fn an_older_and_a_newer_format_are_refused_with_a_sentence_each() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        drop(DataDir::open(&root).unwrap());
        let sentence = |format: &str| {
            fs::write(root.join("format"), format).unwrap();
            let looked = DataDir::look(&root).unwrap_err().to_string();
            assert_eq!(DataDir::open(&root).unwrap_err().to_string(), looked);
            looked
        };
        assert!(sentence("lamppost data 1\n").contains("an older lamppost made"));
        assert!(sentence("lamppost data 3\n").contains("use the newer program"));
        for broken in
            ["", "lamppost data", "lamppost data 2", "lamppost data x\n", "lamppost data 99999999999\n"]
        {
            assert!(sentence(broken).contains("restore it from a backup"), "{broken:?}");
        }
    }

    #[test]
    fn a_crash_while_making_the_directory_does_not_make_it_foreign() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("lock"), "").unwrap();
        DataDir::open(directory.path()).unwrap();
    }
}
