//! The log over UART0, which QEMU shows on its serial console: polled, so that it also works in a panic.
use core::fmt::{self, Write};

use embassy_time::Instant;
use log::{LevelFilter, Log, Metadata, Record};

use crate::register::Register;

// LM3S6965 data sheet, chapter "UARTs", base 0x4000c000.
const DATA: Register = unsafe { Register::at(0x4000_c000) };
const FLAGS: Register = unsafe { Register::at(0x4000_c018) };
const CONTROL: Register = unsafe { Register::at(0x4000_c030) };
const FLAG_TRANSMIT_FULL: u32 = 1 << 5;
const CONTROL_ENABLE: u32 = 1 | 1 << 8;

/// UART0 as a text sink.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while FLAGS.read() & FLAG_TRANSMIT_FULL != 0 {}
            DATA.write(byte.into());
        }
        Ok(())
    }
}

struct ConsoleLog;

impl Log for ConsoleLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let milliseconds = Instant::now().as_millis();
        // Console::write_str never fails.
        let _ = writeln!(
            Console,
            "{:>5}.{:03} {:<5} {}",
            milliseconds / 1000,
            milliseconds % 1000,
            record.level(),
            record.args()
        );
    }

    fn flush(&self) {}
}

/// Turns UART0 on and makes it the program's log.
pub fn start() {
    CONTROL.write(CONTROL_ENABLE);
    // Thumb-2 of the M3 has no trouble with the atomic swap that `set_logger` wants; it fails only when called twice.
    let _ = log::set_logger(&ConsoleLog);
    log::set_max_level(LevelFilter::Info);
}
