//! A block: its entries and its seal.

use askama::Template;

use super::Shell;
use super::parts::RefusedTable;
use crate::limits::BLOCK_ENTRIES_MAX;
use crate::marks::{Age, Link};
use crate::view::BlockPage as Answer;

/// The page of one block.
#[derive(Debug, Template)]
#[template(path = "block.html")]
pub struct BlockPage {
    shell: Shell,
    answer: Answer,
    page: u64,
}

super::is_a_page!(BlockPage);

impl BlockPage {
    /// Page `page` (from 1) of what the view answered.
    pub fn new(answer: Answer, page: u64) -> Self {
        let height = answer.height;
        let path =
            if page > 1 { format!("/blocks/{height}?page={page}") } else { format!("/blocks/{height}") };
        let shell = Shell::new(format!("Block {height}"), path, answer.network.clone(), false);
        Self { shell, answer, page }
    }

    fn pages(&self) -> u64 {
        self.answer.seal.entries.div_ceil(BLOCK_ENTRIES_MAX as u64).max(1)
    }

    fn age(&self) -> Age {
        Age {
            now_milliseconds: self.shell.network.now_milliseconds,
            then_milliseconds: self.answer.time_milliseconds,
        }
    }

    fn refused(&self) -> RefusedTable {
        RefusedTable { refused: self.answer.seal.refused, accepted_envelopes: None }
    }
}
