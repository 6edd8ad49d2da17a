//! What went to and from an owner's account, page by page, each with its receipt.

use askama::Template;

use super::Shell;
use super::parts::TransferTable;
use crate::marks::Link;
use crate::view::{Payouts, PayoutsAfter};

/// The page of an account's transfers.
#[derive(Debug, Template)]
#[template(path = "payouts.html")]
pub struct PayoutsPage {
    shell: Shell,
    account: String,
    available_microtokens: u64,
    transfers: TransferTable,
    transfers_total: u64,
    is_first: bool,
    older: Option<PayoutsAfter>,
}

super::is_a_page!(PayoutsPage);

impl PayoutsPage {
    /// The page of what the view answered for transfers after those that were shown.
    pub fn new(payouts: Payouts, after: Option<PayoutsAfter>) -> Self {
        let path = match after {
            Some(PayoutsAfter { height, shown }) => format!("/mine/payouts?height={height}&shown={shown}"),
            None => "/mine/payouts".to_owned(),
        };
        Self {
            shell: Shell::new("Payouts", path, payouts.network, after.is_none()),
            transfers: TransferTable { transfers: payouts.transfers, account: Some(payouts.account.clone()) },
            account: payouts.account,
            available_microtokens: payouts.available_microtokens,
            transfers_total: payouts.transfers_total,
            is_first: after.is_none(),
            older: payouts.older,
        }
    }
}
