//! An EEPROM in RAM, for virtual devices and tests.

use embedded_storage::{ReadStorage, Storage};

/// `N` bytes, erased at first; outlives a simulated reset, not the program.
pub struct Memory<const N: usize>([u8; N]);

/// The bytes asked for lie outside the memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

impl<const N: usize> Memory<N> {
    /// Erased memory.
    pub const fn new() -> Self {
        Self([0xff; N])
    }

    /// Its content.
    pub fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// Its content, to be altered behind the device's back.
    pub fn bytes_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Default for Memory<N> {
    fn default() -> Self {
        Self::new()
    }
}

fn range(offset: u32, length: usize) -> Option<core::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(length)?)
}

impl<const N: usize> ReadStorage for Memory<N> {
    type Error = OutOfMemory;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), OutOfMemory> {
        let source = range(offset, bytes.len()).and_then(|range| self.0.get(range)).ok_or(OutOfMemory)?;
        bytes.copy_from_slice(source);
        Ok(())
    }

    fn capacity(&self) -> usize {
        N
    }
}

impl<const N: usize> Storage for Memory<N> {
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), OutOfMemory> {
        let target = range(offset, bytes.len()).and_then(|range| self.0.get_mut(range)).ok_or(OutOfMemory)?;
        target.copy_from_slice(bytes);
        Ok(())
    }
}
