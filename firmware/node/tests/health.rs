//! What a device tells of itself: in signed packs, as it comes and by the hour.

mod support;

use devices::SignedReading;
use node::limits::{ACK_GRACE_MILLISECONDS as GRACE, HEALTH_INTERVAL_MILLISECONDS as HOUR};
use node::{Birth, Device, Fault, LastWords, Records, Reset, Sensor, Vitals};
use support::{Eeprom, INTERVAL, send_all};

const BIRTH: Birth = Birth { reset: Reset::PowerOn, last_words: None, firmware: "1.4.0" };

/// Everything that the device sends now: name and value of each record.
fn said<P: Sensor>(device: &mut Device<Eeprom, P>, now: u64) -> Vec<String> {
    let mut envelope = [0; 1024];
    let mut said = Vec::new();
    while let Some(outgoing) = device.next_to_send(now, &mut envelope).unwrap() {
        device.sent(now, &outgoing);
        let reading = SignedReading::decode(&envelope[..outgoing.envelope_bytes]).unwrap();
        said.extend(reading.pack().resolved().map(|record| record.to_string()));
    }
    said
}

#[test]
fn the_first_pack_of_a_boot_says_the_firmware_and_why_it_started() {
    let mut device = support::start_collecting(&Eeprom::new(), 2_000);
    let words = Some(LastWords::at("src/main.rs", 123));
    device.introduce(0, &Birth { reset: Reset::Panic, last_words: words, firmware: "1.4.0" });
    device.sample_if_due(0);
    device.session_opened(0);
    let sent = send_all(&mut device, 5 * support::MINUTE);
    assert_eq!(sent.len(), 1);
    let reading = SignedReading::decode(&sent[0].1[..]).unwrap();
    let records: Vec<_> = reading.pack().resolved().map(|record| record.to_string()).collect();
    assert_eq!(
        records,
        ["temp 20.01 Cel", "firmware:1.4.0 true", "reset:panic true", "panic:main.rs:123 true"]
    );
}

#[test]
fn a_device_that_nobody_introduced_speaks_of_measurements_alone() {
    let mut device = support::start(&Eeprom::new());
    device.sample_if_due(0);
    device.sample_if_due(2 * HOUR);
    device.session_opened(0);
    assert!(said(&mut device, 2 * HOUR).iter().all(|record| record.starts_with("temp ")));
}

#[test]
fn every_hour_it_says_how_it_is() {
    let mut device = support::start(&Eeprom::new());
    device.introduce(0, &BIRTH);
    device.session_opened(0);
    device.sample_if_due(0);
    assert!(!said(&mut device, GRACE).iter().any(|record| record.starts_with("uptime")));
    device.set_vitals(Vitals { stack_free_bytes: 9_216 });
    device.link_failed();
    device.sample_if_due(HOUR);
    // What was never acknowledged is sent again, before the rest.
    let expected = [
        "temp 20.02 Cel",
        "uptime 3600 s",
        "stack_free 9216 B",
        "queue 2 count",
        "link_errors 1 count",
        "sensor_faults 0 count",
        "lost 0 count",
    ];
    let now_said = said(&mut device, HOUR);
    assert!(now_said.ends_with(&expected.map(str::to_owned)), "{now_said:?}");
    device.sample_if_due(HOUR + INTERVAL);
    assert!(!said(&mut device, HOUR + INTERVAL).iter().any(|record| record.starts_with("uptime")));
}

/// A sensor that fails as it is told to.
struct Moody(Option<Fault>);

impl Sensor for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn sample(&mut self, _: &mut Records) -> Result<(), Fault> {
        self.0.map_or(Ok(()), Err)
    }
}

#[test]
fn a_sensors_fault_is_told_when_it_comes_hourly_while_it_lasts_and_when_it_is_gone() {
    let sensors = (Moody(None), support::Thermometer(2_000));
    let mut device =
        Device::start(support::identity(), Eeprom::new(), sensors, support::settings(), 0).unwrap();
    device.introduce(0, &BIRTH);
    device.session_opened(0);
    device.sample_if_due(0);
    said(&mut device, GRACE);
    let faults_at = |device: &mut Device<Eeprom, (Moody, support::Thermometer)>, now| {
        device.sample_if_due(now);
        let mut said = said(device, now);
        assert!(said.iter().any(|record| record.starts_with("temp ")), "the other sensor goes on: {said:?}");
        said.retain(|record| record.starts_with("fault:"));
        said
    };
    device.sensor_mut().0.0 = Some(Fault::Checksum);
    assert_eq!(faults_at(&mut device, 2 * INTERVAL), ["fault:moody:checksum true"]);
    assert_eq!(faults_at(&mut device, 3 * INTERVAL), [""; 0]);
    device.sensor_mut().0.0 = Some(Fault::NoAnswer);
    let changed = ["fault:moody:checksum false", "fault:moody:no_answer true"];
    assert_eq!(faults_at(&mut device, 4 * INTERVAL), changed);
    assert!(faults_at(&mut device, HOUR).contains(&"fault:moody:no_answer true".to_owned()));
    device.sensor_mut().0.0 = None;
    assert_eq!(faults_at(&mut device, HOUR + INTERVAL), ["fault:moody:no_answer false"]);
    assert_eq!(device.counters().sensor_faults, 4, "each failed sample is counted");
}

#[test]
fn a_sensor_that_gives_nothing_at_all_still_makes_the_device_heard() {
    let sensor = Moody(Some(Fault::NoAnswer));
    let mut device =
        Device::start(support::identity(), Eeprom::new(), sensor, support::settings(), 0).unwrap();
    device.session_opened(0);
    assert_eq!(device.sample_if_due(0), None, "nothing was measured");
    assert_eq!(said(&mut device, GRACE), ["fault:moody:no_answer true"]);
}
