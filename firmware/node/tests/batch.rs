//! Records are collected before they are signed: by interval, by need, and as many as there is room for while nobody
//! listens. Whatever happens, each arrives once, in order, with the time at which it was taken.

mod support;

use devices::{Ack, Decimal, SignedReading};
use node::clock::Verdict;
use node::limits::{ACK_GRACE_MILLISECONDS as GRACE, OUTBOX_OFFSET};
use node::{Report, Settings, Threshold};
use support::{Eeprom, Gateway, MINUTE, deliver, send_all, start_collecting};

/// Noon of some day.
const NOON: u32 = 1_900_000_000;

/// Samples `count` times as they are due; returns the time of the last.
fn sample(device: &mut support::TestDevice, count: u64) -> u64 {
    let mut now = 0;
    for _ in 0..count {
        now = device.sample_at_milliseconds();
        assert!(matches!(device.sample_if_due(now), Some(Report::Kept(_))), "{:?}", device.counters());
    }
    now
}

fn values(gateway: &Gateway) -> Vec<String> {
    gateway.records.iter().map(|(_, value, _)| value.clone()).collect()
}

/// What the thermometer shows from its first look on.
fn shown(first: u32, count: u32) -> Vec<String> {
    (1..=count).map(|step| Decimal::new((first + step).into(), -2).unwrap().to_string()).collect()
}

#[test]
fn samples_of_five_minutes_are_signed_once() {
    let mut device = start_collecting(&Eeprom::new(), 2_000);
    device.session_opened(0);
    for _ in 0..5 {
        let now = sample(&mut device, 1);
        assert_eq!(send_all(&mut device, now.max(GRACE)), []);
    }
    assert_eq!(device.wake_at_milliseconds(), 5 * MINUTE);
    let mut gateway = Gateway::default();
    let sent = send_all(&mut device, 5 * MINUTE);
    assert_eq!(sent.len(), 1);
    gateway.take(&sent[0].1);
    assert_eq!(values(&gateway), shown(2_000, 5));
    let reading = SignedReading::decode(&sent[0].1[..]).unwrap();
    assert_eq!(reading.pack().base().name, Some("temp"), "five records of one name say it once");
}

#[test]
fn seventy_two_hours_at_a_record_a_minute_are_kept_and_arrive_in_order_with_their_times() {
    let eeprom = Eeprom::new();
    let mut device = start_collecting(&eeprom, 2_000);
    device.set_clock(0, NOON);
    let records = 72 * 60;
    let now = sample(&mut device, records);
    assert_eq!(device.counters().lost, 0);
    let mut gateway = Gateway::default();
    device.session_opened(now);
    deliver(&mut device, &mut gateway, now + 5 * MINUTE);
    assert_eq!(values(&gateway), shown(2_000, records as u32));
    let times: Vec<_> = gateway.records.iter().map(|(_, _, time)| time.unwrap()).collect();
    let taken: Vec<_> = (0..records as i64).map(|minute| i64::from(NOON) + 60 * minute).collect();
    assert_eq!(times, taken);
    assert_eq!(device.waiting(), 0);
}

#[test]
fn a_full_outbox_of_collected_samples_keeps_the_old_and_tells_how_many_are_lost() {
    let mut device = start_collecting(&Eeprom::of(OUTBOX_OFFSET as usize + 2 * 512), 2_000);
    let mut kept = 0;
    for _ in 0..200 {
        let now = device.sample_at_milliseconds();
        kept += u32::from(matches!(device.sample_if_due(now), Some(Report::Kept(_))));
    }
    assert_eq!(device.counters().lost, 200 - kept);
    assert!(kept >= 80, "two slots keep {kept} records");
    let mut gateway = Gateway::default();
    device.session_opened(0);
    deliver(&mut device, &mut gateway, 300 * MINUTE);
    assert_eq!(values(&gateway), shown(2_000, kept));
}

#[test]
fn a_crossed_threshold_is_sent_at_once_and_so_is_the_way_back() {
    let mut device = start_collecting(&Eeprom::new(), 2_000);
    let mut settings = *device.settings();
    // The thermometer shows 20.01, 20.02, 20.03 …
    let hot = Threshold::new("temp", None, Some("20.025".parse().unwrap()));
    let steam = Threshold::new("temp", Some("20.045".parse().unwrap()), None);
    (settings.thresholds[0], settings.thresholds[7]) = (hot, steam);
    device.configure(0, settings);
    device.session_opened(0);
    let mut envelopes = Vec::new();
    for _ in 0..6 {
        let now = sample(&mut device, 1);
        for (sequence, envelope) in send_all(&mut device, now + GRACE) {
            device.acknowledged(now + GRACE, &Ack { highest: sequence, window: u64::MAX, log_size: 1 });
            let reading = SignedReading::decode(&envelope[..]).unwrap();
            let last = reading.pack().resolved().last().unwrap().value.to_string();
            envelopes.push((now / MINUTE, reading.record_count(), last));
        }
    }
    // 20.01 is under the second bound already; 20.03 is over the first; 20.05 is back over the second.
    let expected = [(0, 1, "20.01"), (2, 2, "20.03"), (4, 2, "20.05")];
    assert_eq!(envelopes, expected.map(|(minute, count, last)| (minute, count, last.to_owned())));
}

#[test]
fn an_urgent_sample_of_an_outage_is_sent_when_the_session_opens() {
    let mut device = start_collecting(&Eeprom::new(), 2_000);
    let mut settings: Settings = *device.settings();
    settings.thresholds[0] = Threshold::new("temp", None, Some(20u32.into()));
    device.configure(0, settings);
    sample(&mut device, 2);
    assert_eq!(send_all(&mut device, MINUTE + GRACE), []);
    device.session_opened(MINUTE);
    assert_eq!(send_all(&mut device, MINUTE + GRACE).len(), 1);
}

#[test]
fn a_reset_closes_what_was_being_collected_and_the_same_bytes_are_sent_again_and_again() {
    let eeprom = Eeprom::new();
    let mut device = start_collecting(&eeprom, 2_000);
    device.set_clock(0, NOON);
    sample(&mut device, 3);
    let mut first = Vec::new();
    for life in 0..3 {
        let mut device = start_collecting(&eeprom, 3_000);
        device.session_opened(0);
        let sent = send_all(&mut device, GRACE + 1_000 * life);
        assert_eq!(sent.len(), 1, "nothing of this boot before the old one is settled");
        if life == 0 {
            first = sent;
        } else {
            assert_eq!(sent, first);
        }
    }
    let mut gateway = Gateway::default();
    gateway.take(&first[0].1);
    assert_eq!(values(&gateway), shown(2_000, 3));
}

#[test]
fn what_was_measured_before_the_first_answer_of_a_time_server_gets_its_time() {
    let mut device = start_collecting(&Eeprom::new(), 2_000);
    sample(&mut device, 3);
    assert_eq!(device.time_answered(10 * MINUTE, NOON), Verdict::Set);
    let mut gateway = Gateway::default();
    device.session_opened(10 * MINUTE);
    deliver(&mut device, &mut gateway, 11 * MINUTE);
    let times: Vec<_> = gateway.records.iter().map(|(_, _, time)| time.unwrap()).collect();
    assert_eq!(times, [600, 540, 480].map(|ago| i64::from(NOON) - ago));
}

#[test]
fn what_a_boot_left_unsent_gets_its_time_after_a_reset_too() {
    let eeprom = Eeprom::new();
    let mut device = start_collecting(&eeprom, 2_000);
    sample(&mut device, 2);
    device.time_answered(2 * MINUTE, NOON);
    drop(device);
    // The next boot learns another time, which is not that of the last one.
    let mut device = start_collecting(&eeprom, 3_000);
    device.time_answered(0, NOON + 7_000);
    let mut gateway = Gateway::default();
    device.session_opened(0);
    deliver(&mut device, &mut gateway, MINUTE);
    let times: Vec<_> = gateway.records.iter().map(|(_, _, time)| time.unwrap()).collect();
    assert_eq!(times, [120, 60].map(|ago| i64::from(NOON) - ago));
}

#[test]
fn without_any_time_server_times_are_relative_to_the_arrival() {
    let eeprom = Eeprom::new();
    let offsets = |envelope: &[u8]| -> Vec<i32> {
        let reading = SignedReading::decode(envelope).unwrap();
        assert_eq!(reading.pack().base().time, None);
        reading.pack().resolved().map(|record| record.time_offset_seconds).collect()
    };
    let mut device = start_collecting(&eeprom, 2_000);
    sample(&mut device, 3);
    device.session_opened(0);
    // Sent six minutes after the first.
    let sent = send_all(&mut device, 6 * MINUTE);
    assert_eq!(offsets(&sent[0].1), [-360, -300, -240]);
    drop(device);
    // A boot that ended before anything was sent: only the distances are known.
    let eeprom = Eeprom::new();
    sample(&mut start_collecting(&eeprom, 2_000), 3);
    let mut device = start_collecting(&eeprom, 3_000);
    device.session_opened(0);
    assert_eq!(offsets(&send_all(&mut device, GRACE)[0].1), [-120, -60, 0]);
}

#[test]
fn a_wrong_time_that_one_answer_tells_stamps_nothing() {
    let mut device = start_collecting(&Eeprom::new(), 2_000);
    device.time_answered(0, NOON);
    sample(&mut device, 2);
    assert_eq!(device.time_answered(2 * MINUTE, NOON + 86_400), Verdict::Doubted);
    let mut gateway = Gateway::default();
    device.session_opened(2 * MINUTE);
    deliver(&mut device, &mut gateway, 6 * MINUTE);
    let times: Vec<_> = gateway.records.iter().map(|(_, _, time)| time.unwrap()).collect();
    assert_eq!(times, [0, 60].map(|since| i64::from(NOON) + since));
}

/// One life: 30 samples, delivered now and then, until the power goes. Returns how often it was told that a sample is
/// kept.
fn live(eeprom: &Eeprom, gateway: &mut Gateway, first_value: u32) -> u32 {
    let settings = Settings {
        sample_interval_milliseconds: MINUTE,
        batch_interval_milliseconds: 3 * MINUTE,
        outbox_slot_bytes: 128,
        ..Settings::default()
    };
    let sensor = support::Thermometer(first_value);
    let Ok(mut device) = node::Device::start(support::identity(), eeprom.clone(), sensor, settings, 0) else {
        return 0;
    };
    let mut envelope = [0; 1024];
    let mut kept = 0;
    for round in 0..30 {
        let now = round * MINUTE;
        match round {
            5 => drop(device.time_answered(now, NOON)),
            10 | 20 => device.session_opened(now),
            15 => device.session_closed(),
            _ => {}
        }
        if let Some(Report::Kept(_)) = device.sample_if_due(now) {
            kept += 1;
        }
        while let Ok(Some(outgoing)) = device.next_to_send(now, &mut envelope) {
            device.sent(now, &outgoing);
            gateway.take(&envelope[..outgoing.envelope_bytes]);
        }
        if let Some(ack) = gateway.ack().filter(|_| round % 3 == 2) {
            device.acknowledged(now, &ack);
        }
    }
    kept
}

#[test]
fn power_lost_at_every_byte_written_loses_no_kept_sample_repeats_none_and_keeps_the_order() {
    let eeprom = Eeprom::of(OUTBOX_OFFSET as usize + 12 * 128);
    live(&eeprom, &mut Gateway::default(), 2_000);
    let bytes = eeprom.bytes_written();
    assert!(bytes > 500, "a life writes {bytes} bytes");
    for byte in 0..bytes {
        let eeprom = Eeprom::of(OUTBOX_OFFSET as usize + 12 * 128);
        let mut gateway = Gateway::default();
        eeprom.lose_power_after(byte);
        let kept = live(&eeprom, &mut gateway, 2_000);
        eeprom.restore_power();
        for life in 1..4 {
            live(&eeprom, &mut gateway, 2_000 + 100 * life);
        }
        let arrived = values(&gateway);
        let of_first: Vec<_> = arrived.iter().filter(|value| value.starts_with("20.")).cloned().collect();
        let shown = shown(2_000, 30);
        assert!(
            of_first.len() as u32 >= kept,
            "power lost at byte {byte}: {kept} kept, {of_first:?} arrived"
        );
        assert_eq!(of_first, shown[..of_first.len()], "power lost at byte {byte}");
        for pair in gateway.accepted.iter().zip(gateway.accepted.iter().skip(1)) {
            assert!(pair.0 < pair.1);
        }
        let own = arrived.len() - of_first.len();
        assert!(own >= 60, "later lives are delivered: {own} records");
    }
}
