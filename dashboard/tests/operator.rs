//! What the operator's pages promise, and the auditor's: nobody else sees them, nothing is set by them, every figure says
//! what it is and every empty list what that means.

#[allow(dead_code, reason = "the other tests use more of the city than these")]
mod city;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use city::visit::{attributes, get, get_for, page, page_for, pages_of, text};
use city::{City, NOON};
use dashboard::view::*;
use tower::ServiceExt;

const PATHS: [&str; 5] =
    ["/operator", "/operator/refused", "/operator/fleet", "/operator/tariff", "/operator/validators"];

/// Far below the 60 KB of a page, for they are of one kind.
const PAGE_BYTES_MAX: usize = 60_000;

fn operator() -> Viewer {
    Viewer::Operator(SignedIn { account: city::account(3), form_token: FormToken::new([7; 32]) })
}

/// A form of this viewer's own page.
fn form(viewer: &Viewer, fields: &str) -> String {
    let who = viewer.signed_in().expect("somebody is signed in");
    format!("token={}&{fields}", who.form_token)
}

/// Sends the tariff's form as somebody.
async fn propose(view: City, viewer: &Viewer, form: &str) -> (StatusCode, String) {
    let request = Request::post("/operator/tariff")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .extension(viewer.clone())
        .body(Body::from(form.to_owned()))
        .expect("a request");
    let response = pages_of(view).oneshot(request).await.expect("routers do not fail");
    (response.status(), text(response).await)
}

#[tokio::test]
async fn nobody_but_the_operator_sees_how_the_node_does() {
    let router = pages_of(City::at(NOON));
    let owner = Viewer::Owner(SignedIn { account: city::account(0), form_token: FormToken::new([7; 32]) });
    for path in PATHS {
        let response = get(&router, path).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        let public = text(response).await;
        assert!(public.contains("lamppost login --key lamppost-data/keys/operator.pem"), "{path}");
        assert!(public.contains("href=\"/sign-in\"") && public.contains("href=\"/audit\""), "{path}");
        assert!(!public.contains(">Operator</a>"), "{path}: no link to what is not shown");
        let response = get_for(&router, &owner, path).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        let signed_in = text(response).await;
        assert!(signed_in.contains("not with the operator"), "{path}");
        assert!(!signed_in.contains("<meter"), "{path}");
    }
}

#[tokio::test]
async fn the_operator_finds_every_page_from_every_page() {
    let router = pages_of(City::at(NOON));
    for path in PATHS {
        let shown = page_for(&router, &operator(), path).await;
        assert!(shown.contains("</html>") && shown.contains("As of <time"), "{path}");
        assert!(shown.len() < PAGE_BYTES_MAX, "{path} has {} bytes", shown.len());
        for other in PATHS {
            assert!(shown.contains(&format!("<a href=\"{other}\"")), "{path} leads to {other}");
        }
        assert_eq!(shown.matches("aria-current=\"page\"").count(), 1, "{path}");
        assert!(!shown.contains("<script>") && !shown.contains('\u{202e}'), "{path} is harmless");
        let ids = attributes(&shown, "id");
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), different.len(), "{path}: an id stands once");
    }
    let home = page_for(&router, &operator(), "/").await;
    assert!(home.contains("<a href=\"/operator\">Operator</a>"));
}

#[tokio::test]
async fn the_desk_says_what_needs_looking_at_and_how_fast_it_goes() {
    let shown = page_for(&pages_of(City::at(NOON)), &operator(), "/operator").await;
    for said in [
        "1 of 12 devices is silent.",
        "Look at it.",
        "1.0 <small>envelopes</small>",
        "300 envelopes with 900 records in the last 5 min; 30 refused",
        "11 ms",
        "28 ms",
        "lasts 640 days at what the last 2 h paid",
        "5.0 GiB",
        "64.0 MiB",
        "aria-label=\"intake: 3 of 16384\"",
        "<code>replayed</code>",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[tokio::test]
async fn a_node_without_devices_says_why_everything_is_nothing() {
    let router = pages_of(City::empty(NOON));
    for (path, said) in [
        ("/operator", "Nothing. Watched are silent devices"),
        ("/operator", "nothing arrived in the last 5 min"),
        ("/operator", "no envelope came to the disk in the last 5 min"),
        ("/operator", "no statement was paid anything in the last 2 h, so it lasts"),
        ("/operator", "Nothing was refused since the node started, for any reason."),
        ("/operator/refused", "Nothing was refused since the node started, for any reason."),
        ("/operator/fleet", "No device is enrolled"),
        ("/operator/fleet", "none is enrolled yet"),
        ("/operator/fleet", "No device has named its version yet."),
        ("/audit", "No epoch with statements has closed yet."),
    ] {
        let shown = page_for(&router, &operator(), path).await;
        assert!(shown.contains(said), "{path}: {said}");
    }
}

#[tokio::test]
async fn the_fleet_is_counted_by_what_it_says_of_its_firmware() {
    let shown = page_for(&pages_of(City::at(NOON)), &operator(), "/operator/fleet").await;
    for said in ["<bdi>1.4.2</bdi></th><td class=\"n\">3</td>", "<bdi>1.4.1-&#60;b&#62;</bdi>", "named none"]
    {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[tokio::test]
async fn refused_envelopes_stand_with_their_reason_whose_they_are_and_when() {
    let city = City::at(NOON);
    let shown = page_for(&pages_of(city.clone()), &operator(), "/operator/refused").await;
    let of_reason = |word: &str| {
        let rest = shown.split(&format!("<h2 id=\"{word}\">")).nth(1)?;
        rest.split("<h2 ").next().map(str::to_owned)
    };
    let malformed = of_reason("malformed").expect("some were malformed");
    assert!(malformed.contains("none names a device"), "{malformed}");
    let figures = city.figures();
    for (word, count) in REFUSAL_REASONS.into_iter().zip(figures.refused.0) {
        match of_reason(word) {
            Some(samples) => assert_eq!(samples.matches("</tr>").count() as u64 - 1, count.min(32), "{word}"),
            None => assert_eq!(count, 0, "{word}"),
        }
    }
}

#[tokio::test]
async fn a_tariff_is_tried_without_a_script_and_set_by_a_command() {
    let shown = page_for(&pages_of(City::at(NOON)), &operator(), "/operator/tariff").await;
    assert!(shown.contains("In force: version 1") && shown.contains("pending"), "{shown}");
    let sent = attributes(&shown, "value")
        .into_iter()
        .find(|value| operator().signed_in().is_some_and(|who| who.form_token.is_sent_as(value)));
    assert!(sent.is_some(), "the form carries the session's token: {shown}");
    assert!(shown.contains("&#34;version&#34;: 3"), "the form begins with the next version");
    assert!(shown.contains("accepted and not paid"));
    let form = form(&operator(), "epochs=4&tariff=%7B%22version%22%3A+2%7D");
    let (status, shown) = propose(City::at(NOON), &operator(), &form).await;
    assert_eq!(status, StatusCode::OK);
    for said in [
        "Epochs 116 to 119 paid",
        "\u{2212}1.250000",
        "would be paid nothing",
        "The 2 whose pay changes most of 7",
        "lamppost tariff dry-run tariff-2.json --epochs 116..119 --node http://127.0.0.1:8080",
        "lamppost send tariff tariff-2.json --key lamppost-data/keys/operator.pem --node http://127.0.0.1:8080",
        "{&#34;version&#34;: 2}",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

#[tokio::test]
async fn a_tariff_that_does_not_hold_is_said_harmlessly_and_stays_in_the_form() {
    let form = form(&operator(), "epochs=1&tariff=%7B%3Cscript%3E%7D");
    let (status, shown) = propose(City::at(NOON), &operator(), &form).await;
    assert_eq!(status, StatusCode::OK);
    assert!(shown.contains("This does not hold: unknown field &#60;script&#62;"), "{shown}");
    assert!(!shown.contains("<script>") && shown.contains("⟨202E⟩"));
    assert!(shown.contains("{&#60;script&#62;}"), "what was typed is not lost");
}

#[tokio::test]
async fn no_other_sites_form_takes_the_nodes_time() {
    let owner = Viewer::Owner(SignedIn { account: city::account(0), form_token: FormToken::new([7; 32]) });
    let tokenless = Viewer::Operator(SignedIn { account: city::account(3), ..SignedIn::default() });
    for (viewer, form) in [
        (&Viewer::Public, "token=&epochs=1&tariff=%7B%7D"),
        (&owner, &form(&owner, "epochs=1&tariff=%7B%7D")),
        (&operator(), "epochs=1&tariff=%7B%7D"),
        (&operator(), "token=another&epochs=1&tariff=%7B%7D"),
        (&tokenless, "token=&epochs=1&tariff=%7B%7D"),
    ] {
        let (status, shown) = propose(City::at(NOON), viewer, form).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{form}");
        assert!(!shown.contains("id=\"rehearsal\""), "{form}");
    }
}

#[tokio::test]
async fn an_auditor_sees_every_token_on_both_sides_and_the_log_grow() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let shown = page(&router, "/audit").await;
    let supply = city.audit(None, 3).expect("answered").supply;
    assert!(supply.balances());
    assert!(shown.contains("Both are equal, as they must be"), "{shown}");
    for amount in [supply.pool_microtokens, supply.holders_microtokens] {
        assert!(shown.contains(&format!("value=\"{amount}\"")), "{amount}");
    }
    assert!(shown.contains("nothing was ever issued"), "a zero has its reason");
    assert!(shown.contains("None is known to this node."));
    assert!(shown.contains("lamppost consistency kept.checkpoint"));
    assert!(shown.contains("lamppost audit --node http://127.0.0.1:8080 --genesis genesis.json"));
    let proven = page(&router, "/audit?from=1&to=9").await;
    assert!(proven.contains("5 hashes lead from the one to the other"), "{proven}");
    assert!(proven.contains("/api/v1/consistency?from=1&amp;to=9"));
    let refused = page(&router, "/audit?from=9&to=1").await;
    assert!(refused.contains("A log only grows: 9 comes after 1."));
    let nonsense = page(&router, "/audit?from=%3Cscript%3E&to=-1").await;
    assert!(nonsense.contains("Show the proof") && !nonsense.contains("hashes lead"));
}
