//! The ledger's values in the shapes that pages are drawn from.

use dashboard::view;
use devices::{Pack, Value};
use ledger::account::AccountId;
use ledger::block::{Entry, Seal};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::state::Estimate;
use ledger::statement::{CellShare, PoolScale, Statement};
use ledger::statement_line::{Factor, LineReason, StatementLine};
use ledger::tally::Tally;
use ledger::token::Tokens;
use ledger::transfer::{TransferReason, TransferRecord};

use super::Addresses;
use crate::http::{blocks, entry};
use crate::limits::SILENT_AFTER_SECONDS;
use crate::reads::{AccountRole, DeviceFigures, DeviceStatus, Figures};
use crate::shared::{ReadError, Shared, StoredEntry};
use crate::stored::EntryIds;

/// The network's figures.
pub fn network(
    genesis: &Genesis,
    addresses: &Addresses,
    figures: &Figures,
    pool: AccountId,
    now: u64,
) -> view::Network {
    let [new, online, silent, revoked] = figures.devices;
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
        silent_after_seconds: SILENT_AFTER_SECONDS,
        accepted: view::Count { envelopes: figures.accepted_envelopes, records: figures.accepted_records },
        refused: view::Refused(figures.refused),
        pool_microtokens: figures.pool_microtokens,
        pool_account: pool.to_string(),
        earned_epoch_microtokens: figures.estimate_microtokens,
        earned_total_microtokens: figures.earned_microtokens,
        devices: view::DeviceCounts { new, online, silent, revoked },
    }
}

/// A device's row.
pub fn device(network: &str, figures: &DeviceFigures, statements_total: u64) -> view::Device {
    let device = &figures.device;
    let escrow = || AccountId::escrow(network, figures.kid).to_string();
    let tally = &device.tally;
    view::Device {
        kid: figures.kid.to_string(),
        owner: device.owner().map(|owner| owner.to_string()),
        escrow: device.owner().is_none().then(escrow),
        position: device.position.map(|position| view::Position {
            latitude_microdegrees: position.latitude_microdegrees,
            longitude_microdegrees: position.longitude_microdegrees,
        }),
        status: match figures.status {
            DeviceStatus::New => view::DeviceStatus::New,
            DeviceStatus::Online => view::DeviceStatus::Online,
            DeviceStatus::Silent => view::DeviceStatus::Silent,
            DeviceStatus::Revoked => view::DeviceStatus::Revoked,
        },
        enrolled_height: device.enrolled_height,
        last_reading_milliseconds: device.last_accepted_unix_milliseconds,
        last_sequence: device.window.highest().map(sequence),
        accepted: view::Count { envelopes: device.accepted_envelopes, records: device.accepted_records },
        accepted_epoch: view::Count { envelopes: tally.envelopes.into(), records: records_of(tally) },
        refused: view::Refused(figures.refused),
        earned_epoch_microtokens: figures.estimate_microtokens,
        earned_total_microtokens: device.earned_microtokens,
        statements_total,
    }
}

fn records_of(tally: &Tally) -> u64 {
    let priced: u64 = tally.records.iter().copied().map(u64::from).sum();
    let unpriced: u64 = tally.unpriced.iter().map(|unpriced| u64::from(unpriced.records)).sum();
    priced + unpriced + u64::from(tally.unpriced_rest)
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
        records: measurements(&reading.pack()),
    })
}

fn measurements(pack: &Pack<'_>) -> Vec<view::Measurement> {
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
            .map(|seconds| seconds.saturating_mul(1_000)),
    };
    pack.resolved().map(measurement).collect()
}

/// The running epoch's lines as they stand.
pub fn running(
    genesis: &Genesis,
    figures: &DeviceFigures,
    epoch: u64,
    estimate: Estimate,
) -> view::Statement {
    let begins = |epoch: u64| {
        genesis.time_unix_milliseconds.saturating_add(epoch.saturating_mul(genesis.epoch_milliseconds()))
    };
    let escrow = AccountId::escrow(&genesis.network, figures.kid);
    view::Statement {
        kid: figures.kid.to_string(),
        epoch,
        payee: figures.device.owner().unwrap_or(escrow).to_string(),
        escrow: figures.device.owner().is_none(),
        starts_milliseconds: begins(epoch),
        ends_milliseconds: begins(epoch.saturating_add(1)),
        tariff_version: genesis.tariff.version,
        lines: estimate.lines.into_iter().map(line).collect(),
        due_microtokens: estimate.due_microtokens,
        cell_share: None,
        paid_microtokens: estimate.paid_microtokens,
        pool_scale: estimate.pool_scale.map(pool_scale),
        seal: None,
    }
}

fn line(line: StatementLine) -> view::StatementLine {
    let capped = |reason| match reason {
        LineReason::Capped { paid_records_max } => Some(u64::from(paid_records_max)),
        _ => None,
    };
    view::StatementLine {
        quantity: if line.quantity.is_empty() { "other".to_owned() } else { line.quantity },
        unit: line.unit.unwrap_or_default(),
        accepted_records: line.accepted_records.into(),
        paid_records: line.paid_records.into(),
        paid_records_max: line.reason.and_then(capped),
        price_microtokens: line.price_microtokens,
        base_microtokens: line.base_microtokens,
        factors: line.factors.into_iter().map(factor).collect(),
        amount_microtokens: line.amount_microtokens,
        reason: line.reason.map(|reason| reason.to_string()),
    }
}

fn factor(factor: Factor) -> view::Factor {
    view::Factor {
        name: factor.name.as_str().to_owned(),
        numerator: factor.numerator,
        denominator: factor.denominator,
        permille: factor.permille,
        amount_microtokens: factor.amount_microtokens,
        cut: factor.cut.map(|cut| cut.to_string()),
    }
}

fn cell_share(share: CellShare) -> view::CellShare {
    view::CellShare {
        cell: share.cell.map(|cell| cell.to_string()),
        budget_microtokens: share.budget_microtokens,
        devices: share.devices,
        due_of_all_microtokens: u64::try_from(share.due_total_microtokens).unwrap_or(u64::MAX),
        withheld_microtokens: share.withheld_microtokens,
    }
}

fn pool_scale(scale: PoolScale) -> view::PoolScale {
    view::PoolScale {
        pool_microtokens: scale.pool_microtokens,
        due_of_all_microtokens: u64::try_from(scale.due_total_microtokens).unwrap_or(u64::MAX),
    }
}

/// Statements and transfers with the ids of the entries that they name.
pub struct Seals<'s> {
    ids: EntryIds<'s>,
}

impl<'s> Seals<'s> {
    /// Nothing looked up yet.
    pub fn new(shared: &'s Shared) -> Seals<'s> {
        Seals { ids: EntryIds::new(shared) }
    }

    /// Statements with their seals.
    pub fn statements(&mut self, statements: Vec<Statement>) -> Result<Vec<view::Statement>, ReadError> {
        statements.into_iter().map(|statement| self.statement(statement)).collect()
    }

    /// A statement with its seal.
    pub fn statement(&mut self, statement: Statement) -> Result<view::Statement, ReadError> {
        let transaction = self.ids.id(statement.seal_index)?;
        Ok(view::Statement {
            kid: statement.kid.to_string(),
            epoch: statement.epoch,
            payee: statement.payee.to_string(),
            escrow: statement.owner.is_none(),
            starts_milliseconds: statement.from_unix_milliseconds,
            ends_milliseconds: statement.to_unix_milliseconds,
            tariff_version: statement.tariff_version,
            lines: statement.lines.into_iter().map(line).collect(),
            due_microtokens: statement.due_microtokens,
            cell_share: Some(cell_share(statement.cell_share)),
            paid_microtokens: statement.paid_microtokens,
            pool_scale: statement.pool_scale.map(pool_scale),
            seal: Some(view::Seal { height: statement.height, index: statement.seal_index, transaction }),
        })
    }

    /// Transfers with the entries that caused them.
    pub fn transfers<'t>(
        &mut self,
        records: impl Iterator<Item = &'t TransferRecord>,
    ) -> Result<Vec<view::Transfer>, ReadError> {
        let mut transfers = Vec::new();
        for record in records {
            let posted = &record.transfer;
            transfers.push(view::Transfer {
                debit: posted.debit.to_string(),
                credit: posted.credit.to_string(),
                amount_microtokens: posted.amount_microtokens,
                reason: posted.reason.as_str().to_owned(),
                statement: match &posted.reason {
                    TransferReason::Reward { kid, epoch } => Some((kid.to_string(), *epoch)),
                    _ => None,
                },
                transaction: self.ids.id(record.entry_index)?,
                index: record.entry_index,
                height: record.height,
                time_milliseconds: record.time_unix_milliseconds,
            });
        }
        Ok(transfers)
    }
}

/// An entry, decoded; `None` when the bytes are no entry.
pub fn body(shared: &Shared, bytes: &[u8]) -> Option<view::TransactionBody> {
    match Entry::decode(bytes)? {
        Entry::Reading(reading) => Some(view::TransactionBody::Reading {
            kid: reading.kid().to_string(),
            sequence: sequence(reading.sequence()),
            records: measurements(&reading.pack()),
        }),
        Entry::Instruction(instruction) => {
            let decoded = Instruction::decode(instruction.payload()).ok()?;
            let account = entry::account(shared, &instruction);
            Some(view::TransactionBody::Instruction {
                account: account.map(|account| account.to_string()).unwrap_or_default(),
                counter: instruction.counter(),
                name: decoded.name().as_str().to_owned(),
                arguments: arguments(decoded),
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
            | Instruction::SetTariff { .. } => None,
        },
    }
}

fn arguments(instruction: Instruction) -> Vec<(String, String)> {
    let named = |name: &str, text: String| (name.to_owned(), text);
    let tokens = |amount| format!("{} tokens", Tokens(amount));
    match instruction {
        Instruction::Enrol { public_key, owner, position } => {
            let mut arguments = vec![
                named("device", public_key.kid().to_string()),
                named("public key", public_key.to_string()),
            ];
            arguments.extend(owner.map(|owner| named("owner", owner.to_string())));
            arguments.extend(position.map(|position| named("position", position.to_string())));
            arguments
        }
        Instruction::Claim { kid, position, .. } => {
            vec![named("device", kid.to_string()), named("position", position.to_string())]
        }
        Instruction::TransferDevice { kid, to } => {
            let to = to.map_or_else(|| "nobody: the offer is withdrawn".to_owned(), |to| to.to_string());
            vec![named("device", kid.to_string()), named("offered to", to)]
        }
        Instruction::AcceptDevice { kid } => vec![named("device", kid.to_string())],
        Instruction::RotateKey { kid, new_key, .. } => vec![
            named("device", kid.to_string()),
            named("new device", new_key.kid().to_string()),
            named("new public key", new_key.to_string()),
        ],
        Instruction::RevokeDevice { kid, why } => {
            vec![named("device", kid.to_string()), named("why", why)]
        }
        Instruction::Correct { entry_index, from, to, amount_microtokens, why } => vec![
            named("corrects entry", entry_index.to_string()),
            named("from", from.to_string()),
            named("to", to.to_string()),
            named("amount", tokens(amount_microtokens)),
            named("why", why),
        ],
        Instruction::SetTariff { tariff } => {
            let mut arguments = vec![named("version", tariff.version.to_string())];
            let quantities = tariff.quantities.iter();
            arguments.extend(quantities.map(|quantity| {
                let price = Tokens(quantity.price_microtokens);
                named(&quantity.name, format!("{price} tokens a record, in {}", quantity.unit))
            }));
            arguments
        }
        Instruction::Transfer { to, amount_microtokens, memo } => {
            let mut arguments =
                vec![named("to", to.to_string()), named("amount", tokens(amount_microtokens))];
            arguments.extend(memo.map(|memo| named("memo", memo)));
            arguments
        }
        Instruction::Issue { to, amount_microtokens } => {
            vec![named("to", to.to_string()), named("amount", tokens(amount_microtokens))]
        }
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
