//! How several validators agree: whose turn it is, who signed last, who is missing, who contradicted itself.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::marks::{Age, Integer, Link};
use crate::view::{Agreement, Attendance, Misbehaviour, Network, NodeRole};
use crate::{names, numbers};

/// The section about them; nothing where one validator alone decides.
#[derive(Debug, Clone, Template)]
#[template(path = "agreement.html")]
pub struct AgreementPart {
    agreement: Agreement,
    now_milliseconds: u64,
}

impl HtmlSafe for AgreementPart {}

impl AgreementPart {
    /// That of a network of several.
    pub fn of(network: &Network) -> Option<Self> {
        let agreement = network.agreement.clone()?;
        Some(Self { agreement, now_milliseconds: network.now_milliseconds })
    }

    fn age(&self, then_milliseconds: impl Integer) -> Age {
        Age { now_milliseconds: self.now_milliseconds, then_milliseconds: then_milliseconds.value() }
    }

    fn present(&self) -> u64 {
        self.agreement.validators.iter().filter(|one| one.is_present()).count() as u64
    }

    fn count(&self) -> u64 {
        self.agreement.validators.len() as u64
    }

    /// What this node is, a sentence.
    fn oneself(&self) -> String {
        let name = names::shown(&self.agreement.name, 80);
        match self.agreement.role {
            NodeRole::Validator => format!("This node is {name}, one of the validators."),
            NodeRole::Gateway => {
                format!(
                    "This node is {name}, a gateway: it checks what the validators decide and has no vote."
                )
            }
        }
    }

    /// The names of those who are missing, or "".
    fn missing(&self) -> String {
        let missing = self.agreement.validators.iter().filter(|one| !one.is_present());
        missing.map(|one| names::shown(&one.name, 80)).collect::<Vec<_>>().join(", ")
    }

    /// How many more may be missing.
    fn spare(&self) -> String {
        match self.present().checked_sub(self.agreement.quorum) {
            None => "too few: no block comes".to_owned(),
            Some(0) => "one less, and no block comes".to_owned(),
            Some(spare) => format!("{spare} may be missing"),
        }
    }

    /// Whether the last block that this node knows bears its signature.
    fn signed_last(&self, one: &Attendance) -> bool {
        one.last_signed_height.is_some_and(|height| height.saturating_add(1) >= self.agreement.height)
    }

    /// How many blocks it did not sign since it last did.
    fn behind(&self, signed_height: impl Integer) -> u64 {
        self.agreement.height.saturating_sub(1).saturating_sub(signed_height.value())
    }

    fn is_turn_of(&self, one: &Attendance) -> bool {
        self.agreement.proposer.as_ref().is_some_and(|proposer| *proposer == one.name)
    }

    fn misbehaviours_of(&self, one: &Attendance) -> u64 {
        self.agreement.misbehaviours.iter().filter(|shown| shown.validator == one.name).count() as u64
    }
}

/// What an auditor is shown of contradictions.
#[derive(Debug, Clone, Template)]
#[template(path = "misbehaviours.html")]
pub struct Misbehaviours {
    misbehaviours: Vec<Misbehaviour>,
}

impl HtmlSafe for Misbehaviours {}

impl Misbehaviours {
    /// Those that the ledger of this network holds; `None` where it holds none.
    pub fn of(network: &Network) -> Option<Self> {
        let misbehaviours = network.agreement.as_ref()?.misbehaviours.clone();
        (!misbehaviours.is_empty()).then_some(Self { misbehaviours })
    }

    /// Where it was: a height and a round, or a size of the log.
    fn place(&self, shown: &Misbehaviour) -> String {
        match shown.kind.as_str() {
            "checkpoints" => format!("of {}", numbers::counted(shown.height, "entry", "entries")),
            _ => format!("at height {}, round {}", numbers::grouped(shown.height), shown.round),
        }
    }
}
