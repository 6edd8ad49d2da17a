//! Search and map: what is typed leads to its page, what stands somewhere is on the map, and nobody's doorstep is.

#[allow(dead_code, reason = "the other tests use more of the city than these")]
mod city;

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use city::visit::{attributes, get, page, pages_of};
use city::{City, NOON};
use dashboard::view::{FormToken, SignedIn, Viewer};

async fn led_to(city: &City, typed: &str) -> Option<String> {
    let response = get(&pages_of(city.clone()), &format!("/search?q={typed}")).await;
    let location = response.headers().get(header::LOCATION)?;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    location.to_str().ok().map(str::to_owned)
}

#[tokio::test]
async fn search_leads_to_the_page_of_what_was_typed() {
    let city = City::at(NOON);
    let kid = &city.residents.first().expect("a resident").kid;
    let transaction = city::hex(1, 1);
    let account = city::account(0);
    for (typed, page) in [
        (kid.clone(), format!("/devices/{kid}")),
        (format!("%20{}%0A", kid.to_uppercase()), format!("/devices/{kid}")),
        (account.clone(), format!("/accounts/{account}")),
        (transaction.clone(), format!("/transactions/{transaction}")),
        (city.height().to_string(), format!("/blocks/{}", city.height())),
        ("0".to_owned(), "/blocks/0".to_owned()),
    ] {
        assert_eq!(led_to(&city, &typed).await, Some(page), "{typed}");
    }
}

#[tokio::test]
async fn search_says_what_it_looked_for_where_there_is_nothing() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    for (typed, looked_for) in [
        ("0000000000000000", &["a device with this kid"][..]),
        ("1234567890123456", &["a device with this kid", "a block of this height"]),
        ("lamp1nobody", &["an account with this id"]),
        ("99,999,999", &["a block of this height"]),
        ("hello", &["does not look like anything that has a page"]),
    ] {
        let page = page(&router, &format!("/search?q={typed}")).await;
        assert!(page.contains("Nothing was found for"), "{typed}");
        for one in looked_for {
            assert!(page.contains(one), "{typed}: {one}");
        }
    }
    let unasked = page(&router, "/search").await;
    assert!(!unasked.contains("Nothing was found") && unasked.contains("What can be looked for"));
    let home = page(&router, "/").await;
    assert!(home.contains("action=\"/search\""), "every page has the search box");
}

#[tokio::test]
async fn what_is_typed_is_shown_harmlessly_and_bounded() {
    let router = pages_of(City::at(NOON));
    let long = "x".repeat(5_000);
    for typed in ["%3Cscript%3Ealert(1)%3C/script%3E", "%E2%80%AEabc", "%00%0A", long.as_str(), "%ff%fe"] {
        let page = page(&router, &format!("/search?q={typed}")).await;
        assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{typed}");
        assert!(page.len() < 20_000, "{typed}");
    }
}

#[tokio::test]
async fn the_map_shows_every_cell_with_its_devices_and_no_position() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let map = city.map_of(100, None, 0);
    let page = page(&router, "/map").await;
    for cell in &map.cells {
        assert!(page.contains(&format!("href=\"/map?cell={}#cell\"", cell.cell)), "{}", cell.cell);
    }
    assert_eq!(page.matches("<polygon").count() + page.matches("<circle").count(), map.cells.len());
    assert!(
        page.contains("has no place and is not on the map") || page.contains("have no place and are not")
    );
    for resident in &city.residents {
        assert!(!page.contains(&resident.kid), "the map names no device before a cell is chosen");
    }
}

#[tokio::test]
async fn a_chosen_cell_lists_its_devices_and_their_sums() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let map = city.map_of(100, None, 0);
    let crowded = map.cells.first().expect("a cell");
    assert!(crowded.devices.total() >= 4, "four residents share a cell");
    let shown = page(&router, &format!("/map?cell={}", crowded.cell)).await;
    let listed: Vec<&str> = attributes(&shown, "id").into_iter().filter(|id| id.starts_with("d-")).collect();
    assert_eq!(listed.len() as u64, crowded.devices.total());
    let chosen = shown.split("id=\"cell\"").nth(1).expect("the cell's section");
    assert!(chosen.contains(&format!("value=\"{}\"", crowded.earned_total_microtokens)), "its sum");
    let nowhere = page(&router, "/map?cell=%3Cb%3E").await;
    assert!(nowhere.contains("No device stands in this cell") && !nowhere.contains("<b>"));
}

#[tokio::test]
async fn an_empty_map_says_what_to_do() {
    let empty = page(&pages_of(City::empty(NOON)), "/map").await;
    assert!(empty.contains("No device is enrolled yet") && !empty.contains("<svg viewBox=\"0 0 10000"));
}

#[tokio::test]
async fn pages_are_packed_and_the_length_of_somebodys_says_nothing_exact() {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;
    let router = pages_of(City::at(NOON));
    let whole = page(&router, "/").await;
    let mut lengths = BTreeSet::new();
    for mask in [0, 1, 90, 255] {
        let form_token = FormToken::new([7; 32]).under([mask; 32]);
        let owner = Viewer::Owner(SignedIn { account: city::account(0), form_token });
        for viewer in [Viewer::Public, owner] {
            let request = Request::builder().uri("/").header(header::ACCEPT_ENCODING, "br, gzip");
            let request = request.extension(viewer.clone()).body(Body::empty()).expect("a request");
            let answer = router.clone().oneshot(request).await.expect("answered");
            assert_eq!(answer.headers().get(header::CONTENT_ENCODING).expect("packed"), "gzip");
            let packed = to_bytes(answer.into_body(), 1_000_000).await.expect("a body");
            assert!(packed.len() * 3 < whole.len(), "{} of {}", packed.len(), whole.len());
            lengths.insert((viewer == Viewer::Public, packed.len()));
        }
    }
    let of_strangers = lengths.iter().filter(|(is_strangers, _)| *is_strangers).count();
    assert_eq!(of_strangers, 1, "a stranger's page is the same each time: {lengths:?}");
    assert!(lengths.len() > 3, "{lengths:?}");
}

#[tokio::test]
async fn every_asset_is_the_same_in_every_coding() {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;
    let router = pages_of(City::at(NOON));
    let home = page(&router, "/").await;
    for path in attributes(&home, "href").into_iter().chain(attributes(&home, "src")) {
        if !path.starts_with("/assets/") || path.ends_with("/licences") {
            continue;
        }
        let mut lengths = Vec::new();
        for coding in ["identity", "gzip", "br"] {
            let request = Request::builder().uri(path).header(header::ACCEPT_ENCODING, coding);
            let request = request.body(Body::empty()).expect("a request");
            let response = router.clone().oneshot(request).await.expect("answered");
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert!(response.headers().contains_key(header::VARY), "{path}");
            lengths.push(to_bytes(response.into_body(), 10_000_000).await.expect("a body").len());
        }
        assert!(lengths[1] < lengths[0], "{path}: {lengths:?}");
    }
    let licences = page(&router, "/assets/licences").await;
    assert!(licences.contains("Licence:") || licences.contains("made without Node"), "{licences}");
}
