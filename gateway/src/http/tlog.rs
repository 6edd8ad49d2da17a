//! The log for anybody's client: checkpoint, tiles and entry bundles (C2SP tlog-tiles).

use std::io::{self, Write as _};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use ledger::tiles::{self, TilePath, TileRow};

use super::door::Door;
use super::problem::Problem;
use crate::shared::Shared;

/// What was served once under a tile's path never changes: partial tiles name their width.
pub(super) const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The signed checkpoint of the durable log (C2SP tlog-checkpoint)
#[utoipa::path(get, path = "/checkpoint", tag = "log",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, description = "a network of several begins, and too few validators have signed one", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn checkpoint(State(door): State<Door>) -> Result<Response, Problem> {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    match door.shared().checkpoint_and_size() {
        (_, 0) => Err(Problem::not_found(
            "not yet: no checkpoint was signed by more than two thirds of the validators",
        )),
        (checkpoint, _) => Ok((headers, checkpoint.to_string()).into_response()),
    }
}

/// A tile of hashes, or with `entries` as its level a bundle of entries (C2SP tlog-tiles)
#[utoipa::path(get, path = "/tile/{level}/{index}", tag = "log",
    params(
        ("level" = String, Path, description = "0 to 63, or `entries`", example = "0"),
        ("index" = String, Path, description = "the tile's index in groups of three digits, `.p/W` for a partial one", example = "x001/067.p/12"),
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "readings in it were erased by pruning", body = Problem, content_type = "application/problem+json"),
    ))]
pub async fn tile(
    State(door): State<Door>,
    Path((level, index)): Path<(String, String)>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let path = TilePath::parse(&format!("{level}/{index}"))
        .map_err(|_| Problem::bad_request("this is no path of tlog-tiles, such as /tile/0/x001/067.p/12"))?;
    // Hashes do not compress; of bundles tlog-tiles asks that they be compressed.
    let compressed = path.row == TileRow::Entries && takes_gzip(&asked);
    let bytes = door
        .query(move |shared| {
            let bytes = bytes(shared, path)?;
            if compressed { gzip(&bytes).map_err(Problem::internal) } else { Ok(bytes) }
        })
        .await?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    if path.row == TileRow::Entries {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
    Ok(response)
}

/// Whether a client takes gzip: it names it, and not with a weight of zero (RFC 9110 section 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lines = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut codings = lines.flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let refused = weight.trim().trim_start_matches("q=").trim_matches(['0', '.']).is_empty();
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn bytes(shared: &Shared, path: TilePath) -> Result<Vec<u8>, Problem> {
    // The size is that of the checkpoint which was published, so no tile is ahead of it.
    let (_, size) = shared.checkpoint_and_size();
    let absent = || Problem::not_found(format!("the log has {size} entries: this tile lies beyond"));
    let start = path.start(size).map_err(|_| absent())?;
    match path.row {
        TileRow::Level(level) => {
            let tile = shared.rows.tile(u32::from(level), path.index, u64::from(path.width), size);
            tile.map_err(Problem::internal)?.ok_or_else(absent)
        }
        TileRow::Entries => {
            let entries = shared.entries(start, u64::from(path.width)).map_err(Problem::unreadable)?;
            tiles::entry_bundle(entries.into_iter().map(|entry| entry.bytes)).map_err(Problem::internal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_given_to_those_who_take_it() {
        let takes = |line: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(line))]))
        };
        for line in ["gzip", "br, gzip", "gzip;q=0.5", "GZIP , identity", "identity;q=1, gzip; q=0.001"] {
            assert!(takes(line), "{line}");
        }
        for line in ["", "identity", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip"] {
            assert!(!takes(line), "{line}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
