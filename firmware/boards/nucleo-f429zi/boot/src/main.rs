//! What runs before the firmware: embassy-boot swaps the two slots when it was asked to, and swaps them back when the new
//! image was reset before it said that it stays. Power may go meanwhile; it goes on where it was.
//!
//! It checks no signature: nobody asks it to swap but firmware that has checked one (`firmware/update`).
//! Built in every test run, but not yet run on the hardware by us: there is no such board in our tests.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use embassy_boot_stm32::{BootLoader, BootLoaderConfig};
use embassy_embedded_hal::flash::partition::BlockingPartition;
use embassy_stm32::flash::Flash;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;

/// The firmware's memory.x says the same.
const ACTIVE_ADDRESS: u32 = 0x0802_0000;
/// Sectors 5 to 7, of bank 1's sectors of 128 KiB.
const ACTIVE: (u32, u32) = (0, 384 * 1024);
/// Sectors 8 to 11: a sector more than the active slot, which the swap needs.
const DOWNLOAD: (u32, u32) = (384 * 1024, 512 * 1024);
/// Sector 2, of bank 1's sectors of 16 KiB: how far a swap is.
const STATE: (u32, u32) = (32 * 1024, 16 * 1024);
const COPY_BYTES: usize = 2048;
/// A firmware that hangs before it starts its own watchdog is reset by this one. At the nominal 32 kHz.
const WATCHDOG_MICROSECONDS: u32 = 30_000_000;

const _: () = assert!(DOWNLOAD.1 >= ACTIVE.1 + 128 * 1024 && DOWNLOAD.0 >= ACTIVE.0 + ACTIVE.1);

#[entry]
fn main() -> ! {
    let board = embassy_stm32::init(Default::default());
    let regions = Flash::new_blocking(board.FLASH).into_blocking_regions();
    let large = Mutex::<NoopRawMutex, _>::new(RefCell::new(regions.bank1_region3));
    let small = Mutex::<NoopRawMutex, _>::new(RefCell::new(regions.bank1_region1));
    let slots = BootLoaderConfig {
        active: BlockingPartition::new(&large, ACTIVE.0, ACTIVE.1),
        dfu: BlockingPartition::new(&large, DOWNLOAD.0, DOWNLOAD.1),
        state: BlockingPartition::new(&small, STATE.0, STATE.1),
    };
    let loader = BootLoader::prepare::<_, _, _, COPY_BYTES>(slots);
    // Not before: a swap takes longer than any watchdog's period.
    IndependentWatchdog::new(board.IWDG, WATCHDOG_MICROSECONDS).unleash();
    // SAFETY: the active slot begins with the firmware's vector table, whose stack pointer and reset handler are the
    // linker's. Nothing here is used any more.
    unsafe { loader.load(ACTIVE_ADDRESS) }
}

/// The flash did not answer. Another try is all that is left.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
