//! One statement: why this amount, to be linked to and kept.

use askama::Template;

use super::Shell;
use super::parts::TransferTable;
use super::sheet::Sheet;
use super::signing::Scripts;
use crate::assets;
use crate::marks::{Age, Link};
use crate::view::{Device, StatementPage as Answer};

/// The page of one statement.
#[derive(Debug, Template)]
#[template(path = "statement.html")]
pub struct StatementPage {
    shell: Shell,
    device: Device,
    epoch: u64,
    closed: bool,
    ends_milliseconds: u64,
    sheets: Vec<Sheet>,
    transfers: TransferTable,
    scripts: Option<Scripts>,
}

super::is_a_page!(StatementPage);

impl StatementPage {
    /// The page of what the view answered.
    pub fn new(answer: Answer) -> Self {
        let (kid, first) = (&answer.device.kid, answer.statements.first());
        let epoch = first.map_or(0, |statement| statement.epoch);
        let closed = first.is_some_and(|statement| statement.seal.is_some());
        let ends_milliseconds = first.map_or(0, |statement| statement.ends_milliseconds);
        let shell = Shell::new(
            format!("Statement of epoch {epoch}, device {kid}"),
            format!("/devices/{kid}/statements/{epoch}"),
            answer.network,
            !closed,
        );
        let sheets = answer.statements.into_iter().map(|statement| Sheet { statement }).collect();
        let transfers = TransferTable { transfers: answer.transfers, account: None };
        let scripts = Scripts::with(&[&assets::RECOMPUTE]).filter(|_| closed);
        Self { shell, device: answer.device, epoch, closed, ends_milliseconds, sheets, transfers, scripts }
    }

    fn closed_age(&self) -> Age {
        Age {
            now_milliseconds: self.shell.network.now_milliseconds,
            then_milliseconds: self.ends_milliseconds,
        }
    }
}
