//! The store is an EEPROM to whoever uses it, also across power cuts at every write of the flash.

mod support;

use embedded_storage::{ReadStorage, Storage};
use flash_store::FlashStoreError;
use support::nor::Power;
use support::{Chance, PAGE_BYTES, PAGES, Store, flash, open};

const BYTES: usize = PAGES * PAGE_BYTES;

fn content(store: &mut Store) -> Vec<u8> {
    let mut bytes = vec![0; BYTES];
    store.read(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_never_written_reads_as_ones() {
    let mut store = open(&flash(&Power::on())).unwrap();
    assert_eq!(store.capacity(), BYTES);
    assert_eq!(content(&mut store), vec![0xff; BYTES]);
}

#[test]
fn what_is_written_anywhere_is_read_again_also_after_a_reset() {
    let flash = flash(&Power::on());
    let (mut chance, mut expected) = (Chance(1), vec![0xff; BYTES]);
    let mut store = open(&flash).unwrap();
    for round in 0..2_000 {
        let (offset, bytes) = chance.write();
        store.write(offset as u32, &bytes).unwrap();
        expected[offset..offset + bytes.len()].copy_from_slice(&bytes);
        if round % 50 == 0 {
            assert_eq!(content(&mut store), expected, "round {round}");
            store = open(&flash).unwrap();
            assert_eq!(content(&mut store), expected, "round {round}, after a reset");
        }
    }
    assert!(flash.erasures.borrow().iter().all(|erasures| *erasures > 100), "{:?}", flash.erasures);
}

#[test]
fn nothing_lies_beyond_the_end() {
    let mut store = open(&flash(&Power::on())).unwrap();
    let end = BYTES as u32;
    assert_eq!(store.read(end - 1, &mut [0; 2]), Err(FlashStoreError::OutOfBounds));
    assert_eq!(store.write(end - 1, &[0; 2]), Err(FlashStoreError::OutOfBounds));
    assert_eq!(store.read(u32::MAX, &mut [0; 2]), Err(FlashStoreError::OutOfBounds));
    assert_eq!(store.write(end, &[]), Ok(()));
    assert_eq!(store.write(end - 1, &[7]), Ok(()));
}

#[test]
fn what_stands_there_already_costs_no_flash() {
    let power = Power::on();
    let mut store = open(&flash(&power)).unwrap();
    store.write(100, b"the same").unwrap();
    let steps = power.borrow().steps;
    store.write(100, b"the same").unwrap();
    store.write(102, b"e s").unwrap();
    assert_eq!(power.borrow().steps, steps);
}

#[test]
fn a_flash_of_another_size_is_refused() {
    let two_sectors = support::Nor::of(2, &Power::on());
    assert!(matches!(open(&two_sectors), Err(FlashStoreError::NoRoom)));
    assert!(matches!(open(&support::Nor::of(4, &Power::on())), Err(FlashStoreError::NoRoom)));
}

#[test]
fn sectors_wear_alike() {
    let flash = flash(&Power::on());
    let mut store = open(&flash).unwrap();
    for round in 0..5_000_u32 {
        // One counter, always in the same place.
        store.write(0, &round.to_le_bytes()).unwrap();
    }
    let erasures = flash.erasures.borrow();
    let (least, most) = (erasures.iter().min().unwrap(), erasures.iter().max().unwrap());
    assert!(*least > 50 && most - least <= 1, "{erasures:?}");
}

/// Writes until the power goes; gives back what is there for sure, and the write that was torn.
fn write_until_power_loss(
    store: &mut Store,
    writes: u32,
    chance: &mut Chance,
) -> (Vec<u8>, (usize, Vec<u8>)) {
    let mut expected = vec![0xff; BYTES];
    for _ in 0..writes {
        let (offset, bytes) = chance.write();
        if store.write(offset as u32, &bytes).is_err() {
            return (expected, (offset, bytes));
        }
        expected[offset..offset + bytes.len()].copy_from_slice(&bytes);
    }
    (expected, (0, Vec::new()))
}

/// Whether `found` is `before` with the first pages' worth of the write.
fn is_a_prefix(found: &[u8], before: &[u8], (offset, bytes): &(usize, Vec<u8>)) -> bool {
    let ends = (*offset..offset + bytes.len()).filter(|at| at % PAGE_BYTES == 0 || at == offset);
    ends.chain([offset + bytes.len()]).any(|end| {
        let mut after = before.to_vec();
        after[*offset..end].copy_from_slice(&bytes[..end - offset]);
        after == found
    })
}

#[test]
fn power_lost_at_every_write_of_the_flash_leaves_a_prefix_of_what_was_written() {
    const WRITES: u32 = 60;
    let power = Power::on();
    let whole = flash(&power);
    write_until_power_loss(&mut open(&whole).unwrap(), WRITES, &mut Chance(9));
    let steps = power.borrow().steps;
    let erasures: u32 = whole.erasures.borrow().iter().sum();
    assert!(steps > 2_000 && erasures > 4, "{steps} steps, {erasures} erasures");
    for step in 0..steps {
        let power = Power::on();
        let flash = flash(&power);
        let mut store = open(&flash).unwrap();
        power.borrow_mut().goes_after(step, (step % 3) as u8);
        let (before, torn) = write_until_power_loss(&mut store, WRITES, &mut Chance(9));
        assert!(power.borrow().is_off, "step {step}");
        power.borrow_mut().comes_back();
        let mut store = open(&flash).unwrap_or_else(|error| panic!("step {step}: {error}"));
        let found = content(&mut store);
        assert!(is_a_prefix(&found, &before, &torn), "step {step}: something else changed");
        // And it goes on.
        let (offset, bytes) = torn;
        store.write(offset as u32, &bytes).unwrap();
        let mut after = before;
        after[offset..offset + bytes.len()].copy_from_slice(&bytes);
        assert_eq!(content(&mut store), after, "step {step}");
    }
}

#[test]
fn power_lost_while_a_power_cut_is_repaired_loses_nothing() {
    for first in (0..4_000).step_by(151) {
        for second in [0, 1, 2, 3, 5, 8, 13, 40, 120] {
            let power = Power::on();
            let flash = flash(&power);
            let mut store = open(&flash).unwrap();
            power.borrow_mut().goes_after(first, 1);
            let (before, torn) = write_until_power_loss(&mut store, 90, &mut Chance(9));
            power.borrow_mut().comes_back();
            power.borrow_mut().goes_after(second, 2);
            drop(open(&flash));
            power.borrow_mut().comes_back();
            let found = content(&mut open(&flash).unwrap());
            assert!(is_a_prefix(&found, &before, &torn), "steps {first} and {second}");
        }
    }
}

#[test]
fn flash_that_held_something_else_is_refused_and_left_as_it_is() {
    let flash = flash(&Power::on());
    flash.bytes.borrow_mut().fill(0);
    let before = flash.bytes.borrow().clone();
    // Erased on the quiet, a counter would begin again.
    assert!(matches!(open(&flash), Err(FlashStoreError::Damaged)));
    assert_eq!(*flash.bytes.borrow(), before);
}
