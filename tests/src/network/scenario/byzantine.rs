//! One validator that misbehaves, in a build that can: the others go on, and what it signed twice stands on the ledger.

use super::{Stage, quick};
use crate::network::judge::Verdict;
use crate::wait;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a round of it lasts: several turns of each proposer.
const SPELL: Duration = Duration::from_secs(8);
/// What a node may have in memory at most, whatever it is sent.
const MEMORY_KIBIBYTES_MAX: u64 = 300 * 1024;
/// What a validator of the tests' own build reads its misbehaviour from.
const VARIABLE: &str = "LAMPPOST_BYZANTINE";

/// It votes twice, proposes twice and signs two checkpoints.
pub(super) fn signs_twice(stage: &mut Stage) -> Option<Verdict> {
    let kinds = ["prevotes", "precommits", "proposals", "checkpoints"];
    misbehaves(stage, "votes,proposals,checkpoints", "a validator contradicts itself", &kinds)
}

/// Its blocks say that executing them gives something else.
pub(super) fn wrong_results(stage: &mut Stage) -> Option<Verdict> {
    misbehaves(stage, "results", "a block is refused", &[])
}

/// Its blocks have a reading whose signature does not hold.
pub(super) fn forged_reading(stage: &mut Stage) -> Option<Verdict> {
    misbehaves(stage, "reading", "signature does not hold", &[])
}

/// It streams parts that are no block, at each of its turns.
pub(super) fn garbage_parts(stage: &mut Stage) -> Option<Verdict> {
    misbehaves(stage, "parts", "garbage for a block", &[])
}

/// One misbehaves like this; another says `said`, and these contradictions stand on the ledger.
fn misbehaves(stage: &mut Stage, how: &str, said: &str, shown: &[&str]) -> Option<Verdict> {
    let how = how.to_owned();
    stage.rounds(quick(), |stage, network| {
        let one = stage.order(network)[0];
        network.validators[one].terminate();
        network.validators[one].environment = vec![(VARIABLE.to_owned(), how.clone())];
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
        let expected: BTreeSet<String> = shown.iter().map(ToString::to_string).collect();
        let what = format!("{expected:?} of {name} are on the ledger");
        wait::until_true(&what, wait::LONG, || {
            let said = network.validators[other].node().json("/api/v1/validators");
            let of_it =
                said["misbehaviours"].as_array().into_iter().flatten().filter(|one| one["name"] == *name);
            let kinds: BTreeSet<String> =
                of_it.filter_map(|one| one["misbehaviour"].as_str()).map(str::to_owned).collect();
            expected.is_subset(&kinds)
        });
        let honest = network.members().filter(|member| member.name != name);
        let most = honest.map(|member| member.memory_kibibytes().1).max().unwrap_or_default();
        assert!(most <= MEMORY_KIBIBYTES_MAX, "a node had {most} KiB");
        stage.note(format!("{how}: {made} blocks meanwhile, a node had {} MB at most", most / 1024));
        network.validators[one].terminate();
        network.validators[one].environment.clear();
        network.validators[one].start();
        network.goes_on(2);
    })
}
