//! What the API and the dashboard show of the ledger, computed once for both: so their figures are always equal.

use dashboard::view::Viewer;
use devices::{DeviceId, PublicKey};
use ledger::account::{Account, AccountId};
use ledger::cell::Cell;
use ledger::registry::{Device, Position};
use ledger::state::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::index::IndexError;
use crate::running::Look;
use crate::shared::{Durable, Shared};

/// How a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// Enrolled, nothing accepted yet.
    New,
    /// Heard lately.
    Online,
    /// Heard, but not lately.
    Silent,
    /// Admitted no more.
    Revoked,
}

impl DeviceStatus {
    /// How a device does, where those are silent that were not heard since then: [`Shared::heard_since`].
    pub fn of(device: &Device, heard_since_unix_milliseconds: u64) -> DeviceStatus {
        match device.last_accepted_unix_milliseconds {
            _ if device.is_retired() => DeviceStatus::Revoked,
            None => DeviceStatus::New,
            Some(last) if last < heard_since_unix_milliseconds => DeviceStatus::Silent,
            Some(_) => DeviceStatus::Online,
        }
    }

    /// The status' place in tables of counts.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What an account is to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    /// Somebody's key.
    Holder,
    /// Where rewards come from.
    Pool,
    /// The city's own.
    Treasury,
    /// The key that enrols devices.
    Operator,
    /// Holds what a device without an owner earns.
    Escrow,
    /// The other side of every token that was ever issued.
    Supply,
}

/// The network at one moment.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The last durable block.
    pub durable: Durable,
    /// The running epoch.
    pub epoch: u64,
    /// When it ends, Unix milliseconds.
    pub epoch_ends_unix_milliseconds: u64,
    /// Enrolled devices by `DeviceStatus::index`.
    pub devices: [u64; 4],
    /// Accepted envelopes since genesis.
    pub accepted_envelopes: u64,
    /// Records in them.
    pub accepted_records: u64,
    /// Refused readings since genesis, by `Refusal::index`.
    pub refused: [u64; 8],
    /// What the pool holds, micro-tokens.
    pub pool_microtokens: u64,
    /// Paid by all statements, micro-tokens.
    pub earned_microtokens: u64,
    /// What would be paid if the epoch closed now, micro-tokens.
    pub estimate_microtokens: u64,
}

/// One device at one moment.
#[derive(Debug, Clone)]
pub struct DeviceFigures {
    /// Its kid.
    pub kid: DeviceId,
    /// What the registry holds.
    pub device: Device,
    /// The cell whose devices share a budget with it; `None` where its position is not known.
    pub cell: Option<Cell>,
    /// How it does.
    pub status: DeviceStatus,
    /// Its refused readings by `Refusal::index`, as far as this node saw them.
    pub refused: [u64; 8],
    /// What it would be paid if the epoch closed now, micro-tokens.
    pub estimate_microtokens: u64,
}

/// Where a device stands, as well as somebody may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The place, or the middle of the cell that it lies in.
    pub position: Position,
    /// Whether it is the very place.
    pub exact: bool,
}

impl DeviceFigures {
    /// Where it stands for this viewer: its owner and the operator are shown the very place, everybody else the middle of
    /// its cell. A sensor often hangs at somebody's home.
    pub fn place_for(&self, viewer: &Viewer) -> Option<Place> {
        let owner = || self.device.owner().map(|owner| owner.to_string());
        if *viewer != Viewer::Public && viewer.may_see_of(owner().as_deref()) {
            return self.device.position.map(|position| Place { position, exact: true });
        }
        self.cell.map(|cell| Place { position: cell.centre(), exact: false })
    }
}

/// One account at one moment.
#[derive(Debug, Clone)]
pub struct AccountFigures {
    /// What it is.
    pub role: AccountRole,
    /// What was posted to it.
    pub account: Account,
    /// What it holds; of the supply account, what it has issued. Micro-tokens.
    pub posted_microtokens: u64,
    /// Estimate of the running epoch for its devices, micro-tokens.
    pub pending_microtokens: u64,
    /// The devices it owns.
    pub devices: Vec<DeviceId>,
}

/// The network's figures at `now`.
pub fn figures(shared: &Shared, now_unix_milliseconds: u64) -> Figures {
    figures_of(shared, &shared.look_at_length(), now_unix_milliseconds)
}

/// The same for a caller that looks already.
pub fn figures_of(shared: &Shared, look: &Look<'_>, now_unix_milliseconds: u64) -> Figures {
    let state = &look.state;
    let devices = shared.devices_by_status(state, now_unix_milliseconds);
    let totals = state.totals();
    Figures {
        durable: shared.durable(),
        epoch: state.epoch(),
        epoch_ends_unix_milliseconds: state.next_settlement_unix_milliseconds(),
        devices,
        accepted_envelopes: totals.envelopes,
        accepted_records: totals.records,
        refused: totals.refused,
        pool_microtokens: state.balance_microtokens(state.pool()),
        earned_microtokens: u64::try_from(totals.paid_microtokens).unwrap_or(u64::MAX),
        estimate_microtokens: look.preview.settlement().paid_microtokens,
    }
}

/// One device at `now`; `None` when it is not enrolled.
pub fn device(shared: &Shared, now_unix_milliseconds: u64, kid: DeviceId) -> Option<DeviceFigures> {
    let look = shared.look();
    device_figures(shared, &look, now_unix_milliseconds, kid)
}

/// At most `limit` devices after a kid (or from the first one on), in the order of their kids.
pub fn devices_after(
    shared: &Shared,
    now_unix_milliseconds: u64,
    after: Option<DeviceId>,
    limit: usize,
) -> Vec<DeviceFigures> {
    let look = shared.look_at_length();
    let later = look.state.devices().filter(|(kid, _)| after.is_none_or(|after| *kid > after)).take(limit);
    later.filter_map(|(kid, _)| device_figures(shared, &look, now_unix_milliseconds, kid)).collect()
}

/// A device's figures for a caller that looks already; `None` when it is not enrolled.
pub fn device_figures(
    shared: &Shared,
    look: &Look<'_>,
    now_unix_milliseconds: u64,
    kid: DeviceId,
) -> Option<DeviceFigures> {
    let device = look.state.device(kid)?;
    Some(DeviceFigures {
        kid,
        cell: device.cell.map(|cell| cell.parent(look.state.tariff().cell_resolution)),
        status: DeviceStatus::of(device, shared.heard_since(now_unix_milliseconds)),
        refused: shared.refused_of(kid),
        estimate_microtokens: look.preview.paid_microtokens(kid),
        device: device.clone(),
    })
}

/// The account where a device's rewards wait while it has no owner.
pub fn escrow(shared: &Shared, kid: DeviceId) -> AccountId {
    AccountId::escrow(&shared.genesis.network, kid)
}

/// One account; `None` when nothing was ever posted to it, it has signed nothing and owns no device.
///
/// # Errors
/// When the index cannot be read.
pub fn account(shared: &Shared, id: AccountId) -> Result<Option<AccountFigures>, IndexError> {
    account_of(shared, &shared.look_at_length(), id)
}

/// The same for a caller that looks already.
///
/// # Errors
/// When the index cannot be read.
pub fn account_of(
    shared: &Shared,
    look: &Look<'_>,
    id: AccountId,
) -> Result<Option<AccountFigures>, IndexError> {
    let state = &look.state;
    let devices: Vec<DeviceId> = state.devices_of(id).collect();
    let account = state.account(id).cloned();
    let has_key = account.as_ref().is_some_and(|account| account.key.is_some());
    let role = match role(state, id) {
        AccountRole::Holder if !has_key && devices.is_empty() && is_escrow(shared, id)? => {
            AccountRole::Escrow
        }
        role => role,
    };
    if account.is_none() && devices.is_empty() && role == AccountRole::Holder {
        return Ok(None);
    }
    let posted_microtokens =
        if role == AccountRole::Supply { state.issued_microtokens() } else { state.balance_microtokens(id) };
    Ok(Some(AccountFigures {
        role,
        account: account.unwrap_or_default(),
        posted_microtokens,
        pending_microtokens: look.preview.pending_microtokens(id),
        devices,
    }))
}

/// Whether a device's statements went to this account because nobody owned it. The account's id is a hash, so that what it
/// belongs to is told by the last statement that paid it, and not by trying every device.
fn is_escrow(shared: &Shared, id: AccountId) -> Result<bool, IndexError> {
    let last = shared.index.statements_of_account(id, 0..u64::MAX, 1)?;
    Ok(last.first().is_some_and(|statement| escrow(shared, statement.kid) == id))
}

/// What an account is, as far as its id says it.
fn role(state: &State, id: AccountId) -> AccountRole {
    if id == state.pool() {
        AccountRole::Pool
    } else if id == state.supply() {
        AccountRole::Supply
    } else if id == state.treasury() {
        AccountRole::Treasury
    } else if id == state.operator() {
        AccountRole::Operator
    } else {
        AccountRole::Holder
    }
}

/// A validator's name, or its key where it is none of the present ones any more.
pub fn validator_name(state: &State, key: &PublicKey) -> String {
    state.validators().get(key).map_or_else(|| key.to_string(), |validator| validator.name().to_owned())
}
