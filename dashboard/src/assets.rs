//! What pages load: style, scripts and icon of our own, and the libraries and the ledger's module that
//! `cargo xtask assets` fetched and built, if it did.
//!
//! Each is named by a hash of its content and so cached for ever; each is packed once, not once a reader.

use std::borrow::Cow;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use rust_embed::RustEmbed;

use crate::packing::{self, Accepted};

/// What npm brought, packed: `NAME.gz` and `NAME.br`. Empty where the binary was built without Node.
#[derive(RustEmbed)]
#[folder = "vendor/"]
#[allow_missing = true]
struct Vendor;

/// One file that pages load.
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    source: Source,
    packed: OnceLock<Option<Packed>>,
}

/// Where a file comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It is a source of this crate.
    Own(&'static str),
    /// npm brings it, packed.
    Fetched,
    /// It is the ledger's own code, compiled for the browser.
    Built,
}

/// A file as it is sent.
struct Packed {
    path: String,
    gzip: Bytes,
    brotli: Option<Bytes>,
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// The style sheet.
pub static STYLE: Asset = Asset::own("lamppost", "css", CSS, include_str!("../assets/lamppost.css"));
/// Keeps an open page current.
pub static SCRIPT: Asset = Asset::own("lamppost", "js", JAVASCRIPT, include_str!("../assets/lamppost.js"));
/// Draws charts that can be asked.
pub static CHARTS_SCRIPT: Asset = Asset::own("charts", "js", JAVASCRIPT, include_str!("../assets/charts.js"));
/// Draws the map that can be moved.
pub static MAP_SCRIPT: Asset = Asset::own("map", "js", JAVASCRIPT, include_str!("../assets/map.js"));
/// The script of the pages on which passkeys are used.
pub static PASSKEY: Asset = Asset::own("passkey", "js", JAVASCRIPT, include_str!("../assets/passkey.js"));
/// The ledger's own code in a page.
pub static LEDGER_SCRIPT: Asset = Asset::own("ledger", "js", JAVASCRIPT, include_str!("../assets/ledger.js"));
/// The key that lies in the browser.
pub static KEY_SCRIPT: Asset = Asset::own("key", "js", JAVASCRIPT, include_str!("../assets/key.js"));
/// The page about that key.
pub static KEY_PAGE: Asset = Asset::own("key-page", "js", JAVASCRIPT, include_str!("../assets/key-page.js"));
/// Forms whose instruction that key signs.
pub static INSTRUCT: Asset = Asset::own("instruct", "js", JAVASCRIPT, include_str!("../assets/instruct.js"));
/// What both maps stand on.
pub static GROUND: Asset = Asset::own("ground", "js", JAVASCRIPT, include_str!("../assets/ground.js"));
/// A map on which a place is chosen.
pub static PIN: Asset = Asset::own("pin", "js", JAVASCRIPT, include_str!("../assets/pin.js"));
/// Verifies documents.
pub static VERIFY: Asset = Asset::own("verify", "js", JAVASCRIPT, include_str!("../assets/verify.js"));
/// Reckons a statement again.
pub static RECOMPUTE: Asset =
    Asset::own("recompute", "js", JAVASCRIPT, include_str!("../assets/recompute.js"));
/// The ledger's own code, compiled for the browser.
pub static MODULE: Asset = Asset::built("browser", "wasm", "application/wasm");
/// The icon.
pub static ICON: Asset =
    Asset::own("lamppost", "svg", "image/svg+xml; charset=utf-8", include_str!("../assets/lamppost.svg"));
/// Server-sent events that refresh parts of a page.
pub static HTMX: Asset = Asset::fetched("htmx", "js", JAVASCRIPT);
/// Charts.
pub static UPLOT: Asset = Asset::fetched("uplot", "js", JAVASCRIPT);
/// Their style.
pub static UPLOT_STYLE: Asset = Asset::fetched("uplot", "css", CSS);
/// The map.
pub static MAPLIBRE: Asset = Asset::fetched("maplibre-gl", "js", JAVASCRIPT);
/// What the map does beside the page.
pub static MAPLIBRE_WORKER: Asset = Asset::fetched("maplibre-gl-worker", "js", JAVASCRIPT);
/// The map's style.
pub static MAPLIBRE_STYLE: Asset = Asset::fetched("maplibre-gl", "css", CSS);
/// Reads an operator's own map.
pub static PMTILES: Asset = Asset::fetched("pmtiles", "js", JAVASCRIPT);
/// Land and borders of the world.
pub static BASEMAP: Asset = Asset::fetched("basemap", "json", "application/json");
/// Whose the libraries are.
static LICENCES: Asset = Asset::fetched("licences", "txt", "text/plain; charset=utf-8");

/// Where the libraries' licences are shown.
pub const LICENCES_PATH: &str = "/assets/licences";

const NO_LICENCES: &str = "This build was made without Node: its pages use no library of others.\n";

static ALL: [&Asset; 24] = [
    &STYLE,
    &SCRIPT,
    &CHARTS_SCRIPT,
    &MAP_SCRIPT,
    &PASSKEY,
    &ICON,
    &HTMX,
    &UPLOT,
    &UPLOT_STYLE,
    &MAPLIBRE,
    &MAPLIBRE_WORKER,
    &MAPLIBRE_STYLE,
    &PMTILES,
    &BASEMAP,
    &LICENCES,
    &LEDGER_SCRIPT,
    &KEY_SCRIPT,
    &KEY_PAGE,
    &INSTRUCT,
    &GROUND,
    &PIN,
    &VERIFY,
    &RECOMPUTE,
    &MODULE,
];

/// FNV-1a, 64 bits: it tells versions of the files apart and guards nothing.
pub fn content_hash(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Asset {
    const fn own(
        stem: &'static str,
        extension: &'static str,
        content_type: &'static str,
        content: &'static str,
    ) -> Self {
        let source = Source::Own(content);
        Self { stem, extension, content_type, source, packed: OnceLock::new() }
    }

    const fn fetched(stem: &'static str, extension: &'static str, content_type: &'static str) -> Self {
        Self { stem, extension, content_type, source: Source::Fetched, packed: OnceLock::new() }
    }

    const fn built(stem: &'static str, extension: &'static str, content_type: &'static str) -> Self {
        Self { stem, extension, content_type, source: Source::Built, packed: OnceLock::new() }
    }

    /// `None` for a library that this build has not.
    fn packed(&'static self) -> Option<&'static Packed> {
        let pack = || {
            let name = format!("{}.{}", self.stem, self.extension);
            let gzip = |content: &[u8]| Bytes::from(packing::gzip(content, Compression::best()));
            let (gzip, brotli) = match self.source {
                Source::Own(content) => (gzip(content.as_bytes()), None),
                Source::Fetched => (fetched(&format!("{name}.gz"))?, fetched(&format!("{name}.br"))),
                Source::Built => (gzip(&fetched(&name)?), None),
            };
            let path = format!("/assets/{}.{:016x}.{}", self.stem, content_hash(&gzip), self.extension);
            Some(Packed { path, gzip, brotli })
        };
        self.packed.get_or_init(pack).as_ref()
    }

    /// Its bytes as they were before they were packed; `None` for a library that this build has not.
    pub fn content(&'static self) -> Option<Vec<u8>> {
        self.packed().map(|packed| packing::unpacked(&packed.gzip))
    }

    /// Where it is served: `/assets/lamppost.0123456789abcdef.css`; `None` for a library that this build has not.
    pub fn path(&'static self) -> Option<&'static str> {
        self.packed().map(|packed| packed.path.as_str())
    }
}

fn fetched(name: &str) -> Option<Bytes> {
    Vendor::get(name).map(|file| match file.data {
        Cow::Borrowed(content) => Bytes::from_static(content),
        Cow::Owned(content) => Bytes::from(content),
    })
}

/// The asset of that file name; `None` where the name or its hash is not a current one.
pub fn serve(name: &str, headers: &HeaderMap) -> Option<Response> {
    if LICENCES_PATH.ends_with(&format!("/{name}")) {
        let content = LICENCES.content().unwrap_or_else(|| NO_LICENCES.into());
        return Some(([(header::CONTENT_TYPE, LICENCES.content_type)], content).into_response());
    }
    let is_asked = |packed: &&Packed| packed.path.ends_with(&format!("/{name}"));
    let (asset, packed) = ALL.iter().find_map(|asset| Some((asset, asset.packed().filter(is_asked)?)))?;
    let accepted = Accepted::of(headers);
    let (coding, content) = match (&packed.brotli, accepted) {
        (Some(brotli), Accepted { brotli: true, .. }) => (Some("br"), brotli.clone()),
        (_, Accepted { gzip: true, .. }) => (Some("gzip"), packed.gzip.clone()),
        _ => (None, packing::unpacked(&packed.gzip).into()),
    };
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    let mut response = (StatusCode::OK, fixed, content).into_response();
    if let Some(coding) = coding {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_our_own_is_there_without_node() {
        for asset in ALL.iter().filter(|asset| matches!(asset.source, Source::Own(_))) {
            let path = asset.path().expect("embedded");
            let name = path.rsplit('/').next().unwrap_or_default();
            assert!(serve(name, &HeaderMap::new()).is_some(), "{path}");
        }
    }

    #[test]
    fn libraries_are_there_together_or_not_at_all() {
        let fetched = ALL.iter().filter(|asset| asset.source == Source::Fetched);
        let there = fetched.clone().filter(|asset| asset.path().is_some()).count();
        assert!(there == 0 || there == fetched.count(), "{there} of the libraries: run `cargo xtask assets`");
    }
}
