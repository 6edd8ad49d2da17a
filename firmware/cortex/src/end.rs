//! The end of a life: one that cannot go on leaves its last words, says them, and resets the board at once.

use core::fmt::{Arguments, Write};
use core::panic::PanicInfo;

use birth::{Ending, Keepsake};
use cortex_m::peripheral::SCB;
use cortex_m_rt::ExceptionFrame;
use embassy_time::Instant;
use node::LastWords;

use crate::keepsake;

/// What a board's panic handler does.
pub fn panicked(console: &mut impl Write, information: &PanicInfo<'_>) -> ! {
    let words = match information.location() {
        Some(place) => LastWords::at(place.file(), place.line()),
        None => LastWords::at("panic", 0),
    };
    end(console, words, format_args!("{information}"))
}

/// What a board's handler of hard faults does: the address of the instruction takes the place of the line.
pub fn faulted(console: &mut impl Write, frame: &ExceptionFrame) -> ! {
    let address = frame.pc();
    let mut text = *b"fault:0x00000000";
    for (place, shift) in text[8..].iter_mut().zip([28, 24, 20, 16, 12, 8, 4, 0]) {
        *place = b"0123456789abcdef"[(address >> shift & 0xf) as usize];
    }
    let words = LastWords::new(&text).unwrap_or(LastWords::at("fault", 0));
    end(console, words, format_args!("hard fault at {address:#010x}"))
}

/// Restarts because the firmware wants to, as after an update of itself; the next start is told so.
pub fn restart() -> ! {
    keepsake::keep(Keepsake { ending: Ending::Restarted, panics_in_a_row: 0 });
    SCB::sys_reset()
}

/// The words first: saying them may be what fails.
fn end(console: &mut impl Write, words: LastWords, text: Arguments<'_>) -> ! {
    cortex_m::interrupt::disable();
    keepsake::keep(keepsake::current().panicked(words, Instant::now().as_secs()));
    let _ = write!(console, "{text}\r\n");
    SCB::sys_reset()
}
