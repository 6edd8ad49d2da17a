//! The outbox loses nothing and repeats nothing but the same bytes, across outages, resets and power cuts.

mod support;

use devices::{Ack, Refusal, RefusedNotice, Sequence};
use node::Report;
use node::limits::{
    ACK_GRACE_MILLISECONDS as GRACE, OUTBOX_OFFSET, OUTBOX_SLOT_BYTES, RETRY_MILLISECONDS_MAX,
    RETRY_MILLISECONDS_MIN,
};
use support::{Eeprom, Gateway, send_all, start};

/// Samples `count` times, from `from` milliseconds on; returns when the next is due.
fn sample(device: &mut support::TestDevice, count: u64) -> u64 {
    for _ in 0..count {
        let due = device.sample_at_milliseconds();
        device.sample_if_due(due);
    }
    device.sample_at_milliseconds()
}

#[test]
fn what_was_kept_before_a_reset_is_sent_after_it_as_the_same_bytes() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom);
    sample(&mut device, 5);
    device.session_opened(0);
    let before = send_all(&mut device, GRACE);
    assert_eq!(before.len(), 5);
    drop(device);

    let mut device = start(&eeprom);
    assert_eq!(device.waiting(), 5);
    device.session_opened(0);
    assert_eq!(send_all(&mut device, GRACE), before);
}

#[test]
fn nothing_of_a_new_boot_is_sent_before_the_old_one_is_settled() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom);
    sample(&mut device, 3);
    let mut device = start(&eeprom);
    sample(&mut device, 2);
    device.session_opened(0);
    let sent = send_all(&mut device, GRACE);
    assert!(sent.iter().all(|(sequence, _)| sequence.boot == 1), "{sent:?}");

    let highest = Sequence { boot: 1, count: 2 };
    device.acknowledged(GRACE, &Ack { highest, window: 0b101, log_size: 1 });
    assert_eq!(send_all(&mut device, GRACE), [], "count 1 of boot 1 is still open");
    device.acknowledged(GRACE, &Ack { highest, window: 0b111, log_size: 2 });
    let sent: Vec<Sequence> =
        send_all(&mut device, GRACE).into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(sent, [Sequence { boot: 2, count: 0 }, Sequence { boot: 2, count: 1 }]);
}

#[test]
fn no_count_in_flight_is_64_above_the_oldest_unsettled() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom);
    sample(&mut device, 100);
    device.session_opened(0);
    let sent = send_all(&mut device, GRACE);
    assert_eq!(sent.last().unwrap().0.count, 63);
    assert_eq!(sent.len(), 64);

    // All but the oldest settled: still nothing further up.
    let highest = Sequence { boot: 1, count: 63 };
    device.acknowledged(GRACE, &Ack { highest, window: u64::MAX >> 1, log_size: 1 });
    assert_eq!(send_all(&mut device, GRACE), []);
    device.acknowledged(GRACE, &Ack { highest, window: u64::MAX, log_size: 2 });
    assert_eq!(send_all(&mut device, GRACE).len(), 36);
}

#[test]
fn the_retained_acknowledgement_settles_before_anything_is_sent_again() {
    let eeprom = Eeprom::new();
    let mut gateway = Gateway::default();
    let mut device = start(&eeprom);
    sample(&mut device, 4);
    device.session_opened(0);
    for (_, envelope) in send_all(&mut device, GRACE) {
        gateway.take(&envelope);
    }
    // The board resets before the acknowledgement comes.
    let mut device = start(&eeprom);
    device.session_opened(0);
    assert_eq!(send_all(&mut device, 0), []);
    device.acknowledged(1, &gateway.ack().unwrap());
    assert_eq!(device.waiting(), 0);
    assert_eq!(send_all(&mut device, 1), []);
}

#[test]
fn a_full_outbox_keeps_the_old_and_refuses_the_new() {
    let eeprom = Eeprom::of(OUTBOX_OFFSET as usize + 4 * OUTBOX_SLOT_BYTES as usize);
    let mut device = start(&eeprom);
    sample(&mut device, 4);
    let due = device.sample_at_milliseconds();
    assert_eq!(device.sample_if_due(due), Some(Report::Lost));
    assert_eq!((device.waiting(), device.counters().lost), (4, 1));
    device.session_opened(due);
    let sent = send_all(&mut device, due + GRACE);
    let counts: Vec<u32> = sent.iter().map(|(sequence, _)| sequence.count).collect();
    assert_eq!(counts, [0, 1, 2, 3], "the lost one has used up no number");
}

#[test]
fn silence_is_answered_by_the_same_bytes_with_growing_patience() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom);
    device.sample_if_due(0);
    device.session_opened(0);
    let first = send_all(&mut device, GRACE);
    assert_eq!(first.len(), 1);
    let mut patience = RETRY_MILLISECONDS_MIN;
    let mut now = GRACE;
    for _ in 0..8 {
        assert_eq!(send_all(&mut device, now + patience - 1), []);
        now += patience;
        assert_eq!(send_all(&mut device, now), first);
        patience = (patience * 2).min(RETRY_MILLISECONDS_MAX);
    }
}

#[test]
fn an_acknowledgement_of_numbers_never_given_settles_nothing() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom);
    sample(&mut device, 2);
    for highest in [Sequence { boot: 9, count: 0 }, Sequence { boot: 1, count: 2 }] {
        device.acknowledged(0, &Ack { highest, window: u64::MAX, log_size: 9 });
        assert_eq!(device.waiting(), 2);
    }
}

#[test]
fn a_refusal_lets_nothing_go_and_only_the_oldest_is_tried_until_it_is_settled() {
    let eeprom = Eeprom::new();
    let mut device = start(&eeprom);
    sample(&mut device, 3);
    device.session_opened(0);
    let sent = send_all(&mut device, GRACE);
    assert_eq!(sent.len(), 3);
    device.refused(&RefusedNotice { sequence: sent[0].0, reason: Refusal::UnknownDevice });
    assert_eq!(device.waiting(), 3);
    let tried = send_all(&mut device, GRACE + RETRY_MILLISECONDS_MIN);
    assert_eq!(tried, sent[..1]);
    // Enrolled meanwhile.
    let now = GRACE + RETRY_MILLISECONDS_MIN + 5;
    device.acknowledged(now, &Ack { highest: sent[0].0, window: 1, log_size: 1 });
    assert_eq!(send_all(&mut device, now), sent[1..]);
}

#[test]
fn packets_that_the_client_repeats_are_paid_once() {
    let eeprom = Eeprom::new();
    let mut gateway = Gateway::default();
    let mut device = start(&eeprom);
    sample(&mut device, 3);
    device.session_opened(0);
    for (_, envelope) in send_all(&mut device, GRACE) {
        assert!(gateway.take(&envelope));
        assert!(!gateway.take(&envelope), "MQTT delivers at least once");
    }
    device.acknowledged(GRACE, &gateway.ack().unwrap());
    assert_eq!((device.waiting(), gateway.accepted.len(), gateway.replayed), (0, 3, 3));
}

/// One life of a device: 12 samples.
fn live(eeprom: &Eeprom, gateway: &mut Gateway, kept: &mut Vec<Sequence>) {
    support::live(eeprom.clone(), support::settings(), 12, gateway, kept);
}

#[test]
fn power_lost_at_every_byte_written_loses_nothing_that_was_kept_and_pays_nothing_twice() {
    let eeprom = Eeprom::new();
    live(&eeprom, &mut Gateway::default(), &mut Vec::new());
    let bytes = eeprom.bytes_written();
    assert!(bytes > 400, "a life writes {bytes} bytes");
    for byte in 0..bytes {
        let eeprom = Eeprom::new();
        let (mut gateway, mut kept) = (Gateway::default(), Vec::new());
        eeprom.lose_power_after(byte);
        live(&eeprom, &mut gateway, &mut kept);
        eeprom.restore_power();
        live(&eeprom, &mut gateway, &mut kept);
        live(&eeprom, &mut gateway, &mut kept);
        assert!(kept.len() >= 24);
        let missing: Vec<_> = kept.iter().filter(|sequence| !gateway.accepted.contains(sequence)).collect();
        assert!(missing.is_empty(), "power lost at byte {byte}: {missing:?} never arrived");
    }
}

#[test]
fn the_ring_goes_round_many_times_and_wears_its_slots_alike() {
    let eeprom = Eeprom::of(OUTBOX_OFFSET as usize + 5 * OUTBOX_SLOT_BYTES as usize);
    let mut gateway = Gateway::default();
    let mut kept = Vec::new();
    for _ in 0..20 {
        live(&eeprom, &mut gateway, &mut kept);
    }
    assert!(kept.iter().all(|sequence| gateway.accepted.contains(sequence)));
    assert_eq!(kept.len(), 240);
}
