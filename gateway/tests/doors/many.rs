//! A device with a hundred thousand statements, which no browser's test can wait for: its pages stay as short as anybody's, and
//! any of its statements is found.

use axum::http::StatusCode;
use gateway::index::{BlockEntry, BlockPlace};
use gateway::log::Position;
use ledger::account::AccountId;
use ledger::statement::Statement;

use crate::node::Node;
use crate::sign_in::{Sent, sign_in};

const STATEMENTS: u64 = 100_000;
const PER_BLOCK: u64 = 1_000;
/// Where the epochs, blocks and entries that never were begin: after any that this test's node makes.
const FIRST: u64 = 1_000_000;
const EPOCH_MILLISECONDS: u64 = 60_000;
const DAY_EPOCHS: u64 = 24 * 60;
const PAGE_BYTES_MAX: usize = 300_000;

/// The statements of an epoch a minute up to now, each as the one that there is.
fn put_statements(node: &Node, like: &Statement) {
    let (index, latest) = (&node.shared().index, like.to_unix_milliseconds);
    for block in 0..STATEMENTS / PER_BLOCK {
        let statement = |number: u64| {
            let ends = latest - (STATEMENTS - 1 - number) * EPOCH_MILLISECONDS;
            Statement {
                epoch: FIRST + number,
                from_unix_milliseconds: ends - EPOCH_MILLISECONDS,
                to_unix_milliseconds: ends,
                ..like.clone()
            }
        };
        let numbers = block * PER_BLOCK..(block + 1) * PER_BLOCK;
        let place = BlockPlace {
            height: FIRST + block,
            position: Position { segment: 1, offset: 0 },
            first_index: FIRST + block,
            entries: 1,
            time_unix_milliseconds: latest,
        };
        let entry = BlockEntry {
            place,
            ids: Vec::new(),
            firmware: Vec::new(),
            confirmed: Vec::new(),
            readings: Vec::new(),
            statements: numbers.map(statement).collect(),
            transfers: Vec::new(),
            settlement: None,
        };
        index.put(&entry).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_a_hundred_thousand_statements_has_pages_like_any_other() {
    let mut node = Node::start(1).await;
    node.read("temp", "Cel", "20.25").await;
    node.settled().await;
    let account = AccountId::of(&node.owner.public_key());
    let like = node.shared().index.statements_of_account(account, 0..u64::MAX, 1).unwrap().remove(0);
    put_statements(&node, &like);
    let (kid, last) = (node.kid(), FIRST + STATEMENTS - 1);
    let page = async |path: &str| {
        let answer = node.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert!(answer.text().len() < PAGE_BYTES_MAX, "{path} has {} bytes", answer.text().len());
        answer.text().to_owned()
    };
    let device = page(&format!("/devices/{kid}")).await;
    assert!(device.contains("100,001 statements") && device.contains(&format!("/statements/{last}\"")));
    let newest = page(&format!("/devices/{kid}/statements")).await;
    assert!(newest.contains(&format!("/statements/{last}\"")) && newest.contains("rel=\"next\""));
    let older = page(&format!("/devices/{kid}/statements?before={}", FIRST + 500)).await;
    assert!(older.contains(&format!("/statements/{}\"", FIRST + 499)), "{older}");
    let middle = page(&format!("/devices/{kid}/statements/{}", FIRST + STATEMENTS / 2)).await;
    assert!(middle.contains(&format!("value=\"{}\"", like.paid_microtokens)));
    page(&format!("/accounts/{}", node.owner_account())).await;

    let newest = node.get(&format!("/api/v1/devices/{kid}/statements?limit=3")).await.json();
    let epochs: Vec<_> =
        newest.as_array().unwrap().iter().map(|one| one["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [last, last - 1, last - 2]);
    // The owner's home has each whole day's sum, and no page reads every statement for that.
    let owner = sign_in(&node, &node.owner).await;
    let home = Sent::get("/mine").by(&owner).to(&node).await;
    let whole_day = format!("value=\"{}\"", DAY_EPOCHS * like.paid_microtokens);
    assert!(home.text().len() < PAGE_BYTES_MAX);
    assert!(home.text().matches(&whole_day).count() >= 28, "{}", home.text());
}
