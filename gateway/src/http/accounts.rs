//! Accounts: what they hold, what their devices earned, and every transfer they took part in.

use std::ops::Range;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use ledger::account::AccountId;
use ledger::transfer::{TransferReason, TransferRecord};
use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::csv::{self, Table};
use super::devices::TimeQuery;
use super::door::{self, Door, Parameters};
use super::instant::rfc3339;
use super::problem::Problem;
use super::statements::{self, Statement};
use crate::limits::QUERY_ITEMS_MAX;
use crate::reads::{self, AccountRole};
use crate::shared::Shared;
use crate::stored::EntryIds;

/// What an account holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Balance {
    /// Posted credits less posted debits.
    posted: Amount,
    /// Estimate of the running epoch for all its devices; not yet posted.
    pending: Amount,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// Bech32m.
    #[schema(example = "lamp1…")]
    id: String,
    /// `holder`, `pool`, `treasury`, `operator`, `escrow` or `supply`.
    role: AccountRole,
    /// What it holds.
    balance: Balance,
    /// Sum of everything that came in, micro-tokens.
    credits_posted_microtokens: String,
    /// Sum of everything that went out, micro-tokens.
    debits_posted_microtokens: String,
    /// The key that signs for it, once an instruction brought it.
    public_key: Option<String>,
    /// Counter of its last instruction; the next one must be above.
    counter: u64,
    /// Kids of the devices it owns; at most 10,000.
    devices: Vec<String>,
    /// Its statements.
    statements: String,
    /// Its transfers.
    transfers: String,
}

/// One account
#[utoipa::path(get, path = "/api/v1/accounts/{id}", tag = "accounts",
    params(("id" = String, Path, description = "bech32m, `lamp1…`")),
    responses((status = 200, body = Account),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn account(State(door): State<Door>, Path(id): Path<String>) -> Result<Json<Account>, Problem> {
    let id = door::named::<AccountId>("account", &id)?;
    door.query(move |shared| {
        let figures = known(shared, id)?;
        let href = format!("/api/v1/accounts/{id}");
        Ok(Json(Account {
            id: id.to_string(),
            role: figures.role,
            balance: Balance {
                posted: Amount::new(figures.posted_microtokens),
                pending: Amount::new(figures.pending_microtokens),
            },
            credits_posted_microtokens: figures.account.credits_posted.to_string(),
            debits_posted_microtokens: figures.account.debits_posted.to_string(),
            public_key: figures.account.key.map(|key| key.to_string()),
            counter: figures.account.counter,
            devices: figures.devices.iter().take(QUERY_ITEMS_MAX).map(ToString::to_string).collect(),
            statements: format!("{href}/statements"),
            transfers: format!("{href}/transfers"),
        }))
    })
    .await
}

fn known(shared: &Shared, id: AccountId) -> Result<reads::AccountFigures, Problem> {
    let found = reads::account(shared, id).map_err(Problem::internal)?;
    found.ok_or_else(|| Problem::not_found(format!("nothing was ever posted to {id}, and it owns no device")))
}

/// The statements of an account's devices, newest first; CSV by `Accept: text/csv`
#[utoipa::path(get, path = "/api/v1/accounts/{id}/statements", tag = "accounts",
    params(("id" = String, Path, description = "bech32m, `lamp1…`"), TimeQuery),
    responses((status = 200, content((Vec<Statement> = "application/json"), (String = "text/csv"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn account_statements(
    State(door): State<Door>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Parameters(query): Parameters<TimeQuery>,
) -> Result<Response, Problem> {
    let id = door::named::<AccountId>("account", &id)?;
    let (range, limit) = query.read()?;
    let statements = door
        .query(move |shared| {
            known(shared, id)?;
            let found = shared.statements_of_account(id, &range, limit).map_err(Problem::internal)?;
            statements::describe(shared, found)
        })
        .await?;
    Ok(csv::answer(&headers, &statements, statements::table, &format!("statements-{id}.csv")))
}

/// One posting: the amount left `debit` and entered `credit`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transfer {
    /// Who gave.
    debit: String,
    /// Who got.
    credit: String,
    /// How much.
    amount: Amount,
    /// Seen from the account that was asked for: `in` or `out`.
    direction: &'static str,
    /// `genesis`, `issue`, `transfer`, `reward`, `claim` or `correct`.
    reason: &'static str,
    #[serde(flatten)]
    cause: Cause,
    /// The entry that caused it: the instruction, or the seal that settled.
    transaction: String,
    /// Its place in the log.
    index: u64,
    /// Its block.
    height: u64,
    /// That block's time.
    time: String,
}

/// What a transfer is about, as far as its reason says.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Cause {
    /// What the sender wrote with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    memo: Option<String>,
    /// For a reward: the statement it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<StatementName>,
    /// For a claim: kid of the device whose escrow was paid out.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<String>,
    /// For a correction: what it sets right, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrects: Option<Corrected>,
}

/// What a correction sets right.
#[derive(Debug, Serialize, ToSchema)]
pub struct Corrected {
    /// The entry's place in the log.
    index: u64,
    /// Its id.
    transaction: String,
    /// Why, in the operator's words.
    why: String,
}

/// Which statement.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementName {
    /// The device.
    kid: String,
    /// The epoch.
    epoch: u64,
}

/// An account's double-entry history, newest first; CSV by `Accept: text/csv`
#[utoipa::path(get, path = "/api/v1/accounts/{id}/transfers", tag = "accounts",
    params(("id" = String, Path, description = "bech32m, `lamp1…`"), TimeQuery),
    responses((status = 200, content((Vec<Transfer> = "application/json"), (String = "text/csv"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn account_transfers(
    State(door): State<Door>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Parameters(query): Parameters<TimeQuery>,
) -> Result<Response, Problem> {
    let id = door::named::<AccountId>("account", &id)?;
    let (range, limit) = query.read()?;
    let transfers = door
        .query(move |shared| {
            known(shared, id)?;
            transfers_of(shared, id, &range, limit)
        })
        .await?;
    Ok(csv::answer(&headers, &transfers, table, &format!("transfers-{id}.csv")))
}

/// An account's newest `limit` transfers whose block time lies in a range; none of an account that nobody knows.
///
/// # Errors
/// When the index or the log cannot be read.
pub(super) fn transfers_of(
    shared: &Shared,
    id: AccountId,
    range: &Range<u64>,
    limit: usize,
) -> Result<Vec<Transfer>, Problem> {
    let found = shared.transfers(id, range, limit).map_err(Problem::internal)?;
    let mut entries = EntryIds::new(shared);
    found.iter().map(|record| transfer(&mut entries, id, record)).collect()
}

fn transfer(
    entries: &mut EntryIds<'_>,
    asked: AccountId,
    record: &TransferRecord,
) -> Result<Transfer, Problem> {
    let transaction = entries.id(record.entry_index).map_err(Problem::internal)?;
    let posted = &record.transfer;
    let mut cause = Cause::default();
    match &posted.reason {
        TransferReason::Transfer { memo } => cause.memo = memo.clone(),
        TransferReason::Reward { kid, epoch } => {
            cause.statement = Some(StatementName { kid: kid.to_string(), epoch: *epoch });
        }
        TransferReason::Claim { kid } => cause.claimed = Some(kid.to_string()),
        TransferReason::Correct { entry_index, why } => {
            let transaction = entries.id(*entry_index).map_err(Problem::internal)?;
            cause.corrects = Some(Corrected { index: *entry_index, transaction, why: why.clone() });
        }
        TransferReason::Genesis | TransferReason::Issue => {}
    }
    Ok(Transfer {
        debit: posted.debit.to_string(),
        credit: posted.credit.to_string(),
        amount: Amount::new(posted.amount_microtokens),
        direction: if posted.credit == asked { "in" } else { "out" },
        reason: posted.reason.as_str(),
        cause,
        transaction,
        index: record.entry_index,
        height: record.height,
        time: rfc3339(record.time_unix_milliseconds),
    })
}

/// Transfers as rows.
pub(super) fn table(transfers: &[Transfer]) -> Table {
    let mut table = Table::new(&[
        "time",
        "direction",
        "debit",
        "credit",
        "amount_microtokens",
        "amount_tokens",
        "reason",
        "memo",
        "kid",
        "epoch",
        "corrects_index",
        "why",
        "height",
        "index",
        "transaction",
    ]);
    for transfer in transfers {
        let Cause { memo, statement, claimed, corrects } = &transfer.cause;
        let statement = statement.as_ref();
        table.row([
            transfer.time.as_str(),
            transfer.direction,
            &transfer.debit,
            &transfer.credit,
            &transfer.amount.microtokens,
            &transfer.amount.tokens,
            transfer.reason,
            memo.as_deref().unwrap_or_default(),
            statement.map(|statement| &statement.kid).or(claimed.as_ref()).map_or("", String::as_str),
            &statement.map(|statement| statement.epoch.to_string()).unwrap_or_default(),
            &corrects.as_ref().map(|corrected| corrected.index.to_string()).unwrap_or_default(),
            corrects.as_ref().map_or("", |corrected| &corrected.why),
            &transfer.height.to_string(),
            &transfer.index.to_string(),
            &transfer.transaction,
        ]);
    }
    table
}
