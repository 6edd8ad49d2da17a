//! The few words of RAM that no start clears: cortex-m-rt's section `.uninit`.

use core::mem::MaybeUninit;

use birth::limits::KEEPSAKE_WORDS;
use birth::{Ending, Keepsake};

#[unsafe(link_section = ".uninit.keepsake")]
static mut KEPT: MaybeUninit<[u32; KEEPSAKE_WORDS]> = MaybeUninit::uninit();

fn read() -> [u32; KEEPSAKE_WORDS] {
    // SAFETY: one core, and no interrupt between the words; every bit pattern is a u32, and the RAM that the linker put
    // this in always holds some, which the compiler cannot know: hence volatile.
    critical_section::with(|_| unsafe { (&raw const KEPT).cast::<[u32; KEEPSAKE_WORDS]>().read_volatile() })
}

fn write(words: [u32; KEEPSAKE_WORDS]) {
    // SAFETY: as in `read`.
    critical_section::with(|_| unsafe {
        (&raw mut KEPT).cast::<[u32; KEEPSAKE_WORDS]>().write_volatile(words);
    });
}

/// What the last life left, if anything survived. From here on this life is kept, as one that runs.
pub fn take() -> Option<Keepsake> {
    let before = Keepsake::decode(&read());
    write(Keepsake::begun(before).encode());
    before
}

/// What this life leaves if it ends now.
pub fn current() -> Keepsake {
    Keepsake::decode(&read()).unwrap_or(Keepsake::begun(None))
}

/// Leaves this instead.
pub fn keep(keepsake: Keepsake) {
    write(keepsake.encode());
}

/// The watchdog has warned: it will reset the board. For chips that forget who did.
pub fn starved() {
    keep(Keepsake { ending: Ending::Starved, ..current() });
}

/// The watchdog was fed after all.
pub fn fed() {
    keep(Keepsake { ending: Ending::Running, ..current() });
}
