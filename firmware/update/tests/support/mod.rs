//! What the tests share: NOR flash with its rules that loses power at a chosen step, and a machine of two slots.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::RefCell;
use std::rc::Rc;

use devices::limits::{FIRMWARE_CHUNK_BYTES, MANIFEST_BYTES_MAX};
use devices::manifest::Version;
use devices::{Manifest, SigningKey};
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use sha2::{Digest, Sha256};
use update::{About, Bootloader, BootloaderError, Start, Updater};

pub const BOARD: &str = "test-board";
pub const WORD_BYTES: usize = 8;
pub const SECTOR_BYTES: usize = 2_048;
pub const SLOT_BYTES: usize = 4 * SECTOR_BYTES;
/// The bootloader needs a sector more than the longest image.
pub const IMAGE_BYTES_MAX: u32 = (SLOT_BYTES - SECTOR_BYTES) as u32;

/// Steps until the power goes, shared by everything on the board.
pub struct Power {
    pub steps_left: Option<usize>,
    pub steps: usize,
    pub is_off: bool,
    /// What a word that is torn looks like: nothing, half or all of it was written.
    pub tear: u8,
}

impl Power {
    /// Takes a step; false where the power goes at it.
    fn step(&mut self) -> bool {
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
pub struct Nor {
    pub bytes: Rc<RefCell<Vec<u8>>>,
    pub erasures: Rc<RefCell<Vec<u32>>>,
    power: Rc<RefCell<Power>>,
}

impl Nor {
    pub fn of(sectors: usize, power: &Rc<RefCell<Power>>) -> Nor {
        Nor {
            bytes: Rc::new(RefCell::new(vec![0xff; sectors * SECTOR_BYTES])),
            erasures: Rc::new(RefCell::new(vec![0; sectors])),
            power: Rc::clone(power),
        }
    }

    fn is_on(&self) -> Result<(), NorError> {
        if self.power.borrow().is_off { Err(NorError::PowerLoss) } else { Ok(()) }
    }
}

impl ErrorType for Nor {
    type Error = NorError;
}

impl ReadNorFlash for Nor {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), NorError> {
        self.is_on()?;
        check_read(self, offset, out.len()).map_err(NorError::Misuse)?;
        out.copy_from_slice(&self.bytes.borrow()[offset as usize..][..out.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.borrow().len()
    }
}

impl NorFlash for Nor {
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
            assert!(cells.iter().all(|byte| *byte == 0xff), "the word at {place} is written twice");
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

/// Two slots and what swaps them. Swapping itself is embassy-boot's to prove: here a reset does it at once.
#[derive(Clone)]
pub struct Machine {
    pub power: Rc<RefCell<Power>>,
    pub active: Rc<RefCell<Vec<u8>>>,
    pub download: Nor,
    pub state: Nor,
    bootloader: Rc<RefCell<BootRecord>>,
}

#[derive(Default)]
struct BootRecord {
    swaps_at_reset: bool,
    is_on_trial: bool,
}

impl Machine {
    /// A board that was flashed with `image`.
    pub fn flashed(image: &[u8]) -> Machine {
        let power = Rc::new(RefCell::new(Power { steps_left: None, steps: 0, is_off: false, tear: 1 }));
        let mut active = image.to_vec();
        active.resize(SLOT_BYTES, 0xff);
        Machine {
            active: Rc::new(RefCell::new(active)),
            download: Nor::of(SLOT_BYTES / SECTOR_BYTES, &power),
            state: Nor::of(2, &power),
            bootloader: Rc::default(),
            power,
        }
    }

    pub fn lose_power_after(&self, steps: usize, tear: u8) {
        let mut power = self.power.borrow_mut();
        (power.steps_left, power.tear) = (Some(steps), tear);
    }

    /// The bootloader runs, after a reset or with the power back.
    pub fn reset(&self) {
        let mut power = self.power.borrow_mut();
        if power.is_off {
            (power.is_off, power.steps_left) = (false, None);
        }
        let mut record = self.bootloader.borrow_mut();
        if record.swaps_at_reset || record.is_on_trial {
            std::mem::swap(&mut *self.active.borrow_mut(), &mut *self.download.bytes.borrow_mut());
            record.is_on_trial = record.swaps_at_reset;
            record.swaps_at_reset = false;
        }
    }

    /// The version that runs, as the image itself says.
    pub fn running(&self) -> Version {
        let active = self.active.borrow();
        let number = |place: usize| u16::from_le_bytes([active[place], active[place + 1]]);
        Version { major: number(0), minor: number(2), patch: number(4) }
    }

    /// The firmware starts its updater.
    pub fn start(&self, crashed: bool) -> Result<(TestUpdater, Start), update::UpdateError> {
        let about = About {
            board: BOARD,
            running: self.running(),
            publisher: publisher().public_key(),
            image_bytes_max: IMAGE_BYTES_MAX,
        };
        Updater::start(about, self.download.clone(), self.state.clone(), self.clone(), crashed)
    }

    /// A reset and a start.
    pub fn boot(&self, crashed: bool) -> (TestUpdater, Start) {
        self.reset();
        self.start(crashed).unwrap()
    }

    pub fn erasures(&self) -> u32 {
        let download: u32 = self.download.erasures.borrow().iter().sum();
        download + self.state.erasures.borrow().iter().sum::<u32>()
    }

    fn step(&self) -> Result<(), BootloaderError> {
        if !self.power.borrow().is_off && self.power.borrow_mut().step() {
            return Ok(());
        }
        Err(BootloaderError::Flash(NorFlashErrorKind::Other))
    }
}

impl Bootloader for Machine {
    fn is_on_trial(&mut self) -> Result<bool, BootloaderError> {
        Ok(self.bootloader.borrow().is_on_trial)
    }

    /// The power may go before it is written down and right after.
    fn swap_at_reset(&mut self) -> Result<(), BootloaderError> {
        self.step()?;
        self.bootloader.borrow_mut().swaps_at_reset = true;
        self.step()
    }

    fn keep(&mut self) -> Result<(), BootloaderError> {
        self.step()?;
        self.bootloader.borrow_mut().is_on_trial = false;
        self.step()
    }
}

pub type TestUpdater = Updater<Nor, Nor, Machine>;

pub fn publisher() -> SigningKey {
    SigningKey::from_seed([5; 32])
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// An image that says its version, and is otherwise as random as machine code.
pub fn image(text: &str, length: usize) -> Vec<u8> {
    let version = version(text);
    let mut image = Vec::new();
    for number in [version.major, version.minor, version.patch] {
        image.extend(number.to_le_bytes());
    }
    let mut state = u32::from(version.patch) * 7_919 + u32::from(version.minor) * 104_729 + 1;
    while image.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image.push((state >> 24) as u8);
    }
    image
}

pub fn manifest_for(board: &str, text: &str, image: &[u8], key: &SigningKey) -> Vec<u8> {
    let manifest = Manifest {
        board,
        version: version(text),
        image_bytes: image.len() as u32,
        image_hash: Sha256::digest(image).into(),
    };
    let mut out = [0; MANIFEST_BYTES_MAX];
    let length = manifest.sign(key, &mut out).unwrap();
    out[..length].to_vec()
}

pub fn manifest(text: &str, image: &[u8]) -> Vec<u8> {
    manifest_for(BOARD, text, image, &publisher())
}

pub fn chunk(image: &[u8], index: u32) -> &[u8] {
    image.chunks(FIRMWARE_CHUNK_BYTES).nth(index as usize).unwrap()
}

/// Brings every chunk that is wanted, until none is.
pub fn deliver(updater: &mut TestUpdater, image: &[u8]) -> Result<(), update::UpdateError> {
    while let Some(wanted) = updater.wants() {
        updater.take_chunk(wanted.index, chunk(image, wanted.index))?;
    }
    Ok(())
}

/// Manifest, chunks and installation, up to the reset.
pub fn install(updater: &mut TestUpdater, text: &str, image: &[u8]) {
    assert!(updater.take_manifest(&manifest(text, image)).unwrap());
    deliver(updater, image).unwrap();
    assert!(updater.install().unwrap());
}
