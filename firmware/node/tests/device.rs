//! A device as a whole: its sensor, its clock, its watchdog.

mod support;

use std::collections::VecDeque;

use devices::{Decimal, SignedReading};
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, Operation};
use node::limits::{ACK_GRACE_MILLISECONDS as GRACE, UPLINK_SILENCE_MILLISECONDS_MAX};
use node::{Device, Fault, Identity, Records, Sensor, Settings, StartError, Tmp105};
use support::{Eeprom, INTERVAL, start};

/// An I2C bus with one tmp105, which may be pulled.
struct Bus {
    answers: VecDeque<Option<[u8; 2]>>,
    configuration: u8,
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        assert_eq!(address, 0x48);
        match operations {
            [Operation::Write([1, configuration])] => self.configuration = *configuration,
            [Operation::Write([0]), Operation::Read(register)] => {
                let answer = self.answers.pop_front().flatten().ok_or(ErrorKind::Other)?;
                register.copy_from_slice(&answer);
            }
            _ => panic!("not a tmp105's transaction"),
        }
        Ok(())
    }
}

#[test]
fn the_tmp105_is_read_exactly_in_sixteenths_of_a_degree() {
    for (register, text) in [
        ([0x15, 0x80], "21.5"),
        ([0x00, 0x10], "0.0625"),
        ([0xff, 0xf0], "-0.0625"),
        ([0xd8, 0x00], "-40"),
        ([0x7f, 0xf0], "127.9375"),
    ] {
        let bus = Bus { answers: VecDeque::from([Some(register)]), configuration: 0 };
        let mut records = Records::default();
        Tmp105::new(bus, 0x48).sample(&mut records).unwrap();
        let record = records.as_slice().iter().next().unwrap();
        assert_eq!(record.value.to_string(), text);
        assert_eq!((record.name, record.unit), (Some("temp"), Some("Cel")));
    }
}

#[test]
fn a_sensor_that_does_not_answer_is_counted_and_asked_again() {
    let bus = Bus { answers: VecDeque::from([None, Some([0x15, 0x80])]), configuration: 0 };
    let sensor = Tmp105::new(bus, 0x48);
    let mut device =
        Device::start(support::identity(), Eeprom::new(), sensor, support::settings(), 0).unwrap();
    assert_eq!(device.sample_if_due(0), None);
    assert_eq!(device.counters().sensor_faults, 1);
    assert!(device.sample_if_due(INTERVAL).is_some());
    assert_eq!(device.counters().kept, 1);
}

#[test]
fn missed_samples_are_left_out() {
    let mut device = start(&Eeprom::new());
    assert!(device.sample_if_due(0).is_some());
    assert!(device.sample_if_due(10 * INTERVAL + 3).is_some());
    assert!(device.sample_if_due(10 * INTERVAL + 3).is_none());
    assert_eq!(device.sample_at_milliseconds(), 11 * INTERVAL);
}

#[test]
fn the_watchdog_is_fed_only_while_sampler_and_uplink_both_turn() {
    let mut device = start(&Eeprom::new());
    let late = UPLINK_SILENCE_MILLISECONDS_MAX + 1;
    assert!(device.may_feed_watchdog(INTERVAL));
    device.uplink_turned(late);
    assert!(!device.may_feed_watchdog(late), "nothing was sampled for a minute");
    device.sample_if_due(late);
    assert!(device.may_feed_watchdog(late));
    device.sample_if_due(2 * late);
    assert!(!device.may_feed_watchdog(2 * late), "the uplink hangs");
}

#[test]
fn a_device_whose_counter_cannot_be_read_does_not_start() {
    let eeprom = Eeprom::new();
    eeprom.pull();
    let started = Device::start(support::identity(), eeprom, support::Thermometer(0), Settings::default(), 0);
    assert!(matches!(started, Err(StartError::Sequence(_))));
}

#[test]
fn quantities_with_secondary_units_are_signed_with_their_base_version() {
    struct Dust;
    impl Sensor for Dust {
        fn name(&self) -> &'static str {
            "dust"
        }

        fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
            records.add("pm2.5", "ug/m3", Decimal::new(1253, -2).unwrap());
            Ok(())
        }
    }
    let mut device = Device::start(support::identity(), Eeprom::new(), Dust, support::settings(), 0).unwrap();
    device.sample_if_due(0);
    device.session_opened(0);
    let mut envelope = [0; 1024];
    let outgoing = device.next_to_send(GRACE, &mut envelope).unwrap().unwrap();
    let reading = SignedReading::decode(&envelope[..outgoing.envelope_bytes]).unwrap();
    assert_eq!(reading.pack().base().version, Some(26));
}

#[test]
fn a_missing_or_damaged_identity_page_is_named() {
    let page = devices::IdentityPage::new("devnet", [7; 32], None).unwrap().encode();
    assert!(Identity::read(&page).is_ok());
    let absent = Identity::read(&[0xff; 96]).err().unwrap();
    assert_eq!(absent.to_string(), "there is no identity page");
    let mut damaged = page;
    damaged[50] ^= 1;
    assert_eq!(Identity::read(&damaged).err().unwrap().to_string(), "the identity page is damaged");
}
