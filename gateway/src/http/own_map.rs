//! Serves the operator's own map by ranges (RFC 9110 §14), as PMTiles readers ask for it.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::guard;
use super::problem::Problem;
use crate::own_map::OwnMap;

/// Where the map is served.
pub const PATH: &str = "/map.pmtiles";

/// The route of a map; none where there is no map.
pub fn router(map: Option<Arc<OwnMap>>) -> Router {
    match map {
        None => Router::new(),
        Some(map) => Router::new()
            .route(PATH, get(move |headers: HeaderMap| piece(map, headers)))
            .layer(from_fn(guard::headers)),
    }
}

/// The range that is asked for, cut at the end of the file; `None` when it is none, or not one alone.
fn range(asked: &str, bytes: u64) -> Option<(u64, u64)> {
    let (first, last) = asked.trim().strip_prefix("bytes=")?.split_once('-')?;
    let end = bytes.checked_sub(1)?;
    let (first, last) = match (first.trim(), last.trim()) {
        ("", suffix) => (bytes.saturating_sub(suffix.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

async fn piece(map: Arc<OwnMap>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(asked) = headers.get(header::RANGE).and_then(|range| range.to_str().ok()) else {
        return Err(Problem::bad_request("a map is read by ranges: say which bytes, `Range: bytes=0-16383`"));
    };
    let Some((first, last)) = range(asked, map.bytes()) else {
        let sentence = format!("the map has {} bytes, and one range of them is given at a time", map.bytes());
        return Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, sentence));
    };
    let (reading, total, tag) = (map.clone(), map.bytes(), map.tag().to_owned());
    let piece = tokio::task::spawn_blocking(move || reading.piece(first, last));
    let piece = piece.await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    let until = first.saturating_add(piece.len() as u64).saturating_sub(1);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_RANGE, format!("bytes {first}-{until}/{total}")),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "max-age=3600".to_owned()),
    ];
    Ok((StatusCode::PARTIAL_CONTENT, headers, piece).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_writes_them() {
        assert_eq!(range("bytes=0-126", 1_000), Some((0, 126)));
        assert_eq!(range("bytes=900-5000", 1_000), Some((900, 999)));
        assert_eq!(range("bytes=900-", 1_000), Some((900, 999)));
        assert_eq!(range("bytes=-10", 1_000), Some((990, 999)));
        for nonsense in
            ["", "bytes=", "bytes=5", "bytes=9-5", "bytes=1000-", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"]
        {
            assert_eq!(range(nonsense, 1_000), None, "{nonsense}");
        }
        assert_eq!(range("bytes=0-1", 0), None);
    }
}
