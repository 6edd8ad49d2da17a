//! Why this amount: from an owner's home to the arithmetic of one statement, reckoned again in the browser; and a statement that
//! says something else than its counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::liar::Liar;
use e2e::node::{Node, Up, microtokens};
use e2e::people::Person;
use e2e::sensor::{Sensor, unix_seconds};
use e2e::wait;
use ledger::factor::FactorName;
use ledger::statement::Statement;
use serde_json::Value;
use thirtyfour::prelude::*;

use crate::session::{Browser, Reader};
use crate::sign_in::login;

/// Seconds after which a reading is late, and somewhat.
const LATE_SECONDS: u32 = 400;

/// A node, whose owner's device sent a reading late, and the statement of it.
fn paid() -> (Node, Person, Sensor, Value) {
    let node = Up::new().start();
    let owner = Person::new();
    let mut sensor = Sensor::any();
    node.enrol_for(&sensor.public_key(), &owner.account);
    assert_eq!(node.submit(&sensor.reading_at(unix_seconds() - LATE_SECONDS).bytes).0, 202);
    let statement = wait::until("the epoch is settled", wait::LONG, || {
        let all = node.json(&format!("/api/v1/devices/{}/statements", sensor.kid()));
        all.as_array()?.iter().find(|statement| microtokens(&statement["paid"]) > 0).cloned()
    });
    (node, owner, sensor, statement)
}

#[tokio::test]
async fn an_amount_is_followed_from_the_owners_home_to_every_factor_and_reckoned_again() -> WebDriverResult<()>
{
    let (node, owner, sensor, statement) = paid();
    let (kid, epoch) = (sensor.kid(), statement["epoch"].as_u64().expect("an epoch"));
    let browser = Browser::open(Reader::default()).await?;
    browser.signs_in_by(login(&owner, &node)["url"].as_str().expect("a link")).await?;
    browser.see_by_name(&node, "/mine").await?;
    browser.press_shown(&format!("#d-{kid} th a")).await?;
    browser.comes_to(&format!("/devices/{kid}")).await?;
    browser.press_shown("#state .lead a").await?;
    browser.comes_to(&format!("/devices/{kid}/statements")).await?;
    browser.press_shown(&format!("#rows tbody a[href$='/statements/{epoch}']")).await?;
    browser.comes_to(&format!("/devices/{kid}/statements/{epoch}")).await?;
    let sheet = browser.says("#sheet", "pm2.5").await?;
    for factor in FactorName::ALL {
        assert!(sheet.contains(&factor.to_string()), "{factor}: {sheet}");
    }
    assert!(sheet.contains("tariff version 1"), "{sheet}");
    let paid = microtokens(&statement["paid"]);
    assert_eq!(browser.amounts("#sheet .total data.amount").await?, [paid]);
    let due = microtokens(&statement["due"]);
    assert!(browser.amounts("#sheet tfoot data.amount").await?.contains(&due));

    browser.press_shown("#recompute button").await?;
    let found = browser.says("#recompute", "Every step agrees").await?;
    assert!(found.contains(&format!("{paid} micro-tokens")), "{found}");
    let verdicts = browser.texts("#recompute td:last-child").await?;
    assert!(verdicts.len() > 2 * FactorName::ALL.len(), "{verdicts:?}");
    assert!(verdicts.iter().all(|verdict| verdict.contains("agrees")), "{verdicts:?}");
    let freshness = browser.texts("#recompute tbody tr").await?;
    let freshness = freshness.iter().find(|row| row.contains("freshness in thousandths"));
    assert!(freshness.is_some_and(|row| !row.contains("\t1000\t")), "the late reading cuts: {freshness:?}");
    browser.picture("recomputed").await?;
    browser.press("#sheet a[href^='/transactions/']").await?;
    browser.says("main", "Seal").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

/// What the node between says of the statement, and what the page must say to that.
type Lie = (fn(&mut Statement), &'static str, &'static str);

const LIES: [Lie; 4] = [
    (
        |statement| statement.lines[0].factors[0].permille -= 1,
        "Not every step agrees",
        "pm2.5, completeness in thousandths",
    ),
    (|statement| statement.lines[0].price_microtokens += 1, "Not every step agrees", "pm2.5, price"),
    (|statement| statement.due_microtokens += 1, "Not every step agrees", "due"),
    (|statement| statement.paid_microtokens += 1, "This is not the statement that the page shows", "paid"),
];

fn told(lie: usize, body: &str) -> String {
    let mut said: Value = serde_json::from_str(body).expect("JSON");
    let Some((change, ..)) = LIES.get(lie) else { return "[]".to_owned() };
    for one in said.as_array_mut().expect("statements") {
        let bytes = hex::decode(one["encoded"].as_str().expect("hex")).expect("hex");
        let mut statement = Statement::decode(&bytes).expect("a statement");
        change(&mut statement);
        one["encoded"] = hex::encode(statement.encode()).into();
    }
    said.to_string()
}

#[tokio::test]
async fn a_falsified_statement_is_said_to_differ_and_where() -> WebDriverResult<()> {
    let (node, _, sensor, statement) = paid();
    let path = format!("/devices/{}/statements/{}", sensor.kid(), statement["epoch"]);
    let lie = Arc::new(AtomicUsize::new(0));
    let told_now = Arc::clone(&lie);
    let liar = Liar::before(&node.http, &format!("/api/v1{path}"), move |body| {
        told(told_now.load(Ordering::SeqCst), &body)
    });
    let browser = Browser::open(Reader::default()).await?;
    browser.go_to(&format!("{}{path}", liar.http)).await?;
    for (number, (_, words, step)) in LIES.iter().enumerate() {
        lie.store(number, Ordering::SeqCst);
        browser.press_shown("#recompute button").await?;
        let differs = "[...document.querySelectorAll('#recompute tbody tr')].filter((row) => row.querySelector('.fails'))\
            .map((row) => row.querySelector('th').innerText)";
        browser.becomes_true(&format!("return ({differs}).includes('{step}')")).await?;
        browser.says("#recompute .alert:not([hidden])", words).await?;
        if number == 0 {
            browser.picture("recompute-differs").await?;
        }
    }
    lie.store(LIES.len(), Ordering::SeqCst);
    browser.press_shown("#recompute button").await?;
    browser.says("#recompute", "another number of statements than this page shows").await?;
    browser.close().await
}
