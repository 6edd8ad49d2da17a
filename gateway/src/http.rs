//! The HTTP door: the API with its OpenAPI document, the log for any tlog client, events, metrics, the dashboard.
//!
//! Nothing here changes the ledger: a transaction goes in by `Shared::submit`, everything else is read through `Shared`
//! and so is durable. Who sent a request is looked up once, by `visitor`. Only this module and the dashboard know axum.

pub mod accounts;
pub mod amount;
pub mod blocks;
pub mod cells;
pub mod commands;
pub mod consensus;
pub mod csv;
pub mod devices;
pub mod door;
pub mod entry;
pub mod epochs;
pub mod events;
pub mod guard;
pub mod instant;
pub mod mine;
pub mod openapi;
pub mod operations;
pub mod own_map;
pub mod problem;
pub mod proofs;
pub mod refreshes;
pub mod serve;
pub mod sign_in;
pub mod statement;
pub mod statements;
pub mod status;
pub mod tariffs;
pub mod tlog;
pub mod transactions;
pub mod validators;
pub mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use dashboard::view::View;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::limits::HTTP_BODY_BYTES_MAX;
use crate::shared::Shared;
use crate::sign_in::SignIn;
use door::Door;
use refreshes::Refreshes;

pub use serve::serve;

/// Everything a node answers by HTTP: the API, the dashboard's pages over `view`, and those of `desk`.
pub fn router(shared: Arc<Shared>, view: Arc<dyn View>, desk: Arc<SignIn>) -> Router {
    let (api, document) = api().split_for_parts();
    let refreshes = Refreshes::default();
    let door = Door::new(shared, desk);
    let window = dashboard::router(view.clone()).merge(sign_in::pages::router(door.clone(), view));
    api.merge(openapi::router(document))
        .with_state(door.clone())
        // The window has pages of its own for what it does not know; the API's absent paths get a problem document.
        .fallback(move |request: Request| guard::elsewhere(window.clone(), refreshes.clone(), request))
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(DefaultBodyLimit::max(HTTP_BODY_BYTES_MAX))
        .layer(from_fn_with_state(door, visitor::identify))
        .layer(from_fn(guard::time_limit))
        .layer(from_fn(guard::headers))
}

/// The API's routes with their description; the two are collected together, so neither has what the other lacks.
fn api() -> OpenApiRouter<Door> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(operations::health))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::genesis))
        .routes(routes!(validators::document))
        .routes(routes!(validators::validators))
        .routes(routes!(status::status))
        .routes(routes!(devices::list))
        .routes(routes!(devices::device))
        .routes(routes!(devices::readings))
        .routes(routes!(commands::command, commands::last))
        .routes(routes!(devices::device_statements))
        .routes(routes!(statement::statement))
        .routes(routes!(cells::cells))
        .routes(routes!(accounts::account))
        .routes(routes!(accounts::account_statements))
        .routes(routes!(accounts::account_transfers))
        .routes(routes!(proofs::account))
        .routes(routes!(proofs::device))
        .routes(routes!(proofs::tariff))
        .routes(routes!(proofs::validators))
        .routes(routes!(proofs::consistency))
        .routes(routes!(transactions::transaction))
        .routes(routes!(transactions::receipt))
        .routes(routes!(transactions::submit))
        .routes(routes!(blocks::block))
        .routes(routes!(epochs::epoch))
        .routes(routes!(tariffs::list))
        .routes(routes!(tariffs::tariff))
        .routes(routes!(events::events))
        .routes(routes!(sign_in::challenge))
        .routes(routes!(sign_in::link))
        .routes(routes!(sign_in::session))
        .routes(routes!(sign_in::begin_passkey_sign_in))
        .routes(routes!(sign_in::finish_passkey_sign_in))
        .routes(routes!(sign_in::begin_passkey))
        .routes(routes!(sign_in::add_passkey))
        .routes(routes!(sign_in::who_is))
        .routes(routes!(tlog::checkpoint))
        // OpenAPI has no parameter that spans slashes, so the route stands beside its description (in `openapi`).
        .route("/tile/{level}/{*index}", get(tlog::tile))
        // A page's file and no part of the API: it is of the session that asks.
        .route("/mine/payouts.csv", get(mine::payouts_csv))
}

/// The OpenAPI document.
pub fn document() -> OpenApi {
    api().into_openapi()
}
