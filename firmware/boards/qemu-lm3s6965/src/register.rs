//! Volatile access to one 32-bit peripheral register: the narrow gate through which the drivers touch hardware.

/// A memory-mapped register of the LM3S6965.
#[derive(Clone, Copy)]
pub struct Register(usize);

impl Register {
    /// The register at `address`.
    ///
    /// # Safety
    /// `address` must be a readable and writable 32-bit peripheral register of this chip, used by one driver only.
    pub const unsafe fn at(address: usize) -> Self {
        Self(address)
    }

    /// Reads the register.
    pub fn read(self) -> u32 {
        // SAFETY: `at` was promised that this is a register of the chip; registers are always aligned and present.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    /// Writes the register.
    pub fn write(self, value: u32) {
        // SAFETY: as in `read`.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
