//! An account's page: what it holds, what is on its way, where it came from.

use askama::Template;

use super::Shell;
use super::parts::{DeviceTable, StatementRows, TransferTable, role};
use crate::marks::Until;
use crate::view::{AccountPage as Answer, AccountRole};
use crate::{names, numbers};

/// The page of one account.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    shell: Shell,
    id: String,
    role: AccountRole,
    posted_microtokens: u64,
    pending_microtokens: u64,
    devices_total: u64,
    devices: DeviceTable,
    transfers_total: u64,
    transfers: TransferTable,
    statements: StatementRows,
}

super::is_a_page!(AccountPage);

impl AccountPage {
    /// The page of what the view answered.
    pub fn new(answer: Answer) -> Self {
        let shell = Shell::new(
            format!("Account {}", names::short(&answer.id)),
            format!("/accounts/{}", crate::marks::segment(&answer.id)),
            answer.network.clone(),
            true,
        );
        Self {
            shell,
            role: answer.role,
            posted_microtokens: answer.posted_microtokens,
            pending_microtokens: answer.pending_microtokens,
            devices_total: answer.devices_total,
            devices: DeviceTable { network: answer.network, devices: answer.devices, owners: false },
            transfers_total: answer.transfers_total,
            transfers: TransferTable { transfers: answer.transfers, account: Some(answer.id.clone()) },
            statements: StatementRows { statements: answer.statements, devices: true },
            id: answer.id,
        }
    }

    fn sentence(&self) -> &'static str {
        role(self.role)
    }

    fn is_supply(&self) -> bool {
        self.role == AccountRole::Supply
    }

    /// Whether the account can own devices: system accounts cannot.
    fn can_own(&self) -> bool {
        matches!(self.role, AccountRole::Holder | AccountRole::Treasury | AccountRole::Operator)
    }

    fn closes(&self) -> Until {
        let network = &self.shell.network;
        Until {
            now_milliseconds: network.now_milliseconds,
            then_milliseconds: network.epoch_ends_milliseconds,
        }
    }

    /// Why nothing is posted; "" when something is.
    fn posted_zero(&self) -> &'static str {
        match (self.posted_microtokens, self.transfers_total) {
            (0, 0) => "nothing has been posted to it yet",
            (0, _) => "everything it received was passed on",
            _ => "",
        }
    }

    /// Why nothing is on its way; "" when something is.
    fn pending_zero(&self) -> &'static str {
        match (self.pending_microtokens, self.can_own(), self.devices_total) {
            (0, false, _) => "this account earns no rewards",
            (0, true, 0) => "it owns no device",
            (0, true, _) => "its devices have earned nothing in this epoch yet",
            _ => "",
        }
    }
}
