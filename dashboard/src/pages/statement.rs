//! One statement: why this amount, to be linked to and kept.

use askama::Template;

use super::Shell;
use super::parts::Sheet;
use crate::marks::{Age, Link};
use crate::view::{Device, StatementPage as Answer};

/// The page of one statement.
#[derive(Debug, Template)]
#[template(path = "statement.html")]
pub struct StatementPage {
    shell: Shell,
    device: Device,
    sheet: Sheet,
}

impl StatementPage {
    /// The page of what the view answered.
    pub fn new(answer: Answer) -> Self {
        let (kid, epoch) = (&answer.statement.kid, answer.statement.epoch);
        let shell = Shell::new(
            format!("Statement of epoch {epoch}, device {kid}"),
            format!("/devices/{kid}/statements/{epoch}"),
            answer.network,
            answer.statement.seal.is_none(),
        );
        Self { shell, device: answer.device, sheet: Sheet { statement: answer.statement } }
    }

    fn closed(&self) -> Age {
        Age {
            now_milliseconds: self.shell.network.now_milliseconds,
            then_milliseconds: self.sheet.statement.ends_milliseconds,
        }
    }
}
