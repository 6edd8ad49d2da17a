//! What lies where in the chip's own flash.
//!
//! | sectors | from | bytes | what |
//! |---|---|---|---|
//! | 0 and 1, bank 1 | `0x0800_0000` | 32 KiB | the bootloader (boot/) |
//! | 2 | `0x0800_8000` | 16 KiB | its record: how far a swap is |
//! | 3 and 4 | `0x0800_c000` | 80 KiB | nothing |
//! | 5 to 7 | `0x0802_0000` | 384 KiB | the active slot: the firmware that runs |
//! | 8 to 11 | `0x0808_0000` | 512 KiB | the download slot, a sector longer, which a swap needs |
//! | 12 and 13, bank 2 | `0x0810_0000` | 32 KiB | the update's record |
//! | 14 to 16 | `0x0810_8000` | 96 KiB | nothing |
//! | 17 to 19 | `0x0812_0000` | 384 KiB | the flash store: boot counter, clock note, configuration, outbox |
//! | 20 to 22 | `0x0818_0000` | 384 KiB | nothing |
//! | 23 | `0x081e_0000` | 128 KiB | the identity page, which no update touches |
//!
//! An EEPROM on the I2C bus would do as well (the emulated board has one), but it is a part to buy and to solder, and it
//! wears too: here 5,882 erasures of a sector in five years of a record a minute are of 10,000 that the chip stands (data
//! sheet, endurance).
use devices::IdentityPage;
use devices::identity_page::{PAGE_BYTES, PageError};
use embassy_stm32::Peri;
use embassy_stm32::flash::{Bank1Region1, Bank1Region3, Bank2Region1, Bank2Region3, Blocking, Flash};
use embassy_stm32::gpio::{Flex, Pull, Speed};
use embassy_stm32::peripherals::{FLASH, PA12};
use embedded_storage::nor_flash::ReadNorFlash;
use flash_store::{FlashStore, FlashStoreError};

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

/// Sectors 8 to 11, counted from sector 5.
const DOWNLOAD: (u32, usize) = (3 * SECTOR_BYTES as u32, 4 * SECTOR_BYTES);
/// Bytes of the active slot, which an image must fit.
pub const ACTIVE_BYTES: u32 = 3 * SECTOR_BYTES as u32;
/// Sector 2, counted from sector 0.
const BOOT_RECORD: (u32, usize) = (32 * 1024, 16 * 1024);

/// The flash of a new image.
pub type DownloadFlash = Partition<Bank1Region3<'static, Blocking>>;
/// The flash of the update's record: its first two sectors are used.
pub type UpdateFlash = Bank2Region1<'static, Blocking>;
/// The flash of the bootloader's record.
pub type BootFlash = Partition<Bank1Region1<'static, Blocking>>;

/// Who has which part of the flash.
pub struct Parts {
    /// The device's identity.
    pub page: Result<IdentityPage, PageError>,
    /// The device's numbers and records.
    pub store: StoreFlash,
    /// A new image.
    pub download: DownloadFlash,
    /// How far an update is.
    pub update: UpdateFlash,
    /// How far a swap is.
    pub boot: BootFlash,
}

/// The flash that the store has to itself.
pub type StoreFlash = Partition<Bank2Region3<'static, Blocking>>;
/// The device's numbers and records.
pub type Store = FlashStore<StoreFlash, STORE_SECTORS, STORE_PAGE_BYTES, STORE_PAGES>;

/// Reads the identity page, and gives everybody a part.
///
/// Chips before revision 3 read the upper half of the flash wrongly while PA12 moves (errata sheet ES0206, 2.2.11), so it
/// is held low for good. Nothing is wired to it but the USB socket, which this firmware does not use.
pub fn split(flash: Peri<'static, FLASH>, pa12: Peri<'static, PA12>) -> Parts {
    let mut held = Flex::new(pa12);
    held.set_low();
    held.set_as_input_output_pull(Speed::Low, Pull::Down);
    // Dropped, it would float again.
    core::mem::forget(held);
    let mut regions = Flash::new_blocking(flash).into_blocking_regions();
    let mut page = [0; PAGE_BYTES];
    // Fails only outside the flash, and the page lies inside.
    let read =
        ReadNorFlash::read(&mut regions.bank2_region3, PAGE_ADDRESS - LARGE_SECTORS_ADDRESS, &mut page);
    Parts {
        page: read.map_err(|_| PageError::Absent).and_then(|()| IdentityPage::decode(&page)),
        store: Partition { flash: regions.bank2_region3, start: 0, length: STORE_SECTORS * SECTOR_BYTES },
        download: Partition { flash: regions.bank1_region3, start: DOWNLOAD.0, length: DOWNLOAD.1 },
        update: regions.bank2_region1,
        boot: Partition { flash: regions.bank1_region1, start: BOOT_RECORD.0, length: BOOT_RECORD.1 },
    }
}

/// Opens the store. After years of use that takes a search through the flash for each page, so the watchdog is fed
/// before every one of them.
///
/// # Errors
/// When the flash does not answer or is damaged: then the device must not publish.
pub fn open(flash: StoreFlash, feed_watchdog: impl FnMut()) -> Result<Store, FlashStoreError> {
    FlashStore::open(flash, feed_watchdog)
}
