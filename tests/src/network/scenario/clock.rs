//! One validator whose clock is an hour off, by libfaketime.

use super::{Stage, quick};
use crate::network::Network;
use crate::network::judge::Verdict;
use std::path::PathBuf;
use std::time::Duration;

/// How long a round of it lasts: several turns of each proposer.
const SPELL: Duration = Duration::from_secs(6);

pub(super) fn ahead(stage: &mut Stage) -> Option<Verdict> {
    off_by(stage, "+3600s")
}

pub(super) fn behind(stage: &mut Stage) -> Option<Verdict> {
    off_by(stage, "-3600s")
}

fn off_by(stage: &mut Stage, offset: &str) -> Option<Verdict> {
    let Some(library) = library() else {
        println!("skipped: libfaketime is not installed");
        return None;
    };
    stage.rounds(quick(), |stage, network| {
        let one = stage.order(network)[0];
        network.validators[one].terminate();
        network.validators[one].environment = vec![
            ("LD_PRELOAD".to_owned(), library.display().to_string()),
            ("FAKETIME".to_owned(), offset.to_owned()),
            // Timeouts are measured by the monotonic clock, which nobody sets.
            ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
        ];
        network.validators[one].start();
        let made = spell(network, one);
        stage.note(format!("{made} blocks in {} s with one clock at {offset}", SPELL.as_secs()));
        network.validators[one].terminate();
        network.validators[one].environment.clear();
        network.validators[one].start();
        network.goes_on(2);
    })
}

/// The others go on; how many blocks they decide.
fn spell(network: &Network, one: usize) -> u64 {
    let other = if one == 0 { 1 } else { 0 };
    let before = network.validators[other].height();
    network.waits(SPELL);
    network.validators[other].reaches(before + 2);
    network.validators[other].height() - before
}

/// Debian puts it beside the machine's own libraries, in a directory by architecture.
fn library() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut places = architectures.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    places.find(|place| place.is_file())
}
