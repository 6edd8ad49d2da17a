//! What every request passes: a time to be answered in, and answers that browsers cannot misread.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use super::refreshes::Refreshes;
use crate::limits::HTTP_ANSWER_SECONDS_MAX;

/// Ends a request that takes too long. An event stream is answered at once and goes on after that.
pub async fn time_limit(request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(HTTP_ANSWER_SECONDS_MAX);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the node was too busy to answer in time; ask again",
        )
        .into_response(),
    }
}

/// Says on every answer that its type is what it says.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Paths that programs ask for: what is absent among them is answered with a problem document, not with a page.
const PROGRAMS_PATHS: [&str; 7] =
    ["/api", "/tile", "/checkpoint", "/genesis", "/validators", "/healthz", "/metrics"];

/// A path that is not the API's: a page of the window, or 404.
pub async fn elsewhere(window: Router, refreshes: Refreshes, request: Request) -> Response {
    let path = request.uri().path();
    if PROGRAMS_PATHS.iter().any(|start| path.starts_with(start)) {
        let sentence =
            format!("there is nothing at {}; /api/openapi.json lists what there is", shortened(path));
        return Problem::not_found(sentence).into_response();
    }
    refreshes.ask(window, request).await
}

/// 405 for a method that the path does not take.
pub async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let path = shortened(uri.path());
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path} does not take {method}; /api/openapi.json says what it takes"),
    )
}

/// A path as it may stand in a sentence.
fn shortened(path: &str) -> String {
    path.chars().filter(|character| !character.is_control()).take(100).collect()
}
