//! All statements of a device, page by page, beside the total they come to.

use askama::Template;

use super::Shell;
use super::parts::StatementRows;
use crate::reasons;
use crate::view::{Device, StatementsPage as Answer};

/// The list of a device's statements.
#[derive(Debug, Template)]
#[template(path = "statements.html")]
pub struct StatementsPage {
    shell: Shell,
    device: Device,
    rows: StatementRows,
    paged: bool,
    older_before: Option<u64>,
}

super::is_a_page!(StatementsPage);

impl StatementsPage {
    /// The page of what the view answered for statements before `before_epoch`.
    pub fn new(answer: Answer, before_epoch: Option<u64>) -> Self {
        let kid = &answer.device.kid;
        let path = match before_epoch {
            Some(epoch) => format!("/devices/{kid}/statements?before={epoch}"),
            None => format!("/devices/{kid}/statements"),
        };
        let oldest = answer.statements.last().map(|statement| statement.epoch);
        Self {
            shell: Shell::new(
                format!("Statements of device {kid}"),
                path,
                answer.network,
                before_epoch.is_none(),
            ),
            device: answer.device,
            rows: StatementRows { statements: answer.statements, devices: false },
            paged: before_epoch.is_some(),
            older_before: oldest.filter(|_| answer.more),
        }
    }

    fn sum_microtokens(&self) -> u64 {
        self.rows.statements.iter().fold(0, |sum, row| sum.saturating_add(row.paid_microtokens))
    }

    fn complete(&self) -> bool {
        !self.paged && self.older_before.is_none()
    }
}
