//! What the chip's own flash holds beside the firmware: the identity page, and the device's numbers and records.
//!
//! | sectors | from | bytes | what |
//! |---|---|---|---|
//! | 0 to 11, bank 1 | `0x0800_0000` | 1 MiB | the firmware |
//! | 12 to 16, bank 2 | `0x0810_0000` | 128 KiB | nothing |
//! | 17 to 19 | `0x0812_0000` | 384 KiB | the flash store: boot counter, clock note, configuration, outbox |
//! | 20 to 22 | `0x0818_0000` | 384 KiB | nothing |
//! | 23 | `0x081e_0000` | 128 KiB | the identity page |
//!
//! An EEPROM on the I2C bus would do as well (the emulated board has one), but it is a part to buy and to solder, and it
//! wears too: here 5,882 erasures of a sector in five years of a record a minute are of 10,000 that the chip stands (data
//! sheet, endurance).
use devices::identity_page::{PAGE_BYTES, PageError};
use embassy_stm32::Peri;
use embassy_stm32::flash::{Bank2Region3, Blocking, Flash};
use embassy_stm32::gpio::{Flex, Pull, Speed};
use embassy_stm32::peripherals::{FLASH, PA12};
use embedded_storage::nor_flash::ReadNorFlash;
use flash_store::{FlashStore, FlashStoreError};
use node::Identity;

use crate::partition::Partition;

/// Where the identity page lies: the last sector of the flash.
pub const PAGE_ADDRESS: u32 = 0x081e_0000;
/// Where bank 2's sectors of 128 KiB begin.
const LARGE_SECTORS_ADDRESS: u32 = 0x0812_0000;
const SECTOR_BYTES: usize = 128 * 1024;
const STORE_SECTORS: usize = 3;
/// A page is a slot of the outbox: 64 KiB of them, as much as the EEPROM of the emulated board holds.
const STORE_PAGE_BYTES: usize = 512;
const STORE_PAGES: usize = 128;

/// The flash that the store has to itself.
pub type StoreFlash = Partition<Bank2Region3<'static, Blocking>>;
/// The device's numbers and records.
pub type Store = FlashStore<StoreFlash, STORE_SECTORS, STORE_PAGE_BYTES, STORE_PAGES>;

/// Reads the identity page, and gives the store's flash.
///
/// Chips before revision 3 read the upper half of the flash wrongly while PA12 moves (errata sheet ES0206, 2.2.11), so it
/// is held low for good. Nothing is wired to it but the USB socket, which this firmware does not use.
pub fn split(
    flash: Peri<'static, FLASH>,
    pa12: Peri<'static, PA12>,
) -> (Result<Identity, PageError>, StoreFlash) {
    let mut held = Flex::new(pa12);
    held.set_low();
    held.set_as_input_output_pull(Speed::Low, Pull::Down);
    // Dropped, it would float again.
    core::mem::forget(held);
    let mut region = Flash::new_blocking(flash).into_blocking_regions().bank2_region3;
    let mut page = [0; PAGE_BYTES];
    // Fails only outside the flash, and the page lies inside.
    let read = ReadNorFlash::read(&mut region, PAGE_ADDRESS - LARGE_SECTORS_ADDRESS, &mut page);
    let identity = read.map_err(|_| PageError::Absent).and_then(|()| Identity::read(&page));
    (identity, Partition { flash: region, start: 0, length: STORE_SECTORS * SECTOR_BYTES })
}

/// Opens the store. After years of use that takes a search through the flash for each page, so the watchdog is fed
/// before every one of them.
///
/// # Errors
/// When the flash does not answer or is damaged: then the device must not publish.
pub fn open(flash: StoreFlash, feed_watchdog: impl FnMut()) -> Result<Store, FlashStoreError> {
    FlashStore::open(flash, feed_watchdog)
}
