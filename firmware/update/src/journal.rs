//! The record of where an update stands, in two erasable sectors of flash, and the marks beside it.
//!
//! A sector holds one record and then marks: a word each, written once. A new record goes into the sector that does not
//! hold the newest, so a power cut leaves the old record or the new one. A mark is a word that is no longer erased, torn
//! or not: it is begun only after what it stands for is done.

use embedded_storage::nor_flash::{NorFlash, NorFlashError};

use crate::limits::{RECORD_BYTES, WORD_BYTES_MAX};
use crate::record::{Phase, Record};
use crate::updater::UpdateError;

const ERASED: u8 = 0xff;

pub(crate) struct Journal<S> {
    flash: S,
    /// Which sector holds `record`.
    sector: u32,
    record: Record,
    marks: u32,
}

fn failed(error: impl NorFlashError) -> UpdateError {
    UpdateError::State(error.kind())
}

impl<S: NorFlash> Journal<S> {
    /// Marks that fit beside a record.
    pub(crate) const MARKS_MAX: u32 = {
        assert!(S::WRITE_SIZE <= WORD_BYTES_MAX && WORD_BYTES_MAX.is_multiple_of(S::WRITE_SIZE));
        assert!(WORD_BYTES_MAX.is_multiple_of(S::READ_SIZE) && S::WRITE_SIZE.is_multiple_of(S::READ_SIZE));
        assert!(S::ERASE_SIZE > RECORD_BYTES && S::ERASE_SIZE.is_multiple_of(S::WRITE_SIZE));
        ((S::ERASE_SIZE - RECORD_BYTES) / S::WRITE_SIZE) as u32
    };

    /// Finds the newest record in the first two sectors of `flash`.
    pub(crate) fn open(flash: S) -> Result<Self, UpdateError> {
        if flash.capacity() < 2 * S::ERASE_SIZE {
            return Err(UpdateError::NoRoom);
        }
        let mut journal = Journal { flash, sector: 1, record: Record::NONE, marks: 0 };
        for sector in 0..2 {
            let mut bytes = [0; RECORD_BYTES];
            journal.flash.read(sector * S::ERASE_SIZE as u32, &mut bytes).map_err(failed)?;
            let found = Record::decode(&bytes).filter(|found| found.generation > journal.record.generation);
            if let Some(found) = found {
                (journal.sector, journal.record) = (sector, found);
            }
        }
        if journal.record.generation > 0 {
            while journal.marks < Self::MARKS_MAX && !journal.is_blank(journal.marks)? {
                journal.marks += 1;
            }
        }
        Ok(journal)
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Marks set since the record was written.
    pub(crate) fn marks(&self) -> u32 {
        self.marks
    }

    /// Replaces the phase. When this returns, it survives power loss.
    pub(crate) fn enter(&mut self, phase: Phase) -> Result<(), UpdateError> {
        self.replace(Record { phase, ..self.record })
    }

    /// Replaces the record but for its generation.
    pub(crate) fn replace(&mut self, record: Record) -> Result<(), UpdateError> {
        // 2^32 erasures are more than any flash stands.
        let record = Record { generation: self.record.generation.saturating_add(1), ..record };
        let sector = 1 - self.sector;
        let (start, end) = (sector * S::ERASE_SIZE as u32, (sector + 1) * S::ERASE_SIZE as u32);
        self.flash.erase(start, end).map_err(failed)?;
        self.flash.write(start, &record.encode()).map_err(failed)?;
        (self.sector, self.record, self.marks) = (sector, record, 0);
        Ok(())
    }

    /// Sets one more mark.
    pub(crate) fn mark(&mut self) -> Result<(), UpdateError> {
        if self.marks == Self::MARKS_MAX {
            return Err(UpdateError::NoRoom);
        }
        let place = self.place(self.marks);
        self.flash.write(place, &[0; WORD_BYTES_MAX][..S::WRITE_SIZE]).map_err(failed)?;
        self.marks += 1;
        Ok(())
    }

    fn place(&self, mark: u32) -> u32 {
        self.sector * S::ERASE_SIZE as u32 + RECORD_BYTES as u32 + mark * S::WRITE_SIZE as u32
    }

    fn is_blank(&mut self, mark: u32) -> Result<bool, UpdateError> {
        let mut word = [0; WORD_BYTES_MAX];
        let word = &mut word[..S::WRITE_SIZE];
        self.flash.read(self.place(mark), word).map_err(failed)?;
        Ok(word.iter().all(|byte| *byte == ERASED))
    }
}
