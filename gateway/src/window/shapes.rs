//! The ledger's values in the shapes that pages are drawn from.

use dashboard::view;
use devices::{Pack, Value};
use ledger::account::AccountId;
use ledger::block::{Entry, Seal};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::ownership::FormerOwner;
use ledger::registry::Position;

use super::{Addresses, instructions};
use crate::cells::CellFigures;
use crate::http::{blocks, entry};
use crate::reads::{AccountRole, DeviceFigures, DeviceStatus, Figures};
use crate::shared::{Shared, StoredEntry};

/// The network's figures.
pub fn network(
    genesis: &Genesis,
    addresses: &Addresses,
    figures: &Figures,
    pool: AccountId,
    now: u64,
    silent_after_seconds: u64,
) -> view::Network {
    view::Network {
        name: genesis.network.clone(),
        origin: genesis.origin.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        http_url: addresses.http_url.clone(),
        mqtt_url: addresses.mqtt_url.clone(),
        operator_key_path: addresses.operator_key.display().to_string(),
        now_milliseconds: now,
        height: figures.durable.height,
        last_block_milliseconds: figures.durable.time_unix_milliseconds,
        log_size: figures.durable.log_size,
        epoch: figures.epoch,
        epoch_seconds: genesis.epoch_seconds,
        epoch_ends_milliseconds: figures.epoch_ends_unix_milliseconds,
        silent_after_seconds,
        accepted: view::Count { envelopes: figures.accepted_envelopes, records: figures.accepted_records },
        refused: view::Refused(figures.refused),
        pool_microtokens: figures.pool_microtokens,
        pool_account: pool.to_string(),
        earned_epoch_microtokens: figures.estimate_microtokens,
        earned_total_microtokens: figures.earned_microtokens,
        devices: counts(figures.devices),
        agreement: None,
    }
}

/// Devices by `DeviceStatus::index`.
pub fn counts([new, online, silent, revoked]: [u64; 4]) -> view::DeviceCounts {
    view::DeviceCounts { new, online, silent, revoked }
}

fn position(position: Position) -> view::Position {
    view::Position {
        latitude_microdegrees: position.latitude_microdegrees,
        longitude_microdegrees: position.longitude_microdegrees,
    }
}

/// A cell of the map.
pub fn cell(figures: &CellFigures) -> view::MapCell {
    view::MapCell {
        cell: figures.cell.to_string(),
        centre: position(figures.cell.centre()),
        outline: figures.cell.outline().into_iter().map(position).collect(),
        devices: counts(figures.devices),
        earned_total_microtokens: figures.earned_microtokens,
        earned_epoch_microtokens: figures.estimate_microtokens,
    }
}

/// The row with its place as well as this viewer may know it.
pub fn placed_for(viewer: &view::Viewer, figures: &DeviceFigures, row: view::Device) -> view::Device {
    let place = figures.place_for(viewer);
    view::Device {
        position: place.map(|place| position(place.position)),
        position_exact: place.is_some_and(|place| place.exact),
        ..row
    }
}

/// A device's row, as anybody may see it.
pub fn device(
    network: &str,
    figures: &DeviceFigures,
    statements_total: u64,
    firmware: Option<String>,
) -> view::Device {
    let device = &figures.device;
    let escrow = || AccountId::escrow(network, figures.kid).to_string();
    let tally = &device.tally;
    view::Device {
        kid: figures.kid.to_string(),
        owner: device.owner().map(|owner| owner.to_string()),
        escrow: device.owner().is_none().then(escrow),
        former_owners: device.ownership.former().iter().map(former_owner).collect(),
        offered_to: device.offered_to().map(|account| account.to_string()),
        replaces: device.replaces().map(|kid| kid.to_string()),
        replaced_by: device.replaced_by().map(|kid| kid.to_string()),
        cell: figures.cell.map(|cell| cell.to_string()),
        position: figures.place_for(&view::Viewer::Public).map(|place| position(place.position)),
        position_exact: false,
        status: match figures.status {
            DeviceStatus::New => view::DeviceStatus::New,
            DeviceStatus::Online => view::DeviceStatus::Online,
            DeviceStatus::Silent => view::DeviceStatus::Silent,
            DeviceStatus::Revoked => view::DeviceStatus::Revoked,
        },
        firmware,
        enrolled_height: device.enrolled_height,
        last_reading_milliseconds: device.last_accepted_unix_milliseconds,
        last_sequence: device.window.highest().map(sequence),
        accepted: view::Count { envelopes: device.accepted_envelopes, records: device.accepted_records },
        accepted_epoch: view::Count { envelopes: tally.envelopes.into(), records: tally.accepted_records() },
        refused: view::Refused(figures.refused),
        earned_epoch_microtokens: figures.estimate_microtokens,
        earned_total_microtokens: device.earned_microtokens,
        statements_total,
    }
}

fn former_owner(former: &FormerOwner) -> view::FormerOwner {
    view::FormerOwner {
        owner: former.owner.to_string(),
        until_milliseconds: former.until_unix_seconds.saturating_mul(1_000),
    }
}

fn sequence(sequence: devices::Sequence) -> view::Sequence {
    view::Sequence { boot: sequence.boot, count: sequence.count }
}

/// What an account is.
pub fn role(role: AccountRole) -> view::AccountRole {
    match role {
        AccountRole::Holder => view::AccountRole::Holder,
        AccountRole::Pool => view::AccountRole::Pool,
        AccountRole::Treasury => view::AccountRole::Treasury,
        AccountRole::Operator => view::AccountRole::Operator,
        AccountRole::Escrow => view::AccountRole::Escrow,
        AccountRole::Supply => view::AccountRole::Supply,
    }
}

/// An accepted envelope; `None` when the entry is none.
pub fn reading(entry: &StoredEntry) -> Option<view::Reading> {
    let Some(Entry::Reading(reading)) = Entry::decode(&entry.bytes) else { return None };
    Some(view::Reading {
        transaction: entry.id.to_string(),
        index: entry.index,
        height: entry.height,
        accepted_milliseconds: entry.time_unix_milliseconds,
        sequence: sequence(reading.sequence()),
        records: measurements(&reading.pack(), Some(entry.time_unix_milliseconds)),
    })
}

/// The records of a pack. One without a base time tells only how long before its arrival each was taken (RFC 8428 §4.5.3).
fn measurements(pack: &Pack<'_>, accepted_milliseconds: Option<u64>) -> Vec<view::Measurement> {
    let arrival = |offset_seconds: i32| {
        let offset = Some(i64::from(offset_seconds)).filter(|offset| *offset != 0)?;
        Some(accepted_milliseconds?.saturating_add_signed(offset.saturating_mul(1_000)))
    };
    let measurement = |record: devices::ResolvedRecord<'_>| view::Measurement {
        name: format!("{}{}", record.base_name, record.name),
        unit: record.unit.unwrap_or_default().to_owned(),
        value: match record.value {
            Value::Number(number) => view::Exact { mantissa: number.mantissa(), exponent: number.exponent() },
            Value::Boolean(boolean) => view::Exact { mantissa: boolean.into(), exponent: 0 },
        },
        time_milliseconds: record
            .time_unix_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(|seconds| seconds.saturating_mul(1_000))
            .or_else(|| arrival(record.time_offset_seconds)),
    };
    pack.resolved().map(measurement).collect()
}

/// An entry, decoded; `None` when the bytes are no entry.
pub fn body(shared: &Shared, bytes: &[u8]) -> Option<view::TransactionBody> {
    match Entry::decode(bytes)? {
        Entry::Reading(reading) => Some(view::TransactionBody::Reading {
            kid: reading.kid().to_string(),
            sequence: sequence(reading.sequence()),
            records: measurements(&reading.pack(), None),
        }),
        Entry::Instruction(instruction) => {
            let decoded = Instruction::decode(instruction.payload()).ok()?;
            let account = entry::account(shared, &instruction);
            Some(view::TransactionBody::Instruction {
                account: account.map(|account| account.to_string()).unwrap_or_default(),
                counter: instruction.counter(),
                name: decoded.name().as_str().to_owned(),
                sentence: instructions::sentence(&decoded),
                arguments: instructions::arguments(decoded),
            })
        }
        Entry::Seal(seal) => Some(view::TransactionBody::Seal(seal_body(&seal))),
    }
}

/// An account that all of an entry's transfers have in common, if it moves tokens: that is where they are found.
pub fn giver(shared: &Shared, entry: &StoredEntry) -> Option<AccountId> {
    let network = &shared.genesis.network;
    match Entry::decode(&entry.bytes)? {
        Entry::Reading(_) => None,
        Entry::Seal(seal) if seal.height == 0 => Some(AccountId::supply(network)),
        Entry::Seal(_) => Some(AccountId::pool(network)),
        Entry::Instruction(instruction) => match Instruction::decode(instruction.payload()).ok()? {
            // A claim empties escrow accounts: all that it moves is found at who gets it.
            Instruction::Transfer { .. } | Instruction::Claim { .. } => entry::account(shared, &instruction),
            Instruction::Issue { .. } => Some(AccountId::supply(network)),
            Instruction::Correct { from, .. } => Some(from),
            Instruction::Enrol { .. }
            | Instruction::TransferDevice { .. }
            | Instruction::AcceptDevice { .. }
            | Instruction::RotateKey { .. }
            | Instruction::RevokeDevice { .. }
            | Instruction::SetTariff { .. }
            | Instruction::AddValidator { .. }
            | Instruction::RemoveValidator { .. }
            | Instruction::ReportMisbehaviour { .. } => None,
        },
    }
}

/// What a seal says.
pub fn seal_body(seal: &Seal) -> view::SealBody {
    view::SealBody {
        entries: seal.entries.into(),
        refused: view::Refused(seal.refused),
        results_root: hex::encode(seal.results_root),
        state_root: seal.state_root.map(|root| hex::encode(root.hash)),
        settled_epochs: seal.settled_epochs,
        settlement: None,
    }
}

/// One line of a block.
pub fn block_entry(shared: &Shared, entry: &StoredEntry) -> view::BlockEntry {
    let line = blocks::entry_of(shared, entry);
    view::BlockEntry {
        index: line.index,
        id: line.id,
        kind: line.name.unwrap_or(line.kind).to_owned(),
        kid: line.kid,
        account: line.account,
        records: line.records.unwrap_or_default(),
    }
}
