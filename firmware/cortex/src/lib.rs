//! The gate of every board with a Cortex-M: what is kept over a reset, how much of the stack was never used, and the end
//! of a life that cannot go on.
//!
//! Invariants: `unsafe` stands in [`keepsake`] and [`stack`] alone. No chip's and no board's name stands here: only what the
//! architecture and cortex-m-rt's linker script give to all of them.
#![no_std]

pub mod end;
pub mod keepsake;
pub mod stack;

use birth::Told;
use embassy_time::{Duration, block_for};
use node::{Birth, Vitals};

/// Begins a life: the first thing that `main` does, before anything needs much stack. `told` is what the chip says of
/// its reset; `firmware` is the version.
pub fn begin(told: Told, firmware: &'static str) -> Birth {
    stack::paint();
    told.birth(keepsake::take(), firmware)
}

/// Waits where panic follows panic, so that the boot counter does not wear the EEPROM out. Gives the seconds it waited.
/// For when time runs, and before the watchdog does.
pub fn rest() -> u32 {
    let seconds = keepsake::current().rest_seconds();
    block_for(Duration::from_secs(seconds.into()));
    seconds
}

/// What can be measured at any time.
pub fn vitals() -> Vitals {
    Vitals { stack_free_bytes: stack::free_bytes() }
}
