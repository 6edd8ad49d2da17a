//! Texas Instruments' TMP102, TMP112 and what behaves like them, QEMU's tmp105 among them: `temp` in `Cel`.
//!
//! Blocks for at most 9 bytes on the bus, when it sets the sensor up, and for 5 after that: below 1 ms at 100 kHz. The
//! sensor converts by itself, four times a second.

use devices::Decimal;
use embedded_hal::i2c::I2c;
use node::{Fault, Records, Sensor};
use tmp1x2::ConversionRate;
/// Where a thermometer answers: 0x48 by default, to 0x4b by its pins.
pub use tmp1x2::SlaveAddr as Address;
use tmp1x2::marker::mode::Continuous;

/// A thermometer of sixteenths of a degree, -128 to 127.9375 °C.
pub struct Tmp1x2<I: I2c> {
    name: &'static str,
    driver: tmp1x2::Tmp1x2<I, Continuous>,
    is_configured: bool,
}

impl<I: I2c> Tmp1x2<I> {
    /// The thermometer at an address, 0x48 by default. `name` is the chip's, by which its faults are reported: `tmp102`.
    pub fn new(name: &'static str, bus: I, address: Address) -> Self {
        Self { name, driver: tmp1x2::Tmp1x2::new(bus, address), is_configured: false }
    }

    fn celsius(&mut self) -> Result<f32, tmp1x2::Error<I::Error>> {
        if !self.is_configured {
            // The whole configuration register goes with the rate, the 12 bits of resolution among it. Set once the sensor
            // answers, not at start: one that is plugged in later works too.
            self.driver.set_conversion_rate(ConversionRate::_4Hz)?;
            self.is_configured = true;
        }
        // Whoever comes back after silence has forgotten its configuration.
        self.driver.read_temperature().inspect_err(|_| self.is_configured = false)
    }
}

impl<I: I2c> Sensor for Tmp1x2<I> {
    fn name(&self) -> &'static str {
        self.name
    }

    /// # Errors
    /// [`Fault::NoAnswer`]: the chip has no checksum, and says nothing of itself.
    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        let celsius = self.celsius().map_err(|_| Fault::NoAnswer)?;
        // The driver gives the register's sixteenths as a float of 24 bits, which holds each of the 4,096 exactly: times
        // sixteen, it is the integer again.
        let sixteenths = (celsius * 16.0) as i32;
        // A sixteenth is 625 ten-thousandths, and the product has its place on the wire whatever the sensor says.
        if let Ok(temperature) = Decimal::new(i128::from(sixteenths) * 625, -4) {
            records.add("temp", "Cel", temperature);
        }
        Ok(())
    }
}
