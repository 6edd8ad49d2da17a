//! Open pages that are fetched again on news: a page that many have open is drawn once for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use tower::ServiceExt as _;

use crate::clock;
use crate::limits::{REFRESH_BYTES_MAX, REFRESH_MILLISECONDS, REFRESHES_MAX};

/// A page as it was drawn.
#[derive(Clone)]
struct Drawn {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
}

impl Drawn {
    fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.at) < Duration::from_millis(REFRESH_MILLISECONDS)
    }

    fn response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.headers_mut() = self.headers;
        response
    }
}

/// Held while the page is drawn, so that whoever asks meanwhile waits for it and draws it no second time.
type Place = Arc<tokio::sync::Mutex<Option<Drawn>>>;

/// The pages that were drawn last.
#[derive(Clone, Default)]
pub struct Refreshes(Arc<Mutex<HashMap<String, Place>>>);

impl Refreshes {
    /// Asks the window, or gives what it gave a moment ago. Only to a script that renews an open page: who comes to a
    /// page sees it as it is. And only to those without a cookie, because theirs are not everybody's pages.
    pub async fn ask(&self, window: Router, request: Request) -> Response {
        match self.place(&request) {
            None => draw(window, request).await,
            Some(place) => {
                let mut last = place.lock().await;
                if let Some(drawn) = last.as_ref().filter(|drawn| drawn.is_fresh(clock::monotonic())) {
                    return drawn.clone().response();
                }
                let response = draw(window, request).await;
                if response.status() != StatusCode::OK {
                    return response;
                }
                let (parts, body) = response.into_parts();
                // A page is whole in memory already, and smaller than that.
                let body = to_bytes(body, REFRESH_BYTES_MAX).await.unwrap_or_default();
                let drawn = Drawn { at: clock::monotonic(), headers: parts.headers, body };
                *last = Some(drawn.clone());
                drawn.response()
            }
        }
    }

    /// Where a page is kept; `None` for what is drawn for its reader alone.
    fn place(&self, request: &Request) -> Option<Place> {
        let headers = request.headers();
        let is_refresh = request.method() == Method::GET && headers.contains_key("hx-request");
        if !is_refresh || headers.contains_key(header::COOKIE) || headers.contains_key(header::AUTHORIZATION)
        {
            return None;
        }
        let coding = headers.get(header::ACCEPT_ENCODING).and_then(|coding| coding.to_str().ok());
        let page = format!("{} {}", coding.unwrap_or_default(), request.uri());
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !places.contains_key(&page) && places.len() >= REFRESHES_MAX {
            let now = clock::monotonic();
            // One that is held is being drawn.
            places.retain(|_, place| {
                place.try_lock().map_or(true, |last| last.as_ref().is_some_and(|drawn| drawn.is_fresh(now)))
            });
            if places.len() >= REFRESHES_MAX {
                return None;
            }
        }
        Some(places.entry(page).or_default().clone())
    }
}

async fn draw(window: Router, request: Request) -> Response {
    match window.oneshot(request).await {
        Ok(response) => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A window that counts how often it is asked, and how many it drew for each of `asked`.
    async fn drawn(asked: &[(&str, &[(&str, &str)])]) -> u64 {
        let count = Arc::new(AtomicU64::new(0));
        let counting = count.clone();
        let window = Router::new()
            .fallback(get(move || async move { counting.fetch_add(1, Ordering::SeqCst).to_string() }));
        let refreshes = Refreshes::default();
        for (path, headers) in asked {
            let mut request = Request::get(*path);
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            refreshes.ask(window.clone(), request.body(Body::empty()).unwrap()).await;
        }
        count.load(Ordering::SeqCst)
    }

    const LIVE: &[(&str, &str)] = &[("hx-request", "true")];

    #[tokio::test]
    async fn a_page_that_many_renew_at_once_is_drawn_once() {
        assert_eq!(drawn(&[("/", LIVE), ("/", LIVE), ("/", LIVE), ("/map", LIVE)]).await, 2);
    }

    #[tokio::test]
    async fn who_comes_to_a_page_or_is_somebody_gets_a_page_of_their_own() {
        let somebody = &[("hx-request", "true"), ("cookie", "session=1")][..];
        assert_eq!(drawn(&[("/", &[]), ("/", &[]), ("/", somebody), ("/", somebody)]).await, 4);
    }

    #[tokio::test]
    async fn a_flood_of_different_pages_is_bounded() {
        let refreshes = Refreshes::default();
        let window = Router::new().fallback(get(|| async { "page" }));
        for number in 0..REFRESHES_MAX + 10 {
            let request = Request::get(format!("/blocks/{number}")).header("hx-request", "true");
            refreshes.ask(window.clone(), request.body(Body::empty()).unwrap()).await;
        }
        assert!(refreshes.0.lock().unwrap().len() <= REFRESHES_MAX);
    }
}
