//! A network of one validator: what it proposes is decided at once.

use crate::verify::Verified;

/// A block that is proposed: its time and its transactions, not executed yet.
#[derive(Debug)]
pub struct Proposal {
    /// Unix milliseconds.
    pub time_unix_milliseconds: u64,
    /// In order, each beside who waits for its answer.
    pub transactions: Vec<Verified>,
}

/// A proposal that became the next block: it may be executed.
#[derive(Debug)]
pub struct Decided(Proposal);

impl Decided {
    /// What was decided.
    pub fn into_proposal(self) -> Proposal {
        self.0
    }
}

/// Decides a proposal that follows a block of `parent_time`. Block time never goes back, whatever the clock does.
pub fn decide(mut proposal: Proposal, parent_time_unix_milliseconds: u64) -> Decided {
    proposal.time_unix_milliseconds = proposal.time_unix_milliseconds.max(parent_time_unix_milliseconds);
    Decided(proposal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_time_never_goes_back() {
        let proposal = |time_unix_milliseconds| Proposal { time_unix_milliseconds, transactions: Vec::new() };
        assert_eq!(decide(proposal(5), 9).into_proposal().time_unix_milliseconds, 9);
        assert_eq!(decide(proposal(12), 9).into_proposal().time_unix_milliseconds, 12);
    }
}
