//! The operator's paths, and the auditor's.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::{Shared, Undrawn, number, page_of, respond};
use crate::limits;
use crate::pages::audit::AuditPage;
use crate::pages::operator::OperatorOnlyPage;
use crate::pages::operator::desk::DeskPage;
use crate::pages::operator::fleet::FleetPage;
use crate::pages::operator::refused::RefusedPage;
use crate::pages::operator::tariff::TariffPage;
use crate::pages::operator::validators::ValidatorsPage;
use crate::pages::{Page, Shell};
use crate::view::{Network, Proposal, View, Viewer};

/// The pages, without what holds for all pages alike.
pub(super) fn router() -> Router<Arc<dyn View>> {
    let tariff = get(tariff_page).post(rehearse).layer(DefaultBodyLimit::max(limits::PROPOSAL_BYTES_MAX));
    Router::new()
        .route("/operator", get(desk_page))
        .route("/operator/refused", get(refused_page))
        .route("/operator/fleet", get(fleet_page))
        .route("/operator/tariff", tariff)
        .route("/operator/validators", get(validators_page))
        .route("/audit", get(audit_page))
}

/// What everybody but the operator sees.
pub(super) fn locked(view: &dyn View, viewer: Viewer) -> Response {
    let network = view.network().unwrap_or_else(|_| Network::default());
    let mut page = OperatorOnlyPage::new(Shell::new("For the operator", "/operator", network, false));
    match page.draw_for(viewer) {
        Ok(page) => (StatusCode::FORBIDDEN, Html(page)).into_response(),
        Err(_) => (StatusCode::FORBIDDEN, "For the operator").into_response(),
    }
}

async fn desk_page(State(view): Shared, viewer: Viewer) -> Response {
    respond(view, viewer, |view, viewer| Ok(DeskPage::new(view.desk(viewer)?.ok_or(Undrawn::Locked)?))).await
}

async fn refused_page(State(view): Shared, viewer: Viewer) -> Response {
    respond(view, viewer, |view, viewer| {
        Ok(RefusedPage::new(view.refused_samples(viewer)?.ok_or(Undrawn::Locked)?))
    })
    .await
}

async fn fleet_page(State(view): Shared, viewer: Viewer, RawQuery(query): RawQuery) -> Response {
    respond(view, viewer, move |view, viewer| {
        let (page, offset) = page_of(query.as_deref(), limits::FLEET_DEVICES_MAX);
        let fleet = view.fleet(viewer, offset, limits::FLEET_DEVICES_MAX)?.ok_or(Undrawn::Locked)?;
        Ok(FleetPage::new(fleet, page))
    })
    .await
}

async fn validators_page(State(view): Shared, viewer: Viewer) -> Response {
    respond(view, viewer, |view, viewer| {
        Ok(ValidatorsPage::new(view.validators(viewer)?.ok_or(Undrawn::Locked)?))
    })
    .await
}

async fn tariff_page(State(view): Shared, viewer: Viewer) -> Response {
    respond(view, viewer, |view, viewer| draw_tariff(view, viewer, None)).await
}

fn draw_tariff(view: &dyn View, viewer: &Viewer, proposal: Option<Proposal>) -> Result<TariffPage, Undrawn> {
    let answer = view.tariff_desk(viewer, proposal.as_ref(), limits::REHEARSED_PAYEES_MAX)?;
    let token = viewer.signed_in().map(|who| who.form_token).unwrap_or_default();
    Ok(TariffPage::new(answer.ok_or(Undrawn::Locked)?, proposal, token))
}

type Sent = Result<Form<Vec<(String, String)>>, FormRejection>;

/// Tries a proposal. It changes nothing, but it takes the node's time: so only a page of this viewer's may ask for it.
async fn rehearse(State(view): Shared, viewer: Viewer, sent: Sent) -> Response {
    respond(view, viewer, move |view, viewer| {
        let Some(who) = viewer.signed_in().filter(|_| viewer.is_operator()) else {
            return Err(Undrawn::Locked);
        };
        let unread = || {
            Undrawn::Refused(format!(
                "The form could not be read: a tariff of more than {} bytes is none of ours.",
                limits::PROPOSAL_BYTES_MAX
            ))
        };
        let Form(fields) = sent.map_err(|_| unread())?;
        let field = |name: &str| {
            fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        if !who.form_token.is_sent_as(field("token")) {
            let sentence =
                "The form was not sent by a page of this session. Open the page again and repeat it.";
            return Err(Undrawn::Refused(sentence.to_owned()));
        }
        let proposal =
            Proposal { json: field("tariff").to_owned(), epochs: field("epochs").parse().unwrap_or(1) };
        draw_tariff(view, viewer, Some(proposal))
    })
    .await
}

async fn audit_page(State(view): Shared, viewer: Viewer, RawQuery(query): RawQuery) -> Response {
    respond(view, viewer, move |view, _| {
        let size = |name| number(query.as_deref(), name);
        let sizes = size("from").zip(size("to"));
        Ok(AuditPage::new(view.audit(sizes, limits::AUDIT_ENDS_MAX)?, sizes))
    })
    .await
}
