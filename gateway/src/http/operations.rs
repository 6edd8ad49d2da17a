//! What keeps a node running and trusted: liveness, metrics, the genesis document.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::door::Door;
use super::problem::Problem;
use crate::{clock, standing};

/// The media type of what `prometheus-client` writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const FULL: &str = "the disk is full: nothing is accepted until there is room again";

/// A node that answers at all is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or `degraded` with what is missing: the node answers and accepts nothing.
    #[schema(example = "ok")]
    status: &'static str,
    /// Why it is degraded, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    /// Height of the last durable block.
    height: u64,
}

/// Liveness
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
pub async fn health(State(door): State<Door>) -> Json<Health> {
    let height = door.shared().durable().height;
    // Also then 200: whoever restarts what is not alive would make nothing better.
    Json(match door.shared().space().full {
        false => Health { status: "ok", detail: None, height },
        true => Health { status: "degraded", detail: Some(FULL), height },
    })
}

/// Metrics in the Prometheus (OpenMetrics) text format
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(State(door): State<Door>) -> Response {
    // Whoever scrapes is told how the node stands at that moment; what cannot be read leaves the rest as it was.
    let shown = door.query(|shared| {
        let now = clock::now_unix_milliseconds();
        standing::of(shared, &shared.still(), now).map_err(Problem::internal)?.show(&shared.telemetry);
        Ok(())
    });
    let _the_rest_stays = shown.await;
    ([(header::CONTENT_TYPE, OPENMETRICS)], door.shared().telemetry.render()).into_response()
}

/// The genesis document: network, origin, validators' keys, first tariff
///
/// `lamppost verify` trusts it, so get it once and keep it.
#[utoipa::path(get, path = "/genesis", tag = "log",
    responses((status = 200, body = Object, content_type = "application/json")))]
pub async fn genesis(State(door): State<Door>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], door.shared().genesis.to_json()).into_response()
}
