//! What an owner sees of their own through the doors, and a statement's bytes that anybody may reckon again.

use axum::http::StatusCode;
use gateway::index::{BlockEntry, BlockPlace};
use ledger::recompute::recompute;
use ledger::statement::Statement;
use ledger::tariff::Tariff;

use crate::node::Node;
use crate::sign_in::{Sent, sign_in};

/// A node whose device was paid for some readings.
async fn paid() -> Node {
    let mut node = Node::start(1).await;
    for value in ["20.25", "20.5", "21"] {
        node.read("temp", "Cel", value).await;
    }
    node.settled().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_home_and_payouts_have_the_apis_figures() {
    let node = paid().await;
    let owner = sign_in(&node, &node.owner).await;
    let api = format!("/api/v1/accounts/{}", node.owner_account());
    let posted = node.get(&api).await.json()["balance"]["posted"]["microtokens"].as_str().unwrap().to_owned();
    let home = Sent::get("/mine").by(&owner).to(&node).await;
    assert_eq!(home.status, StatusCode::OK);
    let available = home.text().split("<h2>Available</h2>").nth(1).unwrap();
    assert!(
        available.split("</div>").next().unwrap().contains(&format!("value=\"{posted}\"")),
        "{available}"
    );
    assert!(home.text().contains(&node.kid()), "its device is there");
    assert!(home.text().contains("class=\"bar today\""), "today was paid");
    let payouts = Sent::get("/mine/payouts").by(&owner).to(&node).await;
    assert!(payouts.text().contains("/receipt\" download="), "{}", payouts.text());

    let file = Sent::get("/mine/payouts.csv").by(&owner).to(&node).await;
    assert!(file.content_type().starts_with("text/csv"));
    assert_eq!(file.text(), node.get_csv(&format!("{api}/transfers")).await.text());
    let never = Sent::get("/mine/payouts.csv?from=2100-01-01&to=").by(&owner).to(&node).await;
    assert_eq!(never.text().lines().count(), 1, "the names of the columns alone");
    let nonsense = Sent::get("/mine/payouts.csv?from=yesterday&to=").by(&owner).to(&node).await;
    assert!(nonsense.problem(StatusCode::BAD_REQUEST).contains("`from`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_shown_anothers_home() {
    let node = paid().await;
    let home = node.get("/mine").await;
    assert!(home.text().contains("href=\"/sign-in\"") && !home.text().contains(&node.owner_account()));
    node.get("/mine/payouts.csv").await.problem(StatusCode::UNAUTHORIZED);
    let stranger = sign_in(&node, &devices::SigningKey::from_seed([77; 32])).await;
    let home = Sent::get("/mine").by(&stranger).to(&node).await;
    assert!(home.text().contains("You own no device yet") && !home.text().contains(&node.owner_account()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statements_bytes_reckoned_again_come_to_what_was_paid() {
    let node = paid().await;
    let statements = node.settled().await;
    let epoch = statements[0]["epoch"].as_u64().unwrap();
    let path = format!("/api/v1/devices/{}/statements", node.kid());
    let found = node.get(&format!("{path}/{epoch}")).await.json();
    let bytes = hex::decode(found[0]["encoded"].as_str().unwrap()).unwrap();
    let statement = Statement::decode(&bytes).unwrap();
    assert_eq!(found[0]["paid"]["microtokens"], statement.paid_microtokens.to_string());
    let tariff = node.get(&format!("/api/v1/tariffs/{}", statement.tariff_version)).await.json();
    let tariff = Tariff::from_json(&tariff["tariff"].to_string()).unwrap();
    let steps = recompute(&statement, &tariff);
    assert!(steps.len() > 5 && steps.iter().all(|step| step.holds), "{steps:?}");
    node.get(&format!("{path}/999999")).await.problem(StatusCode::NOT_FOUND);
    node.get(&format!("{path}/soon")).await.problem(StatusCode::BAD_REQUEST);

    let page = node.get(&format!("/devices/{}/statements/{epoch}", node.kid())).await;
    let posted = page.text().split("What was posted</h2>").nth(1).unwrap();
    assert!(posted.contains(&format!("value=\"{}\"", statement.paid_microtokens)), "{posted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_shown_between_its_blocks_write_and_the_word_that_it_is_durable() {
    let node = paid().await;
    let epoch = node.settled().await[0]["epoch"].as_u64().unwrap();
    let index = &node.shared().index;
    let like = index.statements_of_device(node.device.kid(), epoch..epoch + 1, 1).unwrap().remove(0);
    // A block that the index has and the node has not told of yet: further on than anything it has.
    let ahead = 1_000_000;
    let place = index.block(like.height).unwrap().unwrap();
    let place = BlockPlace { height: ahead, first_index: ahead, ..place };
    let seal_index = ahead + u64::from(place.entries) - 1;
    let statement = Statement { epoch: ahead, height: ahead, seal_index, ..like };
    let (ids, readings, transfers) = (Vec::new(), Vec::new(), Vec::new());
    let statements = vec![statement];
    index
        .put(&BlockEntry {
            place,
            ids,
            readings,
            firmware: Vec::new(),
            confirmed: Vec::new(),
            statements,
            transfers,
            settlement: None,
        })
        .unwrap();
    let (kid, owner) = (node.kid(), node.owner_account());
    for path in [
        format!("/api/v1/accounts/{owner}/statements"),
        format!("/api/v1/devices/{kid}/statements"),
        format!("/devices/{kid}"),
        format!("/devices/{kid}/statements/{ahead}"),
    ] {
        let answer = node.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert!(answer.text().contains(&ahead.to_string()), "{path}: {}", answer.text());
    }
}
