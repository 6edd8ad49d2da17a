//! Pages of bytes, each the newest of those appended to the flash under its number.

use core::fmt;

use embassy_futures::block_on;
use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};
use embedded_storage::{ReadStorage, Storage};
use sequential_storage::Error;
use sequential_storage::cache::Cache;
use sequential_storage::cache::key_pointers::ArrayKeyPointers;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::map::{MapConfig, MapStorage};

use crate::blocking::Blocking;
use crate::limits::{BUFFER_BYTES, FILL_PERCENT_MAX, ITEM_OVERHEAD_BYTES, NUMBER_BYTES, PAGE_BYTES_MAX};

const ERASED: u8 = 0xff;

/// Why bytes cannot be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlashStoreError {
    /// The flash does not answer, or refuses.
    Flash(NorFlashErrorKind),
    /// What lies in the flash cannot be repaired.
    Damaged,
    /// The flash is too small for so many pages, or has more sectors than the store was made for.
    NoRoom,
    /// The bytes asked for lie outside the store.
    OutOfBounds,
}

impl fmt::Display for FlashStoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(kind) => write!(out, "the flash does not answer: {kind:?}"),
            Self::Damaged => out.write_str("the flash store is damaged beyond repair"),
            Self::NoRoom => out.write_str("the flash does not fit the store"),
            Self::OutOfBounds => out.write_str("the place lies outside the flash store"),
        }
    }
}

impl<E: NorFlashError> From<Error<E>> for FlashStoreError {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Storage { value, .. } => Self::Flash(value.kind()),
            Error::FullStorage | Error::ItemTooBig => Self::NoRoom,
            _ => Self::Damaged,
        }
    }
}

/// Where everything lies is remembered, so that nothing is searched for twice: 8 bytes a page, 9 a sector.
type Places<const SECTORS: usize, const PAGES: usize> =
    Cache<ArrayPageStates<SECTORS>, ArrayPagePointers<SECTORS>, ArrayKeyPointers<u16, PAGES>, u16>;

/// `PAGES` pages of `PAGE_BYTES` in a flash of `SECTORS` sectors.
pub struct FlashStore<F: NorFlash, const SECTORS: usize, const PAGE_BYTES: usize, const PAGES: usize> {
    map: MapStorage<u16, Blocking<F>, Places<SECTORS, PAGES>>,
    buffer: [u8; BUFFER_BYTES],
}

impl<F: NorFlash, const SECTORS: usize, const PAGE_BYTES: usize, const PAGES: usize>
    FlashStore<F, SECTORS, PAGE_BYTES, PAGES>
{
    /// Bytes in all.
    pub const CAPACITY_BYTES: usize = {
        assert!(PAGE_BYTES <= PAGE_BYTES_MAX && PAGES <= 1 << 16);
        let item = (ITEM_OVERHEAD_BYTES.next_multiple_of(F::WRITE_SIZE)
            + (NUMBER_BYTES + PAGE_BYTES).next_multiple_of(F::WRITE_SIZE))
            * PAGES;
        let room = (SECTORS - 1) * (F::ERASE_SIZE - 2 * F::WRITE_SIZE);
        assert!(item * 100 <= room * FILL_PERCENT_MAX, "too many pages for the flash");
        PAGES * PAGE_BYTES
    };

    /// Opens what lies in `flash`, all of which belongs to the store, and finds each page once: on a flash that has been in
    /// use for long that takes a search a page, and `each` is called before every one of them (to feed a watchdog).
    ///
    /// # Errors
    /// [`FlashStoreError`].
    pub fn open(flash: F, mut each: impl FnMut()) -> Result<Self, FlashStoreError> {
        let end = u32::try_from(flash.capacity()).map_err(|_| FlashStoreError::NoRoom)?;
        if flash.capacity() != SECTORS * F::ERASE_SIZE {
            return Err(FlashStoreError::NoRoom);
        }
        let configuration = MapConfig::try_new(0..end).map_err(|_| FlashStoreError::NoRoom)?;
        let places = Cache::new(ArrayPageStates::new(), ArrayPagePointers::new(), ArrayKeyPointers::new());
        let map = MapStorage::new(Blocking(flash), configuration, places);
        let mut store = FlashStore { map, buffer: [0; BUFFER_BYTES] };
        for number in 0..(Self::CAPACITY_BYTES / PAGE_BYTES) as u16 {
            each();
            store.fetch(number)?;
        }
        Ok(store)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.map.destroy().0.0
    }

    /// The page's bytes.
    fn fetch(&mut self, number: u16) -> Result<[u8; PAGE_BYTES], FlashStoreError> {
        let found = block_on(self.map.fetch_item::<&[u8]>(&mut self.buffer, &number))?;
        let mut page = [ERASED; PAGE_BYTES];
        if let Some(found) = found {
            page.copy_from_slice(found.get(..PAGE_BYTES).ok_or(FlashStoreError::Damaged)?);
        }
        Ok(page)
    }

    /// Walks over the pages that the bytes `offset..offset + length` touch, in address order: page, range in the page, and
    /// range of the bytes.
    fn pieces(
        offset: u32,
        length: usize,
    ) -> Result<impl Iterator<Item = (u16, core::ops::Range<usize>, core::ops::Range<usize>)>, FlashStoreError>
    {
        let start = offset as usize;
        let end = start.checked_add(length).filter(|end| *end <= Self::CAPACITY_BYTES);
        let end = end.ok_or(FlashStoreError::OutOfBounds)?;
        let mut at = start;
        Ok(core::iter::from_fn(move || {
            if at == end {
                return None;
            }
            let page = at / PAGE_BYTES;
            let piece_end = ((page + 1) * PAGE_BYTES).min(end);
            let inside = at - page * PAGE_BYTES..piece_end - page * PAGE_BYTES;
            let outside = at - start..piece_end - start;
            at = piece_end;
            Some((page as u16, inside, outside))
        }))
    }
}

impl<F: NorFlash, const SECTORS: usize, const PAGE_BYTES: usize, const PAGES: usize> ReadStorage
    for FlashStore<F, SECTORS, PAGE_BYTES, PAGES>
{
    type Error = FlashStoreError;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashStoreError> {
        for (page, inside, outside) in Self::pieces(offset, bytes.len())? {
            bytes[outside].copy_from_slice(&self.fetch(page)?[inside]);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        Self::CAPACITY_BYTES
    }
}

impl<F: NorFlash, const SECTORS: usize, const PAGE_BYTES: usize, const PAGES: usize> Storage
    for FlashStore<F, SECTORS, PAGE_BYTES, PAGES>
{
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashStoreError> {
        for (number, inside, outside) in Self::pieces(offset, bytes.len())? {
            let mut page = self.fetch(number)?;
            // What stands there already costs no flash.
            if page[inside.clone()] != bytes[outside.clone()] {
                page[inside].copy_from_slice(&bytes[outside]);
                block_on(self.map.store_item(&mut self.buffer, &number, &page.as_slice()))?;
            }
        }
        Ok(())
    }
}
