//! One validator that misbehaves, in a build that can: the others go on, and what it signed twice stands on the ledger.

use super::{Stage, quick};
use crate::network::Network;
use crate::network::judge::Verdict;
use crate::wait;
use ledger::limits::MISBEHAVIOURS_PER_VALIDATOR_MAX;
use std::time::Duration;

/// How long a round of it lasts: several turns of each proposer.
const SPELL: Duration = Duration::from_secs(6);
/// What a node may have in memory at most, whatever it is sent.
const MEMORY_KIBIBYTES_MAX: u64 = 300 * 1024;
/// What a validator of the tests' own build reads its misbehaviour from.
const VARIABLE: &str = "LAMPPOST_BYZANTINE";

/// A way to misbehave, and how it is noticed.
struct Misbehaviour {
    /// As the tests' own build reads it.
    how: &'static str,
    /// What another node says of it.
    said: &'static str,
    /// What of it stands on the ledger, any of these; nothing where there is nothing to show.
    shown: &'static [&'static str],
}

/// They vote twice, propose twice, sign two checkpoints: another one each time, because the ledger keeps a few
/// contradictions of each and no more.
const SIGNED_TWICE: [Misbehaviour; 3] = [
    Misbehaviour { how: "votes", said: CONTRADICTS, shown: &["prevotes", "precommits"] },
    Misbehaviour { how: "proposals", said: CONTRADICTS, shown: &["proposals"] },
    Misbehaviour { how: "checkpoints", said: CONTRADICTS, shown: &["checkpoints"] },
];
const CONTRADICTS: &str = "a validator contradicts itself";
const WRONG_RESULTS: Misbehaviour = Misbehaviour { how: "results", said: "a block is refused", shown: &[] };
const FORGED_READING: Misbehaviour =
    Misbehaviour { how: "reading", said: "signature does not hold", shown: &[] };
const GARBAGE_PARTS: Misbehaviour = Misbehaviour { how: "parts", said: "garbage for a block", shown: &[] };

/// They vote twice, propose twice, sign two checkpoints.
pub(super) fn signs_twice(stage: &mut Stage) -> Option<Verdict> {
    stage.rounds(quick(), |stage, network| {
        let order = stage.order(network);
        for (one, misbehaviour) in order.into_iter().zip(&SIGNED_TWICE) {
            misbehaves(stage, network, one, misbehaviour);
        }
    })
}

/// Its blocks say that executing them gives something else.
pub(super) fn wrong_results(stage: &mut Stage) -> Option<Verdict> {
    one_of_four(stage, &WRONG_RESULTS)
}

/// Its blocks have a reading whose signature does not hold.
pub(super) fn forged_reading(stage: &mut Stage) -> Option<Verdict> {
    one_of_four(stage, &FORGED_READING)
}

/// It streams parts that are no block, at each of its turns.
pub(super) fn garbage_parts(stage: &mut Stage) -> Option<Verdict> {
    one_of_four(stage, &GARBAGE_PARTS)
}

fn one_of_four(stage: &mut Stage, misbehaviour: &Misbehaviour) -> Option<Verdict> {
    stage.rounds(quick(), |stage, network| {
        let one = stage.order(network)[0];
        misbehaves(stage, network, one, misbehaviour);
    })
}

/// It misbehaves for a while; somebody says so, the ledger shows it, and nobody's memory is filled.
fn misbehaves(stage: &mut Stage, network: &mut Network, one: usize, misbehaviour: &Misbehaviour) {
    let Misbehaviour { how, said, shown } = misbehaviour;
    network.validators[one].terminate();
    network.validators[one].environment = vec![(VARIABLE.to_owned(), (*how).to_owned())];
    network.validators[one].start();
    let other = usize::from(one == 0);
    let before = network.validators[other].height();
    network.waits(SPELL);
    network.goes_on(2);
    let made = network.validators[other].height() - before;
    wait::until_true(&format!("somebody says: {said}"), wait::LONG, || {
        network.validators[other].node().stderr().contains(said)
    });
    let name = network.validators[one].name.clone();
    wait::until_true(&format!("{shown:?} of {name} are on the ledger"), wait::LONG, || {
        shown.is_empty() || is_shown(network, other, &name, shown)
    });
    let honest = network.members().filter(|member| member.name != name);
    let most = honest.map(|member| member.memory_kibibytes().1).max().unwrap_or_default();
    assert!(most <= MEMORY_KIBIBYTES_MAX, "a node had {most} KiB");
    stage.note(format!("{how}: {made} blocks meanwhile, a node had {} MB at most", most / 1024));
    network.validators[one].terminate();
    network.validators[one].environment.clear();
    network.validators[one].start();
    network.goes_on(2);
}

/// Whether the ledger of a node shows any of these contradictions of a validator, or as many of it as it ever keeps.
fn is_shown(network: &Network, of: usize, name: &str, kinds: &[&str]) -> bool {
    let said = network.validators[of].node().json("/api/v1/validators");
    let misbehaviours = said["misbehaviours"].as_array().into_iter().flatten();
    let of_it = misbehaviours.filter(|one| one["name"] == name);
    let shown: Vec<&str> = of_it.filter_map(|one| one["misbehaviour"].as_str()).collect();
    shown.iter().any(|kind| kinds.contains(kind)) || shown.len() >= MISBEHAVIOURS_PER_VALIDATOR_MAX
}
