//! What the tests share: the small store that is worn fast, and writes as random as a seed.
#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "../../../update/tests/support/nor.rs"]
pub mod nor;

use std::cell::RefCell;
use std::rc::Rc;

use flash_store::{FlashStore, FlashStoreError};
use nor::Power;

pub const SECTORS: usize = 3;
pub const PAGE_BYTES: usize = 64;
pub const PAGES: usize = 32;
/// Sectors so small that they are erased again and again.
pub type Nor = nor::Nor<2_048, 4>;
pub type Store = FlashStore<Nor, SECTORS, PAGE_BYTES, PAGES>;

pub fn flash(power: &Rc<RefCell<Power>>) -> Nor {
    Nor::of(SECTORS, power).without_ecc()
}

pub fn open(flash: &Nor) -> Result<Store, FlashStoreError> {
    FlashStore::open(flash.clone(), || {})
}

/// A small generator: the same numbers for the same seed.
pub struct Chance(pub u32);

impl Chance {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % bound
    }

    /// Where to write, and what: up to three pages of it.
    pub fn write(&mut self) -> (usize, Vec<u8>) {
        let length = 1 + self.below(3 * PAGE_BYTES);
        let offset = self.below(PAGES * PAGE_BYTES - length + 1);
        (offset, (0..length).map(|_| self.below(256) as u8).collect())
    }
}
