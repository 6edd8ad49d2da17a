//! What is done to a network, a function each; the judge has the last word on all of them.

mod byzantine;
mod clock;
mod cut;
mod disk;
mod joined;
mod killed;
mod weather;

use super::Network;
use super::judge::{Verdict, judge};
use super::namespaces::Wire;
use crate::chance::Chance;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// How often everything is done over: once in every run of the tests.
    pub rounds: u32,
    /// Where order and moments come from.
    pub seed: u64,
}

/// Something that happens to networks.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What is typed to run it alone.
    pub name: &'static str,
    run: fn(&mut Stage) -> Option<Verdict>,
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "killed-in-turn", run: killed::each_in_turn },
    Scenario { name: "rolling-restart", run: killed::restarted_in_turn },
    Scenario { name: "two-down", run: killed::two_at_once },
    Scenario { name: "all-killed", run: killed::all_at_once },
    Scenario { name: "gateway-killed", run: killed::the_gateway },
    Scenario { name: "halves", run: cut::halves },
    Scenario { name: "one-cut-off", run: cut::one_alone },
    Scenario { name: "one-way", run: cut::one_way },
    Scenario { name: "slow-and-lossy", run: weather::slow_and_lossy },
    Scenario { name: "clock-ahead", run: clock::ahead },
    Scenario { name: "clock-behind", run: clock::behind },
    Scenario { name: "disk-full", run: disk::full },
    Scenario { name: "wiped", run: joined::one_wiped },
    Scenario { name: "fifth", run: joined::a_fifth },
    Scenario { name: "signs-twice", run: byzantine::signs_twice },
    Scenario { name: "wrong-results", run: byzantine::wrong_results },
    Scenario { name: "forged-reading", run: byzantine::forged_reading },
    Scenario { name: "garbage-parts", run: byzantine::garbage_parts },
];

impl Scenario {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Scenario> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Does it; none where this machine cannot, which is said on standard output.
    pub fn run(&self, setting: Setting) -> Option<Verdict> {
        let chance = Chance::new(setting.seed);
        (self.run)(&mut Stage { rounds: setting.rounds, chance, notes: Vec::new() })
    }
}

/// What a scenario has while it runs.
struct Stage {
    rounds: u32,
    chance: Chance,
    notes: Vec<String>,
}

impl Stage {
    /// A note for the reader.
    fn note(&mut self, sentence: String) {
        self.notes.push(sentence);
    }

    /// Does something to a network under load as often as was asked for, then judges.
    fn rounds(
        &mut self,
        mut network: Network,
        mut act: impl FnMut(&mut Stage, &mut Network),
    ) -> Option<Verdict> {
        network.under_load(|network| {
            network.goes_on(2);
            for _ in 0..self.rounds {
                act(self, network);
            }
        });
        Some(judge(network, std::mem::take(&mut self.notes)))
    }

    /// All validators' places, in an order that chance says.
    fn order(&mut self, network: &Network) -> Vec<usize> {
        let mut places: Vec<usize> = (0..network.validators.len()).collect();
        // Fisher and Yates.
        for end in (1..places.len()).rev() {
            places.swap(end, self.chance.place(end + 1));
        }
        places
    }
}

/// A network on a quick wire.
fn quick() -> Network {
    Network::new(Wire::Quick)
}
