//! The life of an update: received, tried, and kept or given back.

mod support;

use support::{Machine, deliver, image, install, manifest, version};
use update::limits::TRIAL_BOOTS_MAX;
use update::{Refusal, Start, State, UpdateError, Wanted};

#[test]
fn an_image_is_received_tried_and_kept() {
    let (old, new) = (image("1.0.0", 5_000), image("1.1.0", 5_500));
    let machine = Machine::flashed(&old);
    let (mut updater, start) = machine.boot(false);
    assert_eq!((start, updater.state(), updater.wants()), (Start::Run, State::Empty, None));

    assert_eq!(updater.take_manifest(&manifest("1.1.0", &new)), Ok(true));
    assert_eq!(updater.wants(), Some(Wanted { version: version("1.1.0"), index: 0 }));
    deliver(&mut updater, &new).unwrap();
    assert_eq!(updater.state(), State::Ready { version: version("1.1.0") });
    assert_eq!(machine.running(), version("1.0.0"));
    assert!(updater.install().unwrap());

    let (mut updater, start) = machine.boot(false);
    assert_eq!((start, machine.running()), (Start::RunOnTrial, version("1.1.0")));
    assert_eq!(updater.state(), State::Trial { version: version("1.1.0"), boots_left: TRIAL_BOOTS_MAX - 1 });
    assert_eq!(updater.healthy_session(), Ok(true));
    assert_eq!(updater.state(), State::Confirmed { version: version("1.1.0") });
    assert_eq!(updater.healthy_session(), Ok(false), "the second session has nothing to say");

    let (updater, start) = machine.boot(false);
    assert_eq!((start, machine.running()), (Start::Run, version("1.1.0")));
    assert_eq!(updater.state(), State::Confirmed { version: version("1.1.0") });
}

#[test]
fn one_update_follows_the_other() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    for (text, length) in [("1.0.1", 6_144), ("1.1.0", 1), ("2.0.0", 4_096), ("2.0.1", 257)] {
        let new = if length < 6 { image(text, 6) } else { image(text, length) };
        let (mut updater, _) = machine.boot(false);
        install(&mut updater, text, &new);
        let (mut updater, start) = machine.boot(false);
        assert_eq!((start, machine.running()), (Start::RunOnTrial, version(text)));
        updater.healthy_session().unwrap();
        assert_eq!(machine.active.borrow()[..new.len()], new);
    }
}

#[test]
fn a_broken_image_never_boots_twice() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let broken = image("1.1.0", 5_000);
    let (mut updater, _) = machine.boot(false);
    install(&mut updater, "1.1.0", &broken);
    machine.reset();
    assert_eq!(machine.running(), version("1.1.0"), "it runs, hangs, and the watchdog bites");

    let (mut updater, start) = machine.boot(true);
    assert_eq!((start, machine.running()), (Start::Run, version("1.0.0")));
    assert_eq!(updater.state(), State::Rejected { version: version("1.1.0") });
    let refused = UpdateError::Refused(Refusal::Rejected(version("1.1.0")));
    assert_eq!(updater.take_manifest(&manifest("1.1.0", &broken)), Err(refused));
    assert_eq!(updater.install(), Ok(false));
    for _ in 0..5 {
        let (_, start) = machine.boot(false);
        assert_eq!((start, machine.running()), (Start::Run, version("1.0.0")));
    }
}

#[test]
fn an_image_without_a_healthy_session_is_given_back_after_its_boots() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    install(&mut updater, "1.1.0", &image("1.1.0", 5_000));
    for _ in 0..TRIAL_BOOTS_MAX {
        let (_, start) = machine.boot(false);
        assert_eq!((start, machine.running()), (Start::RunOnTrial, version("1.1.0")));
        // Somebody switches the lamp off: the bootloader puts the old image back, which tries once more.
        let (_, start) = machine.boot(false);
        assert_eq!(machine.running(), version("1.0.0"));
        if start == Start::Run {
            break;
        }
        assert_eq!(start, Start::Reset);
    }
    let (updater, start) = machine.boot(false);
    assert_eq!((start, machine.running()), (Start::Run, version("1.0.0")));
    assert_eq!(updater.state(), State::Rejected { version: version("1.1.0") });
}

#[test]
fn a_session_after_a_power_cut_in_the_trial_still_confirms() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    install(&mut updater, "1.1.0", &image("1.1.0", 5_000));
    machine.reset();
    assert_eq!(machine.boot(false).1, Start::Reset);
    let (mut updater, start) = machine.boot(false);
    assert_eq!((start, machine.running()), (Start::RunOnTrial, version("1.1.0")));
    assert_eq!(updater.healthy_session(), Ok(true));
    assert_eq!(machine.boot(false).0.state(), State::Confirmed { version: version("1.1.0") });
}

#[test]
fn what_follows_a_rejected_version_is_above_it() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    install(&mut updater, "1.2.0", &image("1.2.0", 5_000));
    machine.reset();
    let (mut updater, _) = machine.boot(true);
    let between = manifest("1.1.0", &image("1.1.0", 5_000));
    let refused = UpdateError::Refused(Refusal::Rejected(version("1.2.0")));
    assert_eq!(updater.take_manifest(&between), Err(refused));
    install(&mut updater, "1.2.1", &image("1.2.1", 5_000));
    let (mut updater, _) = machine.boot(false);
    updater.healthy_session().unwrap();
    assert_eq!(updater.state(), State::Confirmed { version: version("1.2.1") });
    assert_eq!(machine.running(), version("1.2.1"));
}

#[test]
fn an_image_on_trial_takes_no_other() {
    let machine = Machine::flashed(&image("1.0.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    install(&mut updater, "1.1.0", &image("1.1.0", 5_000));
    let (mut updater, _) = machine.boot(false);
    let next = image("1.2.0", 5_000);
    let refused = UpdateError::Refused(Refusal::OnTrial);
    assert_eq!(updater.take_manifest(&manifest("1.2.0", &next)), Err(refused));
    // The way back is still there.
    machine.reset();
    assert_eq!(machine.running(), version("1.0.0"));
    let (mut updater, _) = machine.boot(true);
    assert_eq!(updater.take_manifest(&manifest("1.2.0", &next)), Ok(true));
}
