//! The clock tree: 168 MHz from the 8 MHz that the ST-LINK feeds in, and the 48 MHz that the random numbers need.
use embassy_stm32::Config;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Hse, HseMode, Pll, PllMul, PllPDiv, PllPreDiv, PllQDiv, PllSource, Sysclk,
};
use embassy_stm32::time::Hertz;

/// What `embassy_stm32::init` is to set up.
pub fn configuration() -> Config {
    let mut configuration = Config::default();
    let clocks = &mut configuration.rcc;
    // The board has no crystal of its own beside the MCU: the ST-LINK's 8 MHz clock output drives OSC_IN (UM1974).
    clocks.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::Bypass });
    clocks.pll_src = PllSource::HSE;
    // 8 MHz / 4 * 168 = 336 MHz; / 2 for the core, / 7 for the random numbers.
    clocks.pll = Some(Pll {
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL168,
        divp: Some(PllPDiv::DIV2),
        divq: Some(PllQDiv::DIV7),
        divr: None,
    });
    clocks.sys = Sysclk::PLL1_P;
    clocks.ahb_pre = AHBPrescaler::DIV1;
    // At most 45 MHz and 90 MHz (data sheet, operating conditions).
    clocks.apb1_pre = APBPrescaler::DIV4;
    clocks.apb2_pre = APBPrescaler::DIV2;
    configuration
}
