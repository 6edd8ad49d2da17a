//! A disk that fails as disks do: it loses and tears what was not synced, rots, fills up, is slow, and may refuse a
//! sync; and it is where a crash strikes, between any two things that the node does.
//!
//! What was written is seen at once by everybody who reads, as the page cache does; it is durable only once it was
//! synced. A killed process loses nothing of it, a loss of power loses any part: a write of which some sectors are
//! missing, a file that grew and holds zeros, a name that was never made. A failed sync forgets what it could not
//! write, and the next one does not try it again.

mod door;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::chance::Chance;
use crate::faults::{Fault, Faults};

/// What a disk writes at once or not at all.
const SECTOR_BYTES: usize = 512;

/// Where the last block of a small city lies.
const NEAR_THE_END_BYTES: usize = 400;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed; what it wrote stays in the page cache.
    Kill,
    /// The power goes; what was not synced may be lost.
    PowerLoss,
}

/// A handle on the disk; clones share it.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<Platter>>);

#[derive(Debug)]
struct Platter {
    chance: Chance,
    files: Vec<SimulatedFile>,
    /// What a name stands for now, and after a loss of power.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Effects and disk operations until the crash.
    fuse: Option<u32>,
    dead: bool,
    free_bytes: u64,
    /// Whether space can be taken in advance.
    reserves: bool,
    sync_milliseconds_max: u64,
    waited_milliseconds: u64,
    sync_fails: bool,
    faults: Faults,
}

#[derive(Clone, Debug, Default)]
struct SimulatedFile {
    /// What the page cache holds.
    cached: Vec<u8>,
    /// What the platter holds.
    durable: Vec<u8>,
    dirty: Vec<Change>,
    reserved_to: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// Everything that lies on the disk, for going back to it.
#[derive(Clone, Debug)]
pub struct Backup {
    files: Vec<SimulatedFile>,
    names: BTreeMap<String, usize>,
}

/// Space of a disk that is not full.
const FREE_BYTES: u64 = 1 << 40;

impl SimulatedDisk {
    /// An empty disk with its own stream of chance; not every file system can reserve space.
    pub fn new(chance: Chance, reserves: bool) -> SimulatedDisk {
        SimulatedDisk(Arc::new(Mutex::new(Platter {
            chance,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            fuse: None,
            dead: false,
            free_bytes: FREE_BYTES,
            reserves,
            sync_milliseconds_max: 0,
            waited_milliseconds: 0,
            sync_fails: false,
            faults: Faults::default(),
        })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process dies after so many more effects and disk operations.
    pub fn light_fuse(&self, operations: u32) {
        self.platter().fuse = Some(operations);
    }

    /// The process does not die after all.
    pub fn put_out_fuse(&self) {
        self.platter().fuse = None;
    }

    /// Counts one effect; `false` once the process is dead: then nothing it does has an effect any more.
    pub fn burn(&self) -> bool {
        self.platter().burn().is_ok()
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        self.platter().dead
    }

    /// What a process that starts now finds.
    pub fn crash(&self, crash: Crash) {
        let mut platter = self.platter();
        (platter.dead, platter.fuse, platter.waited_milliseconds) = (false, None, 0);
        platter.sync_fails = false;
        if crash == Crash::PowerLoss {
            platter.lose_power();
        }
    }

    /// From now on there is room for so many bytes, or for all.
    pub fn set_free(&self, bytes: Option<u64>) {
        self.platter().free_bytes = bytes.unwrap_or(FREE_BYTES);
    }

    /// Whether at least `bytes` are free.
    pub fn has_free(&self, bytes: u64) -> bool {
        self.platter().free_bytes >= bytes
    }

    /// From now on a sync takes up to so many milliseconds.
    pub fn set_sync_milliseconds(&self, most: u64) {
        self.platter().sync_milliseconds_max = most;
    }

    /// The next sync fails.
    pub fn fail_next_sync(&self) {
        self.platter().sync_fails = true;
    }

    /// The next sync does not fail after all.
    pub fn spare_next_sync(&self) {
        self.platter().sync_fails = false;
    }

    /// Milliseconds that the process waited for the disk since this was last asked.
    pub fn take_waited_milliseconds(&self) -> u64 {
        std::mem::take(&mut self.platter().waited_milliseconds)
    }

    /// What went wrong so far.
    pub fn faults(&self) -> Faults {
        self.platter().faults.clone()
    }

    /// A copy of all that is there, and durable from now on.
    pub fn back_up(&self) -> Backup {
        let mut platter = self.platter();
        platter.sync_everything();
        Backup { files: platter.files.clone(), names: platter.names.clone() }
    }

    /// Puts the copy back.
    pub fn restore(&self, backup: Backup) {
        let mut platter = self.platter();
        platter.durable_names.clone_from(&backup.names);
        (platter.files, platter.names) = (backup.files, backup.names);
    }

    /// Turns one bit over in a file whose name ends so; `false` when there is nothing to damage.
    pub fn rot(&self, suffix: &str) -> bool {
        let mut platter = self.platter();
        let files: Vec<usize> =
            platter.names.iter().filter(|(name, _)| name.ends_with(suffix)).map(|(_, file)| *file).collect();
        let Some(file) = platter.chance.one_of(&files) else { return false };
        let length = platter.files[file].durable.len();
        if length == 0 {
            return false;
        }
        // Often near the end: there damage and a torn write look alike.
        let first = if platter.chance.happens(300) { length.saturating_sub(NEAR_THE_END_BYTES) } else { 0 };
        let (at, bit) = (first + platter.chance.place(length - first), platter.chance.below(8));
        platter.files[file].durable[at] ^= 1 << bit;
        platter.files[file].cached = platter.files[file].durable.clone();
        platter.faults.count(Fault::BitRot);
        true
    }

    /// Replaces a file as a program does that waits until it is durable, or one that does not.
    ///
    /// # Errors
    /// That the process has died meanwhile, or the disk is full.
    pub fn replace(&self, name: &str, content: &[u8], waits: bool) -> io::Result<()> {
        let beside = format!("{name}.new");
        let mut platter = self.platter();
        let file = platter.make(&beside)?;
        platter.write(file, content, 0)?;
        if waits {
            platter.sync(file)?;
        }
        platter.burn()?;
        platter.names.remove(&beside);
        platter.names.insert(name.to_owned(), file);
        if waits { platter.sync_names() } else { Ok(()) }
    }

    /// The whole content of a file; `None` where there is none.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let platter = self.platter();
        let file = *platter.names.get(name)?;
        Some(platter.files[file].cached.clone())
    }

    /// The names that end so, in order.
    pub fn names(&self, suffix: &str) -> Vec<String> {
        self.platter().names.keys().filter(|name| name.ends_with(suffix)).cloned().collect()
    }
}

fn dead() -> io::Error {
    io::Error::other("the process has died")
}

impl Platter {
    fn burn(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(dead());
        }
        match &mut self.fuse {
            Some(0) => {
                self.dead = true;
                Err(dead())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn make(&mut self, name: &str) -> io::Result<usize> {
        self.burn()?;
        self.files.push(SimulatedFile::default());
        let file = self.files.len() - 1;
        self.names.insert(name.to_owned(), file);
        Ok(file)
    }

    fn find(&mut self, name: &str) -> io::Result<usize> {
        self.burn()?;
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = offset as usize;
        let alive = self.burn();
        // A process that dies while it writes has written a part.
        let length = if alive.is_ok() { bytes.len() } else { self.chance.place(bytes.len() + 1) };
        let end = offset + length;
        let grows = (end as u64)
            .saturating_sub(self.files[file].reserved_to.max(self.files[file].cached.len() as u64));
        if grows > self.free_bytes {
            let fits = length.saturating_sub((grows - self.free_bytes) as usize);
            self.free_bytes = 0;
            self.faults.count(Fault::DiskFull);
            self.apply(file, offset, &bytes[..fits]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.free_bytes -= grows;
        self.apply(file, offset, &bytes[..length]);
        alive
    }

    fn apply(&mut self, file: usize, offset: usize, bytes: &[u8]) {
        let change = Change::Write { offset, bytes: bytes.to_vec() };
        change.make(&mut self.files[file].cached);
        self.files[file].dirty.push(change);
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        self.burn()?;
        if self.sync_milliseconds_max > 0 {
            let waited = self.chance.below(self.sync_milliseconds_max + 1);
            self.waited_milliseconds += waited;
            if waited > 0 {
                self.faults.count(Fault::SlowSync);
            }
        }
        if std::mem::take(&mut self.sync_fails) {
            self.faults.count(Fault::FailedSync);
            self.lose(file);
            return Err(io::Error::other("input/output error"));
        }
        let SimulatedFile { durable, dirty, .. } = &mut self.files[file];
        dirty.drain(..).for_each(|change| change.make(durable));
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.burn()?;
        self.durable_names.clone_from(&self.names);
        Ok(())
    }

    fn sync_everything(&mut self) {
        for file in &mut self.files {
            file.durable.clone_from(&file.cached);
            file.dirty.clear();
        }
        self.durable_names.clone_from(&self.names);
    }

    /// What was not synced reaches the platter whole, in parts, or not at all.
    fn lose(&mut self, file: usize) {
        for change in std::mem::take(&mut self.files[file].dirty) {
            match self.chance.below(3) {
                0 => change.make(&mut self.files[file].durable),
                1 => self.faults.count(Fault::LostWrite),
                _ => {
                    self.faults.count(Fault::TornWrite);
                    self.tear(file, change);
                }
            }
        }
    }

    fn tear(&mut self, file: usize, change: Change) {
        let Change::Write { offset, bytes } = change else { return };
        let durable = &mut self.files[file].durable;
        // The length may have reached the platter before the content: then there are zeros.
        if self.chance.happens(500) && durable.len() < offset + bytes.len() {
            durable.resize(offset + bytes.len(), 0);
        }
        // A small write fits one sector; then it is cut anywhere, which no disk does: harder than what happens.
        let piece =
            if bytes.len() > 2 * SECTOR_BYTES { SECTOR_BYTES } else { bytes.len().div_ceil(3).max(1) };
        for (number, part) in bytes.chunks(piece).enumerate() {
            if self.chance.happens(500) {
                Change::Write { offset: offset + number * piece, bytes: part.to_vec() }.make(durable);
            }
        }
    }

    fn lose_power(&mut self) {
        for file in 0..self.files.len() {
            self.lose(file);
            self.files[file].cached = self.files[file].durable.clone();
            self.files[file].reserved_to = 0;
        }
        let mut all: Vec<String> = self.names.keys().chain(self.durable_names.keys()).cloned().collect();
        all.sort_unstable();
        all.dedup();
        for name in all {
            let (now, then) = (self.names.get(&name).copied(), self.durable_names.get(&name).copied());
            if now != then && self.chance.happens(500) {
                self.faults.count(Fault::LostName);
                match then {
                    Some(file) => self.names.insert(name, file),
                    None => self.names.remove(&name),
                };
            }
        }
        self.durable_names.clone_from(&self.names);
    }
}

impl Change {
    fn make(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
            Change::Length(length) => content.resize(*length, 0),
        }
    }
}
