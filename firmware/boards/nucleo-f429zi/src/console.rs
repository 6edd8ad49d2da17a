//! The log over USART3, which the ST-LINK shows as a serial port (115200 baud): polled, so that it also works in a panic.
use core::cell::RefCell;
use core::fmt::{self, Write};

use critical_section::Mutex;
use embassy_stm32::Peri;
use embassy_stm32::mode::Blocking;
use embassy_stm32::peripherals::{PD8, USART3};
use embassy_stm32::usart::{Config, UartTx};
use embassy_time::Instant;
use log::{LevelFilter, Log, Metadata, Record};

static PORT: Mutex<RefCell<Option<UartTx<'static, Blocking>>>> = Mutex::new(RefCell::new(None));

/// USART3 as a text sink. What is written before [`start`] is lost.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // One byte a critical section: a whole line would keep the Ethernet's interrupt waiting for milliseconds.
            critical_section::with(|section| {
                // Borrowed already where a write itself panicked; the panic's text has nowhere to go then.
                let Ok(mut port) = PORT.borrow(section).try_borrow_mut() else { return };
                if let Some(port) = port.as_mut() {
                    // A log that cannot be written has nobody to tell.
                    let _ = port.blocking_write(&[byte]);
                }
            });
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
        // Console::write_str never fails. Carriage returns, because serial terminals want them.
        let _ = write!(
            Console,
            "{:>5}.{:03} {:<5} {}\r\n",
            milliseconds / 1000,
            milliseconds % 1000,
            record.level(),
            record.args()
        );
    }

    fn flush(&self) {}
}

/// Turns USART3 on and makes it the program's log.
pub fn start(port: Peri<'static, USART3>, transmit: Peri<'static, PD8>) {
    // The default of 115200 baud, 8 data bits, no parity is in reach of the clock; without it there is no log.
    let port = UartTx::new_blocking(port, transmit, Config::default()).ok();
    critical_section::with(|section| *PORT.borrow_ref_mut(section) = port);
    // Fails only when called twice.
    let _ = log::set_logger(&ConsoleLog);
    log::set_max_level(LevelFilter::Info);
}
