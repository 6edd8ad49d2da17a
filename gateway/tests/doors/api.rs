//! Every path of the contract: what it answers, what it says of what is absent, and what of nonsense.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use devices::SigningKey;
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::instruction::Instruction;
use ledger::merkle;
use ledger::receipt::Receipt;
use serde_json::Value;

use crate::node::Node;

fn microtokens(amount: &Value) -> u64 {
    amount["microtokens"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_found_again_everywhere_and_its_owner_is_paid() {
    let mut node = Node::start(1).await;
    let id = node.read("pm2.5", "ug/m3", "12.53").await;
    let (kid, owner) = (node.kid(), node.owner_account());

    let transaction = node.get(&format!("/api/v1/transactions/{id}")).await.json();
    assert_eq!(transaction["kind"], "reading");
    assert_eq!(transaction["kid"], *kid);
    assert_eq!(transaction["id"], *id);
    assert_eq!((&transaction["boot"], &transaction["count"]), (&1.into(), &1.into()));
    assert_eq!(transaction["senml"][0]["n"], "pm2.5");
    assert_eq!(transaction["senml"][0]["v"].to_string(), "12.53");

    let readings = node.get(&format!("/api/v1/devices/{kid}/readings")).await.json();
    assert_eq!(readings[0]["transaction"], *id);
    assert_eq!(readings[0]["index"], transaction["index"]);
    let time = transaction["time"].as_str().unwrap();
    assert_eq!(readings[0]["accepted_at"], time);
    let inside = node.get(&format!("/api/v1/devices/{kid}/readings?from={time}")).await.json();
    assert_eq!(inside, readings, "`from` is part of the range");
    let before = node.get(&format!("/api/v1/devices/{kid}/readings?to={time}")).await.json();
    assert_eq!(before, Value::Array(Vec::new()), "`to` is not part of the range");

    let block = node.get(&format!("/api/v1/blocks/{}", transaction["height"])).await.json();
    assert_eq!(block["entries"][0]["id"], *id);
    assert_eq!(block["seal"]["entries"], 1);

    let statements = node.settled().await;
    assert_eq!(statements[0]["kid"], *kid);
    assert_eq!(statements[0]["lines"][0]["quantity"], "pm2.5");
    let lines: u64 =
        statements[0]["lines"].as_array().unwrap().iter().map(|line| microtokens(&line["amount"])).sum();
    assert_eq!(lines, microtokens(&statements[0]["due"]));
    let paid = microtokens(&statements[0]["paid"]);
    assert_eq!(paid, 2_500);

    let epoch = node.get(&format!("/api/v1/epochs/{}", statements[0]["epoch"])).await.json();
    assert_eq!((microtokens(&epoch["paid"]), &epoch["statements"]), (paid, &1.into()));
    assert_eq!(microtokens(&epoch["pool_before"]), paid + microtokens(&epoch["remainder"]));
    assert_eq!(epoch["seal"], statements[0]["seal"]);

    let device = node.get(&format!("/api/v1/devices/{kid}")).await.json();
    assert_eq!(microtokens(&device["earned_total"]), paid);
    assert_eq!(device["status"], "online");
    assert_eq!(device["owner"], *owner);
    assert_eq!(device["position_precision"], "cell", "strangers are shown the middle of its cell");
    let listed = node.get("/api/v1/devices").await.json();
    assert_eq!(listed[0], device, "the list and the page of a device say the same");

    let account = node.get(&format!("/api/v1/accounts/{owner}")).await.json();
    assert_eq!(microtokens(&account["balance"]["posted"]), paid);
    assert_eq!(account["devices"], serde_json::json!([kid]));
    let transfers = node.get(&format!("/api/v1/accounts/{owner}/transfers")).await.json();
    assert_eq!(transfers[0]["reason"], "reward");
    assert_eq!(transfers[0]["direction"], "in");
    assert_eq!(transfers[0]["statement"]["kid"], *kid);
    assert_eq!(transfers[0]["transaction"], statements[0]["seal"]["transaction"]);
    let seal = node
        .get(&format!("/api/v1/transactions/{}", statements[0]["seal"]["transaction"].as_str().unwrap()))
        .await;
    assert_eq!(seal.json()["kind"], "seal");

    let status = node.get("/api/v1/status").await.json();
    assert_eq!(status["accepted"], serde_json::json!({"envelopes": 1, "records": 1}));
    assert_eq!(microtokens(&status["earned_total"]), paid);
    let pool = AccountId::pool("devnet");
    let pool = node.get(&format!("/api/v1/accounts/{pool}")).await.json();
    assert_eq!((&pool["role"], &pool["balance"]["posted"]), (&"pool".into(), &status["pool"]));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_the_figures_of_the_api() {
    let mut node = Node::start(1).await;
    let id = node.read("pm2.5", "ug/m3", "12.53").await;
    let statements = node.settled().await;
    let epoch = &statements[0]["epoch"];
    let (kid, owner) = (node.kid(), node.owner_account());
    let tokens = statements[0]["paid"]["tokens"].as_str().unwrap().trim_end_matches('0').to_owned();
    let height = node.get(&format!("/api/v1/transactions/{id}")).await.json()["height"].to_string();
    let seal = statements[0]["seal"]["transaction"].as_str().unwrap();
    let pages = [
        ("/".to_owned(), Some(&tokens)),
        (format!("/devices/{kid}"), Some(&tokens)),
        (format!("/devices/{kid}/statements"), Some(&tokens)),
        (format!("/devices/{kid}/statements/{epoch}"), Some(&tokens)),
        (format!("/accounts/{owner}"), Some(&tokens)),
        (format!("/transactions/{id}"), None),
        (format!("/transactions/{seal}"), Some(&tokens)),
        (format!("/blocks/{height}"), None),
    ];
    for (path, shown) in pages {
        let page = node.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert_eq!(page.content_type(), "text/html; charset=utf-8");
        if let Some(shown) = shown {
            assert!(page.text().contains(shown.as_str()), "{path} does not show {shown}");
        }
    }
    let missing = node.get("/devices/0000000000000000").await;
    assert_eq!((missing.status, missing.content_type()), (StatusCode::NOT_FOUND, "text/html; charset=utf-8"));
    let nowhere = node.get("/nowhere").await;
    assert_eq!((nowhere.status, nowhere.content_type()), (StatusCode::NOT_FOUND, "text/html; charset=utf-8"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_verifies_with_the_genesis_document_and_nothing_else() {
    let mut node = Node::start(60).await;
    let id = node.read("temp", "Cel", "21.5").await;
    node.read("temp", "Cel", "22").await;
    let genesis = Genesis::from_json(node.get("/genesis").await.text()).unwrap();
    let receipt = node.get(&format!("/api/v1/transactions/{id}/receipt")).await;
    assert_eq!(receipt.content_type(), "text/plain; charset=utf-8");
    let verified = Receipt::parse(receipt.text()).unwrap().verify(&Handovers::of_genesis(&genesis)).unwrap();
    let raw =
        node.get(&format!("/api/v1/transactions/{id}")).await.json()["raw"].as_str().unwrap().to_owned();
    assert_eq!(hex::encode(verified.entry()), raw);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoint_and_tiles_agree() {
    let mut node = Node::start(60).await;
    for value in 0..5 {
        node.read("temp", "Cel", &value.to_string()).await;
    }
    let checkpoint = node.get("/checkpoint").await;
    assert_eq!(checkpoint.content_type(), "text/plain; charset=utf-8");
    let mut lines = checkpoint.text().lines();
    assert_eq!(lines.next(), Some("lamppost/devnet"));
    let size: usize = lines.next().unwrap().parse().unwrap();

    let tile = node.get(&format!("/tile/0/000.p/{size}")).await;
    assert_eq!(tile.content_type(), "application/octet-stream");
    assert!(tile.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    let bundle = node.get(&format!("/tile/entries/000.p/{size}")).await;
    let (mut rest, mut frontier) = (bundle.body.as_slice(), merkle::Frontier::new());
    for hash in tile.body.chunks(32) {
        let (length, after) = rest.split_first_chunk::<2>().unwrap();
        let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        assert_eq!(merkle::leaf_hash(entry), hash);
        frontier.append(merkle::leaf_hash(entry));
        rest = after;
    }
    assert!(rest.is_empty());
    assert_eq!(checkpoint.text().lines().nth(2).unwrap(), base64(&frontier.root()));

    node.get("/tile/0/999").await.problem(StatusCode::NOT_FOUND);
    for bad in [
        "/tile/0/0",
        "/tile/64/000",
        "/tile/x/000",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/entries/x",
    ] {
        node.get(bad).await.problem(StatusCode::BAD_REQUEST);
    }
    node.stop().await;
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding as _;
    base64ct::Base64::encode_string(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_absent_is_a_problem_document() {
    let node = Node::start(60).await;
    let nobody = AccountId::of(&SigningKey::from_seed([99; 32]).public_key());
    let absent = [
        "/api/v1/devices/0000000000000000".to_owned(),
        "/api/v1/devices/0000000000000000/readings".to_owned(),
        "/api/v1/devices/0000000000000000/statements".to_owned(),
        format!("/api/v1/accounts/{nobody}"),
        format!("/api/v1/accounts/{nobody}/statements"),
        format!("/api/v1/accounts/{nobody}/transfers"),
        format!("/api/v1/transactions/{}", "0".repeat(64)),
        format!("/api/v1/transactions/{}/receipt", "0".repeat(64)),
        "/api/v1/blocks/999999".to_owned(),
        "/api/v1/epochs/999999".to_owned(),
        "/api/v1/tariffs/999999".to_owned(),
        "/api/v1/nothing".to_owned(),
        "/api".to_owned(),
        "/tile/0".to_owned(),
    ];
    for path in absent {
        node.get(&path).await.problem(StatusCode::NOT_FOUND);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_with_one_sentence() {
    let node = Node::start(60).await;
    let (kid, owner) = (node.kid(), node.owner_account());
    let upper = kid.to_uppercase() + "A";
    let nonsense = [
        "/api/v1/devices/xyz".to_owned(),
        format!("/api/v1/devices/{upper}"),
        "/api/v1/devices?limit=0".to_owned(),
        "/api/v1/devices?limit=10001".to_owned(),
        "/api/v1/devices?limit=-1".to_owned(),
        "/api/v1/devices?after=nobody".to_owned(),
        "/api/v1/devices?unknown=1".to_owned(),
        format!("/api/v1/devices/{kid}/readings?from=yesterday"),
        format!("/api/v1/devices/{kid}/readings?from=2026-11-22"),
        format!("/api/v1/devices/{kid}/readings?from=2027-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"),
        format!("/api/v1/devices/{kid}/statements?from=1969-01-01T00:00:00Z"),
        "/api/v1/accounts/lamp1".to_owned(),
        format!("/api/v1/accounts/{}x", owner),
        format!("/api/v1/accounts/{owner}/transfers?limit=many"),
        "/api/v1/transactions/abc".to_owned(),
        format!("/api/v1/transactions/{}", "G".repeat(64)),
        "/api/v1/blocks/-1".to_owned(),
        "/api/v1/epochs/-1".to_owned(),
        "/api/v1/tariffs/first".to_owned(),
        "/api/v1/blocks/18446744073709551616".to_owned(),
        "/api/v1/devices/%1b%5b31m".to_owned(),
    ];
    for path in nonsense {
        node.get(&path).await.problem(StatusCode::BAD_REQUEST);
    }
    let request = Request::delete("/api/v1/status").body(Body::empty()).unwrap();
    let answer = node.send(request).await;
    answer.problem(StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.headers.contains_key(header::ALLOW));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_transaction_names_the_contracts_reason() {
    let mut node = Node::start(60).await;
    let envelope = node.envelope("temp", "Cel", "1");
    assert_eq!(node.post("application/cose; cose-type=\"cose-sign1\"", envelope.clone()).await.status, 202);
    let replayed = node.post("application/cose", envelope.clone()).await;
    replayed.problem(StatusCode::CONFLICT);
    assert_eq!(replayed.json()["reason"], "replayed");

    let mut altered = node.envelope("temp", "Cel", "2");
    *altered.last_mut().unwrap() ^= 1;
    let signature = node.post("application/cose", altered).await;
    signature.problem(StatusCode::FORBIDDEN);
    assert_eq!(signature.json()["reason"], "signature");

    let malformed = node.post("application/cose", b"garbage".to_vec()).await;
    malformed.problem(StatusCode::BAD_REQUEST);
    assert_eq!(malformed.json()["reason"], "malformed");
    node.post("application/cose", Vec::new()).await.problem(StatusCode::BAD_REQUEST);

    let oversized = node.post("application/cose", vec![0; 20_000]).await;
    oversized.problem(StatusCode::PAYLOAD_TOO_LARGE);
    node.post("application/json", envelope).await.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE);

    let counted = node.get(&format!("/api/v1/devices/{}", node.kid())).await.json();
    assert_eq!(counted["refused"]["replayed"], 1);
    assert_eq!(counted["refused"]["signature"], 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_instruction_says_why_and_moves_nothing() {
    let mut node = Node::start(60).await;
    let to = AccountId::of(&node.owner.public_key());
    let mut out = vec![0; 1024];
    let issue = Instruction::Issue { to, amount_microtokens: 5 }.encode();
    let operator = node.operator.clone();
    let length = devices::sign_instruction(&operator, "devnet", 1_000, &issue, true, &mut out).unwrap();
    let answer = node.post("application/cose", out[..length].to_vec()).await;
    answer.problem(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.json()["reason"], "not_treasury");

    let treasury = node.treasury.clone();
    node.instruct(&treasury, &Instruction::Issue { to, amount_microtokens: 5 }).await;
    let account = node.get(&format!("/api/v1/accounts/{to}")).await.json();
    assert_eq!(microtokens(&account["balance"]["posted"]), 5);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_is_given_on_request_and_runs_no_formula() {
    let mut node = Node::start(1).await;
    let to = AccountId::of(&node.owner.public_key());
    let treasury = node.treasury.clone();
    let memo = Some("=HYPERLINK(\"http://evil\"),\r\nnext".to_owned());
    node.instruct(&treasury, &Instruction::Transfer { to, amount_microtokens: 7, memo }).await;
    let transfers = node.get_csv(&format!("/api/v1/accounts/{to}/transfers")).await;
    assert!(transfers.content_type().starts_with("text/csv"));
    assert!(
        transfers.text().contains(",\"'=HYPERLINK(\"\"http://evil\"\"),\r\nnext\","),
        "{}",
        transfers.text()
    );
    let json = node.get(&format!("/api/v1/accounts/{to}/transfers")).await;
    assert_eq!(json.content_type(), "application/json");

    node.read("temp", "Cel", "1").await;
    let statements = node.settled().await;
    for path in
        [format!("/api/v1/accounts/{to}/statements"), format!("/api/v1/devices/{}/statements", node.kid())]
    {
        let csv = node.get_csv(&path).await;
        let row = csv.text().lines().find(|row| row.contains(",temp,Cel,")).unwrap().to_owned();
        assert!(row.contains(statements[0]["paid"]["microtokens"].as_str().unwrap()), "{row}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_of_devices_comes_in_linked_pieces() {
    let mut node = Node::start(60).await;
    let operator = node.operator.clone();
    for seed in 1..=4 {
        let public_key = SigningKey::from_seed([seed; 32]).public_key();
        node.instruct(&operator, &Instruction::Enrol { public_key, owner: None, position: None }).await;
    }
    let mut kids = Vec::new();
    let mut path = "/api/v1/devices?limit=2".to_owned();
    loop {
        let piece = node.get(&path).await;
        let devices = piece.json();
        kids.extend(
            devices.as_array().unwrap().iter().map(|device| device["kid"].as_str().unwrap().to_owned()),
        );
        let Some(link) = piece.headers.get(header::LINK) else { break };
        path = link.to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    }
    assert_eq!(kids.len(), 5);
    assert!(kids.is_sorted_by(|one, next| one < next));
    let unowned = kids.iter().find(|kid| **kid != node.kid()).unwrap();
    let device = node.get(&format!("/api/v1/devices/{unowned}")).await.json();
    assert_eq!((&device["owner"], &device["status"]), (&Value::Null, &"new".into()));
    let escrow = node.get(&format!("/api/v1/accounts/{}", device["escrow"].as_str().unwrap())).await;
    assert!(escrow.problem(StatusCode::NOT_FOUND).contains("nothing was ever posted"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn liveness_metrics_and_the_api_document_answer() {
    let node = Node::start(60).await;
    assert_eq!(node.get("/healthz").await.json()["status"], "ok");
    let metrics = node.get("/metrics").await;
    assert!(metrics.content_type().starts_with("application/openmetrics-text"));
    assert!(metrics.text().contains("lamppost_queue_bound{queue=\"intake\"}"), "{}", metrics.text());
    let document = node.get("/api/openapi.json").await;
    assert_eq!(document.content_type(), "application/json");
    assert_eq!(document.json()["openapi"], "3.1.0");
    for answer in [&metrics, &document] {
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_document_lists_every_route_and_no_other() {
    let node = Node::start(60).await;
    let document = node.get("/api/openapi.json").await.json();
    let listed: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let contract = [
        "/healthz",
        "/metrics",
        "/genesis",
        "/checkpoint",
        "/validators",
        "/api/v1/validators",
        "/api/v1/validators/proof",
        "/tile/{level}/{index}",
        "/api/v1/status",
        "/api/v1/devices",
        "/api/v1/devices/{kid}",
        "/api/v1/devices/{kid}/readings",
        "/api/v1/devices/{kid}/commands",
        "/api/v1/devices/{kid}/statements",
        "/api/v1/devices/{kid}/statements/{epoch}",
        "/api/v1/accounts/{id}",
        "/api/v1/accounts/{id}/statements",
        "/api/v1/accounts/{id}/transfers",
        "/api/v1/transactions",
        "/api/v1/transactions/{id}",
        "/api/v1/transactions/{id}/receipt",
        "/api/v1/accounts/{id}/proof",
        "/api/v1/devices/{kid}/proof",
        "/api/v1/tariffs/{version}/proof",
        "/api/v1/consistency",
        "/api/v1/blocks/{height}",
        "/api/v1/epochs/{epoch}",
        "/api/v1/tariffs",
        "/api/v1/tariffs/{version}",
        "/api/v1/events",
        "/api/v1/cells",
        "/api/v1/session",
        "/api/v1/sign-in/challenges",
        "/api/v1/sign-in/links",
        "/api/v1/sign-in/sessions",
        "/api/v1/sign-in/passkeys",
        "/api/v1/sign-in/passkeys/sessions",
        "/api/v1/passkeys",
        "/api/v1/passkeys/challenges",
    ];
    for path in contract {
        assert!(listed.iter().any(|listed| *listed == path), "{path} is not described");
    }
    assert_eq!(listed.len(), contract.len(), "{listed:?}");
    // A path that is described is served: its own sentence answers, not that of a path that leads nowhere.
    for path in listed.iter().filter(|path| **path != "/api/v1/events") {
        let filled = path.replace("{level}", "0").replace("{index}", "999");
        let answer = node.get(&filled.replace(['{', '}'], "")).await;
        assert!(!answer.text().contains("there is nothing at"), "{path}: {}", answer.text());
    }
    assert_no_dangling_references(&document, &document);
    node.stop().await;
}

fn assert_no_dangling_references(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            members.values().for_each(|inner| assert_no_dangling_references(document, inner));
        }
        Value::Array(items) => items.iter().for_each(|inner| assert_no_dangling_references(document, inner)),
        _ => {}
    }
}
