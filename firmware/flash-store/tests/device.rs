//! A device whose numbers and records lie in flash: nothing lost, nothing paid twice, and the flash lasts.

mod support;

#[path = "../../node/tests/support/mod.rs"]
mod street;

use std::cell::RefCell;
use std::rc::Rc;

use flash_store::{FlashStore, FlashStoreError};
use node::limits::ACK_GRACE_MILLISECONDS as GRACE;
use node::{Device, Report, Settings, sequence};
use street::{Gateway, MINUTE, Thermometer, identity};
use support::nor::{self, Power};
use support::{flash, open};

#[test]
fn boots_are_counted_in_flash_wherever_the_power_goes() {
    for step in 0..400 {
        let power = Power::on();
        let flash = flash(&power);
        let mut last = 0;
        power.borrow_mut().goes_after(step, (step % 3) as u8);
        for _ in 0..30 {
            if power.borrow().is_off {
                power.borrow_mut().comes_back();
            }
            let boot = open(&flash).map(|mut store| sequence::next_boot(&mut store));
            if let Ok(Ok(boot)) = boot {
                assert!(boot > last, "boot {boot} after {last}, power lost at step {step}");
                last = boot;
            }
        }
        assert!(last >= 29, "step {step}");
    }
}

#[test]
fn power_lost_at_every_write_of_the_flash_loses_no_record_and_pays_none_twice() {
    let lives = |power: &Rc<RefCell<Power>>, lives: usize, cut: Option<usize>| {
        let flash = flash(power);
        let (mut gateway, mut kept) = (Gateway::default(), Vec::new());
        if let Some(step) = cut {
            power.borrow_mut().goes_after(step, (step % 3) as u8);
        }
        for _ in 0..lives {
            if let Ok(store) = open(&flash) {
                street::live(store, street::settings(), 6, &mut gateway, &mut kept);
            }
            if power.borrow().is_off {
                power.borrow_mut().comes_back();
            }
        }
        let missing: Vec<_> = kept.iter().filter(|sequence| !gateway.accepted.contains(sequence)).collect();
        assert!(missing.is_empty(), "power lost at step {cut:?}: {missing:?} never arrived");
        assert!(kept.len() >= 6 * (lives - 1), "power lost at step {cut:?}: only {} were kept", kept.len());
    };
    let power = Power::on();
    lives(&power, 3, None);
    let steps = power.borrow().steps;
    assert!(steps > 700, "{steps}");
    for step in 0..steps {
        lives(&Power::on(), 5, Some(step));
    }
}

/// Three sectors of 128 KiB, as the Nucleo-F429ZI gives it: 64 KiB in pages of 512 bytes, a slot of the outbox each.
type StreetFlash = nor::Nor<131_072, 4>;
type StreetStore = FlashStore<StreetFlash, 3, 512, 128>;

fn open_street(flash: &StreetFlash) -> Result<StreetStore, FlashStoreError> {
    FlashStore::open(flash.clone(), || {})
}

fn street_device(store: StreetStore) -> Device<StreetStore, Thermometer> {
    let settings = Settings {
        sample_interval_milliseconds: MINUTE,
        batch_interval_milliseconds: 5 * MINUTE,
        outbox_slot_bytes: 512,
        ..Settings::default()
    };
    Device::start(identity(), store, Thermometer(2_000), settings, 0).unwrap()
}

const MINUTES_OF_72_HOURS: u64 = 72 * 60;

#[test]
fn five_years_of_a_record_a_minute_are_within_ten_thousand_erasures_of_a_sector() {
    let flash = StreetFlash::of(3, &Power::on()).without_ecc();
    let mut device = street_device(open_street(&flash).unwrap());
    device.session_opened(0);
    let (mut gateway, mut envelope) = (Gateway::default(), [0; 1024]);
    let weeks = 2;
    for minute in 0..weeks * 7 * 24 * 60 {
        let now = GRACE + minute * MINUTE;
        assert!(matches!(device.sample_if_due(now), Some(Report::Kept(_))));
        while let Some(outgoing) = device.next_to_send(now, &mut envelope).unwrap() {
            device.sent(now, &outgoing);
            gateway.take(&envelope[..outgoing.envelope_bytes]);
            device.acknowledged(now, &gateway.ack().unwrap());
        }
    }
    let erasures = *flash.erasures.borrow().iter().max().unwrap();
    let of_five_years = u64::from(erasures) * 5 * 366 / (weeks * 7);
    println!("{erasures} erasures of a sector in {weeks} weeks, {of_five_years} in five years");
    assert!(erasures >= 1 && of_five_years <= 10_000, "{of_five_years}");
}

#[test]
fn three_days_without_a_gateway_fit_and_arrive_after_a_reset() {
    let flash = StreetFlash::of(3, &Power::on()).without_ecc();
    let mut device = street_device(open_street(&flash).unwrap());
    for minute in 0..MINUTES_OF_72_HOURS {
        let kept = device.sample_if_due(minute * MINUTE);
        assert!(matches!(kept, Some(Report::Kept(_))), "minute {minute}");
    }
    drop(device);
    *flash.bytes_read.borrow_mut() = 0;
    let store = open_street(&flash).unwrap();
    println!("opening reads {} bytes of flash", flash.bytes_read.borrow());
    let mut device = street_device(store);
    let (mut gateway, mut envelope) = (Gateway::default(), [0; 1024]);
    device.session_opened(0);
    while let Some(outgoing) = device.next_to_send(GRACE, &mut envelope).unwrap() {
        device.sent(GRACE, &outgoing);
        gateway.take(&envelope[..outgoing.envelope_bytes]);
        device.acknowledged(GRACE, &gateway.ack().unwrap());
    }
    let samples = gateway.records.iter().filter(|(name, _, _)| name.ends_with("temp")).count();
    assert_eq!((samples as u64, device.waiting()), (MINUTES_OF_72_HOURS, 0));
}
