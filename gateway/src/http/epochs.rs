//! Epochs: what one settlement came to, from the pool before it to what stayed in it.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::door::{self, Door};
use super::instant::rfc3339;
use super::problem::Problem;
use super::statements::SealPlace;
use crate::shared::Shared;
use crate::stored::EntryIds;

/// A closed epoch: `due` − `cut_by_cells` − `cut_by_pool` = `paid`, and `paid` + `remainder` = `pool_before`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Epoch {
    /// The epoch.
    epoch: u64,
    /// When it began.
    from: String,
    /// When it ended; not part of it.
    to: String,
    /// First and last epoch that were settled together; the readings are the first one's.
    settled_epochs: (u64, u64),
    /// The tariff.
    tariff_version: u32,
    /// How many statements were written.
    statements: u64,
    /// What the pool held before.
    pool_before: Amount,
    /// What all statements' lines come to, micro-tokens.
    #[schema(example = "5500000")]
    due_microtokens: String,
    /// What the cells' budgets withheld, micro-tokens.
    cut_by_cells_microtokens: String,
    /// What the pool did not hold, micro-tokens.
    cut_by_pool_microtokens: String,
    /// What was paid: the sum of all statements.
    paid: Amount,
    /// What stayed in the pool.
    remainder: Amount,
    /// The entry that posted it.
    seal: SealPlace,
}

/// What the settlement of an epoch came to
#[utoipa::path(get, path = "/api/v1/epochs/{epoch}", tag = "network",
    params(("epoch" = u64, Path, description = "a closed epoch's number")),
    responses((status = 200, body = Epoch),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn epoch(State(door): State<Door>, Path(epoch): Path<String>) -> Result<Json<Epoch>, Problem> {
    let epoch = door::named::<u64>("epoch", &epoch)?;
    door.query(move |shared| describe(shared, epoch).map(Json)).await
}

fn describe(shared: &Shared, epoch: u64) -> Result<Epoch, Problem> {
    let found = shared.index.settlement(epoch).map_err(Problem::internal)?;
    let (height, settlement) =
        found.ok_or_else(|| Problem::not_found(format!("epoch {epoch} is not settled yet")))?;
    let block = shared.index.block(height).map_err(Problem::internal)?;
    let place = block.ok_or_else(|| Problem::internal("the index has no place of a block that settled"))?;
    let index = place.first_index.saturating_add(u64::from(place.entries)).saturating_sub(1);
    let begins = |epoch: u64| {
        let since = epoch.saturating_mul(shared.genesis.epoch_milliseconds());
        rfc3339(shared.genesis.time_unix_milliseconds.saturating_add(since))
    };
    Ok(Epoch {
        epoch,
        from: begins(epoch),
        to: begins(epoch.saturating_add(1)),
        settled_epochs: (settlement.first_epoch, settlement.last_epoch),
        tariff_version: settlement.tariff_version,
        statements: settlement.statements,
        pool_before: Amount::new(settlement.pool_before_microtokens),
        due_microtokens: settlement.due_microtokens.to_string(),
        cut_by_cells_microtokens: settlement.withheld_by_cells_microtokens.to_string(),
        cut_by_pool_microtokens: settlement.withheld_by_pool_microtokens.to_string(),
        paid: Amount::new(settlement.paid_microtokens),
        remainder: Amount::new(settlement.remainder_microtokens),
        seal: SealPlace {
            height,
            index,
            transaction: EntryIds::new(shared).id(index).map_err(Problem::internal)?,
        },
    })
}
