//! The pages of owners: their home, and what went to and from their account.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;

use super::{Shared, number, page_of, respond};
use crate::limits;
use crate::pages::mine::{MinePage, StrangerPage};
use crate::pages::payouts::PayoutsPage;
use crate::view::{MineAsked, PayoutsAfter, View, Viewer};

/// Their paths.
pub fn routes() -> Router<Arc<dyn View>> {
    Router::new().route("/mine", get(mine_page)).route("/mine/payouts", get(payouts_page))
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
