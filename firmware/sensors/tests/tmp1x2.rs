//! The thermometers over a simulated bus.

mod support;

use node::Fault;
use sensors::Tmp1x2;
use sensors::tmp1x2::Address;
use support::{Bus, Chip, fault, values};

/// Registers behind a pointer; nine bits of resolution at power-on, as a TMP105 has.
struct Registers {
    temperature: [u8; 2],
    configuration: [u8; 2],
    pointer: u8,
}

const AT_POWER_ON: [u8; 2] = [0, 0];

impl Registers {
    fn showing(temperature: [u8; 2]) -> Self {
        Registers { temperature, configuration: AT_POWER_ON, pointer: 0 }
    }
}

impl Chip for Registers {
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.pointer = bytes[0];
        match bytes {
            [1, high, low] => self.configuration = [*high, *low],
            [0 | 1] => {}
            _ => panic!("no transfer of this chip: {bytes:?}"),
        }
        true
    }

    fn read(&mut self, bytes: &mut [u8]) -> bool {
        assert_eq!(self.pointer, 0, "the temperature is what is read");
        let [high, low] = self.temperature;
        // Sixteenths are shown where both bits of resolution are set, halves where none is.
        let low = if self.configuration[0] & 0x60 == 0x60 { low & 0xf0 } else { low & 0x80 };
        bytes.copy_from_slice(&[high, low]);
        true
    }

    fn lose_power(&mut self) {
        self.configuration = AT_POWER_ON;
    }
}

fn thermometer(temperature: [u8; 2]) -> (Bus<Registers>, Tmp1x2<Bus<Registers>>) {
    let bus = Bus::with(Registers::showing(temperature), 0x48);
    (bus.clone(), Tmp1x2::new("tmp105", bus, Address::default()))
}

#[test]
fn sixteenths_of_a_degree_are_read_exactly() {
    for (register, text) in [
        ([0x15, 0x80], "temp 21.5 Cel"),
        ([0x00, 0x00], "temp 0 Cel"),
        ([0x00, 0x10], "temp 0.0625 Cel"),
        ([0xff, 0xf0], "temp -0.0625 Cel"),
        ([0xd8, 0x00], "temp -40 Cel"),
        ([0x7f, 0xf0], "temp 127.9375 Cel"),
        ([0x80, 0x00], "temp -128 Cel"),
    ] {
        let (_, mut sensor) = thermometer(register);
        assert_eq!(values(&mut sensor), [text]);
    }
}

#[test]
fn every_value_of_the_register_is_its_number_of_sixteenths() {
    let (bus, mut sensor) = thermometer([0, 0]);
    for sixteenths in -2_048_i16..2_048 {
        bus.chip(|chip| chip.temperature = (sixteenths << 4).to_be_bytes());
        let exact = devices::Decimal::new(i128::from(sixteenths) * 625, -4).unwrap();
        assert_eq!(values(&mut sensor), [format!("temp {exact} Cel")]);
    }
}

#[test]
fn one_that_is_pulled_is_reported_at_every_sample_and_set_up_anew_when_it_is_back() {
    let (bus, mut sensor) = thermometer([0x15, 0x10]);
    assert_eq!(values(&mut sensor), ["temp 21.0625 Cel"]);
    bus.pull();
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    bus.plug_in();
    assert_eq!(values(&mut sensor), ["temp 21.0625 Cel"], "sixteenths again, not halves");
}

#[test]
fn one_that_is_plugged_in_after_the_start_is_found() {
    let (bus, mut sensor) = thermometer([0x15, 0x10]);
    bus.pull();
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    bus.plug_in();
    assert_eq!(values(&mut sensor), ["temp 21.0625 Cel"]);
}

#[test]
fn one_at_another_address_does_not_answer() {
    let bus = Bus::with(Registers::showing([0x15, 0x80]), 0x49);
    let mut elsewhere = Tmp1x2::new("tmp105", bus.clone(), Address::default());
    assert_eq!(fault(&mut elsewhere), Fault::NoAnswer);
    let mut there = Tmp1x2::new("tmp105", bus, Address::Alternative(false, true));
    assert_eq!(values(&mut there), ["temp 21.5 Cel"]);
}

#[test]
fn a_sample_moves_no_more_bytes_than_the_documentation_says() {
    let (bus, mut sensor) = thermometer([0x15, 0x80]);
    values(&mut sensor);
    assert_eq!(bus.take_bytes_moved(), 9, "setting up, and the sample");
    values(&mut sensor);
    assert_eq!(bus.take_bytes_moved(), 5);
}
