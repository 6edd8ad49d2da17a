//! The boot counter never repeats a number, wherever the power goes.

mod support;

use node::limits::{SEQUENCE_OFFSET, SEQUENCE_SLOT_BYTES};
use node::sequence::{SequenceError, next_boot, preset};
use support::{Eeprom, PowerLoss};

#[test]
fn every_boot_gets_the_next_number() {
    let mut eeprom = Eeprom::new();
    let boots: Vec<u32> = (0..5).map(|_| next_boot(&mut eeprom).unwrap()).collect();
    assert_eq!(boots, [1, 2, 3, 4, 5]);
}

#[test]
fn an_eeprom_of_zeros_is_as_blank_as_one_of_ones() {
    let mut eeprom = Eeprom::new();
    eeprom.fill(&[0; support::EEPROM_BYTES]);
    assert_eq!(next_boot(&mut eeprom), Ok(1));
}

#[test]
fn power_lost_at_any_byte_of_any_write_never_repeats_a_number() {
    for boots_before in 0..4 {
        for byte in 0..8 {
            let mut eeprom = Eeprom::new();
            let mut last = 0;
            for _ in 0..boots_before {
                last = next_boot(&mut eeprom).unwrap();
            }
            eeprom.lose_power_after(byte);
            assert_eq!(next_boot(&mut eeprom), Err(SequenceError::Storage(PowerLoss)));
            eeprom.restore_power();
            for _ in 0..3 {
                let boot = next_boot(&mut eeprom).unwrap();
                assert!(boot > last, "boot {boot} after {last}, power lost at byte {byte}");
                last = boot;
            }
        }
    }
}

#[test]
fn power_lost_again_and_again_never_repeats_a_number() {
    for first in 0..8 {
        for second in 0..8 {
            let mut eeprom = Eeprom::new();
            let mut last = next_boot(&mut eeprom).unwrap();
            for byte in [first, second] {
                eeprom.lose_power_after(byte);
                assert!(next_boot(&mut eeprom).is_err());
                eeprom.restore_power();
            }
            for _ in 0..3 {
                let boot = next_boot(&mut eeprom).unwrap();
                assert!(boot > last, "{boot} after {last}");
                last = boot;
            }
        }
    }
}

#[test]
fn decay_of_either_slot_never_repeats_a_number() {
    for boots_before in 1..4u32 {
        for slot in [SEQUENCE_OFFSET, SEQUENCE_OFFSET + SEQUENCE_SLOT_BYTES].map(|slot| slot as usize) {
            let mut eeprom = Eeprom::new();
            for _ in 0..boots_before {
                next_boot(&mut eeprom).unwrap();
            }
            let mut bytes = eeprom.copy();
            if bytes[slot..slot + 8] == [0xff; 8] {
                continue;
            }
            bytes[slot + 1] ^= 4;
            eeprom.fill(&bytes);
            assert!(next_boot(&mut eeprom).unwrap() > boots_before);
        }
    }
}

#[test]
fn two_damaged_slots_give_no_number() {
    let mut eeprom = Eeprom::new();
    for _ in 0..2 {
        next_boot(&mut eeprom).unwrap();
    }
    let mut bytes = eeprom.copy();
    bytes[0] ^= 1;
    bytes[(SEQUENCE_OFFSET + SEQUENCE_SLOT_BYTES) as usize] ^= 1;
    eeprom.fill(&bytes);
    assert_eq!(next_boot(&mut eeprom), Err(SequenceError::Damaged));
}

#[test]
fn an_eeprom_that_does_not_answer_gives_no_number() {
    let mut eeprom = Eeprom::new();
    eeprom.pull();
    assert_eq!(next_boot(&mut eeprom), Err(SequenceError::Storage(PowerLoss)));
}

#[test]
fn the_last_number_is_not_followed_by_the_first() {
    let mut eeprom = Eeprom::new();
    preset(&mut eeprom, u32::MAX - 2).unwrap();
    assert_eq!(next_boot(&mut eeprom), Ok(u32::MAX - 1));
    assert_eq!(next_boot(&mut eeprom), Err(SequenceError::Exhausted));
}
