//! The chip's watchdog: its first expiry raises an interrupt, its second resets the board.
//!
//! QEMU's chip does not tell afterwards that it was the watchdog, so the first expiry is kept for the next start to find.
use core::sync::atomic::{AtomicBool, Ordering};

use cortex::keepsake;

use crate::interrupt_line::InterruptLine;
use crate::register::Register;

// LM3S6965 data sheet, chapter "Watchdog timer", base 0x40000000; clock gate in SYSCTL RCGC0 bit 3.
const CLOCK_GATE: Register = unsafe { Register::at(0x400f_e100) };
const LOAD: Register = unsafe { Register::at(0x4000_0000) };
const CONTROL: Register = unsafe { Register::at(0x4000_0008) };
const INTERRUPT_CLEAR: Register = unsafe { Register::at(0x4000_000c) };
const LOCK: Register = unsafe { Register::at(0x4000_0c00) };
const CLOCK_GATE_WATCHDOG: u32 = 1 << 3;
const CONTROL_INTERRUPT_AND_RESET: u32 = 0b11;
const UNLOCK: u32 = 0x1acc_e551;
const CLOCK_HERTZ: u32 = 12_500_000;
const INTERRUPT: InterruptLine = unsafe { InterruptLine::at(18) };

static STARVED: AtomicBool = AtomicBool::new(false);

/// Seconds to the first expiry; the reset comes after as many again.
pub const PERIOD_SECONDS: u32 = 8;

/// The running watchdog.
pub struct Watchdog(());

impl Watchdog {
    /// Starts it; from here on `feed` must be called at least every `2 * PERIOD_SECONDS`.
    ///
    /// # Safety
    /// Called once: the registers belong to the returned value.
    pub unsafe fn start() -> Self {
        CLOCK_GATE.write(CLOCK_GATE.read() | CLOCK_GATE_WATCHDOG);
        LOCK.write(UNLOCK);
        LOAD.write(PERIOD_SECONDS * CLOCK_HERTZ);
        CONTROL.write(CONTROL_INTERRUPT_AND_RESET);
        LOCK.write(0);
        INTERRUPT.unmask();
        Self(())
    }

    /// Starts the period anew.
    pub fn feed(&mut self) {
        LOCK.write(UNLOCK);
        INTERRUPT_CLEAR.write(1);
        LOAD.write(PERIOD_SECONDS * CLOCK_HERTZ);
        LOCK.write(0);
        if STARVED.swap(false, Ordering::Relaxed) {
            keepsake::fed();
            INTERRUPT.unmask();
        }
    }
}

/// What the interrupt line 18 does: half of the patience is over. The interrupt stays raised, or no reset would follow, so
/// the line is masked.
pub fn on_interrupt(line: i16) -> bool {
    if !INTERRUPT.is(line) {
        return false;
    }
    INTERRUPT.mask();
    STARVED.store(true, Ordering::Relaxed);
    keepsake::starved();
    true
}
