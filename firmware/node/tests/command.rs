//! Commands on the `down` topic: what is taken, what is refused and changes nothing, and what a power cut leaves of them.

mod support;

use devices::command::{Command, Order};
use devices::configuration::{Configuration, Threshold};
use devices::limits::{COMMAND_BYTES_MAX, CONFIGURATION_BYTES_MAX};
use devices::{Ack, DeviceId, IdentityPage, SignedReading, SigningKey, Value};
use node::orders::Orders;
use node::{Device, Identity, Settings};
use support::{Eeprom, INTERVAL, TestDevice, Thermometer, settings};

const GRACE: u64 = node::limits::ACK_GRACE_MILLISECONDS;
const HOUR: u64 = 3_600_000;

fn owner() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn account(key: &SigningKey) -> [u8; 32] {
    *key.public_key().thumbprint().as_bytes()
}

fn page() -> IdentityPage {
    IdentityPage::new("devnet", [7; 32], None).unwrap().with_owner(account(&owner()))
}

fn kid() -> DeviceId {
    page().signing_key().kid()
}

fn start(eeprom: &Eeprom) -> TestDevice {
    Device::start(Identity::new(page()), eeprom.clone(), Thermometer(2_000), settings(), 0).unwrap()
}

fn signed_by(key: &SigningKey, network: &str, device: DeviceId, counter: u64, order: Order<'_>) -> Vec<u8> {
    let mut out = [0; COMMAND_BYTES_MAX];
    let length = Command { device, counter, order }.sign(key, network, &mut out).unwrap();
    out[..length].to_vec()
}

fn signed(counter: u64, order: Order<'_>) -> Vec<u8> {
    signed_by(&owner(), "devnet", kid(), counter, order)
}

fn configuration(interval_seconds: u32) -> Order<'static> {
    let heat = Threshold { name: "temp", below: None, above: Some(40_u32.into()) };
    let room = Box::leak(Box::new([0; CONFIGURATION_BYTES_MAX]));
    Order::Configure(Configuration::new(interval_seconds, 600, &[heat], room).unwrap())
}

fn interval_seconds(device: &TestDevice) -> u64 {
    device.settings().sample_interval_milliseconds / 1_000
}

/// Names of what the device says of itself in its next packs.
fn said(device: &mut TestDevice, now: u64) -> Vec<String> {
    // A sample when the next is due brings what waits to be told with it.
    let at = device.sample_at_milliseconds().max(now);
    device.sample_if_due(at);
    device.session_opened(at);
    let later = at + GRACE + device.settings().batch_interval_milliseconds;
    let sent = support::send_all(device, later);
    if let Some((highest, _)) = sent.last() {
        device.acknowledged(later, &Ack { highest: *highest, window: u64::MAX, log_size: 1 });
    }
    sent.iter()
        .flat_map(|(_, envelope)| {
            let reading = SignedReading::decode(&envelope[..]).unwrap();
            let pack = reading.pack();
            pack.resolved()
                .filter(|record| record.value == Value::Boolean(true))
                .map(|record| record.name.to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_configuration_is_applied_at_once_and_confirmed_in_the_next_envelope() {
    let mut device = start(&Eeprom::new());
    device.commanded(0, &signed(5, configuration(60)));
    let Settings { sample_interval_milliseconds, batch_interval_milliseconds, thresholds, .. } =
        *device.settings();
    assert_eq!((sample_interval_milliseconds, batch_interval_milliseconds), (60_000, 600_000));
    let heat = thresholds[0].unwrap();
    assert_eq!((heat.name(), heat.below(), heat.above()), ("temp", None, Some(40_u32.into())));
    assert!(thresholds[1..].iter().all(Option::is_none), "a configuration is the whole of it");
    assert_eq!(said(&mut device, 0), ["config:5"]);
}

#[test]
fn a_configuration_is_in_force_after_a_reset_and_a_later_one_takes_its_place() {
    let eeprom = Eeprom::new();
    start(&eeprom).commanded(0, &signed(5, configuration(60)));
    let mut device = start(&eeprom);
    assert_eq!(interval_seconds(&device), 60);
    device.commanded(0, &signed(6, configuration(90)));
    assert_eq!(interval_seconds(&start(&eeprom)), 90);
}

#[test]
fn what_the_broker_repeats_is_confirmed_again_and_not_refused() {
    let eeprom = Eeprom::new();
    let command = signed(5, configuration(60));
    start(&eeprom).commanded(0, &command);
    let mut device = start(&eeprom);
    let before = eeprom.copy();
    device.commanded(0, &command);
    assert_eq!(eeprom.copy(), before, "nothing is written for it");
    assert_eq!(said(&mut device, 0), ["config:5"]);
}

#[test]
fn what_the_owner_has_not_signed_for_this_device_changes_nothing_and_is_told_by_its_reason() {
    let stranger = SigningKey::from_seed([2; 32]);
    let good = signed(6, configuration(30));
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let other = SigningKey::from_seed([8; 32]).kid();
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("garbage", "malformed", vec![0xff; 60]),
        ("nothing", "malformed", Vec::new()),
        ("more than a command may have", "malformed", vec![0xd2; COMMAND_BYTES_MAX + 1]),
        ("a flipped bit", "signature", forged),
        ("another network", "signature", signed_by(&owner(), "othernet", kid(), 6, configuration(30))),
        ("another key", "not_owner", signed_by(&stranger, "devnet", kid(), 6, configuration(30))),
        ("another device", "other_device", signed_by(&owner(), "devnet", other, 6, configuration(30))),
        ("an older counter", "replayed", signed(4, configuration(30))),
        ("a key without a root", "no_such_key", signed(6, Order::RotateKey(1))),
        ("a key without a root, to use", "no_such_key", signed(6, Order::UseKey(1))),
    ];
    for (name, reason, bytes) in cases {
        let eeprom = Eeprom::new();
        let mut device = start(&eeprom);
        device.commanded(0, &signed(5, configuration(60)));
        let before = eeprom.copy();
        device.commanded(0, &bytes);
        assert_eq!(interval_seconds(&device), 60, "{name}");
        assert_eq!(eeprom.copy(), before, "{name}");
        assert_eq!(
            said(&mut device, 0),
            ["config:5".to_owned(), format!("refused_command:{reason}")],
            "{name}"
        );
    }
}

#[test]
fn a_device_without_an_owner_obeys_nobody() {
    let page = IdentityPage::new("devnet", [7; 32], None).unwrap();
    let eeprom = Eeprom::new();
    let mut device =
        Device::start(Identity::new(page), eeprom.clone(), Thermometer(0), settings(), 0).unwrap();
    device.commanded(0, &signed(5, configuration(60)));
    assert_eq!(device.settings().sample_interval_milliseconds, INTERVAL);
    assert_eq!(said(&mut device, 0), ["refused_command:not_owner"]);
}

#[test]
fn a_refusal_is_told_once_an_hour_for_each_reason() {
    let mut device = start(&Eeprom::new());
    for now in [0, 1_000, HOUR - 1] {
        device.commanded(now, b"garbage");
    }
    assert_eq!(said(&mut device, 0), ["refused_command:malformed"]);
    device.commanded(HOUR - 1, b"garbage");
    assert!(said(&mut device, HOUR).is_empty());
    device.commanded(2 * HOUR, b"garbage");
    assert_eq!(said(&mut device, 2 * HOUR), ["refused_command:malformed"]);
}

#[test]
fn a_device_handed_over_obeys_the_new_account_alone_and_keeps_its_configuration() {
    let eeprom = Eeprom::new();
    let buyer = SigningKey::from_seed([3; 32]);
    let mut device = start(&eeprom);
    device.commanded(0, &signed(5, configuration(60)));
    device.commanded(0, &signed(6, Order::HandOver(account(&buyer))));
    device.commanded(0, &signed(7, configuration(10)));
    let mut device = start(&eeprom);
    assert_eq!(interval_seconds(&device), 60);
    device.commanded(0, &signed(8, configuration(10)));
    assert_eq!(interval_seconds(&device), 60);
    device.commanded(0, &signed_by(&buyer, "devnet", kid(), 7, configuration(20)));
    assert_eq!(interval_seconds(&device), 20);
}

#[test]
fn a_power_cut_at_any_byte_leaves_the_old_or_the_new_configuration_whole_with_its_counter() {
    for slot in [0, 1] {
        // With one command before it the new one goes to the second slot, with two to the first again.
        let before: Vec<_> =
            (5..=6 + slot).map(|counter| signed(counter, configuration(counter as u32))).collect();
        let (newest, earlier) = before.split_last().unwrap();
        let whole = {
            let eeprom = Eeprom::new();
            let mut device = start(&eeprom);
            earlier.iter().for_each(|command| device.commanded(0, command));
            let written = eeprom.bytes_written();
            device.commanded(0, newest);
            eeprom.bytes_written() - written
        };
        assert_eq!(whole, 256);
        let (old, new) = (5 + slot, 6 + slot);
        for byte in 0..=whole {
            let eeprom = Eeprom::new();
            let mut device = start(&eeprom);
            earlier.iter().for_each(|command| device.commanded(0, command));
            eeprom.lose_power_after(byte);
            device.commanded(0, newest);
            eeprom.restore_power();
            let kept = Orders::load(&mut eeprom.clone()).unwrap();
            let expected = if byte == whole { new } else { old };
            assert_eq!(kept.counter(), expected, "cut after byte {byte}");
            let mut device = start(&eeprom);
            assert_eq!(interval_seconds(&device), expected, "cut after byte {byte}");
            // The broker repeats the newest, and then it is in force in any case.
            device.commanded(0, newest);
            assert_eq!(interval_seconds(&device), new, "cut after byte {byte}");
            assert_eq!(interval_seconds(&start(&eeprom)), new, "cut after byte {byte}");
        }
    }
}

#[test]
fn an_eeprom_that_does_not_answer_leaves_the_settings_as_they_were() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom);
    device.commanded(0, &signed(5, configuration(60)));
    eeprom.pull();
    device.commanded(0, &signed(6, configuration(10)));
    assert_eq!(interval_seconds(&device), 60);
    eeprom.restore_power();
    device.commanded(0, &signed(6, configuration(10)));
    assert_eq!(interval_seconds(&device), 10);
}
