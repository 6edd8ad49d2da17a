//! The link by which a device is claimed, in text and as a QR code.

use anyhow::Context as _;
use qrcode::QrCode;
use qrcode::render::{svg, unicode};

/// Pixels of a printed code's side, at least; it scales.
const SVG_PIXELS_MIN: u32 = 480;

/// `NODE/claim#KID.PROOF`: what follows the `#` is not sent to any server. Without a claim code just the page.
pub struct ClaimLink {
    link: String,
    code: QrCode,
}

impl ClaimLink {
    /// The link to a node's page.
    ///
    /// # Errors
    /// When it is too long for a QR code, which a node's address of two thousand letters would make it.
    pub fn new(node: &str, claim_code: Option<&str>) -> anyhow::Result<ClaimLink> {
        let page = format!("{}/claim", node.trim_end_matches('/'));
        let link = claim_code.map_or(page.clone(), |code| format!("{page}#{code}"));
        let code = QrCode::new(&link).context("the claim link is too long for a QR code")?;
        Ok(ClaimLink { link, code })
    }

    /// The link.
    pub fn as_str(&self) -> &str {
        &self.link
    }

    /// The code for a printer, with the quiet zone that readers need.
    pub fn svg(&self) -> String {
        let mut render = self.code.render::<svg::Color<'_>>();
        render.min_dimensions(SVG_PIXELS_MIN, SVG_PIXELS_MIN).build()
    }

    /// The code for a terminal, light on dark as terminals mostly are; two rows to a line.
    pub fn drawn(&self) -> String {
        let mut render = self.code.render::<unicode::Dense1x2>();
        let drawn = render.dark_color(unicode::Dense1x2::Light).light_color(unicode::Dense1x2::Dark).build();
        format!("{drawn}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels of a module as a camera may see it.
    const SCALE: usize = 4;

    #[test]
    fn the_code_that_a_telephone_reads_is_the_link() {
        let claim_code = format!("be5de2f4bcdc383a.{}", "a7".repeat(64));
        let link = ClaimLink::new("https://city.example/", Some(&claim_code)).unwrap();
        assert_eq!(link.as_str(), format!("https://city.example/claim#{claim_code}"));
        // Each line of the terminal has two rows of modules: the upper and the lower half of a letter.
        let lines: Vec<Vec<char>> = link.drawn().lines().map(|line| line.chars().collect()).collect();
        let is_light = |x: usize, y: usize| match lines.get(y / 2).and_then(|line| line.get(x)) {
            Some('\u{2588}') => true,
            Some('\u{2580}') => y.is_multiple_of(2),
            Some('\u{2584}') => !y.is_multiple_of(2),
            _ => false,
        };
        let (width, height) = (lines.first().unwrap().len() * SCALE, lines.len() * 2 * SCALE);
        let seen = |x: usize, y: usize| if is_light(x / SCALE, y / SCALE) { 255 } else { 0 };
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, seen);
        let codes = picture.detect_grids();
        assert_eq!(codes.len(), 1);
        assert_eq!(codes.first().unwrap().decode().unwrap().1, link.as_str());
        assert!(link.svg().starts_with("<?xml") && link.svg().contains("<path"), "{}", link.svg());
    }

    #[test]
    fn a_link_that_no_code_holds_is_refused() {
        assert!(ClaimLink::new(&"x".repeat(3_000), Some("code")).is_err());
    }

    #[test]
    fn without_a_claim_code_the_link_is_the_page_on_which_one_claims() {
        assert_eq!(
            ClaimLink::new("https://city.example", None).unwrap().as_str(),
            "https://city.example/claim"
        );
    }
}
