//! What an update does not take, and that refusing costs no flash.

mod support;

use devices::{ManifestError, SigningKey};
use support::{
    BOARD, IMAGE_BYTES_MAX, Machine, chunk, deliver, image, install, manifest, manifest_for, publisher,
    version,
};
use update::limits::ATTEMPTS_MAX;
use update::{Progress, Refusal, State, UpdateError};

fn refused<T>(refusal: Refusal) -> Result<T, UpdateError> {
    Err(UpdateError::Refused(refusal))
}

#[test]
fn manifests_of_strangers_for_others_too_long_or_not_newer_are_refused_and_nothing_is_written() {
    let machine = Machine::flashed(&image("1.4.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let new = image("1.5.0", 5_000);
    let stranger = manifest_for(BOARD, "1.5.0", &new, &SigningKey::from_seed([6; 32]));
    assert_eq!(updater.take_manifest(&stranger), refused(Refusal::Manifest(ManifestError::Signature)));
    let other = manifest_for("other-board", "1.5.0", &new, &publisher());
    assert_eq!(updater.take_manifest(&other), refused(Refusal::Board));
    for text in ["1.4.0", "1.3.9", "0.9.9"] {
        let old = manifest(text, &image(text, 5_000));
        assert_eq!(updater.take_manifest(&old), refused(Refusal::NotAbove(version("1.4.0"))));
    }
    let long = vec![7; IMAGE_BYTES_MAX as usize + 1];
    assert_eq!(updater.take_manifest(&manifest("1.5.0", &long)), refused(Refusal::TooLong));
    let good = manifest("1.5.0", &new);
    assert_eq!(updater.take_manifest(&good[1..]), refused(Refusal::Manifest(ManifestError::Malformed)));
    assert_eq!(updater.take_manifest(&[]), refused(Refusal::Manifest(ManifestError::Malformed)));
    assert_eq!((updater.state(), machine.power.borrow().steps), (State::Empty, 0));
    assert_eq!(updater.take_manifest(&manifest("1.5.0", &long[1..])), Ok(true));
}

#[test]
fn a_version_below_the_highest_confirmed_is_refused_even_by_an_older_firmware() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    install(&mut updater, "2.0.0", &image("2.0.0", 5_000));
    machine.boot(false).0.healthy_session().unwrap();
    // Somebody with a debug probe has put an old image back.
    machine.active.borrow_mut()[..5_000].copy_from_slice(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let middle = manifest("1.5.0", &image("1.5.0", 5_000));
    assert_eq!(updater.take_manifest(&middle), refused(Refusal::NotAbove(version("2.0.0"))));
}

#[test]
fn two_manifests_in_turns_erase_nothing() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let (lower, higher) = (image("1.1.0", 5_000), image("1.2.0", 5_000));
    assert_eq!(updater.take_manifest(&manifest("1.1.0", &lower)), Ok(true));
    updater.take_chunk(0, chunk(&lower, 0)).unwrap();
    assert_eq!(updater.take_manifest(&manifest("1.2.0", &higher)), Ok(true));
    updater.take_chunk(0, chunk(&higher, 0)).unwrap();
    let erasures = machine.erasures();
    for _ in 0..100 {
        let taken = updater.take_manifest(&manifest("1.1.0", &lower));
        assert_eq!(taken, refused(Refusal::NotAbove(version("1.2.0"))));
        assert_eq!(updater.take_manifest(&manifest("1.2.0", &higher)), Ok(false));
        let same_version = manifest("1.2.0", &lower);
        assert_eq!(updater.take_manifest(&same_version), refused(Refusal::NotAbove(version("1.2.0"))));
    }
    assert_eq!(machine.erasures(), erasures);
    deliver(&mut updater, &higher).unwrap();
    assert_eq!(updater.state(), State::Ready { version: version("1.2.0") });
}

#[test]
fn chunks_out_of_order_repeated_or_of_another_length_change_nothing() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let new = image("1.1.0", 5_000);
    assert_eq!(updater.take_chunk(0, chunk(&new, 0)), refused(Refusal::NotWanted));
    updater.take_manifest(&manifest("1.1.0", &new)).unwrap();
    while let Some(wanted) = updater.wants() {
        let steps = machine.power.borrow().steps;
        let index = wanted.index;
        if index > 0 {
            assert_eq!(updater.take_chunk(index - 1, chunk(&new, index - 1)), refused(Refusal::NotWanted));
        }
        assert_eq!(updater.take_chunk(index + 1, chunk(&new, 0)), refused(Refusal::NotWanted));
        assert_eq!(updater.take_chunk(u32::MAX, &[]), refused(Refusal::NotWanted));
        let whole = chunk(&new, index);
        assert_eq!(updater.take_chunk(index, &whole[1..]), refused(Refusal::ChunkLength));
        assert_eq!(updater.take_chunk(index, &[whole, &[0]].concat()), refused(Refusal::ChunkLength));
        assert_eq!(updater.take_chunk(index, &[]), refused(Refusal::ChunkLength));
        assert_eq!(machine.power.borrow().steps, steps);
        updater.take_chunk(index, whole).unwrap();
    }
    assert_eq!(updater.state(), State::Ready { version: version("1.1.0") });
}

#[test]
fn an_image_with_one_wrong_byte_is_never_ready_and_is_fetched_again() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let new = image("1.1.0", 5_000);
    updater.take_manifest(&manifest("1.1.0", &new)).unwrap();
    let mut wrong = new.clone();
    wrong[3_333] ^= 1;
    let last = new.len().div_ceil(256) as u32 - 1;
    for index in 0..last {
        updater.take_chunk(index, chunk(&wrong, index)).unwrap();
    }
    assert_eq!(updater.take_chunk(last, chunk(&wrong, last)), Ok(Progress::WrongHash));
    assert_eq!(updater.install(), Ok(false));
    assert_eq!(updater.wants().unwrap().index, 0);
    deliver(&mut updater, &new).unwrap();
    assert_eq!(updater.state(), State::Ready { version: version("1.1.0") });
}

#[test]
fn a_broker_that_sends_rubbish_for_ever_wears_the_flash_only_so_often() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let new = image("1.1.0", 5_000);
    updater.take_manifest(&manifest("1.1.0", &new)).unwrap();
    let rubbish = vec![0x33; 5_000];
    deliver(&mut updater, &rubbish).unwrap();
    assert_eq!(updater.state(), State::Rejected { version: version("1.1.0") });
    let taken = updater.take_manifest(&manifest("1.1.0", &new));
    assert_eq!(taken, refused(Refusal::Rejected(version("1.1.0"))));
    let sectors = 3;
    assert!(machine.erasures() <= u32::from(ATTEMPTS_MAX) * (sectors + 1) + 1, "{}", machine.erasures());
    // A newer one gets its own attempts.
    install(&mut updater, "1.1.1", &image("1.1.1", 5_000));
}

#[test]
fn an_image_that_decays_before_it_is_installed_is_not_installed() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let new = image("1.1.0", 5_000);
    updater.take_manifest(&manifest("1.1.0", &new)).unwrap();
    deliver(&mut updater, &new).unwrap();
    machine.download.bytes.borrow_mut()[4_000] ^= 8;
    assert_eq!(updater.install(), Ok(false));
    assert_eq!(updater.state(), State::Rejected { version: version("1.1.0") });
    assert_eq!(machine.boot(false).1, update::Start::Run);
    assert_eq!(machine.running(), version("1.0.0"));
}
