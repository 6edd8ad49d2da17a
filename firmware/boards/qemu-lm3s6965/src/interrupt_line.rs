//! One interrupt line of the LM3S6965: the narrow gate to the interrupt controller.
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

/// A line, by its number in the data sheet's table of interrupts.
#[derive(Clone, Copy)]
pub struct InterruptLine(u16);

// SAFETY: `at` was promised that the number is a line of this chip.
unsafe impl InterruptNumber for InterruptLine {
    fn number(self) -> u16 {
        self.0
    }
}

impl InterruptLine {
    /// The line `number`.
    ///
    /// # Safety
    /// It must be a line of this chip that `DefaultHandler` knows, and no critical section may rest on its being masked.
    pub const unsafe fn at(number: u16) -> Self {
        Self(number)
    }

    /// Whether it is the line that `DefaultHandler` was called for.
    pub fn is(self, line: i16) -> bool {
        u16::try_from(line) == Ok(self.0)
    }

    /// Lets it interrupt from now on.
    pub fn unmask(self) {
        // SAFETY: `at` was promised that there is a handler, and that nothing rests on the mask.
        unsafe { NVIC::unmask(self) };
    }

    /// Keeps it from interrupting.
    pub fn mask(self) {
        NVIC::mask(self);
    }
}
