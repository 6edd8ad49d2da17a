//! Nodes that end: by kill -9, by SIGTERM, one at a time, two of four, all at once, and the gateway.

use super::{Stage, quick};
use crate::network::Network;
use crate::network::judge::{Verdict, judge};
use crate::wait;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a network that may not decide anything is watched: far longer than several rounds of votes take.
const HALT: Duration = Duration::from_secs(6);
/// What was decided before may still be written and acknowledged within this time after a fault.
pub(super) const SETTLING: Duration = Duration::from_secs(2);
/// How long the gateway works before it is killed, at most.
const GATEWAY_MILLISECONDS: u64 = 1_500;

pub(super) fn each_in_turn(stage: &mut Stage) -> Option<Verdict> {
    stage.rounds(quick(), |stage, network| {
        for one in stage.order(network) {
            network.validators[one].kill();
            let went_on = network.goes_on(2);
            network.validators[one].start();
            let caught_up = network.goes_on(1);
            let name = &network.validators[one].name;
            stage.note(format!(
                "{name} killed: two blocks more after {} ms, caught up {} ms after it served again",
                went_on.as_millis(),
                caught_up.as_millis()
            ));
        }
    })
}

pub(super) fn restarted_in_turn(stage: &mut Stage) -> Option<Verdict> {
    stage.rounds(quick(), |stage, network| {
        for one in stage.order(network) {
            network.validators[one].terminate();
            network.validators[one].start();
            let went_on = network.goes_on(2);
            let name = &network.validators[one].name;
            stage.note(format!("{name} restarted, two blocks more after {} ms", went_on.as_millis()));
        }
    })
}

pub(super) fn two_at_once(stage: &mut Stage) -> Option<Verdict> {
    stage.rounds(quick(), |stage, network| {
        let order = stage.order(network);
        for one in &order[..2] {
            network.validators[*one].kill();
        }
        halts(stage, network);
        it_is_said_who_is_missing(network, &order[..2], order[2]);
        for one in &order[..2] {
            network.validators[*one].start();
            let resumed = network.goes_on(2);
            stage.note(format!("two blocks more {} ms after one is back", resumed.as_millis()));
        }
    })
}

/// No block is made and nothing is acknowledged while there is no quorum.
pub(super) fn halts(stage: &mut Stage, network: &mut Network) {
    network.waits(SETTLING);
    let (height, acknowledged) = (network.height(), network.gateway.height());
    network.waits(HALT);
    let after = (network.height(), network.gateway.height());
    if after != (height, acknowledged) {
        let sentence = format!("without a quorum {height} and {acknowledged} became {after:?}");
        panic!("{sentence}");
    }
    stage.note(format!("halted at height {height}"));
}

/// The nodes that run say why no block comes: no quorum, for want of these.
fn it_is_said_who_is_missing(network: &Network, missing: &[usize], running: usize) {
    let names: BTreeSet<&str> = missing.iter().map(|one| network.validators[*one].name.as_str()).collect();
    let what = format!("it is said that {names:?} are missing");
    wait::until_true(&what, wait::LONG, || {
        let status = network.validators[running].status();
        let stuck = &status["consensus"]["stuck"];
        let said = stuck["missing"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
        stuck["cause"] == "no_quorum" && said.collect::<BTreeSet<_>>() == names
    });
}

pub(super) fn all_at_once(stage: &mut Stage) -> Option<Verdict> {
    stage.rounds(quick(), |stage, network| {
        let working = stage.chance.below(1_000);
        network.waits(Duration::from_millis(working));
        for validator in &mut network.validators {
            validator.kill();
        }
        let began = Instant::now();
        network.all_run();
        network.goes_on(2);
        stage.note(format!("all killed, two blocks more {} ms later", began.elapsed().as_millis()));
    })
}

/// The gateway dies with batches that nobody has confirmed yet; its outbox has them, and so have the devices.
pub(super) fn the_gateway(stage: &mut Stage) -> Option<Verdict> {
    let mut network = quick();
    for _ in 0..3 * stage.rounds {
        let working = stage.chance.below(GATEWAY_MILLISECONDS);
        network.under_load(|network| {
            network.waits(Duration::from_millis(working));
            network.gateway.kill();
        });
        network.gateway.start();
    }
    network.under_load(|network| network.goes_on(2));
    Some(judge(network, std::mem::take(&mut stage.notes)))
}
