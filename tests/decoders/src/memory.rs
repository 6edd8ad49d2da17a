//! A disk in memory, so that a log can be opened thousands of times a second.

use gateway::disk::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files by their names; every copy is the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<BTreeMap<String, File>>>);

#[derive(Debug, Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// A disk with this one file.
    pub(crate) fn holding(name: &str, content: &[u8]) -> Memory {
        let disk = Memory::default();
        locked(&disk.0).insert(name.to_owned(), File(Arc::new(Mutex::new(content.to_vec()))));
        disk
    }

    /// What a file holds; nothing where there is none.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        locked(&self.0).get(name).map(|file| locked(&file.0).clone()).unwrap_or_default()
    }
}

impl Disk for Memory {
    fn place(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(locked(&self.0).keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = locked(&self.0).get(name).cloned();
        file.map(|file| Box::new(file) as Box<dyn DiskFile>).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut files = locked(&self.0);
        if files.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        files.insert(name.to_owned(), File::default());
        drop(files);
        self.open(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        locked(&self.0).remove(name).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }
}

fn bytes(number: u64) -> usize {
    usize::try_from(number).expect("memory is no larger than its addresses")
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let content = locked(&self.0);
        let part = content.get(bytes(offset)..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(part.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, written: &[u8], offset: u64) -> io::Result<()> {
        let mut content = locked(&self.0);
        let end = bytes(offset) + written.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[bytes(offset)..end].copy_from_slice(written);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        locked(&self.0).resize(bytes(length), 0);
        Ok(())
    }

    fn reserve(&self, _offset: u64, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn forget_cache(&self) -> io::Result<()> {
        Ok(())
    }
}
