//! One validator whose disk runs full: the others go on, it comes back when there is room.

use super::{Stage, quick};
use crate::network::Network;
use crate::network::judge::Verdict;
use crate::small_disk::SmallDisk;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long its disk stays full.
const SPELL: Duration = Duration::from_secs(5);

pub(super) fn full(stage: &mut Stage) -> Option<Verdict> {
    let disk = SmallDisk::new();
    if !disk.is_private() {
        println!("skipped: there is no disk here that only one node has");
        return None;
    }
    let mut network = quick();
    moves(&mut network, 0, &disk);
    let verdict = stage.rounds(network, |stage, network| {
        disk.fill(disk.reserve_bytes / 2);
        let before = network.validators[1].height();
        network.waits(SPELL);
        disk.fill_up();
        network.waits(SPELL);
        network.validators[1].reaches(before + 2);
        let made = network.validators[1].height() - before;
        stage.note(format!("{made} blocks of the others in {} s", 2 * SPELL.as_secs()));
        disk.free();
        // A node may stop on a disk that takes not a single byte; its operator makes room and starts it again.
        if network.validators[0].has_ended() {
            stage.note("the node had ended and was started again".to_owned());
            network.validators[0].kill();
            network.validators[0].start();
        }
        network.goes_on(2);
    });
    drop(disk);
    verdict
}

/// Puts the data of a validator on that disk.
fn moves(network: &mut Network, one: usize, disk: &SmallDisk) {
    network.validators[one].terminate();
    let seen = disk.seen();
    copy(&network.validators[one].data, &seen.join("data"));
    let (data, reserve) = (disk.data(), disk.reserve_bytes);
    network.validators[one].edits(|text| {
        let text = text.replace("data = \"data\"", &format!("data = \"{}\"", data.display()));
        text.replacen("\nhttp = ", &format!("\ndisk_reserve_bytes = {reserve}\nhttp = "), 1)
    });
    // The mount namespace of the disk; the network namespace stays the validator's own.
    let also = disk.starter();
    let words = also.iter().skip(1).take_while(|word| *word != "--").cloned().collect::<Vec<_>>();
    network.validators[one].starter = network.starter(one, &words);
    network.validators[one].data = seen.join("data");
    network.validators[one].start();
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "the data are copied");
}
