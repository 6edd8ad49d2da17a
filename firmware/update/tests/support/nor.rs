//! NOR flash with its rules, which loses power at a chosen step. Shared with the tests of the flash store.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// Steps until the power goes, shared by everything on the board.
pub struct Power {
    pub steps_left: Option<usize>,
    pub steps: usize,
    pub is_off: bool,
    /// What a word that is torn looks like: nothing, half or all of it was written.
    pub tear: u8,
}

impl Power {
    /// Power that stays until somebody says otherwise.
    pub fn on() -> Rc<RefCell<Power>> {
        Rc::new(RefCell::new(Power { steps_left: None, steps: 0, is_off: false, tear: 1 }))
    }

    /// The power goes at the step after so many more.
    pub fn goes_after(&mut self, steps: usize, tear: u8) {
        (self.steps_left, self.tear) = (Some(steps), tear);
    }

    /// The power is back.
    pub fn comes_back(&mut self) {
        (self.is_off, self.steps_left) = (false, None);
    }

    /// Takes a step; false where the power goes at it.
    pub fn step(&mut self) -> bool {
        self.steps += 1;
        match &mut self.steps_left {
            Some(0) => {
                self.is_off = true;
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NorError {
    PowerLoss,
    Misuse(NorFlashErrorKind),
}

impl NorFlashError for NorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::PowerLoss => NorFlashErrorKind::Other,
            Self::Misuse(kind) => *kind,
        }
    }
}

/// NOR flash: a word is written once after each erasure, a sector is erased as a whole.
#[derive(Clone)]
pub struct Nor<const SECTOR_BYTES: usize, const WORD_BYTES: usize> {
    pub bytes: Rc<RefCell<Vec<u8>>>,
    pub erasures: Rc<RefCell<Vec<u32>>>,
    pub bytes_read: Rc<RefCell<usize>>,
    power: Rc<RefCell<Power>>,
    /// Whether a word that was torn may be written once more, where that only clears bits: flash without ECC.
    clears_bits: bool,
}

impl<const SECTOR_BYTES: usize, const WORD_BYTES: usize> Nor<SECTOR_BYTES, WORD_BYTES> {
    pub fn of(sectors: usize, power: &Rc<RefCell<Power>>) -> Self {
        Nor {
            bytes: Rc::new(RefCell::new(vec![0xff; sectors * SECTOR_BYTES])),
            erasures: Rc::new(RefCell::new(vec![0; sectors])),
            bytes_read: Rc::default(),
            power: Rc::clone(power),
            clears_bits: false,
        }
    }

    /// Flash without ECC: bits of a word can be cleared later.
    pub fn without_ecc(self) -> Self {
        Nor { clears_bits: true, ..self }
    }

    fn is_on(&self) -> Result<(), NorError> {
        if self.power.borrow().is_off { Err(NorError::PowerLoss) } else { Ok(()) }
    }
}

impl<const SECTOR_BYTES: usize, const WORD_BYTES: usize> ErrorType for Nor<SECTOR_BYTES, WORD_BYTES> {
    type Error = NorError;
}

impl<const SECTOR_BYTES: usize, const WORD_BYTES: usize> ReadNorFlash for Nor<SECTOR_BYTES, WORD_BYTES> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), NorError> {
        self.is_on()?;
        check_read(self, offset, out.len()).map_err(NorError::Misuse)?;
        *self.bytes_read.borrow_mut() += out.len();
        out.copy_from_slice(&self.bytes.borrow()[offset as usize..][..out.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.borrow().len()
    }
}

impl<const SECTOR_BYTES: usize, const WORD_BYTES: usize> NorFlash for Nor<SECTOR_BYTES, WORD_BYTES> {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = SECTOR_BYTES;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.is_on()?;
        check_erase(self, from, to).map_err(NorError::Misuse)?;
        for sector in (from as usize..to as usize).step_by(SECTOR_BYTES) {
            let mut power = self.power.borrow_mut();
            let mut bytes = self.bytes.borrow_mut();
            if !power.step() {
                // A part is erased, a word is neither.
                let erased = SECTOR_BYTES / 2 * usize::from(power.tear);
                bytes[sector..sector + erased].fill(0xff);
                if power.tear == 1 {
                    bytes[sector + erased] |= 0x5a;
                }
                return Err(NorError::PowerLoss);
            }
            bytes[sector..sector + SECTOR_BYTES].fill(0xff);
            self.erasures.borrow_mut()[sector / SECTOR_BYTES] += 1;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        self.is_on()?;
        check_write(self, offset, bytes.len()).map_err(NorError::Misuse)?;
        for (place, word) in (offset as usize..).step_by(WORD_BYTES).zip(bytes.chunks(WORD_BYTES)) {
            let mut power = self.power.borrow_mut();
            let mut cells = self.bytes.borrow_mut();
            let cells = &mut cells[place..place + WORD_BYTES];
            let only_clears = cells.iter().zip(word).all(|(cell, byte)| cell & byte == *byte);
            assert!(
                cells.iter().all(|byte| *byte == 0xff) || (self.clears_bits && only_clears),
                "the word at {place} is written twice"
            );
            if power.step() {
                cells.copy_from_slice(word);
                continue;
            }
            let written = WORD_BYTES / 2 * usize::from(power.tear);
            cells[..written].copy_from_slice(&word[..written]);
            return Err(NorError::PowerLoss);
        }
        Ok(())
    }
}
