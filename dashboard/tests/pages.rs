//! What every page promises: equal totals, completeness without a script, harmless names, small size, links that lead somewhere.

mod city;

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use city::visit::{attributes, get, get_for, page, pages_of, text};
use city::{City, NOON};
use dashboard::view::*;

/// The largest page, in bytes as they are drawn: compression only makes them smaller.
const PAGE_BYTES_MAX: usize = 60_000;

/// A page of every kind, and of every resident.
fn paths(city: &City) -> Vec<String> {
    let mut paths =
        vec!["/".to_owned(), "/?page=2".to_owned(), "/blocks/0".to_owned(), "/blocks/1".to_owned()];
    paths.push(format!("/blocks/{}", city.height()));
    paths.extend(
        [
            "/audit",
            "/audit?from=1&to=9",
            "/audit?from=9&to=1",
            "/map",
            "/map?cell=nowhere",
            "/search",
            "/search?q=%3Cscript%3E%E2%80%AE",
        ]
        .map(str::to_owned),
    );
    paths.extend([1, 2].map(|number| format!("/transactions/{}", city::hex(1, number))));
    paths.extend([0, 1, 2, 3, 505, 1_000].map(|number| format!("/accounts/{}", city::account(number))));
    for resident in &city.residents {
        let kid = &resident.kid;
        paths.push(format!("/devices/{kid}"));
        paths.push(format!("/devices/{kid}/statements"));
        paths.push(format!("/devices/{kid}/statements?before=60"));
        if let Some(statement) = city.statements_of(resident).next() {
            paths.push(format!("/devices/{kid}/statements/{}", statement.epoch));
            paths.push(format!("/transactions/{}", statement.seal.expect("closed").transaction));
        }
        let answer = city.device(&Viewer::Public, kid, 1, 0).expect("answered").expect("a device");
        paths.extend(answer.readings.iter().map(|reading| format!("/transactions/{}", reading.transaction)));
    }
    paths
}

/// The micro-tokens of the first amount after `mark`.
fn amount_after(page: &str, mark: &str) -> u64 {
    let (_, rest) = page.split_once(mark).unwrap_or_else(|| panic!("{mark:?} stands in the page"));
    let value = rest.split("<data class=\"amount\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("an amount after {mark:?}"))
}

#[tokio::test]
async fn totals_are_equal_on_every_page_that_shows_them() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let home = page(&router, "/").await;
    let mut sum = 0;
    for resident in &city.residents {
        let kid = &resident.kid;
        let on_home = amount_after(&home, &format!("<a href=\"/devices/{kid}/statements\">"));
        let device = page(&router, &format!("/devices/{kid}")).await;
        assert_eq!(amount_after(&device, "<h2>Earned in all</h2>"), on_home, "{kid}: device page and home");
        let list = page(&router, &format!("/devices/{kid}/statements")).await;
        assert_eq!(amount_after(&list, "<h2>Earned in all</h2>"), on_home, "{kid}: statements and home");

        let mut statements = 0;
        for row in city.statements_of(resident) {
            let own = page(&router, &format!("/devices/{kid}/statements/{}", row.epoch)).await;
            let paid: Vec<u64> =
                attributes(&own, "data-paid").iter().filter_map(|paid| paid.parse().ok()).collect();
            assert_eq!(paid, [row.paid_microtokens], "{kid}: statement of epoch {}", row.epoch);
            statements += row.paid_microtokens;
        }
        assert_eq!(statements, on_home, "{kid}: its statements come to its total");

        let running = amount_after(&home, &format!("<a href=\"/devices/{kid}#running\">"));
        assert_eq!(amount_after(&device, "<h2>This epoch, estimate</h2>"), running, "{kid}: this epoch");
        sum += on_home;
    }
    assert_eq!(amount_after(&home, "<h2>Earned in all</h2>"), sum, "the network's total is its devices'");
}

#[tokio::test]
async fn the_statements_of_a_list_come_to_the_total_page_by_page() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let resident = city.residents.first().expect("a resident");
    let (mut path, mut sum) = (format!("/devices/{}/statements", resident.kid), 0);
    loop {
        let list = page(&router, &path).await;
        sum += amount_after(&list, "<p class=\"sum\">");
        let older =
            attributes(&list, "href").into_iter().find(|href| href.contains("?before=") && *href != path);
        let rel_next = list.contains("rel=\"next\"");
        match older.filter(|_| rel_next) {
            Some(older) => path = older.to_owned(),
            None => break,
        }
    }
    assert_eq!(sum, city.statements_of(resident).map(|row| row.paid_microtokens).sum::<u64>());
}

#[tokio::test]
async fn an_account_shows_what_its_devices_do() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let owner = city::account(0);
    let account = page(&router, &format!("/accounts/{owner}")).await;
    let owned = city.residents.iter().filter(|resident| resident.owner.as_ref() == Some(&owner));
    let earned: u64 =
        owned.flat_map(|resident| city.statements_of(resident)).map(|row| row.paid_microtokens).sum();
    assert_eq!(amount_after(&account, "<h2>Posted</h2>"), earned);
}

#[tokio::test]
async fn validators_make_no_page_heavy() {
    for city in [City::at(NOON).of_several(), City::at(NOON).stuck()] {
        let router = pages_of(city);
        for path in ["/", "/audit"] {
            let bytes = page(&router, path).await.len();
            assert!(bytes < PAGE_BYTES_MAX, "{path} has {bytes} bytes");
        }
    }
}

#[tokio::test]
async fn every_page_is_complete_without_a_script() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    for path in paths(&city) {
        let page = page(&router, &path).await;
        assert!(page.contains("</html>"), "{path} is whole");
        assert!(page.contains("As of <time"), "{path} says when it was taken");
        assert!(page.contains(">Reload</a>"), "{path} can be reloaded");
        assert!(page.contains("<h1>"), "{path} has a heading");
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script src=\"/assets/").count()
                + page.matches("<script type=\"module\" src=\"/assets/").count(),
            "{path} has no inline script"
        );
        assert!(!page.contains(" style=\"") && !page.contains(" onclick"), "{path} needs nothing inline");
        for mark in [" hidden", "Loading", "loading"] {
            assert!(!page.contains(mark), "{path} waits for nothing: {mark}");
        }
    }
}

#[tokio::test]
async fn hostile_names_are_shown_harmlessly() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let mut seen = 0;
    for path in paths(&city) {
        let page = page(&router, &path).await;
        assert!(!page.contains("<script>") && !page.contains("<img"), "{path} escapes markup");
        for unseen in ['\u{202e}', '\u{200b}'] {
            assert!(!page.contains(unseen), "{path} shows {unseen:?} as what it is");
        }
        seen += usize::from(page.contains("⟨202E⟩"));
    }
    assert!(seen > 3, "the hostile names were among the pages");
}

#[tokio::test]
async fn no_page_is_larger_than_60_kilobytes() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    for path in paths(&city) {
        let bytes = page(&router, &path).await.len();
        assert!(bytes < PAGE_BYTES_MAX, "{path} has {bytes} bytes");
    }
}

#[tokio::test]
async fn every_link_leads_to_a_page_or_into_the_api() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let mut links = BTreeSet::new();
    for path in paths(&city) {
        let page = page(&router, &path).await;
        let ids: BTreeSet<&str> = attributes(&page, "id").into_iter().collect();
        for href in attributes(&page, "href").into_iter().chain(attributes(&page, "src")) {
            match href.strip_prefix('#') {
                Some(id) => assert!(ids.contains(id), "{path} links to {href}, which it has not"),
                None => {
                    links.insert(href.to_owned());
                }
            }
        }
    }
    assert!(links.len() > 100, "{} links", links.len());
    for link in links {
        let path = link.split('#').next().unwrap_or_default();
        if is_api(path) {
            continue;
        }
        assert!(path.starts_with('/') && !path.starts_with("//"), "{link} stays on this node");
        let response = get(&router, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{link}");
    }
}

/// The contract's paths that the pages link to; they are answered by whoever mounts the dashboard.
fn is_api(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    matches!(
        parts.as_slice(),
        ["checkpoint" | "genesis" | "metrics" | "sign-in"]
            | ["api", "openapi.json"]
            | ["api", "v1", "cells" | "devices" | "consistency"]
            | ["api", "v1", "transactions" | "accounts" | "blocks" | "tariffs", _]
            | ["api", "v1", "transactions", _, "receipt"]
            | ["api", "v1", "devices", _, "readings"]
            | ["api", "v1", "accounts", _, "statements" | "transfers"]
    )
}

#[tokio::test]
async fn every_zero_has_its_reason() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let home = page(&router, "/").await;
    for reason in [
        "no reading accepted yet",
        "revoked: earns no more",
        "nothing accepted in epoch 120 yet",
        "what it sent so far pays nothing: its lines say why",
        "replaced: earns under its new key",
        "first statement when epoch 120 closes",
    ] {
        assert!(home.contains(reason), "{reason}");
    }
    for row in home.split("<tr role=\"row\" id=\"d-").skip(1) {
        let row = row.split("</tr>").next().unwrap_or_default();
        for cell in row.split("<td ").filter(|cell| cell.contains("value=\"0\"")) {
            assert!(cell.contains("<small>"), "a zero without a reason: {cell}");
        }
    }
}

#[tokio::test]
async fn an_empty_city_says_what_to_do_first() {
    let router = pages_of(City::empty(NOON));
    let home = page(&router, "/").await;
    for step in [
        "lamppost up --devices 12",
        "lamppost key new owner.pem",
        "lamppost device enrol --public-key HEX --owner ACCOUNT --node http://127.0.0.1:8080 --key lamppost-data/keys/operator.pem",
        "lamppost/1/devnet/dev/KID/up",
    ] {
        assert!(home.contains(step), "{step}");
    }
}

#[tokio::test]
async fn a_new_device_and_a_silent_one_have_pages_that_say_so() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let of = |number: usize| city.residents.get(number).map(|resident| format!("/devices/{}", resident.kid));
    let silent = page(&router, &of(1).expect("a resident")).await;
    assert!(silent.contains("Silent for 14 min: nothing accepted for longer than 3 min."));
    let new = page(&router, &of(2).expect("a resident")).await;
    assert!(new.contains("No reading has been accepted from this device yet."));
    assert!(new.contains("No statement yet"));
    assert!(new.contains("mosquitto_sub -h 127.0.0.1 -p 1883"));
}

#[tokio::test]
async fn charts_have_words_and_a_table_of_the_same_numbers() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let kid = &city.residents.first().expect("a resident").kid;
    let device = page(&router, &format!("/devices/{kid}")).await;
    assert_eq!(device.matches("<svg class=\"plot\"").count(), 5);
    for part in ["title", "desc"] {
        assert_eq!(device.matches(&format!("<{part} id=\"chart-")).count(), 5, "{part}");
    }
    assert!(device.contains("temp in °C over time"));
    assert!(device.contains("The same numbers as a table"));
    let newest = city.device(&Viewer::Public, kid, 1, 0).expect("answered").expect("a device").readings;
    let row =
        format!("<th scope=\"row\"><a href=\"/transactions/{}\">", newest.first().expect("one").transaction);
    assert!(device.contains(&row), "the newest reading is in the table, linked");
}

#[tokio::test]
async fn a_transaction_page_says_how_to_verify_it_offline() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let kid = &city.residents.first().expect("a resident").kid;
    let reading =
        city.device(&Viewer::Public, kid, 1, 0).expect("answered").expect("a device").readings.remove(0);
    let shown = page(&router, &format!("/transactions/{}", reading.transaction)).await;
    let file = format!("{}.receipt", reading.transaction.get(..16).expect("long enough"));
    assert!(shown.contains(&format!("lamppost verify {file} --genesis genesis.json")));
    assert!(shown.contains(&format!("href=\"/api/v1/transactions/{}/receipt\"", reading.transaction)));
}

#[tokio::test]
async fn what_is_not_there_is_a_404_with_a_way_on() {
    let router = pages_of(City::at(NOON));
    let long = format!("/devices/{}", "a".repeat(500));
    for path in [
        "/nowhere",
        "/devices/0000000000000000",
        "/devices/0000000000000000/statements",
        "/devices/0000000000000000/statements/1",
        "/devices/0000000000000000/statements/abc",
        "/accounts/lamp1nobody",
        "/accounts/%3Cscript%3E",
        "/transactions/00",
        "/blocks/99999999",
        "/blocks/-1",
        "/assets/lamppost.0000000000000000.css",
        long.as_str(),
    ] {
        let response = get(&router, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let page = text(response).await;
        assert!(page.contains("All devices</a>"), "{path}");
        assert!(!page.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn assets_are_found_under_their_hash_and_kept_for_ever() {
    let router = pages_of(City::at(NOON));
    let home = page(&router, "/").await;
    let assets: Vec<&str> = attributes(&home, "href")
        .into_iter()
        .chain(attributes(&home, "src"))
        .filter(|path| path.starts_with("/assets/"))
        .collect();
    // Style, script and icon, and htmx where the libraries were fetched; the licences have a name that lasts.
    assert!(matches!(assets.len(), 4 | 5), "{assets:?}");
    for path in assets.into_iter().filter(|path| !path.ends_with("/licences")) {
        let response = get(&router, path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let cache = response.headers().get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
        assert!(cache.is_some_and(|cache| cache.contains("immutable")), "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_strict_policy() {
    let router = pages_of(City::at(NOON));
    for path in ["/", "/nowhere", "/blocks/1"] {
        let response = get(&router, path).await;
        let policy =
            response.headers().get(header::CONTENT_SECURITY_POLICY).and_then(|value| value.to_str().ok());
        assert_eq!(
            policy,
            Some(
                "default-src 'none'; style-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
                 img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            ),
            "{path}"
        );
        let cache = response.headers().get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
        assert_eq!(cache, Some("no-cache"), "{path}");
    }
}

#[test]
fn the_reasons_are_the_wires_own_words() {
    let words: Vec<&str> = devices::refusal::Refusal::ALL.iter().map(|refusal| refusal.as_str()).collect();
    assert_eq!(words, REFUSAL_REASONS);
}

/// A view that cannot answer.
struct Broken;

impl OperatorView for Broken {
    fn audit(&self, _: Option<(u64, u64)>, _: usize) -> Result<Audit, ViewError> {
        Err(ViewError("The index is being rebuilt.".to_owned()))
    }
}

impl View for Broken {
    fn home(&self, _: u64, _: usize) -> Result<Home, ViewError> {
        Err(ViewError("The index is being rebuilt: reload in a minute.".to_owned()))
    }

    fn device(&self, _: &Viewer, _: &str, _: usize, _: usize) -> Answer<DevicePage> {
        Ok(None)
    }

    fn statements(&self, _: &str, _: Option<u64>, _: usize) -> Answer<StatementsPage> {
        Ok(None)
    }

    fn statement(&self, _: &str, _: u64) -> Answer<StatementPage> {
        Ok(None)
    }

    fn account(&self, _: &str, _: usize, _: usize, _: usize) -> Answer<AccountPage> {
        Ok(None)
    }

    fn transaction(&self, _: &str, _: usize) -> Answer<TransactionPage> {
        Ok(None)
    }

    fn block(&self, _: u64, _: u64, _: usize) -> Answer<BlockPage> {
        Ok(None)
    }

    fn map(&self, _: usize, _: Option<&str>, _: usize) -> Result<Map, ViewError> {
        Err(ViewError("The index is being rebuilt.".to_owned()))
    }

    fn network(&self) -> Result<Network, ViewError> {
        Err(ViewError("The index is being rebuilt.".to_owned()))
    }

    fn mine(&self, _: &MineAsked) -> Result<Mine, ViewError> {
        Err(ViewError("The index is being rebuilt.".to_owned()))
    }

    fn payouts(&self, _: &str, _: Option<PayoutsAfter>, _: usize) -> Result<Payouts, ViewError> {
        Err(ViewError("The index is being rebuilt.".to_owned()))
    }
}

#[tokio::test]
async fn a_view_that_cannot_answer_is_a_503_with_its_sentence() {
    let response = get(&pages_of(Broken), "/").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(response).await.contains("The index is being rebuilt: reload in a minute."));
}

#[tokio::test]
async fn who_is_signed_in_stands_on_every_page_and_is_shown_what_is_theirs() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let account = city::account(0);
    let who = SignedIn { account: account.clone(), form_token: FormToken::new([7; 32]) };
    for path in paths(&city).into_iter().chain(["/nowhere".to_owned()]) {
        let page = text(get_for(&router, &Viewer::Owner(who.clone()), &path).await).await;
        let header = page.split("<main").next().expect("a header");
        assert!(header.contains("Owner") && header.contains(&format!("/accounts/{account}")), "{path}");
        let sent = header.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        assert!(
            sent.is_some_and(|sent| who.form_token.is_sent_as(sent)),
            "{path}: the way out carries the token"
        );
        assert!(header.contains("action=\"/sign-out\""), "{path} has the way out");
    }
    let own = city.residents.iter().find(|one| one.owner.as_ref() == Some(&account)).expect("a device");
    let path = format!("/devices/{}", own.kid);
    assert!(page(&router, &path).await.contains("the middle of its cell"));
    let stranger = SignedIn { account: city::account(3), ..SignedIn::default() };
    assert!(
        text(get_for(&router, &Viewer::Owner(stranger), &path).await)
            .await
            .contains("the middle of its cell")
    );
    assert!(
        text(get_for(&router, &Viewer::Owner(who.clone()), &path).await).await.contains("its very place")
    );
    assert!(text(get_for(&router, &Viewer::Operator(who), &path).await).await.contains("its very place"));
}
