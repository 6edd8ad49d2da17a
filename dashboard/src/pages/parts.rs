//! Parts that several pages share: tables of devices, statements, transfers and refusals.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::marks::{Age, Integer, Link};
use crate::view::{
    AccountRole, Device, DeviceStatus, Network, REFUSAL_REASONS, Refused, Statement, Transfer, TransferCause,
};
use crate::{names, numbers, reasons};

/// A status as a word with a dot.
#[derive(Debug, Clone, Copy)]
pub struct Status(pub DeviceStatus);

impl Status {
    /// The word for `status`.
    pub fn of(status: &DeviceStatus) -> Self {
        Self(*status)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = reasons::status(self.0);
        write!(out, r#"<span class="pill {word}">{word}</span>"#)
    }
}

impl HtmlSafe for Status {}

/// A table of devices.
#[derive(Debug, Clone, Template)]
#[template(path = "devices.html")]
pub struct DeviceTable {
    /// The network at the moment of the devices.
    pub network: Network,
    /// The rows.
    pub devices: Vec<Device>,
    /// Whether the owner is worth a word (not on the owner's own page).
    pub owners: bool,
}

impl HtmlSafe for DeviceTable {}

impl DeviceTable {
    fn age(&self, then_milliseconds: impl Integer) -> Age {
        Age { now_milliseconds: self.network.now_milliseconds, then_milliseconds: then_milliseconds.value() }
    }
}

/// Refused envelopes by reason.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "refused.html")]
pub struct RefusedTable {
    /// The counts.
    pub refused: Refused,
    /// Accepted envelopes beside them, where they are known.
    pub accepted_envelopes: Option<u64>,
}

impl HtmlSafe for RefusedTable {}

impl RefusedTable {
    /// Reason, meaning and count of what was refused at all.
    fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
        let named = REFUSAL_REASONS.into_iter().zip(reasons::REFUSAL_MEANINGS);
        let counted = named.zip(self.refused.0).map(|((reason, meaning), count)| (reason, meaning, count));
        counted.filter(|row| row.2 > 0).collect()
    }

    /// The reasons that never applied, as a list in words.
    fn never(&self) -> String {
        let never = REFUSAL_REASONS.into_iter().zip(self.refused.0).filter(|row| row.1 == 0);
        never.map(|row| row.0).collect::<Vec<_>>().join(", ")
    }
}

/// Transfers, newest first.
#[derive(Debug, Clone, Template)]
#[template(path = "transfers.html")]
pub struct TransferTable {
    /// The rows.
    pub transfers: Vec<Transfer>,
    /// The account whose page this is: amounts then have a sign, and the other side is named.
    pub account: Option<String>,
}

impl HtmlSafe for TransferTable {}

impl TransferTable {
    fn incoming(&self, transfer: &Transfer) -> bool {
        self.account.as_ref().is_some_and(|account| *account == transfer.credit)
    }

    fn other(&self, transfer: &Transfer) -> Link {
        Link::account(if self.incoming(transfer) { &transfer.debit } else { &transfer.credit })
    }
}

/// A list of statements, a row each.
#[derive(Debug, Clone, Template)]
#[template(path = "statement_rows.html")]
pub struct StatementRows {
    /// Newest first.
    pub statements: Vec<Statement>,
    /// Whether the device is worth a column (on an account's page).
    pub devices: bool,
}

impl HtmlSafe for StatementRows {}

/// An account's role as a sentence.
pub fn role(of: AccountRole) -> &'static str {
    reasons::role(of)
}
