//! A stretch of a flash that one part of the firmware has to itself.
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// `flash` from `start` on, `length` bytes long, with addresses from 0. Both are whole sectors inside the flash.
pub struct Partition<F> {
    pub flash: F,
    pub start: u32,
    pub length: usize,
}

/// Why it does not read or write.
#[derive(Debug)]
pub enum PartitionError<E> {
    /// What was asked for lies outside, or at no boundary.
    Bounds(NorFlashErrorKind),
    /// The flash does not answer.
    Flash(E),
}

impl<E: NorFlashError> NorFlashError for PartitionError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Bounds(kind) => *kind,
            Self::Flash(error) => error.kind(),
        }
    }
}

impl<F: ErrorType> ErrorType for Partition<F> {
    type Error = PartitionError<F::Error>;
}

impl<F: ReadNorFlash> ReadNorFlash for Partition<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len()).map_err(PartitionError::Bounds)?;
        self.flash.read(self.start + offset, bytes).map_err(PartitionError::Flash)
    }

    fn capacity(&self) -> usize {
        self.length
    }
}

impl<F: NorFlash> NorFlash for Partition<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to).map_err(PartitionError::Bounds)?;
        self.flash.erase(self.start + from, self.start + to).map_err(PartitionError::Flash)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len()).map_err(PartitionError::Bounds)?;
        self.flash.write(self.start + offset, bytes).map_err(PartitionError::Flash)
    }
}
