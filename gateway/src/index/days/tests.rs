//! The sums' claims: they are those of the plain way, however they were written, merged, reopened or put twice.

use std::collections::BTreeMap;

use super::*;

fn database(directory: &tempfile::TempDir) -> sled::Db {
    sled::Config::new().path(directory.path()).open().unwrap()
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn key(number: u64) -> [u8; 8] {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

fn row(number: u64, day: u32, paid_microtokens: u64) -> Row<8> {
    (key(number), Day { day, paid_microtokens, records: 3, statements: 1 })
}

type Plain = BTreeMap<(u64, u32), u64>;

/// A key's days within a range, by the plain way.
fn expected(plain: &Plain, number: u64, days: &Range<u32>) -> Vec<(u32, u64)> {
    plain.range((number, days.start)..(number, days.end)).map(|((_, day), paid)| (*day, *paid)).collect()
}

fn found(days: &Days<8>, number: u64, range: &Range<u32>) -> Vec<(u32, u64)> {
    days.of(&key(number), range).unwrap().into_iter().map(|day| (day.day, day.paid_microtokens)).collect()
}

#[test]
fn sums_are_those_of_the_plain_way_in_memory_in_runs_and_across_both() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory);
        let mut days = Days::<8>::open(&database, "test").unwrap();
        let mut plain = Plain::new();
        for height in 0..60 {
            let day = 100 + u32::try_from(height / 7).unwrap();
            let rows: Vec<Row<8>> = (0..dice.below(80))
                .map(|_| row(dice.below(12), day - u32::try_from(dice.below(3)).unwrap(), dice.below(1_000)))
                .collect();
            for (of, day) in &rows {
                let number = (0..12).find(|number| key(*number) == *of).unwrap();
                *plain.entry((number, day.day)).or_default() += day.paid_microtokens;
            }
            days.add(height, rows.clone());
            days.add(height, rows.clone());
            if dice.below(3) == 0 {
                days.write().unwrap();
            }
            if dice.below(9) == 0 {
                // What was not written is lost with the memory, and is put again from the log.
                days.write().unwrap();
                drop(days);
                days = Days::open(&database, "test").unwrap();
                days.add(height, rows);
            }
        }
        for number in 0..13 {
            for range in [0..u32::MAX, 0..103, 101..102, 104..107, 500..600] {
                assert_eq!(
                    found(&days, number, &range),
                    expected(&plain, number, &range),
                    "seed {seed}, key {number}, days {range:?}"
                );
            }
        }
    }
}

#[test]
fn a_day_of_many_settlements_holds_each_key_once() {
    let directory = tempfile::tempdir().unwrap();
    let days = Days::<8>::open(&database(&directory), "test").unwrap();
    for height in 0..50 {
        days.add(height, (0..100).map(|number| row(number, 7, 1)).collect());
        days.write().unwrap();
    }
    let runs = days.held.read().unwrap().runs.clone();
    assert_eq!(runs.iter().map(|run| run.rows).collect::<Vec<_>>(), [100]);
    assert_eq!(found(&days, 42, &(0..u32::MAX)), [(7, 50)]);
    assert_eq!(days.of(&key(42), &(7..8)).unwrap()[0].statements, 50);
}

#[test]
fn runs_of_a_day_are_joined_however_many_keys_there_are() {
    let mut held = Held::<Run, Row<8>>::default();
    let run = |number, rows, day| Run { number, rows, height: number, first_day: day, last_day: day };
    held.fresh = vec![row(1, 8, 1); 10];
    held.runs = vec![run(0, 20, 7), run(1, 15, 8)];
    assert_eq!(absorbed(&held), 2);
    held.runs = vec![run(0, limits::INDEX_RUN_DAYS, 7), run(1, 10, 8)];
    assert_eq!(absorbed(&held), 1, "another day's full run stays");
    held.runs = vec![run(0, 10, 8), run(1, 1_000, 8)];
    assert_eq!(absorbed(&held), 0, "a small run does not rewrite a large one");
}

#[test]
fn a_key_may_fill_many_chunks_and_neighbours_do_not_mix() {
    let directory = tempfile::tempdir().unwrap();
    let days = Days::<8>::open(&database(&directory), "test").unwrap();
    let many = 5 * u32::try_from(limits::INDEX_CHUNK_DAYS).unwrap();
    let near = |last: u8| [1, 1, 1, 1, 1, 1, 1, last];
    let rows = (0..many).flat_map(|day| {
        let of = Day { day, paid_microtokens: 1, records: 1, statements: 1 };
        [(near(1), of), (near(2), of), (near(3), of)]
    });
    days.add(1, rows.collect());
    days.write().unwrap();
    let found = days.of(&near(2), &(0..u32::MAX)).unwrap();
    assert_eq!(found.len(), many as usize);
    assert!(found.iter().zip(0..).all(|(day, at)| day.day == at && day.paid_microtokens == 1));
    assert_eq!(days.of(&near(2), &(1_200..1_202)).unwrap().len(), 2);
    assert!(days.of(&near(4), &(0..u32::MAX)).unwrap().is_empty());
}

#[test]
fn sums_of_everything_stand_under_no_key_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let days = Days::<0>::open(&database(&directory), "test").unwrap();
    days.add(1, vec![([], Day { day: 4, paid_microtokens: 9, records: 2, statements: 1 }); 3]);
    days.write().unwrap();
    assert_eq!(days.of(&[], &(0..5)).unwrap()[0].paid_microtokens, 27);
    assert!(days.of(&[], &(0..4)).unwrap().is_empty());
}

#[test]
fn what_a_crash_left_half_written_is_taken_away_and_counted_by_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(&directory);
    let days = Days::<8>::open(&database, "test").unwrap();
    days.add(4, vec![row(1, 7, 10)]);
    days.write().unwrap();
    days.shelf.put(77, &place_of(&key(1), 7), encode(&[row(1, 7, 99)])).unwrap();
    drop(days);
    let days = Days::<8>::open(&database, "test").unwrap();
    assert_eq!(days.shelf.all(77).count(), 0);
    days.add(4, vec![row(1, 7, 10)]);
    assert_eq!(found(&days, 1, &(0..u32::MAX)), [(7, 10)]);
    days.add(5, vec![row(1, 7, 5)]);
    assert_eq!(found(&days, 1, &(0..u32::MAX)), [(7, 15)]);
}
