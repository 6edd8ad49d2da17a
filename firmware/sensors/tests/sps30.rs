//! The particle counter over a simulated bus.

mod support;

use node::Fault;
use sensors::Sps30;
use sensors::limits::{SPS30_SETTLING_SECONDS, samples};
use support::{Bus, Chip, fault, sample, values, with_checksum};

/// The chip of SPS30's data sheet: idle until it is told to measure, with a value every second.
struct Counting {
    fine: f32,
    coarse: f32,
    status: u32,
    knows_status: bool,
    is_measuring: bool,
    is_ready: bool,
    is_checksum_wrong: bool,
    command: [u8; 2],
}

impl Counting {
    fn showing(fine: f32, coarse: f32) -> Self {
        Counting {
            fine,
            coarse,
            status: 0,
            knows_status: true,
            is_measuring: false,
            is_ready: false,
            is_checksum_wrong: false,
            command: [0, 0],
        }
    }

    fn words(&self) -> Option<Vec<u8>> {
        let two_words = |bits: u32| {
            let [a, b, c, d] = bits.to_be_bytes();
            [with_checksum([a, b]), with_checksum([c, d])].concat()
        };
        match self.command {
            [0x02, 0x02] => Some(with_checksum([0, u8::from(self.is_ready)]).into()),
            [0x03, 0x00] if self.is_measuring => {
                // PM1.0 and PM4.0 lie between, and are not what is asked for.
                let masses = [0.5, self.fine, self.fine + 0.25, self.coarse];
                Some(masses.into_iter().flat_map(|mass| two_words(f32::to_bits(mass))).collect())
            }
            [0xd2, 0x06] if self.knows_status => Some(two_words(self.status)),
            _ => None,
        }
    }
}

impl Chip for Counting {
    fn write(&mut self, bytes: &[u8]) -> bool {
        match bytes {
            [0x00, 0x10, 0x03, 0x00, 0xac] => self.is_measuring = true,
            [high, low] => self.command = [*high, *low],
            _ => panic!("a transfer that this sensor is not meant to get: {bytes:02x?}"),
        }
        self.knows_status || bytes != [0xd2, 0x06]
    }

    fn read(&mut self, bytes: &mut [u8]) -> bool {
        let Some(words) = self.words() else { return false };
        bytes.copy_from_slice(&words[..bytes.len()]);
        if self.command == [0x03, 0x00] {
            self.is_ready = false;
            bytes[8] ^= u8::from(self.is_checksum_wrong);
        }
        true
    }

    fn lose_power(&mut self) {
        (self.is_measuring, self.is_ready) = (false, false);
    }
}

/// A second goes by: a chip that measures has a new value.
fn second(bus: &Bus<Counting>) {
    bus.chip(|chip| chip.is_ready = chip.is_measuring);
}

/// A sensor that was found in its first sample and whose fan needs no time.
fn found(fine: f32, coarse: f32) -> (Bus<Counting>, Sps30<Bus<Counting>>) {
    let bus = Bus::with(Counting::showing(fine, coarse), 0x69);
    let mut sensor = Sps30::new(bus.clone(), 0);
    assert_eq!(sample(&mut sensor), (vec![], None), "it was told to measure");
    second(&bus);
    (bus, sensor)
}

#[test]
fn concentrations_are_read_in_hundredths() {
    for (fine, coarse, shown) in [
        (0.0, 0.0, ["pm2.5 0 ug/m3", "pm10 0 ug/m3"]),
        (12.53, 18.7, ["pm2.5 12.53 ug/m3", "pm10 18.7 ug/m3"]),
        (0.004, 0.006, ["pm2.5 0 ug/m3", "pm10 0.01 ug/m3"]),
        (999.996, 1_000.0, ["pm2.5 1000 ug/m3", "pm10 1000 ug/m3"]),
    ] {
        let (_, mut sensor) = found(fine, coarse);
        assert_eq!(values(&mut sensor), shown);
    }
}

#[test]
fn what_is_no_concentration_is_a_defect() {
    for (fine, coarse) in [(f32::NAN, 1.0), (1.0, f32::INFINITY), (-1.0, 1.0), (1.0, 1e9)] {
        let (_, mut sensor) = found(fine, coarse);
        assert_eq!(fault(&mut sensor), Fault::Defective);
    }
}

#[test]
fn a_failed_laser_or_fan_is_a_defect_whatever_the_values() {
    for status in [1 << 5, 1 << 4, 1 << 5 | 1 << 4] {
        let (bus, mut sensor) = found(12.5, 18.5);
        bus.chip(|chip| chip.status = status);
        assert_eq!(fault(&mut sensor), Fault::Defective);
        bus.chip(|chip| chip.status = 1 << 21);
        second(&bus);
        assert_eq!(
            values(&mut sensor).len(),
            2,
            "a fan that only turns too fast or too slowly has not failed"
        );
    }
}

#[test]
fn one_of_old_firmware_that_knows_no_status_gives_its_values() {
    let (bus, mut sensor) = found(12.5, 18.5);
    bus.chip(|chip| chip.knows_status = false);
    assert_eq!(values(&mut sensor), ["pm2.5 12.5 ug/m3", "pm10 18.5 ug/m3"]);
}

#[test]
fn a_wrong_checksum_is_named_and_the_next_sample_counts_again() {
    let (bus, mut sensor) = found(12.5, 18.5);
    bus.chip(|chip| chip.is_checksum_wrong = true);
    assert_eq!(fault(&mut sensor), Fault::Checksum);
    bus.chip(|chip| chip.is_checksum_wrong = false);
    second(&bus);
    assert_eq!(values(&mut sensor).len(), 2);
}

#[test]
fn what_the_fan_draws_in_its_first_half_minute_is_left_out() {
    let bus = Bus::with(Counting::showing(300.0, 400.0), 0x69);
    let mut sensor = Sps30::new(bus.clone(), samples(SPS30_SETTLING_SECONDS, 10_000));
    for _ in ["starting it", "10 s", "20 s", "30 s"] {
        assert_eq!(sample(&mut sensor), (vec![], None));
        second(&bus);
    }
    assert_eq!(values(&mut sensor).len(), 2);
}

#[test]
fn one_that_is_pulled_is_reported_at_every_sample_and_settles_anew_when_it_is_back() {
    let bus = Bus::with(Counting::showing(12.5, 18.5), 0x69);
    let mut sensor = Sps30::new(bus.clone(), 1);
    bus.pull();
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
    bus.plug_in();
    for what in ["told to measure", "settling"] {
        assert_eq!(sample(&mut sensor), (vec![], None), "{what}");
        second(&bus);
    }
    assert_eq!(values(&mut sensor).len(), 2);
}

#[test]
fn one_whose_power_was_away_between_two_samples_is_told_again() {
    let (bus, mut sensor) = found(12.5, 18.5);
    values(&mut sensor);
    bus.pull();
    bus.plug_in();
    assert_eq!(sample(&mut sensor), (vec![], None));
    second(&bus);
    assert_eq!(values(&mut sensor).len(), 2);
}

#[test]
fn one_that_acknowledges_and_never_has_a_value_is_reported() {
    let (_bus, mut sensor) = found(12.5, 18.5);
    values(&mut sensor);
    assert_eq!(sample(&mut sensor), (vec![], None), "it is given until the next sample");
    assert_eq!(fault(&mut sensor), Fault::NoAnswer);
}

#[test]
fn a_sample_moves_no_more_bytes_than_the_documentation_says() {
    let (bus, mut sensor) = found(12.5, 18.5);
    assert_eq!(bus.take_bytes_moved(), 13, "starting it");
    values(&mut sensor);
    assert_eq!(bus.take_bytes_moved(), 45);
}
