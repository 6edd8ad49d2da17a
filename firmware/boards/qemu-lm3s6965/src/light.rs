//! The board's status light, at PF0. QEMU does not show it.
use crate::register::Register;

// LM3S6965 data sheet, chapter "General-purpose input/outputs", port F at 0x40025000; clock gate in SYSCTL RCGC2 bit 5.
const CLOCK_GATE: Register = unsafe { Register::at(0x400f_e108) };
const CLOCK_GATE_PORT_F: u32 = 1 << 5;
/// The data register, where bits 2 to 9 of the address are a mask: only pin 0 is changed here.
const DATA_PIN_0: Register = unsafe { Register::at(0x4002_5004) };
const DIRECTION: Register = unsafe { Register::at(0x4002_5400) };
const DIGITAL_ENABLE: Register = unsafe { Register::at(0x4002_551c) };
const PIN_0: u32 = 1;

/// The light.
pub struct Light(());

impl Light {
    /// Makes the pin an output.
    ///
    /// # Safety
    /// Called once: the registers belong to the returned value.
    pub unsafe fn start() -> Self {
        CLOCK_GATE.write(CLOCK_GATE.read() | CLOCK_GATE_PORT_F);
        DIRECTION.write(DIRECTION.read() | PIN_0);
        DIGITAL_ENABLE.write(DIGITAL_ENABLE.read() | PIN_0);
        Self(())
    }

    /// Turns it on or off.
    pub fn set(&mut self, is_lit: bool) {
        DATA_PIN_0.write(if is_lit { PIN_0 } else { 0 });
    }
}
