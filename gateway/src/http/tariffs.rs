//! Tariffs: every version that was ever set, and from when on each holds.

use axum::Json;
use axum::extract::{Path, State};
use ledger::state::State as Ledger;
use ledger::tariffs::TariffVersion;
use serde::Serialize;
use utoipa::ToSchema;

use super::door::{self, Door};
use super::instant::rfc3339;
use super::problem::Problem;

/// One version of the tariff.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tariff {
    /// Its number.
    version: u32,
    /// The first epoch that is settled by it.
    from_epoch: u64,
    /// When that epoch begins.
    from: String,
    /// `past`, `in_force` or `pending`.
    status: TariffStatus,
    /// Prices, plausible values, intervals and budgets, as the genesis document has them.
    #[schema(value_type = Object)]
    tariff: ledger::tariff::Tariff,
    /// Its own address.
    #[schema(example = "/api/v1/tariffs/1")]
    href: String,
}

/// Whether a tariff holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TariffStatus {
    /// Another one came after it.
    Past,
    /// The running epoch is settled by it.
    InForce,
    /// It holds from the next epoch on.
    Pending,
}

fn describe(state: &Ledger, version: &TariffVersion) -> Tariff {
    let (in_force, number) = (state.tariff().version, version.tariff.version);
    Tariff {
        version: number,
        from_epoch: version.from_epoch,
        from: rfc3339(state.epoch_begins_unix_milliseconds(version.from_epoch)),
        status: match number.cmp(&in_force) {
            std::cmp::Ordering::Less => TariffStatus::Past,
            std::cmp::Ordering::Equal => TariffStatus::InForce,
            std::cmp::Ordering::Greater => TariffStatus::Pending,
        },
        tariff: version.tariff.clone(),
        href: format!("/api/v1/tariffs/{number}"),
    }
}

/// Every version of the tariff, oldest first
#[utoipa::path(get, path = "/api/v1/tariffs", tag = "network", responses((status = 200, body = [Tariff])))]
pub async fn list(State(door): State<Door>) -> Result<Json<Vec<Tariff>>, Problem> {
    door.query(|shared| {
        let state = shared.state();
        Ok(Json(state.tariffs().versions().map(|version| describe(&state, version)).collect()))
    })
    .await
}

/// One version of the tariff
#[utoipa::path(get, path = "/api/v1/tariffs/{version}", tag = "network",
    params(("version" = u32, Path, description = "the version's number")),
    responses((status = 200, body = Tariff),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn tariff(State(door): State<Door>, Path(version): Path<String>) -> Result<Json<Tariff>, Problem> {
    let number = door::named::<u32>("version", &version)?;
    door.query(move |shared| {
        let state = shared.state();
        let version = state.tariffs().version(number);
        let version = version
            .ok_or_else(|| Problem::not_found(format!("there is no version {number} of the tariff")))?;
        Ok(Json(describe(&state, version)))
    })
    .await
}
