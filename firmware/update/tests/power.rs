//! Power lost at every step of an update: the board always runs a whole image, arrives at the new one, and never goes
//! back from it.

mod support;

use support::{Machine, deliver, image, manifest, version};
use update::limits::MARK_CHUNKS;
use update::{Refusal, Start, UpdateError};

const OLD: &str = "1.0.0";
const NEW: &str = "1.1.0";
const BYTES: usize = 5_100;

/// One boot of the board with a broker that has everything; ends at a power cut, a reset or when nothing is left to do.
fn live(machine: &Machine, new: &[u8], is_kept: &mut bool) -> Result<bool, UpdateError> {
    machine.reset();
    assert!(!*is_kept || machine.running() == version(NEW), "back from a version that was kept");
    let whole = [image(OLD, BYTES), new.to_vec()];
    assert!(
        whole.iter().any(|image| machine.active.borrow().starts_with(image)),
        "the board runs what nobody has made"
    );
    let (mut updater, start) = machine.start(false)?;
    match start {
        Start::Reset => return Ok(false),
        Start::RunOnTrial => {
            *is_kept |= updater.healthy_session()?;
        }
        Start::Run => {}
    }
    match updater.take_manifest(&manifest(NEW, new)) {
        Ok(_) => {}
        Err(UpdateError::Refused(Refusal::NotAbove(highest))) if highest == version(NEW) => return Ok(true),
        Err(failure) => return Err(failure),
    }
    deliver(&mut updater, new)?;
    updater.install()?;
    Ok(false)
}

/// Boots until the new image runs and is confirmed; returns how many boots that took.
fn until_confirmed(machine: &Machine, new: &[u8]) -> usize {
    let mut is_kept = false;
    let arrived = (1..20).find(|_| live(machine, new, &mut is_kept) == Ok(true));
    arrived.unwrap_or_else(|| panic!("the update does not arrive"))
}

#[test]
fn power_lost_at_every_step_ends_at_the_new_image_and_never_goes_back_from_it() {
    let new = image(NEW, BYTES);
    let whole_life = Machine::flashed(&image(OLD, BYTES));
    assert_eq!(until_confirmed(&whole_life, &new), 2);
    let steps = whole_life.power.borrow().steps;
    assert!(steps > 600, "a life has {steps} steps");
    for tear in 0..3 {
        for step in 0..steps {
            let machine = Machine::flashed(&image(OLD, BYTES));
            machine.lose_power_after(step, tear);
            let boots = until_confirmed(&machine, &new);
            assert!(boots <= 5, "step {step}, tear {tear}: {boots} boots");
            assert_eq!(machine.running(), version(NEW), "step {step}, tear {tear}");
        }
    }
}

#[test]
fn power_lost_twice_ends_at_the_new_image_all_the_same() {
    let new = image(NEW, BYTES);
    for first in (0..700).step_by(23) {
        for second in (0..700).step_by(31) {
            let machine = Machine::flashed(&image(OLD, BYTES));
            machine.lose_power_after(first, 1);
            let _ = live(&machine, &new, &mut false);
            machine.reset();
            machine.lose_power_after(second, 1);
            until_confirmed(&machine, &new);
            assert_eq!(machine.running(), version(NEW), "steps {first} and {second}");
        }
    }
}

#[test]
fn a_power_cut_costs_no_more_of_a_download_than_lies_between_two_marks() {
    let new = image(NEW, 6_000);
    let machine = Machine::flashed(&image(OLD, BYTES));
    let (mut updater, _) = machine.boot(false);
    updater.take_manifest(&manifest(NEW, &new)).unwrap();
    let chunks = new.len().div_ceil(256) as u32;
    for written in 1..chunks {
        updater.take_chunk(written - 1, support::chunk(&new, written - 1)).unwrap();
        let (again, _) = machine.boot(false);
        let wanted = again.wants().unwrap().index;
        assert!(wanted <= written && written - wanted < MARK_CHUNKS, "{written} written, {wanted} wanted");
    }
}

#[test]
fn a_power_cut_between_two_chunks_erases_no_record() {
    let new = image(NEW, 6_000);
    let machine = Machine::flashed(&image(OLD, BYTES));
    let (mut updater, _) = machine.boot(false);
    updater.take_manifest(&manifest(NEW, &new)).unwrap();
    let erasures = machine.state.erasures.borrow().iter().sum::<u32>();
    for _ in 0..50 {
        (updater, _) = machine.boot(false);
        if let Some(wanted) = updater.wants() {
            updater.take_chunk(wanted.index, support::chunk(&new, wanted.index)).unwrap();
        }
    }
    assert_eq!(machine.state.erasures.borrow().iter().sum::<u32>(), erasures);
}
