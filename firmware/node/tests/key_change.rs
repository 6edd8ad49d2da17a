//! Another key over the air: when it is offered, when it is used, and that no reading is paid under both.

mod support;

use std::collections::BTreeMap;

use devices::command::{Command, Order};
use devices::limits::{COMMAND_BYTES_MAX, KEY_OFFER_BYTES_MAX};
use devices::{
    Ack, DeviceId, IdentityPage, KeyOffer, Possession, PublicKey, Sequence, SignedReading, SigningKey,
};
use node::limits::{
    ACK_GRACE_MILLISECONDS, GENERATION_OFFSET, GENERATION_SLOT_BYTES, KEY_CHANGE_MILLISECONDS_MAX,
};
use node::{Device, Identity, generation};
use support::{Eeprom, INTERVAL, TestDevice, Thermometer, send_all, settings};

fn owner() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn account() -> [u8; 32] {
    *owner().public_key().thumbprint().as_bytes()
}

fn page() -> IdentityPage {
    let page = IdentityPage::new("devnet", [7; 32], None).unwrap();
    page.with_owner(account()).with_rotation_root([9; 32])
}

fn key_of(generation: u32) -> SigningKey {
    page().signing_key_of(generation).unwrap()
}

fn start(eeprom: &Eeprom, first_value: u32) -> TestDevice {
    let identity = Identity::new(page());
    Device::start(identity, eeprom.clone(), Thermometer(first_value), settings(), 0).unwrap()
}

fn command(device: DeviceId, counter: u64, order: Order<'_>) -> Vec<u8> {
    let mut out = [0; COMMAND_BYTES_MAX];
    let length = Command { device, counter, order }.sign(&owner(), "devnet", &mut out).unwrap();
    out[..length].to_vec()
}

fn offered(device: &mut TestDevice, now: u64) -> Option<Vec<u8>> {
    let mut out = [0; KEY_OFFER_BYTES_MAX];
    let length = device.key_to_offer(now, &mut out).unwrap()?;
    device.key_offered();
    Some(out[..length].to_vec())
}

/// A ledger's registry after `rotate_key`: the new key begins with an empty window, the old one is taken no more. What it
/// counts is how often each measured value was paid.
#[derive(Default)]
struct Ledger {
    windows: BTreeMap<[u8; 32], Vec<Sequence>>,
    retired: Vec<PublicKey>,
    paid: BTreeMap<String, u32>,
}

impl Ledger {
    fn take(&mut self, key: &PublicKey, envelope: &[u8]) {
        let verified = SignedReading::decode(envelope).unwrap().verify(key, "devnet").map_err(|(why, _)| why);
        let verified = verified.expect("an envelope is signed by the device's present key");
        let window = self.windows.entry(*key.as_bytes()).or_default();
        if self.retired.contains(key) || window.contains(&verified.sequence()) {
            return;
        }
        window.push(verified.sequence());
        for record in verified.pack().resolved().filter(|record| record.name == "temp") {
            *self.paid.entry(record.value.to_string()).or_default() += 1;
        }
    }

    fn ack(&self, key: &PublicKey) -> Option<Ack> {
        let highest = *self.windows.get(key.as_bytes())?.iter().max()?;
        let all_below = u64::MAX;
        Some(Ack { highest, window: all_below, log_size: 1 })
    }

    fn assert_nothing_is_paid_twice(&self) {
        assert!(self.paid.values().all(|times| *times == 1), "{:?}", self.paid);
    }
}

#[test]
fn the_next_key_is_offered_once_everything_sent_is_settled_and_proves_itself() {
    let mut device = start(&Eeprom::new(), 2_000);
    device.sample_if_due(0);
    device.session_opened(0);
    assert_eq!(send_all(&mut device, ACK_GRACE_MILLISECONDS).len(), 1);
    device.commanded(0, &command(key_of(0).kid(), 5, Order::RotateKey(1)));
    assert_eq!(offered(&mut device, 0), None, "something may be accepted under the old key still");
    let settled = Ack { highest: Sequence { boot: 1, count: 0 }, window: 1, log_size: 1 };
    device.acknowledged(0, &settled);
    let offer = offered(&mut device, 0).unwrap();
    let offer = KeyOffer::verify(&offer, &key_of(0).public_key(), "devnet").unwrap();
    assert_eq!((offer.counter, offer.generation, offer.public_key), (5, 1, key_of(1).public_key()));
    let rotation = Possession::Rotation { replaced: key_of(0).kid(), account: account() };
    assert!(rotation.holds(&offer.public_key, "devnet", &offer.proof), "the ledger takes it");
    assert_eq!(offered(&mut device, 0), None, "once in a session");
    device.session_opened(1);
    assert!(offered(&mut device, 1).is_some(), "and again in the next, for the broker may have lost it");
}

#[test]
fn a_key_in_use_signs_from_then_on_and_after_every_reset() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom, 2_000);
    device.commanded(0, &command(key_of(0).kid(), 5, Order::RotateKey(1)));
    assert!(offered(&mut device, 0).is_some());
    device.commanded(0, &command(key_of(0).kid(), 6, Order::UseKey(1)));
    assert_eq!(device.identity().kid(), key_of(1).kid());
    device.sample_if_due(0);
    device.session_opened(0);
    let sent = send_all(&mut device, ACK_GRACE_MILLISECONDS);
    assert!(SignedReading::decode(&sent[0].1[..]).unwrap().verify(&key_of(1).public_key(), "devnet").is_ok());
    let mut device = start(&eeprom, 3_000);
    assert_eq!(device.identity().kid(), key_of(1).kid());
    // There is no way back, and the next change begins at the new key.
    device.commanded(0, &command(key_of(1).kid(), 7, Order::UseKey(1)));
    device.commanded(0, &command(key_of(0).kid(), 8, Order::UseKey(2)));
    assert_eq!(device.identity().kid(), key_of(1).kid());
    device.commanded(0, &command(key_of(1).kid(), 9, Order::UseKey(2)));
    assert_eq!(device.identity().kid(), key_of(2).kid());
}

#[test]
fn what_is_read_while_the_key_changes_is_paid_once_under_the_new_one_and_nothing_is_lost() {
    let (eeprom, mut ledger) = (Eeprom::new(), Ledger::default());
    let (old, new) = (key_of(0).public_key(), key_of(1).public_key());
    let mut device = start(&eeprom, 0);
    device.session_opened(0);
    device.commanded(0, &command(old.kid(), 5, Order::RotateKey(1)));
    let mut is_offered = false;
    for second in 0..20 {
        let now = 10_000 + second * INTERVAL;
        device.sample_if_due(now);
        for (_, envelope) in send_all(&mut device, now) {
            ledger.take(&old, &envelope);
        }
        // The first acknowledgements are lost.
        if let Some(ack) = ledger.ack(&old).filter(|_| second >= 5) {
            device.acknowledged(now, &ack);
        }
        is_offered |= offered(&mut device, now).is_some();
        assert!(second < 5 || is_offered, "it is offered at the first acknowledgement");
    }
    let paid_before = ledger.paid.len();
    ledger.retired.push(old);
    device.commanded(30_000, &command(old.kid(), 6, Order::UseKey(1)));
    device.session_opened(30_000);
    for (_, envelope) in send_all(&mut device, 30_000 + ACK_GRACE_MILLISECONDS) {
        ledger.take(&new, &envelope);
    }
    ledger.assert_nothing_is_paid_twice();
    assert!(
        paid_before < 20 && ledger.paid.len() == 20,
        "{paid_before} before, {} in all",
        ledger.paid.len()
    );
}

#[test]
fn a_key_used_unprepared_pays_nothing_twice_whatever_was_lost_before() {
    // A reset, the deadline, or no offer at all comes between the question and the use.
    for (name, unprepared) in [("a reset", 0), ("too late", 1), ("never asked", 2)] {
        let (eeprom, mut ledger) = (Eeprom::new(), Ledger::default());
        let (old, new) = (key_of(0).public_key(), key_of(1).public_key());
        let mut device = start(&eeprom, 0);
        device.session_opened(0);
        for second in 0..10 {
            let now = 10_000 + second * INTERVAL;
            device.sample_if_due(now);
            for (_, envelope) in send_all(&mut device, now) {
                // All are accepted, and not one acknowledgement arrives.
                ledger.take(&old, &envelope);
            }
        }
        let mut now = 30_000;
        if unprepared == 0 {
            device = start(&eeprom, 100);
            device.session_opened(0);
            // Of ten it sends few again before the command comes.
            let mut envelope = [0; 1024];
            let outgoing = device.next_to_send(ACK_GRACE_MILLISECONDS, &mut envelope).unwrap().unwrap();
            device.sent(ACK_GRACE_MILLISECONDS, &outgoing);
            now = ACK_GRACE_MILLISECONDS;
        }
        if unprepared == 1 {
            device.commanded(now, &command(old.kid(), 5, Order::RotateKey(1)));
            now += KEY_CHANGE_MILLISECONDS_MAX;
        }
        ledger.retired.push(old);
        device.commanded(now, &command(old.kid(), 6, Order::UseKey(1)));
        assert_eq!(device.identity().kid(), new.kid(), "{name}");
        device.sample_if_due(now + INTERVAL);
        device.session_opened(now + INTERVAL);
        for (_, envelope) in send_all(&mut device, now + INTERVAL + ACK_GRACE_MILLISECONDS) {
            ledger.take(&new, &envelope);
        }
        ledger.assert_nothing_is_paid_twice();
        assert!(ledger.windows.contains_key(new.as_bytes()), "{name}: it goes on under the new key");
    }
}

#[test]
fn a_device_that_is_never_told_to_use_the_key_goes_on_with_the_old_one() {
    let mut device = start(&Eeprom::new(), 0);
    device.session_opened(0);
    device.commanded(0, &command(key_of(0).kid(), 5, Order::RotateKey(1)));
    assert!(offered(&mut device, 0).is_some());
    device.sample_if_due(10_000);
    assert!(send_all(&mut device, 10_000).is_empty(), "nothing is sent under a key that is about to go");
    assert!(device.wake_at_milliseconds() <= KEY_CHANGE_MILLISECONDS_MAX);
    let sent = send_all(&mut device, KEY_CHANGE_MILLISECONDS_MAX);
    assert!(SignedReading::decode(&sent[0].1[..]).unwrap().verify(&key_of(0).public_key(), "devnet").is_ok());
}

#[test]
fn a_power_cut_at_any_byte_of_the_change_leaves_one_key_and_the_command_can_be_repeated() {
    let prepared = || {
        let eeprom = Eeprom::new();
        let mut device = start(&eeprom, 0);
        device.commanded(0, &command(key_of(0).kid(), 5, Order::RotateKey(1)));
        assert!(offered(&mut device, 0).is_some());
        (eeprom, device)
    };
    let whole = {
        let (eeprom, mut device) = prepared();
        let before = eeprom.bytes_written();
        device.commanded(0, &command(key_of(0).kid(), 6, Order::UseKey(1)));
        eeprom.bytes_written() - before
    };
    assert_eq!(whole, 8 + 256);
    for byte in 0..=whole {
        let (eeprom, mut device) = prepared();
        eeprom.lose_power_after(byte);
        device.commanded(0, &command(key_of(0).kid(), 6, Order::UseKey(1)));
        eeprom.restore_power();
        let present = generation::present(&mut eeprom.clone()).unwrap();
        assert_eq!(present, u32::from(byte >= 8), "cut after byte {byte}");
        let mut device = start(&eeprom, 0);
        assert_eq!(device.identity().kid(), key_of(present).kid());
        device.commanded(0, &command(key_of(0).kid(), 6, Order::UseKey(1)));
        assert_eq!(device.identity().kid(), key_of(1).kid(), "cut after byte {byte}");
    }
}

#[test]
fn a_generation_that_cannot_be_read_publishes_nothing() {
    let eeprom = Eeprom::new();
    let mut bytes = eeprom.copy();
    for slot in 0..2 {
        let offset = GENERATION_OFFSET + slot * GENERATION_SLOT_BYTES;
        bytes[offset as usize..][..8].copy_from_slice(&[1; 8]);
    }
    eeprom.fill(&bytes);
    let refused = Device::start(Identity::new(page()), eeprom, Thermometer(0), settings(), 0);
    assert_eq!(refused.err().unwrap().to_string(), "both slots of the key's generation are damaged");
}

#[test]
fn a_later_key_without_its_root_publishes_nothing() {
    let eeprom = Eeprom::new();
    generation::advance(&mut eeprom.clone(), 1).unwrap();
    let reflashed = IdentityPage::new("devnet", [7; 32], None).unwrap();
    let refused = Device::start(Identity::new(reflashed), eeprom, Thermometer(0), settings(), 0);
    assert!(refused.err().unwrap().to_string().contains("the identity page knows no later one"));
}
