//! One epoch's statements of a device, with the ledger's own bytes of them: what a browser reckons again.

use axum::Json;
use axum::extract::{Path, State};
use devices::DeviceId;
use serde::Serialize;
use utoipa::ToSchema;

use super::door::{self, Door};
use super::problem::Problem;
use super::statements::{self, Statement};
use crate::limits::OWNERS_IN_AN_EPOCH_MAX;

/// A statement and its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct EncodedStatement {
    #[serde(flatten)]
    statement: Statement,
    /// The same in the ledger's own encoding, deterministic CBOR in hex.
    encoded: String,
}

/// What a device earned in one closed epoch: one statement, or one for each owner where it changed hands
#[utoipa::path(get, path = "/api/v1/devices/{kid}/statements/{epoch}", tag = "devices",
    params(("kid" = String, Path, description = "16 hex digits"),
        ("epoch" = u64, Path, description = "a closed epoch's number")),
    responses((status = 200, body = [EncodedStatement]),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn statement(
    State(door): State<Door>,
    Path((kid, epoch)): Path<(String, String)>,
) -> Result<Json<Vec<EncodedStatement>>, Problem> {
    let kid = door::named::<DeviceId>("kid", &kid)?;
    let epoch = door::named::<u64>("epoch", &epoch)?;
    door.query(move |shared| {
        let only = epoch..epoch.saturating_add(1);
        let found = shared.index.statements_of_device(kid, only, OWNERS_IN_AN_EPOCH_MAX);
        let found = found.map_err(Problem::internal)?;
        if found.is_empty() {
            let sentence =
                format!("device {kid} has no statement of epoch {epoch}, or the epoch is still running");
            return Err(Problem::not_found(sentence));
        }
        let encoded: Vec<String> = found.iter().map(|statement| hex::encode(statement.encode())).collect();
        let described = statements::describe(shared, found)?.into_iter().zip(encoded);
        Ok(Json(described.map(|(statement, encoded)| EncodedStatement { statement, encoded }).collect()))
    })
    .await
}
