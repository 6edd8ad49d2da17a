//! A virtual EEPROM: in RAM, and in a file where it has to outlive the program.
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use embedded_storage::{ReadStorage, Storage};

use crate::limits::EEPROM_BYTES;

/// [`EEPROM_BYTES`] bytes, erased (0xff) at first. Written through to its file, if it has one.
#[derive(Debug)]
pub struct Eeprom {
    bytes: Box<[u8]>,
    file: Option<File>,
}

impl Eeprom {
    /// An erased EEPROM that is gone with the program.
    pub fn volatile() -> Eeprom {
        Eeprom { bytes: vec![0xff; EEPROM_BYTES].into(), file: None }
    }

    /// The EEPROM in the file `path`, which is made if it is not there.
    pub fn in_file(path: &Path) -> io::Result<Eeprom> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = vec![0xff; EEPROM_BYTES];
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(EEPROM_BYTES);
        file.read_exact_at(&mut bytes[..length], 0)?;
        if length < EEPROM_BYTES {
            file.write_all_at(&bytes[length..], length as u64)?;
        }
        Ok(Eeprom { bytes: bytes.into(), file: Some(file) })
    }
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the bytes lie outside the EEPROM")
}

fn range(offset: u32, length: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(length)?)
}

impl ReadStorage for Eeprom {
    type Error = io::Error;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> io::Result<()> {
        let source =
            range(offset, bytes.len()).and_then(|range| self.bytes.get(range)).ok_or_else(outside)?;
        bytes.copy_from_slice(source);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl Storage for Eeprom {
    fn write(&mut self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        let target =
            range(offset, bytes.len()).and_then(|range| self.bytes.get_mut(range)).ok_or_else(outside)?;
        if let Some(file) = &self.file {
            // The page cache survives the program, as the EEPROM survives the board's reset; a host's power loss is not
            // simulated, so there is no fsync.
            file.write_all_at(bytes, offset.into())?;
        }
        target.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_outlives_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eeprom");
        Eeprom::in_file(&path).unwrap().write(100, b"boot").unwrap();
        let mut bytes = [0; 6];
        Eeprom::in_file(&path).unwrap().read(99, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\xffboot\xff");
        assert!(Eeprom::volatile().write(EEPROM_BYTES as u32 - 1, b"ab").is_err());
    }
}
