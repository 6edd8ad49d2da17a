//! Proofs beyond receipts: balances and devices as of the last epoch's end, and that the log only grew.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64ct::{Base64, Encoding as _};
use devices::DeviceId;
use ledger::account::AccountId;
use ledger::state_leaf::LeafKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::door::{self, Door, Parameters};
use super::instant::rfc3339;
use super::problem::Problem;
use crate::proofs::{self, LeafAnswer};
use crate::shared::Shared;

/// The proof of an account's balance as of the last epoch's end (`lamppost/state-proof@v1`): verifiable offline
#[utoipa::path(get, path = "/api/v1/accounts/{id}/proof", tag = "accounts",
    params(("id" = String, Path, description = "bech32m, `lamp1…`")),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "no epoch has ended since", body = Problem, content_type = "application/problem+json")))]
pub async fn account(State(door): State<Door>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = door::named::<AccountId>("account", &id)?;
    let known = move |shared: &Shared| shared.state().account(id).is_some();
    answer(door, LeafKey::Account(id), format!("account {id}"), known).await
}

/// The proof of what is known of a device as of the last epoch's end (`lamppost/state-proof@v1`)
#[utoipa::path(get, path = "/api/v1/devices/{kid}/proof", tag = "devices",
    params(("kid" = String, Path, description = "16 lower-case hex digits")),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "no epoch has ended since", body = Problem, content_type = "application/problem+json")))]
pub async fn device(State(door): State<Door>, Path(kid): Path<String>) -> Result<Response, Problem> {
    let kid = door::named::<DeviceId>("kid", &kid)?;
    let known = move |shared: &Shared| shared.state().device(kid).is_some();
    answer(door, LeafKey::Device(kid), format!("device {kid}"), known).await
}

/// The proof of a version of the tariff as of the last epoch's end (`lamppost/state-proof@v1`)
#[utoipa::path(get, path = "/api/v1/tariffs/{version}/proof", tag = "network",
    params(("version" = u32, Path, description = "the tariff's version")),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "no epoch has ended since", body = Problem, content_type = "application/problem+json")))]
pub async fn tariff(State(door): State<Door>, Path(version): Path<String>) -> Result<Response, Problem> {
    let version = door::named::<u32>("version of a tariff", &version)?;
    let known = move |shared: &Shared| shared.state().tariffs().version(version).is_some();
    answer(door, LeafKey::Tariff(version), format!("tariff {version}"), known).await
}

/// The proof of who decided as of the last epoch's end (`lamppost/state-proof@v1`), where several validators do
#[utoipa::path(get, path = "/api/v1/validators/proof", tag = "network",
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 404, description = "one validator decides alone", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "no epoch has ended since", body = Problem, content_type = "application/problem+json")))]
pub async fn validators(State(door): State<Door>) -> Result<Response, Problem> {
    answer(door, LeafKey::Validators, "list of validators".to_owned(), |_| false).await
}

async fn answer(
    door: Door,
    key: LeafKey,
    what: String,
    known: impl Fn(&Shared) -> bool + Send + 'static,
) -> Result<Response, Problem> {
    let name = format!("inline; filename=\"{}.state-proof\"", what.replace(' ', "-"));
    let document = door
        .query(move |shared| match proofs::leaf(shared, key).map_err(Problem::internal)? {
            LeafAnswer::Proven(document) => Ok(document),
            LeafAnswer::Absent { height } if known(shared) => Err(Problem::not_found(format!(
                "the {what} came after block {height}, whose seal holds the last state root: its proof is there when the \
                 epoch has ended, at {}",
                next_end(shared)
            ))),
            LeafAnswer::Absent { .. } => Err(Problem::not_found(format!("the ledger knows no {what}"))),
            LeafAnswer::Later => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "this node has no state of an epoch's end on its disk yet: proofs are there when the epoch has ended, \
                     at {}",
                    next_end(shared)
                ),
            )),
        })
        .await?;
    let mut response = document.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // The next epoch's end has another balance, and every block another checkpoint.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.extend(HeaderValue::from_str(&name).ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    Ok(response)
}

fn next_end(shared: &Shared) -> String {
    rfc3339(shared.state().next_settlement_unix_milliseconds())
}

/// Which two sizes of the log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeQuery {
    from: u64,
    to: u64,
}

/// The hashes between two sizes of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consistency {
    /// Entries of the earlier tree.
    from: u64,
    /// Entries of the later tree.
    to: u64,
    /// The consistency proof (RFC 6962 section 2.1.2), each hash in base64.
    hashes: Vec<String>,
}

/// The proof that the log only grew between two sizes (RFC 6962 section 2.1.2)
#[utoipa::path(get, path = "/api/v1/consistency", tag = "log",
    params(
        ("from" = u64, Query, description = "entries of the earlier checkpoint", example = 42),
        ("to" = u64, Query, description = "entries of the later checkpoint", example = 1067),
    ),
    responses((status = 200, body = Consistency),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn consistency(
    State(door): State<Door>,
    Parameters(SizeQuery { from, to }): Parameters<SizeQuery>,
) -> Result<Response, Problem> {
    if from == 0 || from > to {
        return Err(Problem::bad_request("the sizes are those of two checkpoints: 1 <= from <= to"));
    }
    let hashes = door
        .query(move |shared| {
            let size = shared.checkpoint_and_size().1;
            let absent =
                || Problem::not_found(format!("the log has {size} entries: there is no checkpoint of {to}"));
            proofs::consistency(shared, from, to).map_err(Problem::internal)?.ok_or_else(absent)
        })
        .await?;
    let hashes = hashes.iter().map(|hash| Base64::encode_string(hash)).collect();
    // What lies between two sizes of an append-only log never changes.
    let headers = [(header::CACHE_CONTROL, super::tlog::FOR_EVER)];
    Ok((headers, Json(Consistency { from, to, hashes })).into_response())
}
