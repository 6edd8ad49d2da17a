//! Style, script and icon: embedded, named by a hash of their content, and so cached for ever.

use std::sync::OnceLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One embedded file.
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    content: &'static str,
    path: OnceLock<String>,
}

/// The style sheet.
pub static STYLE: Asset =
    Asset::new("lamppost", "css", "text/css; charset=utf-8", include_str!("../assets/lamppost.css"));
/// The script.
pub static SCRIPT: Asset =
    Asset::new("lamppost", "js", "text/javascript; charset=utf-8", include_str!("../assets/lamppost.js"));
/// The script of the pages on which passkeys are used.
pub static PASSKEY: Asset =
    Asset::new("passkey", "js", "text/javascript; charset=utf-8", include_str!("../assets/passkey.js"));
/// The icon.
pub static ICON: Asset =
    Asset::new("lamppost", "svg", "image/svg+xml; charset=utf-8", include_str!("../assets/lamppost.svg"));

/// FNV-1a, 64 bits: it tells versions of our own files apart and guards nothing.
const fn content_hash(content: &[u8]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut place = 0;
    while place < content.len() {
        hash ^= content[place] as u64;
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        place += 1;
    }
    hash
}

impl Asset {
    const fn new(
        stem: &'static str,
        extension: &'static str,
        content_type: &'static str,
        content: &'static str,
    ) -> Self {
        Self { stem, extension, content_type, content, path: OnceLock::new() }
    }

    /// Where it is served: `/assets/lamppost.0123456789abcdef.css`.
    pub fn path(&'static self) -> &'static str {
        self.path.get_or_init(|| {
            let hash = content_hash(self.content.as_bytes());
            format!("/assets/{}.{hash:016x}.{}", self.stem, self.extension)
        })
    }
}

/// The asset of that file name; `None` where the name or its hash is not a current one.
pub fn serve(name: &str) -> Option<Response> {
    let mut assets = [&STYLE, &SCRIPT, &PASSKEY, &ICON].into_iter();
    let asset = assets.find(|asset| asset.path().ends_with(&format!("/{name}")))?;
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Some((StatusCode::OK, headers, asset.content).into_response())
}
