//! What an auditor looks at: checkpoints, that the log only grew, the supply's equation, evidence, and how to take it all
//! home. For everybody, because whoever must ask for leave cannot check.

use askama::Template;

use super::Shell;
use super::agreement::Misbehaviours;
use crate::marks::{Age, Integer, Link};
use crate::names;
use crate::numbers;
use crate::view::{Audit, Growth, Proof, Supply};

/// The auditor's page.
#[derive(Debug, Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    shell: Shell,
    audit: Audit,
    misbehaviours: Option<Misbehaviours>,
    /// What stands in the form.
    sizes: (u64, u64),
}

super::is_a_page!(AuditPage);

impl AuditPage {
    /// The page of what the view answered to two sizes, or to none.
    pub fn new(mut audit: Audit, sizes: Option<(u64, u64)>) -> Self {
        let network = std::mem::take(&mut audit.network);
        let path = match sizes {
            Some((from, to)) => format!("/audit?from={from}&to={to}"),
            None => "/audit".to_owned(),
        };
        let offered = audit.ends.first().map_or(1, |end| end.log_size);
        let sizes = sizes.unwrap_or((offered.min(audit.checkpoint_size), audit.checkpoint_size));
        let misbehaviours = Misbehaviours::of(&network);
        Self { shell: Shell::new("Audit", path, network, false), audit, misbehaviours, sizes }
    }

    fn age(&self, then_milliseconds: impl Integer) -> Age {
        let now_milliseconds = self.shell.network.now_milliseconds;
        Age { now_milliseconds, then_milliseconds: then_milliseconds.value() }
    }

    fn signed(&self) -> u64 {
        self.audit.signers.len() as u64
    }

    fn is_signed(&self) -> bool {
        self.signed() >= self.audit.quorum && self.audit.quorum > 0
    }

    fn signers(&self) -> String {
        let names: Vec<String> = self.audit.signers.iter().map(|name| names::shown(name, 60)).collect();
        names.join(", ")
    }

    /// What stands on each side of the equation: what it is, how much, and why that is nothing where it is.
    fn made(&self) -> [(&'static str, u64, &'static str); 2] {
        let Supply { genesis_microtokens, issued_since_microtokens, .. } = self.audit.supply;
        [
            ("Made by the genesis document", genesis_microtokens, "the network began with nothing"),
            ("Issued since, by the treasury's key", issued_since_microtokens, "nothing was ever issued"),
        ]
    }

    fn held(&self) -> [(&'static str, u64, &'static str); 4] {
        let supply = &self.audit.supply;
        [
            ("In the reward pool", supply.pool_microtokens, "empty: statements are paid nothing"),
            ("In the treasury", supply.treasury_microtokens, "everything was given out"),
            ("Waiting in escrow", supply.escrow_microtokens, "every device that earned has an owner"),
            ("In other accounts", supply.holders_microtokens, "nobody was paid anything yet"),
        ]
    }

    /// Why there is no proof of the sizes that were asked for.
    fn refused(&self) -> Option<&str> {
        match &self.audit.growth {
            Some(Growth::Refused(sentence)) => Some(sentence),
            _ => None,
        }
    }

    fn proof(&self) -> Option<&Proof> {
        match &self.audit.growth {
            Some(Growth::Proven(proof)) => Some(proof),
            _ => None,
        }
    }

    /// Sums beyond what an amount can be are only there when something is wrong.
    fn narrowed(&self, sum: u128) -> u64 {
        u64::try_from(sum).unwrap_or(u64::MAX)
    }
}
