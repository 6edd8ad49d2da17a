//! The way between devices and node: a broker that drops, repeats, reorders, holds back and alters what it carries,
//! and forgets what it retained. It cannot sign.

use std::collections::BTreeMap;

use devices::{DeviceId, TopicKind};

use crate::chance::Chance;
use crate::faults::{Fault, Faults};
use crate::scenario::Scenario;

/// Carries messages and keeps what is retained.
#[derive(Debug)]
pub struct Broker {
    chance: Chance,
    retained: BTreeMap<DeviceId, Vec<u8>>,
    /// What went wrong on the way.
    pub faults: Faults,
}

/// A message that arrives, and when.
pub type Arriving = (u64, Vec<u8>);

impl Broker {
    /// A broker that has retained nothing.
    pub fn new(chance: Chance) -> Broker {
        Broker { chance, retained: BTreeMap::new(), faults: Faults::default() }
    }

    /// The copies of a message that arrive, each with its time.
    pub fn carry(&mut self, scenario: &Scenario, now: u64, message: &[u8], to_node: bool) -> Vec<Arriving> {
        let mut copies = 1;
        if self.chance.happens(scenario.drop) {
            self.faults.count(Fault::Drop);
            copies = 0;
        }
        if self.chance.happens(scenario.duplicate) {
            self.faults.count(Fault::Duplicate);
            copies += self.chance.within(1, 2);
        }
        (0..copies).map(|_| self.copy(scenario, now, message, to_node)).collect()
    }

    fn copy(&mut self, scenario: &Scenario, now: u64, message: &[u8], to_node: bool) -> Arriving {
        let mut at = now + self.chance.within(1, scenario.latency);
        if self.chance.happens(scenario.delay) {
            self.faults.count(Fault::Delay);
            at += self.chance.below(scenario.delay_most);
        }
        let mut message = message.to_vec();
        // An ack is not signed: a broker that alters one is believed, so it must not (contract: it cannot forge).
        if to_node && self.chance.happens(scenario.alter) {
            self.faults.count(Fault::Alteration);
            self.alter(&mut message);
        }
        (at, message)
    }

    fn alter(&mut self, message: &mut Vec<u8>) {
        match self.chance.below(3) {
            0 => message.truncate(self.chance.place(message.len())),
            // In the signature, so that all else can be read.
            1 => {
                let back = self.chance.place(message.len().min(64)) + 1;
                if let Some(byte) = message.iter_mut().nth_back(back - 1) {
                    *byte ^= 1 << self.chance.below(8);
                }
            }
            _ => {
                let place = self.chance.place(message.len());
                if let Some(byte) = message.get_mut(place) {
                    *byte ^= 1 << self.chance.below(8);
                }
            }
        }
    }

    /// Keeps the last message of an `ack` topic.
    pub fn retain(&mut self, kid: DeviceId, kind: TopicKind, message: &[u8]) {
        if kind == TopicKind::Ack {
            self.retained.insert(kid, message.to_vec());
        }
    }

    /// What a device that subscribes gets at once.
    pub fn retained(&self, kid: DeviceId) -> Option<&Vec<u8>> {
        self.retained.get(&kid)
    }

    /// Forgets everything, as a broker without a disk does when it restarts.
    pub fn forget(&mut self) {
        self.retained.clear();
    }
}
