//! embassy-time on SysTick: one interrupt a millisecond, which also wakes the timers that are due.
use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// The system clock after reset, which this board keeps: 200 MHz PLL / 16 as QEMU models it.
const SYSTEM_CLOCK_HERTZ: u32 = 12_500_000;
const TICK_HERTZ: u32 = 1_000;

struct SysTickDriver {
    ticks: Mutex<Cell<u64>>,
    next_expiration: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: SysTickDriver = SysTickDriver {
    ticks: Mutex::new(Cell::new(0)),
    next_expiration: Mutex::new(Cell::new(u64::MAX)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for SysTickDriver {
    fn now(&self) -> u64 {
        critical_section::with(|section| self.ticks.borrow(section).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow_ref_mut(section);
            if queue.schedule_wake(at, waker) {
                let now = self.ticks.borrow(section).get();
                self.next_expiration.borrow(section).set(queue.next_expiration(now));
            }
        });
    }
}

impl SysTickDriver {
    fn tick(&self) {
        critical_section::with(|section| {
            let now = self.ticks.borrow(section).get() + 1;
            self.ticks.borrow(section).set(now);
            if now >= self.next_expiration.borrow(section).get() {
                let next = self.queue.borrow_ref_mut(section).next_expiration(now);
                self.next_expiration.borrow(section).set(next);
            }
        });
    }
}

/// Starts the millisecond tick.
pub fn start(systick: &mut SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(SYSTEM_CLOCK_HERTZ / TICK_HERTZ - 1);
    systick.clear_current();
    systick.enable_interrupt();
    systick.enable_counter();
}

#[exception]
fn SysTick() {
    DRIVER.tick();
}
