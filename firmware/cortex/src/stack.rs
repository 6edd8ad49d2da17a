//! How deep the stack has ever been: free RAM is painted at start, and what is still painted was never used.

use core::ptr::with_exposed_provenance_mut;

/// A number that is no address of RAM or code, so that neither looks like paint.
const PAINT: u32 = 0xdead_5a5b;
/// Bytes below the stack pointer that are left alone: what the painting itself may need.
const MARGIN_BYTES: usize = 128;

unsafe extern "C" {
    /// Where cortex-m-rt's linker script ends the variables; the stack grows down to here.
    static mut __sheap: u32;
}

/// The words between the variables and the stack, less `margin_bytes`, from the lowest on.
fn free_words(margin_bytes: usize) -> impl Iterator<Item = *mut u32> {
    let bottom = (&raw mut __sheap).expose_provenance();
    let top = cortex_m::register::msp::read() as usize - margin_bytes;
    (bottom..top).step_by(size_of::<u32>()).map(with_exposed_provenance_mut)
}

/// Paints what is free. Before interrupts are on.
pub fn paint() {
    for word in free_words(MARGIN_BYTES) {
        // SAFETY: RAM between the last variable and the stack pointer, which belongs to nobody: there is no heap.
        unsafe { word.write_volatile(PAINT) };
    }
}

/// Bytes that were never used since [`paint`].
pub fn free_bytes() -> u32 {
    // SAFETY: reads RAM from the last variable up to the stack pointer; volatile, since interrupts write there.
    let painted = free_words(0).take_while(|word| unsafe { word.read_volatile() } == PAINT);
    (painted.count() * size_of::<u32>()) as u32
}
