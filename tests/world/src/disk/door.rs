//! The simulated disk as the log sees it.

use std::io;
use std::path::PathBuf;

use gateway::disk::{Disk, DiskFile};

use super::{Change, SimulatedDisk};
use crate::faults::Fault;

#[derive(Debug)]
struct OpenFile {
    disk: SimulatedDisk,
    file: usize,
}

impl Disk for SimulatedDisk {
    fn place(&self, name: &str) -> PathBuf {
        PathBuf::from("simulated").join(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut platter = self.platter();
        platter.burn()?;
        Ok(platter.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.platter().find(name)?;
        Ok(Box::new(OpenFile { disk: self.clone(), file }))
    }

    fn open_to_write(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut platter = self.platter();
        if platter.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = platter.make(name)?;
        drop(platter);
        Ok(Box::new(OpenFile { disk: self.clone(), file }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut platter = self.platter();
        platter.find(name)?;
        platter.names.remove(name);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.platter().sync_names()
    }
}

impl DiskFile for OpenFile {
    fn length(&self) -> io::Result<u64> {
        let mut platter = self.disk.platter();
        platter.burn()?;
        Ok(platter.files[self.file].cached.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut platter = self.disk.platter();
        platter.burn()?;
        let content = platter.files[self.file].cached.get(offset as usize..);
        let part = content.and_then(|content| content.get(..buffer.len()));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.platter().write(self.file, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.platter().sync(self.file)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut platter = self.disk.platter();
        platter.burn()?;
        let change = Change::Length(length as usize);
        let file = &mut platter.files[self.file];
        change.make(&mut file.cached);
        file.dirty.push(change);
        file.reserved_to = 0;
        Ok(())
    }

    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let mut platter = self.disk.platter();
        platter.burn()?;
        if !platter.reserves {
            return Ok(());
        }
        let end = offset + bytes;
        let taken = platter.files[self.file].reserved_to.max(platter.files[self.file].cached.len() as u64);
        let more = end.saturating_sub(taken);
        if more > platter.free_bytes {
            platter.faults.count(Fault::DiskFull);
            return Err(io::ErrorKind::StorageFull.into());
        }
        platter.free_bytes -= more;
        platter.files[self.file].reserved_to = end.max(taken);
        Ok(())
    }

    fn forget_cache(&self) -> io::Result<()> {
        let mut platter = self.disk.platter();
        platter.burn()?;
        let file = &mut platter.files[self.file];
        // What is dirty stays; what a failed sync forgot is gone.
        file.cached = file.durable.clone();
        for change in &file.dirty {
            change.make(&mut file.cached);
        }
        Ok(())
    }
}
