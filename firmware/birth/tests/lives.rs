//! One life after another: what is kept is found, what is not kept is not believed, and panics do not wear the EEPROM out.

use birth::limits::{KEEPSAKE_WORDS, PANIC_SOON_SECONDS, PANICS_WITHOUT_REST, REST_SECONDS_MAX};
use birth::{Ending, Keepsake, Told};
use node::{LastWords, Reset};

fn words() -> LastWords {
    LastWords::at("src/main.rs", 123)
}

fn endings() -> [Ending; 4] {
    [Ending::Running, Ending::Starved, Ending::Restarted, Ending::Panicked(words())]
}

#[test]
fn every_ending_is_found_as_it_was_kept() {
    for ending in endings() {
        let keepsake = Keepsake { ending, panics_in_a_row: 7 };
        assert_eq!(Keepsake::decode(&keepsake.encode()), Some(keepsake));
    }
}

#[test]
fn memory_with_any_bit_changed_is_not_believed() {
    let kept = Keepsake { ending: Ending::Panicked(words()), panics_in_a_row: 1 }.encode();
    for bit in 0..KEEPSAKE_WORDS * 32 {
        let mut torn = kept;
        torn[bit / 32] ^= 1 << (bit % 32);
        assert_eq!(Keepsake::decode(&torn), None, "bit {bit}");
    }
    assert_eq!(Keepsake::decode(&[0; KEEPSAKE_WORDS]), None);
    assert_eq!(Keepsake::decode(&[u32::MAX; KEEPSAKE_WORDS]), None);
}

#[test]
fn a_chip_that_says_nothing_is_read_from_what_survived() {
    let reset = |ending: Option<Ending>| {
        let before = ending.map(|ending| Keepsake { ending, panics_in_a_row: 0 });
        Told::Nothing.birth(before, "1.2.3").reset
    };
    assert_eq!(reset(None), Reset::PowerOn);
    assert_eq!(
        endings().map(|ending| reset(Some(ending))),
        [Reset::Button, Reset::Watchdog, Reset::Software, Reset::Panic]
    );
}

#[test]
fn a_chip_that_says_why_is_believed_unless_a_panic_left_its_words() {
    let told = [Told::Power, Told::Pin, Told::Watchdog, Told::Software, Told::Other];
    let expected = [Reset::PowerOn, Reset::Button, Reset::Watchdog, Reset::Software, Reset::Other];
    for ending in [None, Some(Ending::Running), Some(Ending::Restarted)] {
        let before = ending.map(|ending| Keepsake { ending, panics_in_a_row: 0 });
        assert_eq!(told.map(|told| told.birth(before, "1.2.3").reset), expected);
    }
    let before = Keepsake { ending: Ending::Panicked(words()), panics_in_a_row: 1 };
    let birth = Told::Software.birth(Some(before), "1.2.3");
    assert_eq!((birth.reset, birth.last_words), (Reset::Panic, Some(words())));
}

#[test]
fn a_panic_at_every_start_rests_longer_and_longer_but_never_for_good() {
    let mut before = None;
    let mut rests = Vec::new();
    for _ in 0..300 {
        let life = Keepsake::begun(before);
        rests.push(life.rest_seconds());
        before = Keepsake::decode(&life.panicked(words(), 1).encode());
    }
    let first = usize::from(PANICS_WITHOUT_REST);
    assert_eq!(rests[..first + 3], [0, 0, 0, 4, 8, 16]);
    assert!(rests.is_sorted());
    assert_eq!(rests.last(), Some(&REST_SECONDS_MAX));
}

#[test]
fn a_longer_life_or_another_reset_ends_the_row_of_panics() {
    let tired = Keepsake { ending: Ending::Running, panics_in_a_row: 9 };
    assert_eq!(tired.panicked(words(), PANIC_SOON_SECONDS).panics_in_a_row, 1);
    assert_eq!(tired.panicked(words(), PANIC_SOON_SECONDS - 1).panics_in_a_row, 10);
    for ending in [Ending::Running, Ending::Starved, Ending::Restarted] {
        assert_eq!(Keepsake::begun(Some(Keepsake { ending, panics_in_a_row: 9 })).rest_seconds(), 0);
    }
}
