//! Links that are cut and healed: two halves, one alone, and one that is heard but does not hear.

use super::killed::{SETTLING, halts};
use super::{Stage, quick};
use crate::network::Network;
use crate::network::judge::Verdict;
use std::time::Duration;

/// How long one is cut off while the others go on.
const APART: Duration = Duration::from_secs(4);

pub(super) fn halves(stage: &mut Stage) -> Option<Verdict> {
    let mut network = quick();
    network.machines()?;
    stage.rounds(network, |stage, network| {
        let order = stage.order(network);
        let gateway = network.gateway_machine();
        // The gateway stays with one half: it reaches two of four.
        let halves = [vec![order[0], order[1], gateway], vec![order[2], order[3]]];
        part(network, &halves[0], &halves[1]);
        halts(stage, network);
        heals(stage, network);
    })
}

pub(super) fn one_alone(stage: &mut Stage) -> Option<Verdict> {
    let mut network = quick();
    network.machines()?;
    stage.rounds(network, |stage, network| {
        let order = stage.order(network);
        let gateway = network.gateway_machine();
        let alone = order[0];
        let others = [&order[1..], &[gateway]].concat();
        part(network, &[alone], &others);
        // What it had received before it may still decide.
        network.waits(SETTLING);
        let before = network.validators[alone].height();
        let (went_on, after) = the_others_go_on(network, alone);
        assert_eq!(after, before, "{alone} is cut off and decides");
        stage.note(format!("one cut off: {went_on} blocks of the others in {} s", APART.as_secs()));
        heals(stage, network);
    })
}

/// One hears the others and is not heard; then it is heard and does not hear.
pub(super) fn one_way(stage: &mut Stage) -> Option<Verdict> {
    let mut network = quick();
    network.machines()?;
    stage.rounds(network, |stage, network| {
        let order = stage.order(network);
        for is_mute in [true, false] {
            let machines = network.machines().expect("it was there before");
            for other in &order[1..] {
                let (from, to) = if is_mute { (order[0], *other) } else { (*other, order[0]) };
                machines.cut(from, to);
            }
            let (went_on, _) = the_others_go_on(network, order[0]);
            let what = if is_mute { "is not heard" } else { "does not hear" };
            stage.note(format!("one {what}: {went_on} blocks of the others in {} s", APART.as_secs()));
            heals(stage, network);
        }
    })
}

fn part(network: &mut Network, one: &[usize], other: &[usize]) {
    let machines = network.machines().expect("it was there before");
    for near in one {
        for far in other {
            machines.cut(*near, *far);
            machines.cut(*far, *near);
        }
    }
}

/// How many blocks the others have decided meanwhile, and the height of the one that is cut off.
fn the_others_go_on(network: &Network, alone: usize) -> (u64, u64) {
    let other = if alone == 0 { 1 } else { 0 };
    let before = network.validators[other].height();
    network.waits(APART);
    network.validators[other].reaches(before + 1);
    (network.validators[other].height() - before, network.validators[alone].height())
}

fn heals(stage: &mut Stage, network: &mut Network) {
    network.machines().expect("it was there before").heal();
    let took = network.goes_on(2);
    stage.note(format!("everybody has two blocks more {} ms after healing", took.as_millis()));
}
