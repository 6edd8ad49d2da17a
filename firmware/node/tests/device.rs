//! A device as a whole: its sensor, its clock, its watchdog.

mod support;

use devices::{Decimal, SignedReading};
use node::limits::{ACK_GRACE_MILLISECONDS as GRACE, UPLINK_SILENCE_MILLISECONDS_MAX};
use node::{Device, Fault, Identity, Records, Sensor, Settings, StartError};
use support::{Eeprom, INTERVAL, start};

/// A sensor that was pulled, and plugged in again.
struct Pulled {
    samples_away: u32,
}

impl Sensor for Pulled {
    fn name(&self) -> &'static str {
        "pulled"
    }

    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        if self.samples_away > 0 {
            self.samples_away -= 1;
            return Err(Fault::NoAnswer);
        }
        records.add("temp", "Cel", Decimal::new(215, -1).unwrap());
        Ok(())
    }
}

#[test]
fn a_sensor_that_does_not_answer_is_counted_and_asked_again() {
    let sensor = Pulled { samples_away: 1 };
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
