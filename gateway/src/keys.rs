//! Key files: Ed25519 in PKCS#8 PEM (RFC 8410), mode 0600, never overwritten, readable by openssl.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use devices::{KeyError, PublicKey, SigningKey};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};

use crate::clock::{self, RandomnessError};

/// A key file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is one already.
    #[error("{0} exists already and a key is never overwritten: choose another name")]
    Exists(PathBuf),
    /// There is none.
    #[error("there is no key file {0}: `lamppost key new {0}` makes one")]
    Missing(PathBuf),
    /// The operating system refused.
    #[error("the key file {file} cannot be used: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The content is no key.
    #[error("{0} is not an Ed25519 private key in PKCS#8 PEM: restore it from a backup or make a new one")]
    Broken(PathBuf),
    /// The key is one that anybody could sign for.
    #[error("the key in {file} must not be used: {source}")]
    Weak {
        /// The file.
        file: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// No randomness for a new one.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// Makes a key and writes it to `file`.
///
/// # Errors
/// When the file exists already or cannot be written.
pub fn create(file: &Path) -> Result<SigningKey, KeyFileError> {
    let key = SigningKey::from_seed(clock::random_seed()?);
    write(file, &key)?;
    Ok(key)
}

/// Writes a key to `file`, which must not exist.
///
/// # Errors
/// When the file exists already or cannot be written.
pub fn write(file: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let text = to_pem(key).ok_or_else(|| KeyFileError::Broken(file.to_owned()))?;
    let io = |source: io::Error| match source.kind() {
        ErrorKind::AlreadyExists => KeyFileError::Exists(file.to_owned()),
        _ => KeyFileError::Io { file: file.to_owned(), source },
    };
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(io)?;
    let written = open.write_all(text.as_bytes()).and_then(|()| open.sync_all());
    written.map_err(|source| {
        // Half a key is worse than none: the next start would refuse it.
        let _gone = fs::remove_file(file);
        KeyFileError::Io { file: file.to_owned(), source }
    })
}

/// Reads the key in `file`.
///
/// # Errors
/// When there is none, or it is not an Ed25519 private key.
pub fn read(file: &Path) -> Result<SigningKey, KeyFileError> {
    let text = fs::read_to_string(file).map_err(|source| match source.kind() {
        ErrorKind::NotFound => KeyFileError::Missing(file.to_owned()),
        ErrorKind::InvalidData => KeyFileError::Broken(file.to_owned()),
        _ => KeyFileError::Io { file: file.to_owned(), source },
    })?;
    let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&text)
        .map_err(|_| KeyFileError::Broken(file.to_owned()))?;
    let key = SigningKey::from_seed(key.to_bytes());
    PublicKey::from_bytes(*key.public_key().as_bytes())
        .map_err(|source| KeyFileError::Weak { file: file.to_owned(), source })?;
    Ok(key)
}

/// Reads the key in `file`, or makes it there when there is no such file.
///
/// # Errors
/// As [`read`] and [`create`].
pub fn read_or_create(file: &Path) -> Result<SigningKey, KeyFileError> {
    match read(file) {
        Err(KeyFileError::Missing(_)) => create(file),
        other => other,
    }
}

/// PKCS#8 version 1, without the public key: openssl before 3.2 does not read version 2 (RFC 5958) with one.
fn to_pem(key: &SigningKey) -> Option<String> {
    let pair = KeypairBytes { secret_key: key.to_seed(), public_key: None };
    pair.to_pkcs8_pem(LineEnding::LF).ok().map(|text| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_file_reads_back_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.pem");
        let key = create(&file).unwrap();
        assert_eq!(read(&file).unwrap().public_key(), key.public_key());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.pem");
        let key = create(&file).unwrap();
        assert!(matches!(create(&file), Err(KeyFileError::Exists(_))));
        assert_eq!(read_or_create(&file).unwrap().public_key(), key.public_key());
    }

    #[test]
    fn a_broken_key_file_is_one_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.pem");
        for content in
            [&b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"[..], b"", b"\xff\xfe"]
        {
            fs::write(&file, content).unwrap();
            let error = read(&file).unwrap_err();
            assert!(matches!(error, KeyFileError::Broken(_)), "{error}");
            assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn openssl_reads_the_key_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key.pem");
        let key = create(&file).unwrap();
        let Ok(output) = std::process::Command::new("openssl")
            .args(["pkey", "-pubout", "-outform", "DER", "-in"])
            .arg(&file)
            .output()
        else {
            eprintln!("skipped: openssl is not installed");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.ends_with(key.public_key().as_bytes()));
    }
}
