//! The tariff in force, those before, and what another one would have paid. The node only reckons: who sets a tariff signs
//! it with the operator's key, by the command that the page shows.

use askama::Template;

use super::Rooms;
use crate::marks::{Link, Until};
use crate::pages::Shell;
use crate::view::{FormToken, Proposal, Rehearsal, RehearsedPay, Tariff, TariffDesk, TariffVersion};
use crate::{moments, names, numbers};

/// The page of the tariff.
#[derive(Debug, Template)]
#[template(path = "operator_tariff.html")]
pub struct TariffPage {
    shell: Shell,
    rooms: Rooms,
    token: FormToken,
    in_force: Tariff,
    history: Vec<TariffVersion>,
    /// What stands in the form.
    json: String,
    epochs: u64,
    epochs_max: u64,
    rehearsal: Option<Rehearsal>,
}

crate::pages::is_a_page!(TariffPage);

impl TariffPage {
    /// The page of what the view answered to a proposal, or to none; `token` is the viewer's own, for the form.
    pub fn new(answer: TariffDesk, proposal: Option<Proposal>, token: FormToken) -> Self {
        let (json, epochs) = match proposal {
            Some(proposal) => (proposal.json, proposal.epochs.clamp(1, answer.epochs_max.max(1))),
            None => (answer.next_json, 1),
        };
        Self {
            shell: Shell::new("Tariff", "/operator/tariff", answer.network, false),
            rooms: Rooms::at("/operator/tariff"),
            token,
            in_force: answer.in_force,
            history: answer.history,
            json,
            epochs,
            epochs_max: answer.epochs_max,
            rehearsal: answer.rehearsal,
        }
    }

    /// `1.5 %`: a share of thousandths.
    fn share(&self, permille: &u32) -> String {
        format!("{}.{} %", permille / 10, permille % 10)
    }

    fn begins(&self, then_milliseconds: &u64) -> Until {
        Until { now_milliseconds: self.shell.network.now_milliseconds, then_milliseconds: *then_milliseconds }
    }

    fn is_pending(&self, version: &TariffVersion) -> bool {
        version.version > self.in_force.version
    }

    /// A version that waits for its epoch: until then no other one can be set.
    fn pending(&self) -> Option<&TariffVersion> {
        self.history.iter().find(|version| self.is_pending(version))
    }

    /// `+1.250000`, `−0.000001`, `0.000000`.
    fn difference(&self, was_microtokens: &u64, would_be_microtokens: &u64) -> String {
        let size = numbers::tokens(was_microtokens.abs_diff(*would_be_microtokens));
        match was_microtokens.cmp(would_be_microtokens) {
            std::cmp::Ordering::Less => format!("+{size}"),
            std::cmp::Ordering::Equal => "the same".to_owned(),
            std::cmp::Ordering::Greater => format!("\u{2212}{size}"),
        }
    }

    /// Why somebody would have been paid nothing, or was; "" where neither is so.
    fn pay_zero(&self, pay: &RehearsedPay) -> &'static str {
        match (pay.was_microtokens, pay.would_be_microtokens) {
            (0, 0) => "paid nothing by either",
            (0, _) => "was paid nothing by the tariff in force",
            (_, 0) => "would be paid nothing",
            _ => "",
        }
    }
}
