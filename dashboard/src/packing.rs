//! Answers made small: which encoding a reader takes, and pages packed with it.

use std::io::{Read as _, Write as _};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

use crate::limits::{PACKED_BYTES_MIN, PAGE_BYTES_MAX};
use crate::view::Viewer;

/// Which content codings a reader takes (RFC 9110 §12.5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    /// `br`.
    pub brotli: bool,
    /// `gzip`.
    pub gzip: bool,
}

impl Accepted {
    /// What a request says; a coding of weight 0 is refused.
    pub fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|one| one.to_str().ok());
        let mut accepted = Self::default();
        for coding in values.flat_map(|value| value.split(',')) {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            let taken = !weight.trim_end_matches(['0', '.']).is_empty();
            match name.trim() {
                "br" => accepted.brotli = taken,
                "gzip" => accepted.gzip = taken,
                _ => {}
            }
        }
        accepted
    }
}

/// `content` packed with gzip.
pub fn gzip(content: &[u8], level: Compression) -> Vec<u8> {
    packed(GzBuilder::new(), content, level)
}

fn packed(header: GzBuilder, content: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = header.write(Vec::with_capacity(content.len() / 4), level);
    // Memory takes every byte; were it not to, an empty answer would say so at once.
    let packed = encoder.write_all(content).and_then(|()| encoder.finish());
    packed.unwrap_or_default()
}

/// What was packed, for a reader that takes no coding.
pub fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let _whole_or_as_far_as_it_goes = GzDecoder::new(packed).read_to_end(&mut content);
    content
}

/// Packs pages for those who take gzip.
///
/// From the length of a page in which a secret and what somebody asked for are packed together, the secret can be guessed,
/// byte by byte. So a form's token is never written twice alike ([`FormToken`](crate::view::FormToken)), and the length of
/// a page for somebody who is signed in says nothing exact: up to 127 random bytes go with it.
pub async fn pages(request: Request, next: Next) -> Response {
    let packs = Accepted::of(request.headers()).gzip;
    let noise =
        request.extensions().get::<Viewer>().and_then(Viewer::signed_in).map(|who| who.form_token.noise());
    let mut response = next.run(request).await;
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    if !is_page {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
    if !packs {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A page is whole in memory already, and far below the bound.
    let content = to_bytes(body, PAGE_BYTES_MAX).await.unwrap_or_default();
    if content.len() < PACKED_BYTES_MIN {
        return Response::from_parts(parts, Body::from(content));
    }
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    let encoder = GzBuilder::new().extra(noise.unwrap_or_default());
    Response::from_parts(parts, Body::from(Bytes::from(packed(encoder, &content, Compression::fast()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::FormToken;

    fn accepted(value: &'static str) -> Accepted {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        Accepted::of(&headers)
    }

    #[test]
    fn a_coding_is_taken_where_it_is_named_and_not_refused() {
        assert_eq!(accepted("gzip, deflate, br;q=0.5"), Accepted { brotli: true, gzip: true });
        assert_eq!(accepted("gzip;q=0, br;q=0.000"), Accepted::default());
        assert_eq!(accepted("identity"), Accepted::default());
        assert_eq!(accepted("gzip; q=1.0"), Accepted { brotli: false, gzip: true });
    }

    #[test]
    fn noise_changes_the_length_and_nothing_else() {
        let content = "every amount has its reason ".repeat(200);
        let noisy = |mask: u8| {
            let noise = FormToken::new([7; 32]).under([mask; 32]).noise();
            packed(GzBuilder::new().extra(noise), content.as_bytes(), Compression::fast())
        };
        assert_eq!(noisy(254).len(), noisy(0).len() + 127);
        assert_eq!(unpacked(&noisy(99)), content.as_bytes());
    }

    #[test]
    fn what_is_packed_is_unpacked_whole() {
        let content = "every amount has its reason ".repeat(200);
        let packed = gzip(content.as_bytes(), Compression::fast());
        assert!(packed.len() < content.len() / 10);
        assert_eq!(unpacked(&packed), content.as_bytes());
    }
}
