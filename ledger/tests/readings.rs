//! What a reading is refused for, and what an accepted one leaves in the registry.

mod city;

use city::{City, START, account, envelope, key, number, signed, temperature_at, temperatures, verified};
use devices::reading::VerifiedReading;
use devices::refusal::Refusal;
use devices::senml::{Base, Record};
use ledger::limits::ENVELOPES_PER_DEVICE_EPOCH_MAX;
use ledger::transaction::{Outcome, Refused, VerifiedTransaction};

/// The city's beginning in Unix seconds.
const NOW: u32 = (START / 1_000) as u32;

fn refusal(outcome: Result<Outcome, Refused>) -> Option<Refusal> {
    match outcome {
        Ok(_) => None,
        Err(Refused::Reading(refusal)) => Some(refusal),
        Err(Refused::Instruction(why)) => panic!("{why}"),
    }
}

#[test]
fn freshness_is_judged_by_every_record_that_has_a_time() {
    let age = 30 * 86_400;
    let table = [
        ("no base time", None, 0, None),
        ("no base time, whatever the offset", None, -86_400, None),
        ("now", Some(NOW), 0, None),
        ("five minutes ahead", Some(NOW + 300), 0, None),
        ("five minutes and a second ahead", Some(NOW + 301), 0, Some(Refusal::InFuture)),
        ("one record ahead", Some(NOW), 301, Some(Refusal::InFuture)),
        ("one record just not ahead", Some(NOW), 300, None),
        ("thirty days old", Some(NOW - age), 0, None),
        ("thirty days and a second old", Some(NOW - age - 1), 0, Some(Refusal::TooOld)),
        ("one record too old", Some(NOW - age), -1, Some(Refusal::TooOld)),
        ("one record just not too old", Some(NOW - age + 60), -60, None),
        ("the beginning of time", Some(1 << 28), 0, Some(Refusal::TooOld)),
        ("the end of time", Some(u32::MAX), 0, Some(Refusal::InFuture)),
    ];
    for (case, time, offset, expected) in table {
        let mut city = City::with_device();
        let transaction = temperature_at(&key(1), (1, 1), time, offset);
        let admitted = city.state.check(START, &signed(transaction.bytes().to_vec()));
        assert_eq!(admitted.err(), expected, "admission: {case}");
        assert_eq!(refusal(city.one(START, &transaction)), expected, "block: {case}");
    }
}

#[test]
fn a_replayed_reading_pays_nothing() {
    let mut city = City::with_device();
    let reading = temperatures(&key(1), (1, 1), 4);
    city.one(START, &reading).unwrap();
    let due = city.state.preview().statements_of(key(1).kid())[0].due_microtokens;
    assert_eq!(due, 4_000);
    let log_size = city.state.log_size();
    assert_eq!(refusal(city.one(START, &reading)), Some(Refusal::Replayed));
    assert_eq!(city.state.preview().statements_of(key(1).kid())[0].due_microtokens, due);
    assert_eq!(city.state.log_size(), log_size + 1, "only the seal was added");
    assert_eq!(city.blocks.last().unwrap().seal.refused[Refusal::Replayed.index()], 1);
    assert_eq!(city.state.totals().refused[Refusal::Replayed.index()], 1);
}

#[test]
fn a_refused_reading_leaves_nothing_but_its_count() {
    let mut city = City::with_device();
    city.one(START, &temperatures(&key(1), (2, 70), 1)).unwrap();
    let before = city.state.clone();
    let refused = [
        (temperatures(&key(1), (2, 70), 1), Refusal::Replayed),
        (temperatures(&key(1), (2, 6), 1), Refusal::Replayed),
        (temperatures(&key(1), (1, 1_000), 1), Refusal::Replayed),
        (temperatures(&key(9), (1, 1), 1), Refusal::UnknownDevice),
        (temperature_at(&key(1), (2, 71), Some(NOW + 400), 0), Refusal::InFuture),
        (temperature_at(&key(1), (2, 71), Some(NOW - 31 * 86_400), 0), Refusal::TooOld),
    ];
    let mut builder = city.state.begin(START);
    for (transaction, why) in &refused {
        assert_eq!(refusal(builder.execute(transaction)), Some(*why));
    }
    assert_eq!(builder.state(), &before);
}

#[test]
fn a_reading_verified_under_another_key_is_refused() {
    let mut city = City::with_device();
    let reading = signed(temperatures(&key(1), (1, 1), 1).bytes().to_vec());
    // As if the device's key had been another when the reading was verified.
    let under_another = VerifiedReading::from_own_log(reading, &key(2).public_key(), "devnet");
    let outcome = city.one(START, &VerifiedTransaction::Reading(under_another));
    assert_eq!(refusal(outcome), Some(Refusal::Signature));
}

#[test]
fn an_accepted_reading_is_in_the_registry_and_in_the_outcome() {
    let mut city = City::with_device();
    let reading = temperatures(&key(1), (3, 9), 5);
    let outcome = city.one(START + 1_234, &reading).unwrap();
    let Outcome::Reading { index, id, kid, sequence, time_unix_milliseconds, records } = outcome else {
        panic!()
    };
    assert_eq!((index, id, kid), (city.last().first_index, reading.id(), key(1).kid()));
    assert_eq!((sequence.boot, sequence.count, records), (3, 9, 5));
    assert_eq!(time_unix_milliseconds, START + 1_234);
    let device = city.state.device(kid).unwrap();
    assert_eq!(device.window.highest(), Some(sequence));
    assert_eq!((device.accepted_envelopes, device.accepted_records), (1, 5));
    assert_eq!(device.last_accepted_unix_milliseconds, Some(START + 1_234));
    assert_eq!((city.state.totals().envelopes, city.state.totals().records), (1, 5));
    assert_eq!(city.blocks.last().unwrap().entries, [reading.bytes()]);
}

#[test]
fn a_clock_that_steps_back_makes_no_block_older_than_its_parent() {
    let mut city = City::with_device();
    city.one(START + 5_000, &temperatures(&key(1), (1, 1), 1)).unwrap();
    city.one(START + 1_000, &temperatures(&key(1), (1, 2), 1)).unwrap();
    assert_eq!(city.last().time_unix_milliseconds, START + 5_000);
    // Freshness follows the block's time too.
    let reading = temperature_at(&key(1), (1, 3), Some(NOW + 304), 0);
    assert_eq!(city.state.check(START, &signed(reading.bytes().to_vec())), Ok(()));
}

#[test]
fn names_and_units_are_matched_in_full() {
    let mut city = City::with_device();
    let base = Base { version: Some(26), name: Some("pm"), time: None, unit: Some("ug/m3") };
    let named = |name| Record { name: Some(name), ..Record::of(number(9)) };
    // "pm" + "10" and "pm" + "2.5" are in the tariff; "pm" + "1" and "pm10" in another unit are not.
    let other_unit = Record { unit: Some("g"), ..named("10") };
    let records = [named("10"), named("2.5"), named("1"), other_unit, named("10")];
    city.one(START, &verified(&key(1), envelope(&key(1), (1, 1), &base, &records))).unwrap();
    let preview = city.state.preview();
    let [estimate] = preview.statements_of(key(1).kid()) else { panic!("one owner, one statement") };
    let lines: Vec<_> = estimate
        .lines
        .iter()
        .map(|line| (line.quantity.as_str(), line.accepted_records, line.amount_microtokens))
        .collect();
    assert_eq!(lines, [("pm2.5", 1, 2_500), ("pm10", 2, 5_000), ("pm1", 1, 0), ("pm10", 1, 0)]);
    assert_eq!(estimate.due_microtokens, 7_500);
    assert_eq!(city.pending(account(&key(100))), 7_500);
}

#[test]
fn a_device_that_floods_is_over_quota_until_the_next_epoch() {
    let mut city = City::with_device();
    let first = temperatures(&key(1), (1, 1), 1);
    // A hundred thousand signatures would take long, so each is said to be from the node's own log.
    let cti = first.bytes().windows(8).position(|bytes| bytes == [0, 0, 0, 1, 0, 0, 0, 1]).unwrap();
    let numbered = |count: u32| {
        let mut bytes = first.bytes().to_vec();
        bytes[cti + 4..cti + 8].copy_from_slice(&count.to_be_bytes());
        let reading = VerifiedReading::from_own_log(signed(bytes), &key(1).public_key(), "devnet");
        VerifiedTransaction::Reading(reading)
    };
    for from in (0..ENVELOPES_PER_DEVICE_EPOCH_MAX).step_by(5_000) {
        let block: Vec<_> = (from..from + 5_000).map(numbered).collect();
        assert!(city.block(START, &block).into_iter().all(|outcome| outcome.is_ok()));
    }
    let next = temperatures(&key(1), (1, ENVELOPES_PER_DEVICE_EPOCH_MAX), 1);
    assert_eq!(refusal(city.one(START, &next)), Some(Refusal::OverQuota));
    assert_eq!(city.state.check(START, &signed(next.bytes().to_vec())), Err(Refusal::OverQuota));
    let later = START + city::EPOCH;
    assert_eq!(city.state.check(later, &signed(next.bytes().to_vec())), Ok(()));
    assert_eq!(refusal(city.one(later, &next)), None);
}
