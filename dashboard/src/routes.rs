//! Which path shows which page, and the headers that all of them carry.

mod owner;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::pages::search::{self, Found, SearchPage};
use crate::pages::{
    Page, Shell, account, block, device, home, map, missing, statement, statements, transaction,
};
use crate::view::{Network, View, ViewError, Viewer};
use crate::{assets, limits, packing};

mod operator;

/// What a page may load and do: its own style, scripts and images, its own node, and nothing else. The map draws beside
/// the page (`worker-src`) and from pictures that it makes itself (`blob:`); the ledger's own code verifies in the
/// browser (`wasm-unsafe-eval` lets WebAssembly be compiled, and no script be made of text).
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; \
     script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

type Shared = State<Arc<dyn View>>;

/// Whoever mounts the router puts the viewer into the request's extensions; where nobody does, the public looks.
impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Why a page was not drawn.
enum Undrawn {
    /// There is no such thing; heading and sentence.
    Missing(&'static str, String),
    /// The view could not answer.
    View(ViewError),
    /// It is the operator's.
    Locked,
    /// What was sent is not done; the sentence says why.
    Refused(String),
    /// A template failed, which only a full formatter can cause.
    Template(askama::Error),
}

impl From<ViewError> for Undrawn {
    fn from(error: ViewError) -> Self {
        Self::View(error)
    }
}

impl From<askama::Error> for Undrawn {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

/// The dashboard's pages over `view`.
///
/// It has a fallback (the 404 page), so it is merged into a router that has none, after the API's routes.
pub fn router(view: Arc<dyn View>) -> Router {
    Router::new()
        .route("/", get(home_page))
        .route("/map", get(map_page))
        .route("/search", get(search_page))
        .route("/devices/{kid}", get(device_page))
        .route("/devices/{kid}/statements", get(statements_page))
        .route("/devices/{kid}/statements/{epoch}", get(statement_page))
        .route("/accounts/{id}", get(account_page))
        .route("/transactions/{id}", get(transaction_page))
        .route("/blocks/{height}", get(block_page))
        .route("/assets/{name}", get(asset))
        .merge(operator::router())
        .merge(owner::routes())
        .fallback(no_page)
        .layer(middleware::map_response(guard))
        .layer(middleware::from_fn(packing::pages))
        .with_state(view)
}

/// Adds the headers that hold for pages and assets alike. The referrer policy lets a form say where it was sent from, by
/// which the node tells its own; no other site learns anything.
async fn guard(response: Response) -> Response {
    guarded(response)
}

/// The same for those who do not come by the router.
pub(crate) fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

/// Draws off the event loop, because a view may wait for a lock or a disk.
async fn respond<P: Page>(
    view: Arc<dyn View>,
    viewer: Viewer,
    draw: impl FnOnce(&dyn View, &Viewer) -> Result<P, Undrawn> + Send + 'static,
) -> Response {
    let drawing = tokio::task::spawn_blocking(move || {
        let page = draw(view.as_ref(), &viewer);
        match page.and_then(|mut page| Ok(page.draw_for(viewer.clone())?)) {
            Ok(page) => (StatusCode::OK, Html(page)).into_response(),
            Err(undrawn) => explain(view.as_ref(), viewer, undrawn),
        }
    });
    match drawing.await {
        Ok(response) => response,
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be drawn.").into_response(),
    }
}

/// The page that says why there is none.
fn explain(view: &dyn View, viewer: Viewer, undrawn: Undrawn) -> Response {
    let (status, heading, sentence) = match undrawn {
        Undrawn::Locked => return operator::locked(view, viewer),
        Undrawn::Missing(heading, sentence) => (StatusCode::NOT_FOUND, heading, sentence),
        Undrawn::Refused(sentence) => (StatusCode::FORBIDDEN, "That was not done", sentence),
        Undrawn::View(error) => (StatusCode::SERVICE_UNAVAILABLE, "The node cannot answer just now", error.0),
        Undrawn::Template(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be drawn", error.to_string())
        }
    };
    let network = view.network().unwrap_or_else(|_| Network::default());
    let mut page = missing::MissingPage::new(Shell::new(heading, "/", network, false), heading, sentence);
    match page.draw_for(viewer) {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => (status, heading).into_response(),
    }
}

/// The value of `name` in a query string; only numbers are ever asked for.
fn number(query: Option<&str>, name: &str) -> Option<u64> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok())
}

/// The page asked for, from 1, and the offset it begins at.
fn page_of(query: Option<&str>, rows: usize) -> (u64, u64) {
    let page = number(query, "page").unwrap_or(1).max(1);
    (page, (page - 1).saturating_mul(rows as u64))
}

fn bounded(segment: String) -> Result<String, Undrawn> {
    if segment.len() <= limits::PATH_SEGMENT_BYTES_MAX {
        Ok(segment)
    } else {
        Err(Undrawn::Missing("No such page", "That address is longer than any of ours.".to_owned()))
    }
}

async fn home_page(State(view): Shared, viewer: Viewer, RawQuery(query): RawQuery) -> Response {
    respond(view, viewer, move |view, _| {
        let (page, offset) = page_of(query.as_deref(), limits::HOME_DEVICES_MAX);
        Ok(home::HomePage::new(view.home(offset, limits::HOME_DEVICES_MAX)?, page))
    })
    .await
}

fn no_device() -> Undrawn {
    Undrawn::Missing(
        "No such device",
        "No device with this kid is enrolled. A kid is 16 hex digits, printed when the device is enrolled."
            .to_owned(),
    )
}

async fn device_page(State(view): Shared, viewer: Viewer, Path(kid): Path<String>) -> Response {
    respond(view, viewer, move |view, viewer| {
        let answer = view
            .device(viewer, &bounded(kid)?, limits::READINGS_MAX, limits::DEVICE_STATEMENTS_MAX)?
            .ok_or_else(no_device)?;
        Ok(device::DevicePage::new(answer))
    })
    .await
}

async fn statements_page(
    State(view): Shared,
    viewer: Viewer,
    Path(kid): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    respond(view, viewer, move |view, _| {
        let before = number(query.as_deref(), "before");
        let answer =
            view.statements(&bounded(kid)?, before, limits::STATEMENTS_MAX)?.ok_or_else(no_device)?;
        Ok(statements::StatementsPage::new(answer, before))
    })
    .await
}

async fn statement_page(
    State(view): Shared,
    viewer: Viewer,
    Path((kid, epoch)): Path<(String, String)>,
) -> Response {
    respond(view, viewer, move |view, _| {
        let missing = || {
            Undrawn::Missing(
                "No such statement",
                "This device has no statement for that epoch: the epoch has not closed yet, or nothing was \
                 accepted from the device in it."
                    .to_owned(),
            )
        };
        let epoch: u64 = epoch.parse().map_err(|_| missing())?;
        let answer = view.statement(&bounded(kid)?, epoch)?.ok_or_else(missing)?;
        Ok(statement::StatementPage::new(answer))
    })
    .await
}

async fn account_page(State(view): Shared, viewer: Viewer, Path(id): Path<String>) -> Response {
    respond(view, viewer, move |view, _| {
        let answer = view.account(
            &bounded(id)?,
            limits::ACCOUNT_DEVICES_MAX,
            limits::ACCOUNT_TRANSFERS_MAX,
            limits::ACCOUNT_STATEMENTS_MAX,
        )?;
        let answer = answer.ok_or_else(|| {
            Undrawn::Missing(
                "No such account",
                "This account owns nothing and was never paid. Its page appears with its first device or transfer."
                    .to_owned(),
            )
        })?;
        Ok(account::AccountPage::new(answer))
    })
    .await
}

async fn transaction_page(State(view): Shared, viewer: Viewer, Path(id): Path<String>) -> Response {
    respond(view, viewer, move |view, _| {
        let answer =
            view.transaction(&bounded(id)?, limits::TRANSACTION_TRANSFERS_MAX)?.ok_or_else(|| {
                Undrawn::Missing(
                "No such transaction",
                "Nothing with this id is durable on the ledger. If it was sent just now, reload in a second."
                    .to_owned(),
            )
            })?;
        Ok(transaction::TransactionPage::new(answer))
    })
    .await
}

async fn block_page(
    State(view): Shared,
    viewer: Viewer,
    Path(height): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    respond(view, viewer, move |view, _| {
        let missing = || {
            Undrawn::Missing(
                "No such block",
                "The chain has not grown to that height, or it is no number.".to_owned(),
            )
        };
        let height: u64 = height.parse().map_err(|_| missing())?;
        let (page, offset) = page_of(query.as_deref(), limits::BLOCK_ENTRIES_MAX);
        let answer = view.block(height, offset, limits::BLOCK_ENTRIES_MAX)?.ok_or_else(missing)?;
        Ok(block::BlockPage::new(answer, page))
    })
    .await
}

/// A query's pairs, decoded; none of what is no query.
type Pairs = Result<Query<Vec<(String, String)>>, axum::extract::rejection::QueryRejection>;

fn text_of(pairs: &Pairs, name: &str) -> Option<String> {
    let Query(pairs) = pairs.as_ref().ok()?;
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

async fn map_page(State(view): Shared, viewer: Viewer, pairs: Pairs) -> Response {
    let chosen = text_of(&pairs, "cell").filter(|cell| cell.len() <= limits::PATH_SEGMENT_BYTES_MAX);
    respond(view, viewer, move |view, _| {
        let answer = view.map(limits::MAP_CELLS_MAX, chosen.as_deref(), limits::CELL_DEVICES_MAX)?;
        Ok(map::MapPage::new(answer, chosen))
    })
    .await
}

async fn search_page(State(view): Shared, viewer: Viewer, pairs: Pairs) -> Response {
    let text = search::cleaned(&text_of(&pairs, "q").unwrap_or_default());
    let looking = view.clone();
    let asked = text.clone();
    let found = tokio::task::spawn_blocking(move || search::find(looking.as_ref(), &asked)).await;
    if let Ok(Ok(Found::Page(path))) = &found {
        return Redirect::to(path).into_response();
    }
    respond(view, viewer, move |view, _| match found {
        Ok(Ok(Found::Nothing(looked_for))) => Ok(SearchPage::new(&text, looked_for, view.network()?)),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(Found::Page(_))) | Err(_) => {
            Err(ViewError("The search broke off; ask again.".to_owned()).into())
        }
    })
    .await
}

async fn asset(
    State(view): Shared,
    viewer: Viewer,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match assets::serve(&name, &headers) {
        Some(response) => response,
        None => no_page_at(view, viewer).await,
    }
}

async fn no_page(State(view): Shared, viewer: Viewer, _uri: Uri) -> Response {
    no_page_at(view, viewer).await
}

async fn no_page_at(view: Arc<dyn View>, viewer: Viewer) -> Response {
    respond::<missing::MissingPage>(view, viewer, |_, _| {
        Err(Undrawn::Missing("No such page", "Nothing is at this address. Devices, accounts, transactions and blocks are linked from the list of devices.".to_owned()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_read_from_queries() {
        assert_eq!(number(Some("page=3&before=9"), "before"), Some(9));
        assert_eq!(number(Some("page=<script>"), "page"), None);
        assert_eq!(number(Some("page"), "page"), None);
        assert_eq!(page_of(Some("page=0"), 40), (1, 0));
        assert_eq!(page_of(Some("page=18446744073709551615"), 40).1, u64::MAX);
    }
}
