//! The operator's pages on a whole node: what was refused, what stands, what another tariff would have paid; and that nobody
//! else sees them. The auditor's page, and the sums by day.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use devices::limits::SIGN_IN_BYTES_MAX;
use devices::{Base, Record, SignInAnswer, Value};
use gateway::figures;
use ledger::account::AccountId;

use crate::node::{Answer, Node};

const SITE: &str = "http://localhost:8080";

/// Signs in with the operator's key; gives the session's cookie.
async fn signed_in(node: &Node) -> String {
    let post = |path: &str, body: Vec<u8>| {
        let request = Request::post(path).header(header::ORIGIN, SITE);
        request.header(header::CONTENT_TYPE, "application/cose").body(Body::from(body)).unwrap()
    };
    let asked = node.send(post("/api/v1/sign-in/challenges", Vec::new())).await;
    let mut challenge = [0; 32];
    hex::decode_to_slice(asked.json()["challenge"].as_str().unwrap(), &mut challenge).unwrap();
    let mut out = [0; SIGN_IN_BYTES_MAX];
    let answer = SignInAnswer { challenge, origin: SITE };
    let length = answer.sign(&node.operator, "devnet", &mut out).unwrap();
    let opened = node.send(post("/api/v1/sign-in/sessions", out[..length].to_vec())).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text());
    let cookie = opened.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn page(node: &Node, cookie: &str, path: &str) -> Answer {
    node.send(Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()).await
}

/// What stands between two marks of a page.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let rest = page.split_once(from).unwrap_or_else(|| panic!("{from:?} stands in {page}")).1;
    rest.split_once(to).unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_whose_envelopes_are_refused_and_nobody_else_does() {
    let mut node = Node::start(60).await;
    let envelope = node.envelope("temp", "Cel", "7");
    for status in [StatusCode::ACCEPTED, StatusCode::CONFLICT] {
        assert_eq!(node.post("application/cose", envelope.clone()).await.status, status);
    }
    node.post("application/cose", b"no envelope at all".to_vec()).await;
    for path in
        ["/operator", "/operator/refused", "/operator/fleet", "/operator/tariff", "/operator/validators"]
    {
        assert_eq!(node.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let cookie = signed_in(&node).await;
    let refused = page(&node, &cookie, "/operator/refused").await;
    assert_eq!(refused.status, StatusCode::OK, "{}", refused.text());
    let replayed = between(refused.text(), "<h2 id=\"replayed\">", "</table>");
    assert!(replayed.contains(&format!("/devices/{}", node.kid())), "{replayed}");
    assert!(replayed.contains("boot 1, count 1"), "{replayed}");
    assert!(replayed.contains(&envelope.len().to_string()), "its size: {replayed}");
    let malformed = between(refused.text(), "<h2 id=\"malformed\">", "</table>");
    assert!(malformed.contains("none could be read") && malformed.contains(">18<"), "{malformed}");
    let desk = page(&node, &cookie, "/operator").await;
    assert!(desk.text().contains("Queues against their bounds"), "{}", desk.text());
    for queue in ["intake", "verify", "batch", "outbound", "index"] {
        assert!(desk.text().contains(&format!("<code>{queue}</code>")), "{queue}");
    }
    let fleet = page(&node, &cookie, "/operator/fleet").await;
    assert!(fleet.text().contains("No device is silent."), "{}", fleet.text());
    let validators = page(&node, &cookie, "/operator/validators").await;
    assert!(validators.text().contains("<span class=\"pill online\">signed</span>"), "{}", validators.text());
    let cache = refused.headers.get(header::CACHE_CONTROL).unwrap();
    assert_eq!(cache, "private, no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tariff_that_pays_double_is_tried_on_the_page_and_changes_nothing() {
    let mut node = Node::start(1).await;
    node.read("temp", "Cel", "7").await;
    node.settled().await;
    let cookie = signed_in(&node).await;
    let form = page(&node, &cookie, "/operator/tariff").await;
    let token = between(
        form.text(),
        "action=\"/operator/tariff#rehearsal\"><input type=\"hidden\" name=\"token\" value=\"",
        "\"",
    )
    .to_owned();
    let mut tariff = node.get("/api/v1/tariffs/1").await.json()["tariff"].clone();
    tariff["version"] = 2.into();
    for quantity in tariff["quantities"].as_array_mut().unwrap() {
        let price: u64 = quantity["price_microtokens"].as_str().unwrap().parse().unwrap();
        quantity["price_microtokens"] = (price * 2).to_string().into();
    }
    let try_out = |tariff: String, token: &str| {
        let encoded: String = tariff.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = format!("token={token}&epochs=10&tariff={encoded}");
        let request = Request::post("/operator/tariff").header(header::COOKIE, cookie.as_str());
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.header(header::ORIGIN, SITE).body(Body::from(body)).unwrap()
    };
    let tried = node.send(try_out(tariff.to_string(), &token)).await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.text());
    let outcome = between(tried.text(), "id=\"rehearsal-title\"", "</section>");
    let paid: Vec<u64> = outcome
        .split("<data class=\"amount\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect();
    assert!(paid[0] > 0 && paid[1] >= 2 * paid[0], "{paid:?}: {outcome}");
    assert!(outcome.contains("lamppost send tariff tariff-2.json"), "{outcome}");
    assert_eq!(node.get("/api/v1/tariffs").await.json().as_array().unwrap().len(), 1, "nothing was set");
    tariff["version"] = 5.into();
    let refused = node.send(try_out(tariff.to_string(), &token)).await;
    assert!(refused.text().contains("but version 2 follows"), "{}", refused.text());
    let refused = node.send(try_out("{}".to_owned(), &token)).await;
    assert!(refused.text().contains("This does not hold"), "{}", refused.text());
    let foreign = node.send(try_out(tariff.to_string(), "another")).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_auditor_sees_that_every_token_is_somewhere_and_that_the_log_only_grew() {
    let mut node = Node::start(1).await;
    node.read("temp", "Cel", "7").await;
    node.settled().await;
    let audit = node.get("/audit").await;
    assert_eq!(audit.status, StatusCode::OK, "{}", audit.text());
    assert!(audit.text().contains("Both are equal, as they must be"), "{}", audit.text());
    assert!(audit.text().contains("Signed by lamppost/devnet"), "{}", audit.text());
    assert!(!audit.text().contains("No epoch with statements has closed yet"));
    let proven = node.get("/audit?from=1&to=3").await;
    let json = node.get("/api/v1/consistency?from=1&to=3").await.json();
    for hash in json["hashes"].as_array().unwrap() {
        assert!(proven.text().contains(hash.as_str().unwrap()), "{hash}");
    }
    assert!(
        node.get("/audit?from=1&to=999999").await.text().contains("nobody has signed a checkpoint of 999999")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_counted_by_the_version_that_it_signed_last() {
    let mut node = Node::start(60).await;
    for version in ["firmware:1.4.1", "firmware:1.4.2"] {
        let record = Record { name: Some(version), ..Record::of(Value::Boolean(true)) };
        let envelope = node.signed(&Base::default(), &record);
        assert_eq!(node.post("application/cose", envelope).await.status, StatusCode::ACCEPTED);
    }
    node.read("temp", "Cel", "21.5").await;
    let (shared, kid) = (node.shared(), node.device.kid());
    // It is told only when the index has come as far.
    shared.index.flush(shared.durable().height, &[]).unwrap();
    assert_eq!(shared.index.firmware_counts(), [("1.4.2".to_owned(), 1)]);
    assert_eq!(shared.index.firmware_of(kid).unwrap().as_deref(), Some("1.4.2"));
    let shown = node.get(&format!("/devices/{kid}")).await;
    assert!(shown.text().contains("<bdi>1.4.2</bdi>"), "{}", shown.text());
    let cookie = signed_in(&node).await;
    let fleet = page(&node, &cookie, "/operator/fleet").await;
    assert!(fleet.text().contains("<bdi>1.4.2</bdi></th><td class=\"n\">1</td>"), "{}", fleet.text());
    assert!(!fleet.text().contains("1.4.1"), "it says so no more");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_by_day_are_those_of_the_statements_and_the_metrics_say_how_the_node_stands() {
    let mut node = Node::start(1).await;
    let mut events = node.shared().watch(None);
    for value in ["7", "8", "9"] {
        node.read("temp", "Cel", value).await;
    }
    let records = || -> u64 {
        let days = node.shared().index.days_of_device(node.device.kid(), 0..u32::MAX).unwrap();
        days.iter().map(|day| day.records).sum()
    };
    while records() < 3 {
        let told = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
        told.expect("every epoch is settled, and that is told");
    }
    let account = AccountId::of(&node.owner.public_key());
    let index = &node.shared().index;
    let days = index.days_of_account(&account, 0..u32::MAX).unwrap();
    let statements = index.statements_of_account(account, 0..u64::MAX, 1_000).unwrap();
    assert_eq!(days, figures::summed(statements.iter().map(figures::Day::of).collect()));
    assert_eq!(days, index.days_of_device(node.device.kid(), 0..u32::MAX).unwrap(), "its only device");
    assert!(days.iter().any(|day| day.paid_microtokens > 0), "{days:?}");
    let metrics = node.get("/metrics").await;
    for line in [
        "lamppost_alert{kind=\"stuck_height\"} 0",
        "lamppost_alert{kind=\"pool_running_out\"} 0",
        "lamppost_devices_by_status{status=\"online\"} 1",
    ] {
        assert!(metrics.text().contains(line), "{line}: {}", metrics.text());
    }
    let quantile = "lamppost_envelope_durable_seconds{quantile=\"0.5\"} ";
    let half = metrics.text().lines().find_map(|line| line.strip_prefix(quantile)).unwrap();
    let half: f64 = half.parse().unwrap();
    assert!(half > 0.0 && half < 60.0, "{half}");
}
