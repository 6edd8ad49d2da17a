//! The dashboard's view of this node: every page's figures from the same reads as the API's.

mod agreement;
mod audit;
mod instructions;
mod operator;
mod owner;
mod rehearsal;
mod shapes;
mod statements;

use std::path::PathBuf;
use std::sync::Arc;

use dashboard::view::{
    AccountPage, Answer, BlockPage, ChosenCell, DevicePage, Home, Map, Mine, MineAsked, Network, OwnMap,
    Payouts, PayoutsAfter, SealBody, StatementPage, StatementsPage, TransactionBody, TransactionPage, View,
    ViewError, Viewer,
};
use devices::{DeviceId, TransactionId};
use ledger::account::AccountId;
use ledger::block::Seal;
use ledger::preview::Preview;

use crate::cells;
use crate::clock;
use crate::limits::OWNERS_IN_AN_EPOCH_MAX;
use crate::reads::{self, DeviceFigures};
use crate::running::Look;
use crate::shared::{ALWAYS, ReadError, Shared};
use rehearsal::Rehearsals;
use statements::Seals;

/// Where the node is reached, for the pages that say so.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// `http://host:port`, without a slash at the end.
    pub http_url: String,
    /// `mqtt://host:port`.
    pub mqtt_url: String,
    /// The operator's key file, as commands on this machine name it.
    pub operator_key: PathBuf,
    /// Where the operator's own map is served, if there is one.
    pub own_map: Option<&'static str>,
}

/// The view of one node.
pub struct Window {
    shared: Arc<Shared>,
    addresses: Addresses,
    rehearsals: Rehearsals,
}

impl Window {
    /// The view of a node that is reached at these addresses.
    pub fn new(shared: Arc<Shared>, addresses: Addresses) -> Window {
        Window { shared, addresses, rehearsals: Rehearsals::default() }
    }

    /// The same, where dry runs of a tariff may begin at the snapshots in a directory.
    #[must_use]
    pub fn with_snapshots(self, directory: PathBuf) -> Window {
        Window { rehearsals: Rehearsals::from_snapshots(directory), ..self }
    }

    /// The network's figures from the same look, so that they fit the rest of the page.
    fn network_of(&self, look: &Look<'_>, now: u64) -> Network {
        let figures = reads::figures_of(&self.shared, look, now);
        let silent_after = self.shared.silent_after_seconds;
        let (genesis, pool) = (&self.shared.genesis, look.state.pool());
        let mut network = shapes::network(genesis, &self.addresses, &figures, pool, now, silent_after);
        let status = self.shared.consensus.status();
        network.agreement = status.map(|status| agreement::of(&self.shared, status, &look.state));
        network
    }

    /// Network, device and its running epoch at one moment; `None` when there is no such device.
    fn network_and_device(&self, kid: DeviceId) -> Option<(Network, DeviceFigures, Arc<Preview>)> {
        let now = clock::now_unix_milliseconds();
        let look = self.shared.look_at_length();
        let figures = reads::device_figures(&self.shared, &look, now, kid)?;
        Some((self.network_of(&look, now), figures, look.preview))
    }

    /// A device's row. How many statements it has is counted on its own page, and elsewhere where it explains a zero.
    fn device_row(
        &self,
        figures: &DeviceFigures,
        counted: bool,
    ) -> Result<dashboard::view::Device, ViewError> {
        let explains = figures.device.earned_microtokens == 0 && figures.device.accepted_records > 0;
        let statements = if counted || explains {
            self.shared.index.statement_count(figures.kid).map_err(failed)?
        } else {
            1
        };
        let firmware = self.shared.index.firmware_of(figures.kid).map_err(failed)?;
        Ok(shapes::device(&self.shared.genesis.network, figures, statements, firmware))
    }
}

impl View for Window {
    fn home(&self, offset: u64, limit: usize) -> Result<Home, ViewError> {
        let now = clock::now_unix_milliseconds();
        let (network, figures) = {
            let look = self.shared.look_at_length();
            let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
            let asked = look.state.devices().skip(skipped).take(limit);
            let figures: Vec<DeviceFigures> =
                asked.filter_map(|(kid, _)| reads::device_figures(&self.shared, &look, now, kid)).collect();
            (self.network_of(&look, now), figures)
        };
        let devices =
            figures.iter().map(|figures| self.device_row(figures, false)).collect::<Result<_, _>>()?;
        Ok(Home { network, devices })
    }

    fn device(
        &self,
        viewer: &Viewer,
        kid: &str,
        readings_max: usize,
        statements_max: usize,
    ) -> Answer<DevicePage> {
        let Ok(kid) = kid.parse::<DeviceId>() else { return Ok(None) };
        let Some((network, figures, preview)) = self.network_and_device(kid) else { return Ok(None) };
        let readings = self.shared.last_readings(kid, readings_max).map_err(failed)?;
        let statements = self.shared.statements_of_device(kid, &ALWAYS, statements_max).map_err(failed)?;
        let mut seals = Seals::new(&self.shared);
        let device = shapes::placed_for(viewer, &figures, self.device_row(&figures, true)?);
        Ok(Some(DevicePage {
            device,
            public_key: figures.device.public_key.to_string(),
            readings: readings.iter().rev().filter_map(shapes::reading).collect(),
            running: preview.statements_of(kid).iter().cloned().map(statements::running).collect(),
            statements: seals.statements(statements).map_err(failed)?,
            network,
        }))
    }

    fn statements(&self, kid: &str, before_epoch: Option<u64>, limit: usize) -> Answer<StatementsPage> {
        let Ok(kid) = kid.parse::<DeviceId>() else { return Ok(None) };
        let Some((network, figures, _)) = self.network_and_device(kid) else { return Ok(None) };
        let epochs = 0..before_epoch.unwrap_or(u64::MAX);
        // An epoch's statements stay together: a page may be longer by those of its last epoch.
        let most = limit.saturating_add(OWNERS_IN_AN_EPOCH_MAX);
        let mut page = self.shared.index.statements_of_device(kid, epochs, most).map_err(failed)?;
        let last = page.get(..limit).and_then(|whole| whole.last()).map_or(0, |statement| statement.epoch);
        let kept = page.partition_point(|statement| statement.epoch >= last);
        let more = kept < page.len();
        page.truncate(kept);
        let statements = Seals::new(&self.shared).statements(page).map_err(failed)?;
        Ok(Some(StatementsPage { device: self.device_row(&figures, true)?, network, statements, more }))
    }

    fn statement(&self, kid: &str, epoch: u64) -> Answer<StatementPage> {
        let Ok(kid) = kid.parse::<DeviceId>() else { return Ok(None) };
        let Some((network, figures, _)) = self.network_and_device(kid) else { return Ok(None) };
        let only = epoch..epoch.saturating_add(1);
        let found = self.shared.index.statements_of_device(kid, only, OWNERS_IN_AN_EPOCH_MAX);
        let found = found.map_err(failed)?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut seals = Seals::new(&self.shared);
        let paid = statements::transfers_of(&self.shared, &found).map_err(failed)?;
        let transfers = seals.transfers(paid.iter()).map_err(failed)?;
        let statements = seals.statements(found).map_err(failed)?;
        Ok(Some(StatementPage { device: self.device_row(&figures, true)?, network, statements, transfers }))
    }

    fn account(
        &self,
        id: &str,
        devices_max: usize,
        transfers_max: usize,
        statements_max: usize,
    ) -> Answer<AccountPage> {
        let Ok(id) = id.parse::<AccountId>() else { return Ok(None) };
        let now = clock::now_unix_milliseconds();
        let (network, figures, owned) = {
            let look = self.shared.look_at_length();
            let found = reads::account_of(&self.shared, &look, id).map_err(failed)?;
            let Some(figures) = found else { return Ok(None) };
            let of = |kid: &DeviceId| reads::device_figures(&self.shared, &look, now, *kid);
            let owned: Vec<DeviceFigures> = figures.devices.iter().take(devices_max).filter_map(of).collect();
            (self.network_of(&look, now), figures, owned)
        };
        let mut seals = Seals::new(&self.shared);
        let transfers = self.shared.transfers(id, &ALWAYS, transfers_max).map_err(failed)?;
        let statements = self.shared.statements_of_account(id, &ALWAYS, statements_max).map_err(failed)?;
        Ok(Some(AccountPage {
            network,
            id: id.to_string(),
            role: shapes::role(figures.role),
            posted_microtokens: figures.posted_microtokens,
            pending_microtokens: figures.pending_microtokens,
            devices_total: figures.devices.len() as u64,
            devices: owned.iter().map(|figures| self.device_row(figures, false)).collect::<Result<_, _>>()?,
            transfers_total: self.shared.index.transfer_count(id).map_err(failed)?,
            transfers: seals.transfers(transfers.iter()).map_err(failed)?,
            statements: seals.statements(statements).map_err(failed)?,
        }))
    }

    fn transaction(&self, id: &str, transfers_max: usize) -> Answer<TransactionPage> {
        let Ok(id) = id.parse::<TransactionId>() else { return Ok(None) };
        let Some(entry) = self.shared.transaction(&id).map_err(failed)? else { return Ok(None) };
        let mut caused = match shapes::giver(&self.shared, &entry) {
            Some(giver) => self.shared.index.transfers_at(giver, entry.height).map_err(failed)?,
            None => Vec::new(),
        };
        caused.retain(|record| record.entry_index == entry.index);
        let Some(mut body) = shapes::body(&self.shared, &entry.bytes) else {
            return Err(failed(ReadError::Disagree));
        };
        if let TransactionBody::Seal(SealBody { settled_epochs: Some((_, last)), settlement, .. }) = &mut body
        {
            let found = self.shared.index.settlement(*last).map_err(failed)?;
            *settlement = found.map(|(_, settlement)| statements::settlement(&settlement));
        }
        let corrections = self.shared.index.corrections_of(entry.index, transfers_max).map_err(failed)?;
        let mut seals = Seals::new(&self.shared);
        let transfers = seals.transfers(caused.iter().take(transfers_max)).map_err(failed)?;
        Ok(Some(TransactionPage {
            network: self.network()?,
            id: id.to_string(),
            index: entry.index,
            height: entry.height,
            time_milliseconds: entry.time_unix_milliseconds,
            raw: hex::encode(&entry.bytes),
            body,
            transfers,
            transfers_total: caused.len() as u64,
            corrections: seals.transfers(corrections.iter()).map_err(failed)?,
        }))
    }

    fn block(&self, height: u64, offset: u64, limit: usize) -> Answer<BlockPage> {
        let Some(mut block) = self.shared.block(height).map_err(failed)? else { return Ok(None) };
        let Some(last) = block.entries.pop() else { return Err(failed(ReadError::Disagree)) };
        let Ok(seal) = Seal::decode(&last.bytes) else { return Err(failed(ReadError::Disagree)) };
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let entries = block.entries.iter().skip(skipped).take(limit);
        Ok(Some(BlockPage {
            network: self.network()?,
            height,
            time_milliseconds: block.time_unix_milliseconds,
            first_index: block.first_index,
            log_size: last.index.saturating_add(1),
            seal_transaction: last.id.to_string(),
            seal: shapes::seal_body(&seal),
            entries: entries.map(|entry| shapes::block_entry(&self.shared, entry)).collect(),
        }))
    }

    fn map(&self, cells_max: usize, asked: Option<&str>, devices_max: usize) -> Result<Map, ViewError> {
        let now = clock::now_unix_milliseconds();
        let heard_since = self.shared.heard_since(now);
        let (network, all, chosen, devices) = {
            let look = self.shared.look_at_length();
            let asked = asked.and_then(|cell| cell.parse().ok());
            let chosen = asked.and_then(|cell| cells::one(&look, heard_since, cell, devices_max));
            let of = |kid: &DeviceId| reads::device_figures(&self.shared, &look, now, *kid);
            let kids = chosen.iter().flat_map(|chosen| &chosen.kids);
            let devices: Vec<DeviceFigures> = kids.filter_map(of).collect();
            (self.network_of(&look, now), cells::all(&look, heard_since, cells_max), chosen, devices)
        };
        let devices =
            devices.iter().map(|figures| self.device_row(figures, false)).collect::<Result<_, _>>()?;
        Ok(Map {
            network,
            cells: all.cells.iter().map(shapes::cell).collect(),
            resolution: all.resolution,
            tariff_resolution: all.tariff_resolution,
            unplaced: shapes::counts(all.unplaced),
            chosen: chosen.map(|chosen| ChosenCell { cell: shapes::cell(&chosen.figures), devices }),
            own_map: self.addresses.own_map.map(|path| OwnMap { path: path.to_owned() }),
        })
    }

    fn network(&self) -> Result<Network, ViewError> {
        let now = clock::now_unix_milliseconds();
        Ok(self.network_of(&self.shared.look_at_length(), now))
    }

    fn mine(&self, asked: &MineAsked) -> Result<Mine, ViewError> {
        self.home_of_owner(asked)
    }

    fn payouts(
        &self,
        account: &str,
        after: Option<PayoutsAfter>,
        limit: usize,
    ) -> Result<Payouts, ViewError> {
        self.payouts_of_owner(account, after, limit)
    }
}

/// What a page says when the node could not read its own records: the cause stands in the log.
fn failed(cause: impl Into<ReadError>) -> ViewError {
    let cause = cause.into();
    tracing::error!(%cause, "a page could not be drawn");
    ViewError("The node could not read its own records; its log says why.".to_owned())
}
