//! The OpenAPI 3.1 document, collected from the routes themselves.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::door::Door;
use super::tlog;

/// Where the document lies.
pub const PATH: &str = "/api/openapi.json";

/// What is said of the API as a whole, and the one path whose route cannot be written in OpenAPI.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Lamppost",
        description = "A city's sensor network that pays for readings and proves every payment. Errors are RFC 9457 \
                       problem details, times RFC 3339 in UTC, amounts strings of micro-tokens beside tokens.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(tlog::tile),
    tags(
        (name = "network", description = "The network at a glance"),
        (name = "devices", description = "The registry, readings and statements"),
        (name = "accounts", description = "Balances, statements and transfers"),
        (name = "log", description = "The append-only log: entries, receipts, blocks, checkpoint and tiles"),
        (name = "events", description = "What happens, as it happens"),
        (name = "sign-in", description = "Sessions, which let owners and the operator look at what is theirs"),
        (name = "operations", description = "Liveness and metrics"),
    )
)]
struct Frame;

/// The document before the routes are added.
pub fn frame() -> OpenApi {
    let mut document = Frame::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document
}

/// Serves the document.
pub fn router(document: OpenApi) -> Router<Door> {
    // Serialising it cannot fail; were it to, an empty document says so to the reader.
    let text: std::sync::Arc<str> = document.to_json().unwrap_or_default().into();
    Router::new()
        .route(PATH, get(|| async move { ([(header::CONTENT_TYPE, "application/json")], text.to_string()) }))
}
