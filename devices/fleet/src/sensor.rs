//! What a virtual device measures: the weather through a simulated thermometer, or a recording.
use devices::Decimal;
use node::{Fault, Records, Sensor};
use sensors::{Tmp1x2, tmp1x2};

use crate::clock;
use crate::replay::Recording;
use crate::thermometer::ThermometerBus;
use crate::weather::Weather;

/// The sensors of one virtual device.
pub enum VirtualSensor {
    /// A model of the weather; the temperature comes through the firmware's own driver.
    Weather(Weather),
    /// Readings that were taken once, one after another.
    Recording(Recording),
}

impl VirtualSensor {
    /// Whether there is nothing more to measure.
    pub fn is_at_end(&self) -> bool {
        match self {
            VirtualSensor::Weather(_) => false,
            VirtualSensor::Recording(recording) => recording.is_at_end(),
        }
    }
}

impl Sensor for VirtualSensor {
    fn name(&self) -> &'static str {
        match self {
            VirtualSensor::Weather(_) => "weather",
            VirtualSensor::Recording(_) => "recording",
        }
    }

    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        match self {
            VirtualSensor::Weather(weather) => sample_weather(weather, clock::unix_seconds(), records),
            VirtualSensor::Recording(recording) => {
                for (name, value) in recording.next_row().into_iter().flatten() {
                    records.add(name, "ug/m3", value);
                }
                Ok(())
            }
        }
    }
}

fn sample_weather(weather: &mut Weather, unix_seconds: u32, records: &mut Records) -> Result<(), Fault> {
    let conditions = weather.conditions(unix_seconds);
    let mut bus = ThermometerBus::default();
    bus.set_millicelsius(conditions.temperature_millicelsius);
    Tmp1x2::new("tmp105", bus, tmp1x2::Address::default()).sample(records)?;
    add(records, "hum", "%RH", conditions.humidity_tenths, -1);
    add(records, "pm2.5", "ug/m3", conditions.fine_dust_hundredths, -2);
    Ok(())
}

fn add(records: &mut Records, name: &'static str, unit: &'static str, mantissa: i32, exponent: i8) {
    if let Ok(value) = Decimal::new(mantissa.into(), exponent) {
        records.add(name, unit, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::Value;

    #[test]
    fn the_weather_gives_three_quantities_with_their_units() {
        let mut records = Records::default();
        sample_weather(&mut Weather::at_place(1), 1_800_000_000, &mut records).unwrap();
        let units: Vec<_> =
            records.as_slice().iter().map(|record| (record.name.unwrap(), record.unit.unwrap())).collect();
        assert_eq!(units, [("temp", "Cel"), ("hum", "%RH"), ("pm2.5", "ug/m3")]);
        let Value::Number(temperature) = records.as_slice().iter().next().unwrap().value else {
            panic!("a number")
        };
        assert!(temperature > Decimal::from(0) && temperature < Decimal::from(30), "{temperature}");
    }
}
