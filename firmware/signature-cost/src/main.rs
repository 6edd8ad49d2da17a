//! Signs once and says what it cost, in instructions: QEMU with `-icount shift=0` lets a nanosecond pass with each, and
//! SysTick counts the time. Without the feature `fast`, dalek computes what its tables would hold.
//!
//! An image of its own: no board runs it.
#![no_std]
#![no_main]

use core::fmt::{self, Write};
use core::hint::black_box;
use core::panic::PanicInfo;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use ed25519_dalek::{Signer, SigningKey};

/// LM3S6965 data sheet, chapter "UARTs".
const UART_DATA: *mut u32 = 0x4000_c000 as *mut u32;
/// The system clock after reset as QEMU models it: 80 ns a cycle.
const NANOSECONDS_PER_CYCLE: u32 = 80;
/// SysTick counts down from here, and a signature takes far less.
const CYCLES_MAX: u32 = 0xff_ffff;
/// Signatures that are counted, so that a cycle's length does not matter.
const SIGNATURES: u32 = 16;
const MESSAGE_BYTES: usize = 128;

/// UART0 as a text sink.
struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: UART0's data register, which nothing else uses; QEMU's takes bytes at any speed.
            unsafe { UART_DATA.write_volatile(byte.into()) };
        }
        Ok(())
    }
}

#[entry]
fn main() -> ! {
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(CYCLES_MAX);
        core.SYST.clear_current();
        core.SYST.enable_counter();
        // Once made, as a board makes it at its start.
        let key = SigningKey::from_bytes(black_box(&[7; 32]));
        let mut cycles = 0;
        for number in 0..SIGNATURES {
            let message = [number as u8; MESSAGE_BYTES];
            let before = cortex_m::peripheral::SYST::get_current();
            black_box(key.sign(black_box(&message)));
            let after = cortex_m::peripheral::SYST::get_current();
            cycles += before.wrapping_sub(after) & CYCLES_MAX;
        }
        let instructions = u64::from(cycles) * u64::from(NANOSECONDS_PER_CYCLE) / u64::from(SIGNATURES);
        // Console::write_str never fails.
        let _ = writeln!(Console, "instructions {instructions}");
    }
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "{information}");
    loop {
        cortex_m::asm::wfi();
    }
}
