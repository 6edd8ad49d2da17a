//! Why the chip was reset, from its own flags (reference manual RM0090, RCC_CSR).
use birth::Told;
use embassy_stm32::pac::RCC;

/// Reads the flags and clears them, so that the next start sees its own alone.
pub fn told() -> Told {
    let flags = RCC.csr().read();
    RCC.csr().modify(|register| register.set_rmvf(true));
    // Every reset pulls the pin too, so the pin is believed last.
    if flags.wdgrstf() || flags.wwdgrstf() {
        Told::Watchdog
    } else if flags.sftrstf() {
        Told::Software
    } else if flags.porrstf() || flags.borrstf() {
        Told::Power
    } else if flags.lpwrrstf() {
        Told::Other
    } else if flags.padrstf() {
        Told::Pin
    } else {
        Told::Other
    }
}
