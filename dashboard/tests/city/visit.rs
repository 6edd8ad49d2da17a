//! Asking the pages as a browser would, without one.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::routing::Router;
use dashboard::view::{View, Viewer};
use tower::ServiceExt;

/// The answer to a request for a path, asked by nobody in particular.
pub async fn get(router: &Router, path: &str) -> Response<Body> {
    get_for(router, &Viewer::default(), path).await
}

/// The answer to somebody's request for a path.
pub async fn get_for(router: &Router, viewer: &Viewer, path: &str) -> Response<Body> {
    let request = Request::builder().uri(path).extension(viewer.clone()).body(Body::empty());
    router.clone().oneshot(request.expect("a request")).await.expect("routers do not fail")
}

/// An answer's body.
pub async fn text(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), 1_000_000).await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A page that must be there.
pub async fn page(router: &Router, path: &str) -> String {
    page_for(router, &Viewer::default(), path).await
}

/// A page that must be there for somebody.
pub async fn page_for(router: &Router, viewer: &Viewer, path: &str) -> String {
    let response = get_for(router, viewer, path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    text(response).await
}

/// The pages over a view.
pub fn pages_of(view: impl View) -> Router {
    dashboard::router(Arc::new(view))
}

/// The values of an attribute, wherever it stands in the page.
pub fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!(" {name}=\"");
    page.split(&mark).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}
