//! The node on QEMU's lm3s6965evb: what is wired to what, and the two tasks that run.
#![no_std]
#![no_main]

mod console;
mod ethernet;
mod i2c;
mod interrupt_line;
mod light;
mod register;
mod time_driver;
mod watchdog;

use core::cell::RefCell;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use birth::Told;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use devices::identity_page::{PAGE_ADDRESS, PAGE_BYTES, PageError};
use eeprom24x::{Eeprom24x, SlaveAddr};
use embassy_executor::Spawner;
use embassy_executor::raw::Executor;
use embassy_net::{Runner, Stack, StackResources};
use embassy_time::Delay;
use embedded_hal_bus::i2c::RefCellDevice;
use log::warn;
use node::limits::{OUTBOX_SLOT_BYTES_MAX, THRESHOLDS_MAX};
use node::{Birth, Identity, Settings};
use sensors::limits::{TMP1X2_SAME_SECONDS_MAX, same_samples};
use sensors::{Steady, Tmp1x2, tmp1x2};
use static_cell::StaticCell;
use station::Gate;

use crate::console::Console;
use crate::ethernet::Ethernet;
use crate::i2c::Bus;
use crate::light::Light;
use crate::watchdog::Watchdog;

const FIRMWARE: &str = env!("CARGO_PKG_VERSION");

/// Somebody looks at this board: it samples often, and sends soon.
const SETTINGS: Settings = Settings {
    sample_interval_milliseconds: 5_000,
    batch_interval_milliseconds: 10_000,
    outbox_slot_bytes: OUTBOX_SLOT_BYTES_MAX,
    thresholds: [None; THRESHOLDS_MAX],
};

static WORK: AtomicBool = AtomicBool::new(true);

/// The executor calls this when a task may go on; the sleeping loop in `main` looks at the flag.
#[unsafe(export_name = "__pender")]
fn pend(_context: *mut ()) {
    WORK.store(true, Ordering::SeqCst);
}

#[entry]
fn main() -> ! {
    let birth = cortex::begin(Told::Nothing, FIRMWARE);
    // Peripherals can be taken once, and this is the only place that does.
    let Some(mut core) = cortex_m::Peripherals::take() else { halt() };
    console::start();
    time_driver::start(&mut core.SYST);
    rest();
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let executor: &'static Executor = EXECUTOR.init(Executor::new(core::ptr::null_mut()));
    start(executor.spawner(), birth);
    loop {
        // SAFETY: polled from this loop only, and never from the pender.
        unsafe { executor.poll() };
        sleep_until_pended();
    }
}

/// Spawns what this board does. A task can be spawned as often as its pool is large: once here.
///
/// Not inlined: what this takes of the stack is free again before a task runs.
#[inline(never)]
fn start(spawner: Spawner, birth: Birth) {
    match read_identity() {
        Ok(identity) => {
            let (stack, runner) = start_network(&identity);
            if let (Ok(network), Ok(device)) = (network(runner), device(stack, identity, birth)) {
                spawner.spawn(network);
                spawner.spawn(device);
            }
        }
        Err(failure) => {
            if let Ok(lament) = lament(failure) {
                spawner.spawn(lament);
            }
        }
    }
}

/// The identity page lies at a fixed place of the flash, outside the image.
fn read_identity() -> Result<Identity, PageError> {
    // SAFETY: the last page of the flash is readable, ordinary memory that nothing ever writes, and memory.x keeps the
    // linker out of it.
    let page = unsafe { core::slice::from_raw_parts(PAGE_ADDRESS as *const u8, PAGE_BYTES) };
    Identity::read(page)
}

fn start_network(identity: &Identity) -> (Stack<'static>, Runner<'static, &'static mut Ethernet>) {
    static ETHERNET: StaticCell<Ethernet> = StaticCell::new();
    static RESOURCES: StaticCell<StackResources<{ station::SOCKETS }>> = StaticCell::new();
    let ethernet = ETHERNET.init_with(|| Ethernet::new(identity.hardware_address()));
    // SAFETY: the one value there is.
    unsafe { ethernet.start() };
    // There is no random number generator. The seed picks port numbers and DHCP transaction ids, nothing secret.
    let seed = u64::from_be_bytes(*identity.kid().as_bytes());
    let configuration = embassy_net::Config::dhcpv4(Default::default());
    embassy_net::new(ethernet, configuration, RESOURCES.init_with(StackResources::new), seed)
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, &'static mut Ethernet>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn lament(failure: PageError) -> ! {
    // SAFETY: this task runs once.
    let mut light = unsafe { Light::start() };
    let advice =
        format_args!("write one to {PAGE_ADDRESS:#x} (lamppost device provision --out identity.bin)");
    station::lament(failure, advice, |is_lit| light.set(is_lit)).await
}

/// The device itself: sensor and EEPROM on the one I2C bus, the uplink over TCP.
#[embassy_executor::task]
async fn device(stack: Stack<'static>, identity: Identity, birth: Birth) -> ! {
    // SAFETY: this task runs once.
    let (bus, mut watchdog) = unsafe { (RefCell::new(Bus::start()), Watchdog::start()) };
    let eeprom = Eeprom24x::new_24x512(RefCellDevice::new(&bus), SlaveAddr::default());
    let storage = eeprom24x::Storage::new(eeprom, Delay);
    let thermometer = Tmp1x2::new("tmp105", RefCellDevice::new(&bus), tmp1x2::Address::default());
    let sensor = Steady::new(
        thermometer,
        same_samples(TMP1X2_SAME_SECONDS_MAX, SETTINGS.sample_interval_milliseconds),
    );
    let mut place = None;
    // No flash to update: QEMU does not emulate this board's flash controller.
    let acknowledged = || {};
    let gate = Gate { birth, vitals: cortex::vitals, feed_watchdog: || watchdog.feed(), acknowledged };
    station::run(&mut place, stack, identity, storage, sensor, SETTINGS, gate).await
}

/// Sleeps by WFI (WFE spins under QEMU) unless a task was woken since the executor looked.
fn sleep_until_pended() {
    cortex_m::interrupt::disable();
    if !WORK.swap(false, Ordering::SeqCst) {
        // A pending interrupt ends WFI even while it is masked, so none is slept through.
        cortex_m::asm::wfi();
    }
    // SAFETY: interrupts were on before, and no critical section is open here.
    unsafe { cortex_m::interrupt::enable() };
}

/// Where every start has ended in a panic, the next waits.
fn rest() {
    let seconds = cortex::rest();
    if seconds > 0 {
        warn!("waited {seconds} seconds, because each start so far has ended in a panic");
    }
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[exception]
unsafe fn DefaultHandler(line: i16) {
    if !ethernet::on_interrupt(line) && !watchdog::on_interrupt(line) {
        panic!("interrupt {line} has no handler");
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
