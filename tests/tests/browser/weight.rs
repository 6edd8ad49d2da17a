//! What a page weighs on its way to the reader: everything that the browser fetched for it, as it was sent.

use e2e::browser::{Browser, Reader};
use serde_json::Value;
use thirtyfour::prelude::*;

use crate::places::Town;

/// What a page may weigh, compressed.
const PAGE_BYTES_MAX: u64 = 60_000;

/// The page and every file of it with the bytes that were sent. What an open page asks to stay current comes later.
const FETCHED: &str = "
    const [page] = performance.getEntriesByType('navigation');
    const rest = performance.getEntriesByType('resource').filter(({ name }) => name.includes('/assets/'));
    return [page, ...rest].map(({ name, encodedBodySize }) => [new URL(name).pathname, encodedBodySize]);";

/// What is fetched beside a page that can be read already: the map, and the ledger's own code where something is verified.
fn is_beside(path: &str) -> bool {
    let tools = ["/assets/maplibre-gl", "/assets/basemap.", "/assets/pmtiles.", "/assets/browser."];
    tools.iter().any(|tool| path.starts_with(tool))
}

async fn weights(town: &Town, browser: &Browser) -> WebDriverResult<Vec<(String, u64, u64)>> {
    let mut weights = Vec::new();
    for place in &town.places {
        browser.go_to(&format!("{}{}", town.site, place.path)).await?;
        let fetched: Value = browser.asked(FETCHED).await?;
        let (mut page, mut beside) = (0, 0);
        for one in fetched.as_array().expect("a list of resources") {
            let (path, bytes) = (one[0].as_str().unwrap_or_default(), one[1].as_u64().unwrap_or_default());
            *(if is_beside(path) { &mut beside } else { &mut page }) += bytes;
        }
        println!("{page:>7} {beside:>7}  {}", place.path);
        weights.push((place.path.clone(), page, beside));
    }
    Ok(weights)
}

fn are_light(weights: &[(String, u64, u64)]) {
    let heavy: Vec<_> = weights.iter().filter(|(_, page, _)| *page > PAGE_BYTES_MAX).collect();
    assert!(heavy.is_empty(), "heavier than {PAGE_BYTES_MAX} bytes: {heavy:?}");
    assert!(weights.iter().all(|(_, page, _)| *page > 5_000), "style and scripts count: {weights:?}");
}

#[tokio::test]
async fn no_page_weighs_more_than_sixty_kilobytes_before_the_map() -> WebDriverResult<()> {
    let town = Town::new();
    let browser = Browser::open(Reader::default()).await?;
    are_light(&weights(&town, &browser).await?);
    for (person, role) in [(&town.owner, "Owner"), (&town.operator, "Operator")] {
        town.lets_in(&browser, person, role).await?;
        are_light(&weights(&town, &browser).await?);
    }
    browser.close().await
}
