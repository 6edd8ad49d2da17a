//! An entry of the log: decoded, in raw bytes, and how to verify it without us.

use askama::Template;

use super::Shell;
use super::parts::{RefusedTable, TransferTable};
use crate::limits::ARGUMENT_CHARACTERS_MAX;
use crate::marks::{Age, Link, segment};
use crate::view::{Exact, SealBody, TransactionBody, TransactionPage as Answer};
use crate::{names, numbers};

/// The page of one entry.
#[derive(Debug, Template)]
#[template(path = "transaction.html")]
pub struct TransactionPage {
    shell: Shell,
    answer: Answer,
    transfers: TransferTable,
    corrections: TransferTable,
}

super::is_a_page!(TransactionPage);

impl TransactionPage {
    /// The page of what the view answered.
    pub fn new(answer: Answer) -> Self {
        let path = format!("/transactions/{}", segment(&answer.id));
        let title = match &answer.body {
            TransactionBody::Reading { kid, .. } => format!("Reading of device {kid}"),
            TransactionBody::Instruction { .. } => format!("Instruction {}", names::short(&answer.id)),
            TransactionBody::Seal(_) => format!("Seal of block {}", answer.height),
        };
        let shell = Shell::new(title, path, answer.network.clone(), false);
        let transfers = TransferTable { transfers: answer.transfers.clone(), account: None };
        let corrections = TransferTable { transfers: answer.corrections.clone(), account: None };
        Self { shell, answer, transfers, corrections }
    }

    /// The receipt's file name in the commands.
    fn file(&self) -> String {
        format!("{}.receipt", segment(self.answer.id.get(..16).unwrap_or("entry")))
    }

    fn age(&self) -> Age {
        Age {
            now_milliseconds: self.shell.network.now_milliseconds,
            then_milliseconds: self.answer.time_milliseconds,
        }
    }

    fn bytes(&self) -> u64 {
        self.answer.raw.len() as u64 / 2
    }

    /// The epoch a block time falls into, reckoned back from the running one: all are equally long.
    fn epoch(&self) -> Option<u64> {
        let network = &self.shell.network;
        let length = network.epoch_seconds.checked_mul(1_000).filter(|length| *length > 0)?;
        let starts = network.epoch_ends_milliseconds.checked_sub(length)?;
        match starts.checked_sub(self.answer.time_milliseconds) {
            None | Some(0) => Some(network.epoch),
            Some(before) => network.epoch.checked_sub(before.div_ceil(length)),
        }
    }

    /// The epoch, once it has closed and its statement stands.
    fn closed_epoch(&self) -> Option<u64> {
        self.epoch().filter(|epoch| *epoch < self.shell.network.epoch)
    }

    fn value(&self, value: &Exact) -> String {
        numbers::exact(*value)
    }

    fn argument(&self, text: &str) -> String {
        names::shown(text, ARGUMENT_CHARACTERS_MAX)
    }

    fn refused(&self, seal: &SealBody) -> RefusedTable {
        RefusedTable { refused: seal.refused, accepted_envelopes: None }
    }
}
