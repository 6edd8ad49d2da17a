//! The download slot: chunks written into flash as it allows, and the whole image read back and hashed.

use devices::limits::FIRMWARE_CHUNK_BYTES;
use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};
use sha2::{Digest, Sha256};

use crate::limits::CHUNK_BYTES;
use crate::record::Image;
use crate::updater::UpdateError;

const ERASED: u8 = 0xff;

/// What became of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// It stands in the flash.
    Whole,
    /// Other bytes stand in its place, torn ones perhaps. The sector must be erased; it begins at this chunk.
    Occupied { sector_chunk: u32 },
}

pub(crate) struct Slot<D>(D);

fn failed(error: impl NorFlashError) -> UpdateError {
    UpdateError::Download(error.kind())
}

impl<D: NorFlash> Slot<D> {
    const SECTOR_BYTES: u32 = {
        assert!(D::ERASE_SIZE.is_multiple_of(FIRMWARE_CHUNK_BYTES), "a chunk lies in one sector");
        assert!(D::WRITE_SIZE <= crate::limits::WORD_BYTES_MAX);
        assert!(
            FIRMWARE_CHUNK_BYTES.is_multiple_of(D::WRITE_SIZE) && D::WRITE_SIZE.is_multiple_of(D::READ_SIZE)
        );
        D::ERASE_SIZE as u32
    };

    pub(crate) fn new(flash: D) -> Self {
        Slot(flash)
    }

    pub(crate) fn capacity_bytes(&self) -> u32 {
        u32::try_from(self.0.capacity()).unwrap_or(u32::MAX)
    }

    /// Writes chunk `index`. A sector's first chunk erases it, unless it is erased; of a chunk that was begun before, the
    /// words that are there already are left as they are.
    pub(crate) fn write(&mut self, index: u32, chunk: &[u8]) -> Result<Written, UpdateError> {
        let offset = index * CHUNK_BYTES;
        if offset.is_multiple_of(Self::SECTOR_BYTES) && !self.is_blank(offset)? {
            self.0.erase(offset, offset + Self::SECTOR_BYTES).map_err(failed)?;
            if !self.is_blank(offset)? {
                // Worn out. Erasing it again and again would help nobody.
                return Err(UpdateError::Download(NorFlashErrorKind::Other));
            }
        }
        let mut wanted = [ERASED; FIRMWARE_CHUNK_BYTES];
        wanted[..chunk.len()].copy_from_slice(chunk);
        let wanted = &wanted[..chunk.len().next_multiple_of(D::WRITE_SIZE)];
        let mut found = [0; FIRMWARE_CHUNK_BYTES];
        let found = &mut found[..wanted.len()];
        self.0.read(offset, found).map_err(failed)?;
        let words = || wanted.chunks_exact(D::WRITE_SIZE).zip(found.chunks_exact(D::WRITE_SIZE));
        if words().any(|(wanted, found)| found != wanted && found.iter().any(|byte| *byte != ERASED)) {
            let sector_chunk = offset / Self::SECTOR_BYTES * (Self::SECTOR_BYTES / CHUNK_BYTES);
            return Ok(Written::Occupied { sector_chunk });
        }
        for (place, (wanted, found)) in words().enumerate() {
            if found != wanted {
                self.0.write(offset + (place * D::WRITE_SIZE) as u32, wanted).map_err(failed)?;
            }
        }
        Ok(Written::Whole)
    }

    /// Whether the slot holds the image, by reading every byte of it.
    pub(crate) fn holds(&mut self, image: &Image) -> Result<bool, UpdateError> {
        let mut hash = Sha256::new();
        let mut chunk = [0; FIRMWARE_CHUNK_BYTES];
        let mut offset = 0;
        while offset < image.bytes {
            let length = (image.bytes - offset).min(CHUNK_BYTES) as usize;
            let whole = &mut chunk[..length.next_multiple_of(D::WRITE_SIZE)];
            self.0.read(offset, whole).map_err(failed)?;
            hash.update(&whole[..length]);
            offset += CHUNK_BYTES;
        }
        Ok(hash.finalize()[..] == image.hash)
    }

    fn is_blank(&mut self, sector: u32) -> Result<bool, UpdateError> {
        let mut chunk = [0; FIRMWARE_CHUNK_BYTES];
        for offset in (sector..sector + Self::SECTOR_BYTES).step_by(FIRMWARE_CHUNK_BYTES) {
            self.0.read(offset, &mut chunk).map_err(failed)?;
            if chunk.iter().any(|byte| *byte != ERASED) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
