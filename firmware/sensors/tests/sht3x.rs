//! The thermometer and hygrometer over a simulated bus.

mod support;

use node::Fault;
use sensors::Sht3x;
use sensors::sht3x::Address;
use support::{Bus, Chip, fault, sample, values, with_checksum};

/// The chip of SHT3x-DIS's data sheet: idle until it is told to measure, and each measurement is given once.
struct Measuring {
    temperature: u16,
    humidity: u16,
    is_measuring: bool,
    has_measurement: bool,
    is_checksum_wrong: bool,
    command: [u8; 2],
}

impl Measuring {
    fn showing(temperature: u16, humidity: u16) -> Self {
        Measuring {
            temperature,
            humidity,
            is_measuring: false,
            has_measurement: false,
            is_checksum_wrong: false,
            command: [0, 0],
        }
    }
}

impl Chip for Measuring {
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.command = bytes.try_into().expect("every command is of two bytes");
        match self.command {
            [0x21, 0x30] => self.is_measuring = true,
            [0xe0, 0x00] => {}
            command => panic!("a command that this sensor is not meant to get: {command:02x?}"),
        }
        true
    }

    fn read(&mut self, bytes: &mut [u8]) -> bool {
        assert_eq!(self.command, [0xe0, 0x00], "fetched");
        if !std::mem::take(&mut self.has_measurement) {
            return false;
        }
        let words = [self.temperature, self.humidity].map(|word| with_checksum(word.to_be_bytes()));
        bytes.copy_from_slice(&words.concat());
        if self.is_checksum_wrong {
            bytes[5] ^= 1;
        }
        true
    }

    fn lose_power(&mut self) {
        (self.is_measuring, self.has_measurement) = (false, false);
    }
}

/// A second goes by: a chip that measures has a new measurement.
fn second(bus: &Bus<Measuring>) {
    bus.chip(|chip| chip.has_measurement = chip.is_measuring);
}

/// A sensor that was found in its first sample.
fn found(temperature: u16, humidity: u16) -> (Bus<Measuring>, Sht3x<Bus<Measuring>>) {
    let bus = Bus::with(Measuring::showing(temperature, humidity), 0x44);
    let mut sensor = Sht3x::new(bus.clone(), Address::Low);
    assert_eq!(sample(&mut sensor), (vec![], None), "it was told to measure");
    second(&bus);
    (bus, sensor)
}

#[test]
fn raw_words_become_hundredths_by_the_data_sheets_formulas() {
    // Worked out with fractions: -45 + 175 × raw ÷ 65,535 and 100 × raw ÷ 65,535, half a hundredth upwards.
    for (temperature, humidity, shown) in [
        (0x6666, 0x8000, ["temp 25 Cel", "hum 50 %RH"]),
        (0x0750, 0x0000, ["temp -40 Cel", "hum 0 %RH"]),
        (0x41d5, 0xffff, ["temp 0 Cel", "hum 100 %RH"]),
        (0x41d1, 0x0001, ["temp -0.01 Cel", "hum 0 %RH"]),
        (0x41d6, 0x0004, ["temp 0.01 Cel", "hum 0.01 %RH"]),
        (0xf8ae, 0x7fff, ["temp 125 Cel", "hum 50 %RH"]),
        (0x8000, 0x7fdf, ["temp 42.5 Cel", "hum 49.95 %RH"]),
        (0x9000, 0x1234, ["temp 53.44 Cel", "hum 7.11 %RH"]),
    ] {
        let (_, mut sensor) = found(temperature, humidity);
        assert_eq!(values(&mut sensor), shown);
    }
}

#[test]
fn every_raw_word_is_rounded_to_the_nearest_hundredth() {
    let (bus, mut sensor) = found(0, 0);
    for raw in (0..=u16::MAX).step_by(7) {
        bus.chip(|chip| (chip.temperature, chip.humidity) = (0x6666, raw));
        second(&bus);
        let shown = values(&mut sensor).remove(1);
        let number = shown.split(' ').nth(1).unwrap();
        let humidity: devices::Decimal = number.parse().unwrap();
        // In units of 10^-9 %RH: the difference from the fraction is half a hundredth at most.
        let difference = humidity.nanos() * 65_535 - i128::from(raw) * 100_000_000_000;
        assert!(difference.abs() <= 5_000_000 * 65_535, "{raw}: {shown}");
    }
}

#[test]
fn a_temperature_that_the_chip_is_not_made_for_is_a_defect() {
    for temperature in [0x0000, 0x074e, 0xffff] {
        let (_, mut sensor) = found(temperature, 0x8000);
        assert_eq!(fault(&mut sensor), Fault::Defective);
    }
}

#[test]
fn a_wrong_checksum_is_named_and_the_next_sample_counts_again() {
    let (bus, mut sensor) = found(0x6666, 0x8000);
    bus.chip(|chip| chip.is_checksum_wrong = true);
    assert_eq!(fault(&mut sensor), Fault::Checksum);
    bus.chip(|chip| chip.is_checksum_wrong = false);
    second(&bus);
    assert_eq!(values(&mut sensor), ["temp 25 Cel", "hum 50 %RH"]);
}

#[test]
fn one_that_is_pulled_is_reported_at_every_sample_and_measures_again_when_it_is_back() {
    let (bus, mut sensor) = found(0x6666, 0x8000);
    values(&mut sensor);
    bus.pull();
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    bus.plug_in();
    assert_eq!(sample(&mut sensor), (vec![], None), "it was told to measure");
    second(&bus);
    assert_eq!(values(&mut sensor), ["temp 25 Cel", "hum 50 %RH"]);
}

#[test]
fn one_whose_power_was_away_between_two_samples_is_told_again() {
    let (bus, mut sensor) = found(0x6666, 0x8000);
    values(&mut sensor);
    bus.pull();
    bus.plug_in();
    assert_eq!(sample(&mut sensor), (vec![], None));
    second(&bus);
    assert_eq!(values(&mut sensor), ["temp 25 Cel", "hum 50 %RH"]);
}

#[test]
fn one_that_goes_on_measuring_while_the_board_restarts_gives_values_at_once() {
    let (bus, sensor) = found(0x6666, 0x8000);
    drop(sensor);
    let mut sensor = Sht3x::new(bus, Address::Low);
    assert_eq!(values(&mut sensor), ["temp 25 Cel", "hum 50 %RH"]);
}

#[test]
fn one_that_acknowledges_and_never_measures_is_reported() {
    let (_bus, mut sensor) = found(0x6666, 0x8000);
    values(&mut sensor);
    assert_eq!(sample(&mut sensor), (vec![], None), "it is given until the next sample");
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
}

#[test]
fn the_temperature_can_be_left_to_another_sensor() {
    let (_, sensor) = found(0x6666, 0x8000);
    assert_eq!(values(&mut sensor.without_temperature()), ["hum 50 %RH"]);
}

#[test]
fn a_sample_moves_no_more_bytes_than_the_documentation_says() {
    let (bus, mut sensor) = found(0x6666, 0x8000);
    assert_eq!(bus.take_bytes_moved(), 7, "starting it");
    values(&mut sensor);
    assert_eq!(bus.take_bytes_moved(), 10);
}
