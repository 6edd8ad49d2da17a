//! The pages of owners: their home, what went to and from their account, and what their key asks of the ledger.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;

use super::{Pairs, Shared, Undrawn, bounded, no_device, number, page_of, respond, text_of};
use crate::limits;
use crate::pages::claim::{ClaimPage, Typed};
use crate::pages::handover::{AcceptPage, TransferPage};
use crate::pages::key::KeyPage;
use crate::pages::mine::{MinePage, StrangerPage};
use crate::pages::payouts::PayoutsPage;
use crate::pages::verify::VerifyPage;
use crate::view::{DevicePage, MineAsked, PayoutsAfter, View, Viewer};

/// Their paths.
pub fn routes() -> Router<Arc<dyn View>> {
    Router::new()
        .route("/mine", get(mine_page))
        .route("/mine/payouts", get(payouts_page))
        .route("/key", get(key_page))
        .route("/claim", get(claim_page))
        .route("/devices/{kid}/transfer", get(transfer_page))
        .route("/devices/{kid}/accept", get(accept_page))
        .route("/verify", get(verify_page))
}

async fn mine_page(State(view): Shared, viewer: Viewer, RawQuery(query): RawQuery) -> Response {
    let Some(account) = viewer.account().map(str::to_owned) else {
        return stranger(view, viewer, "/mine").await;
    };
    respond(view, viewer, move |view, _| {
        let (page, devices_offset) = page_of(query.as_deref(), limits::MINE_DEVICES_MAX);
        let asked = MineAsked {
            account,
            devices_offset,
            devices_max: limits::MINE_DEVICES_MAX,
            alerts_max: limits::MINE_ALERTS_MAX,
            offers_max: limits::MINE_OFFERS_MAX,
            days: limits::MINE_DAYS,
        };
        Ok(MinePage::new(view.mine(&asked)?, page))
    })
    .await
}

async fn payouts_page(State(view): Shared, viewer: Viewer, RawQuery(query): RawQuery) -> Response {
    let Some(account) = viewer.account().map(str::to_owned) else {
        return stranger(view, viewer, "/mine/payouts").await;
    };
    respond(view, viewer, move |view, _| {
        let after = number(query.as_deref(), "height")
            .map(|height| PayoutsAfter { height, shown: number(query.as_deref(), "shown").unwrap_or(0) });
        Ok(PayoutsPage::new(view.payouts(&account, after, limits::PAYOUTS_MAX)?, after))
    })
    .await
}

/// Who is nobody has no such page, and is told how to become somebody.
async fn stranger(view: Arc<dyn View>, viewer: Viewer, path: &'static str) -> Response {
    respond(view, viewer, move |view, _| Ok(StrangerPage::new(path, view.network()?))).await
}

async fn key_page(State(view): Shared, viewer: Viewer) -> Response {
    respond(view, viewer, |view, _| Ok(KeyPage::new(view.network()?))).await
}

async fn verify_page(State(view): Shared, viewer: Viewer, pairs: Pairs) -> Response {
    let id = text_of(&pairs, "id");
    respond(view, viewer, move |view, _| Ok(VerifyPage::new(view.network()?, id.as_deref()))).await
}

async fn claim_page(State(view): Shared, viewer: Viewer, pairs: Pairs) -> Response {
    let field = |name: &str| text_of(&pairs, name).unwrap_or_default();
    let typed =
        text_of(&pairs, "code").map(|code| Typed { code, latitude: field("lat"), longitude: field("lon") });
    respond(view, viewer, move |view, _| Ok(ClaimPage::new(view.network()?, typed))).await
}

/// A device without its readings and statements.
fn device_alone(view: &dyn View, viewer: &Viewer, kid: String) -> Result<DevicePage, Undrawn> {
    view.device(viewer, &bounded(kid)?, 0, 0)?.ok_or_else(no_device)
}

async fn transfer_page(
    State(view): Shared,
    viewer: Viewer,
    Path(kid): Path<String>,
    pairs: Pairs,
) -> Response {
    let to = text_of(&pairs, "to");
    respond(view, viewer, move |view, viewer| Ok(TransferPage::new(device_alone(view, viewer, kid)?, to)))
        .await
}

async fn accept_page(State(view): Shared, viewer: Viewer, Path(kid): Path<String>) -> Response {
    respond(view, viewer, move |view, viewer| Ok(AcceptPage::new(device_alone(view, viewer, kid)?))).await
}
