//! The metrics of a node of several: height, round, peers, missed proposals, the time since the last block, why none comes.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::alerts::Agreement;
use crate::consensus::status::{Status, Stuck};

type Labels = Vec<(&'static str, String)>;

/// All of them. A family without members is not exported, so a node that decides alone shows none.
#[derive(Debug, Default)]
pub struct AgreementMetrics {
    height: Family<Labels, Gauge>,
    round: Family<Labels, Gauge>,
    validators: Family<Labels, Gauge>,
    quorum: Family<Labels, Gauge>,
    connected: Family<Labels, Gauge>,
    validator_connected: Family<Labels, Gauge>,
    missed_proposals: Family<Labels, Counter>,
    last_signed_height: Family<Labels, Gauge>,
    last_block_seconds: Family<Labels, Gauge>,
    stuck: Family<Labels, Gauge>,
}

impl AgreementMetrics {
    pub(super) fn registered(registry: &mut Registry) -> AgreementMetrics {
        let metrics = AgreementMetrics::default();
        let mut gauge = |name: &str, help: &str, family: &Family<Labels, Gauge>| {
            registry.register(name, help, family.clone());
        };
        gauge("consensus_height", "Height that the validators are deciding", &metrics.height);
        gauge("consensus_round", "Round of that height; above 0 where a turn failed", &metrics.round);
        gauge("consensus_validators", "Validators of the network", &metrics.validators);
        gauge("consensus_quorum", "Validators that must agree", &metrics.quorum);
        gauge("consensus_connected", "Validators that this node is connected to", &metrics.connected);
        gauge("validator_connected", "1 while this node is connected to it", &metrics.validator_connected);
        gauge("validator_last_signed_height", "Last height that it signed", &metrics.last_signed_height);
        gauge("last_block_seconds", "Seconds since the last block", &metrics.last_block_seconds);
        gauge("consensus_stuck", "1 while no block comes, by cause", &metrics.stuck);
        let help = "Turns that went by without a block of it, since the start";
        registry.register("validator_missed_proposals", help, metrics.missed_proposals.clone());
        metrics
    }

    /// States how it stands.
    pub fn show(&self, status: &Status, told: &Agreement) {
        let set = |family: &Family<Labels, Gauge>, labels: Labels, value: u64| {
            family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let connected = status.validators.iter().filter(|one| one.is_connected && !one.is_self).count();
        for (family, value) in [
            (&self.height, status.height),
            (&self.round, status.round.into()),
            (&self.validators, told.validators),
            (&self.quorum, told.quorum),
            (&self.connected, connected as u64),
            (&self.last_block_seconds, told.quiet_seconds),
        ] {
            set(family, vec![("role", status.role.as_str().to_owned())], value);
        }
        for word in Stuck::WORDS {
            let holds = status.stuck.as_ref().is_some_and(|stuck| stuck.as_str() == word);
            set(&self.stuck, vec![("cause", word.to_owned())], holds.into());
        }
        // Validators leave: what is said of them must not stay.
        self.validator_connected.clear();
        self.last_signed_height.clear();
        for one in &status.validators {
            let labels = vec![("validator", one.name.clone())];
            set(&self.validator_connected, labels.clone(), (one.is_connected || one.is_self).into());
            if let Some(height) = one.last_signed_height {
                set(&self.last_signed_height, labels.clone(), height);
            }
            let missed = self.missed_proposals.get_or_create(&labels);
            missed.inner().store(one.missed_proposals, Ordering::Relaxed);
        }
    }
}
