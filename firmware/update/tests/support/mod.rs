//! What the tests share: a machine of two slots, and images for it.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod nor;

use std::cell::RefCell;
use std::rc::Rc;

use devices::limits::{FIRMWARE_CHUNK_BYTES, MANIFEST_BYTES_MAX};
use devices::manifest::Version;
use devices::{Manifest, SigningKey};
use embedded_storage::nor_flash::NorFlashErrorKind;
use nor::Power;
use sha2::{Digest, Sha256};
use update::{About, Bootloader, BootloaderError, Start, Updater};

pub const BOARD: &str = "test-board";
pub const WORD_BYTES: usize = 8;
pub const SECTOR_BYTES: usize = 2_048;
pub const SLOT_BYTES: usize = 4 * SECTOR_BYTES;
/// The bootloader needs a sector more than the longest image.
pub const IMAGE_BYTES_MAX: u32 = (SLOT_BYTES - SECTOR_BYTES) as u32;

/// The flash of both.
pub type Nor = nor::Nor<SECTOR_BYTES, WORD_BYTES>;

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
        let power = Power::on();
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
        self.power.borrow_mut().goes_after(steps, tear);
    }

    /// The bootloader runs, after a reset or with the power back.
    pub fn reset(&self) {
        let mut power = self.power.borrow_mut();
        if power.is_off {
            power.comes_back();
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
