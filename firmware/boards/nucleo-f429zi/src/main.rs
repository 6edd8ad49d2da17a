//! The node on ST's Nucleo-F429ZI: what is wired to what, and the two tasks that run.
//!
//! Built in every test run, but not yet run on the hardware by us: there is no such board in our tests.
#![no_std]
#![no_main]

mod clocks;
mod console;
mod last_reset;
mod partition;
mod storage;
mod updates;

use core::cell::{Cell, RefCell};
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, entry, exception};
use devices::IdentityPage;
use devices::identity_page::PageError;
use embassy_executor::Executor;
use embassy_net::{Runner, Stack, StackResources};
use embassy_stm32::eth::{self, Ethernet, GenericPhy, PacketQueue, Sma};
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::i2c::{self, I2c};
use embassy_stm32::peripherals::{self, ETH, ETH_SMA, I2C1, IWDG, PB0, PB8, PB9};
use embassy_stm32::rng::{self, Rng};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Peri, Peripherals, bind_interrupts};
use embedded_hal_bus::i2c::RefCellDevice;
use log::{error, warn};
use node::limits::{OUTBOX_SLOT_BYTES_MAX, THRESHOLDS_MAX};
use node::{Birth, Identity, Settings};
use sensors::limits::{TMP1X2_SAME_SECONDS_MAX, same_samples};
use sensors::{Steady, Tmp1x2, tmp1x2};
use static_cell::StaticCell;
use station::Gate;

use crate::console::Console;
use crate::storage::{PAGE_ADDRESS, StoreFlash};
use crate::updates::BoardUpdater;

/// The address that the LAN8742A's straps choose on this board.
const PHY_ADDRESS: u8 = 0;
/// At the nominal 32 kHz; the oscillator's tolerance makes 11 to 30 seconds of it.
const WATCHDOG_MICROSECONDS: u32 = 16_000_000;
const FIRMWARE: &str = env!("CARGO_PKG_VERSION");
/// One more than others have: the visits that look for firmware.
const SOCKETS: usize = station::SOCKETS + 1;
const FRAMES_OUT: usize = 4;
const FRAMES_IN: usize = 8;

/// A sample a minute and a signature every five: three days of an outage fit the flash store.
const SETTINGS: Settings = Settings {
    sample_interval_milliseconds: 60_000,
    batch_interval_milliseconds: 300_000,
    outbox_slot_bytes: OUTBOX_SLOT_BYTES_MAX,
    thresholds: [None; THRESHOLDS_MAX],
};

bind_interrupts!(struct Interrupts {
    ETH => eth::InterruptHandler;
    HASH_RNG => rng::InterruptHandler<peripherals::RNG>;
});

type Driver = Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

/// The one I2C bus.
struct Wires {
    bus: Peri<'static, I2C1>,
    clock: Peri<'static, PB8>,
    data: Peri<'static, PB9>,
}

#[entry]
fn main() -> ! {
    let birth = cortex::begin(last_reset::told(), FIRMWARE);
    let board = embassy_stm32::init(clocks::configuration());
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    EXECUTOR.init_with(Executor::new).run(|spawner| start(board, birth, spawner))
}

/// Hands every peripheral to whom it belongs. A task can be spawned as often as its pool is large: once here.
///
/// Not inlined: what this takes of the stack, 25 KB, is free again before a task runs.
#[inline(never)]
fn start(board: Peripherals, birth: Birth, spawner: embassy_executor::Spawner) {
    let Peripherals { USART3, PD8, FLASH, PA12, IWDG, I2C1, PB0, PB8, PB9, RNG, ETH, ETH_SMA, .. } = board;
    console::start(USART3, PD8);
    rest();
    let storage::Parts { page, store, download, update, boot } = storage::split(FLASH, PA12);
    let page = match page {
        Ok(page) => page,
        Err(failure) => {
            if let Ok(lament) = lament(failure, PB0) {
                spawner.spawn(lament);
            }
            return;
        }
    };
    let updater = updates::start(&page, &birth, download, update, boot);
    let identity = Identity::new(page.clone());
    // Before the Ethernet, whose reset waits for ever when the PHY's clock is missing.
    let mut watchdog = IndependentWatchdog::new(IWDG, WATCHDOG_MICROSECONDS);
    watchdog.unleash();
    static FRAMES: StaticCell<PacketQueue<FRAMES_OUT, FRAMES_IN>> = StaticCell::new();
    let ethernet = Ethernet::new_with_phy(
        FRAMES.init_with(PacketQueue::new),
        ETH,
        Interrupts,
        board.PA1,
        board.PA7,
        board.PC4,
        board.PC5,
        board.PG13,
        board.PB13,
        board.PG11,
        identity.hardware_address(),
        GenericPhy::new(Sma::new(ETH_SMA, board.PA2, board.PC1), PHY_ADDRESS),
    );
    // Port numbers, TCP's first sequence numbers and DHCP's transaction ids: nobody should guess them.
    let seed = Rng::new(RNG, Interrupts).next_u64();
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let configuration = embassy_net::Config::dhcpv4(Default::default());
    let (stack, runner) =
        embassy_net::new(ethernet, configuration, RESOURCES.init_with(StackResources::new), seed);
    let wires = Wires { bus: I2C1, clock: PB8, data: PB9 };
    static IS_ACKNOWLEDGED: StaticCell<Cell<bool>> = StaticCell::new();
    let is_acknowledged: &Cell<bool> = IS_ACKNOWLEDGED.init(Cell::new(false));
    let device = device(stack, identity, store, wires, birth, watchdog, is_acknowledged);
    if let (Ok(network), Ok(device)) = (network(runner), device) {
        spawner.spawn(network);
        spawner.spawn(device);
    }
    if let Some(Ok(update)) = updater.map(|updater| update_task(updater, page, stack, is_acknowledged)) {
        spawner.spawn(update);
    }
}

/// Blinks with the green light, LD1.
#[embassy_executor::task]
async fn lament(failure: PageError, pin: Peri<'static, PB0>) -> ! {
    let mut light = Output::new(pin, Level::Low, Speed::Low);
    let advice = format_args!("write one to {PAGE_ADDRESS:#x} (cargo xtask flash --identity identity.bin)");
    station::lament(failure, advice, |is_lit| light.set_level(is_lit.into())).await
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Driver>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn update_task(
    updater: BoardUpdater,
    page: IdentityPage,
    stack: Stack<'static>,
    is_acknowledged: &'static Cell<bool>,
) -> ! {
    updates::keep_updated(updater, page, stack, is_acknowledged).await
}

/// The device itself: sensor on the I2C bus, numbers and records in flash, the uplink over TCP.
#[embassy_executor::task]
async fn device(
    stack: Stack<'static>,
    identity: Identity,
    store: StoreFlash,
    wires: Wires,
    birth: Birth,
    mut watchdog: IndependentWatchdog<'static, IWDG>,
    is_acknowledged: &'static Cell<bool>,
) -> ! {
    let mut configuration = i2c::Config::default();
    // Beside the pull-ups on the sensor's board, which do the work: the chip's own are weak.
    configuration.scl_pullup = true;
    configuration.sda_pullup = true;
    let bus = RefCell::new(I2c::new_blocking(wires.bus, wires.clock, wires.data, configuration));
    let storage = match storage::open(store, || watchdog.pet()) {
        Ok(storage) => storage,
        Err(failure) => {
            // Unfed, the watchdog resets the board. Without its numbers a device must not publish.
            error!("nothing will be published: {failure}");
            core::future::pending().await
        }
    };
    let thermometer = Tmp1x2::new("tmp102", RefCellDevice::new(&bus), tmp1x2::Address::default());
    let sensor = Steady::new(
        thermometer,
        same_samples(TMP1X2_SAME_SECONDS_MAX, SETTINGS.sample_interval_milliseconds),
    );
    let mut place = None;
    let acknowledged = || is_acknowledged.set(true);
    let gate = Gate { birth, vitals: cortex::vitals, feed_watchdog: || watchdog.pet(), acknowledged };
    station::run(&mut place, stack, identity, storage, sensor, SETTINGS, gate).await
}

/// Where every start has ended in a panic, the next waits.
fn rest() {
    let seconds = cortex::rest();
    if seconds > 0 {
        warn!("waited {seconds} seconds, because each start so far has ended in a panic");
    }
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    cortex::end::faulted(&mut Console, frame)
}

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    cortex::end::panicked(&mut Console, information)
}
