//! What an auditor does on the page, and takes home from it.

use std::fs;

use e2e::node::{Node, Up};
use e2e::program::{self, Ended};
use e2e::sensor::Sensor;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::hands::site;
use crate::session::{Browser, Reader};

/// A node that was sent nothing after the last epoch that it paid for.
fn paid() -> Node {
    let node = Up::new().start();
    let mut sensor = Sensor::any();
    node.enrol(&sensor.public_key());
    for _ in 0..2 {
        assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
        node.epoch_passes();
    }
    node
}

/// What a command of the page does, run where the files lie.
fn runs(directory: &std::path::Path, command: &str) -> Ended {
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    Ended::of(program::lamppost(&words).current_dir(directory))
}

#[tokio::test]
async fn checkpoints_growth_and_every_token_are_shown_and_the_commands_check_them() -> WebDriverResult<()> {
    let node = paid();
    let browser = Browser::open(Reader::default()).await?;
    browser.see_by_name(&node, "/").await?;
    browser.driver.find(By::LinkText("Audit")).await?.click().await?;
    browser.comes_to("/audit").await?;
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let kept = browser.text("pre.raw").await?;
    assert!(kept.starts_with("lamppost/devnet\n") && kept.contains("\u{2014} lamppost/devnet "), "{kept}");
    fs::write(home.path().join("kept.checkpoint"), format!("{kept}\n")).expect("it can be written");
    fs::write(home.path().join("genesis.json"), node.text("/genesis")).expect("it can be written");
    browser.picture("audit").await?;

    // Every token is on both sides.
    let totals = browser.amounts("#supply .total data.amount").await?;
    assert_eq!(totals.len(), 2);
    assert_eq!(totals[0], totals[1]);
    assert!(browser.text("#supply").await?.contains("Both are equal"));

    // Between two sizes that the auditor chooses.
    browser.fill("#from", "1").await?;
    browser.fill("#to", "5").await?;
    browser.press("#growth form button").await?;
    browser.says("#growth dl", "Root of 5 entries").await?;
    let api = node.json("/api/v1/consistency?from=1&to=5");
    assert_eq!(json!(browser.texts("#growth .hashes code").await?), api["hashes"]);
    let roots = browser.texts("#growth dl code").await?;
    assert_eq!(roots.len(), 2);
    assert_ne!(roots[0], roots[1]);
    browser.picture("audit-growth").await?;
    // From an epoch's end, by its link: the root in the list is that of the proof.
    let root = browser.texts("table.list tbody tr:first-child code").await?;
    browser.press("table.list tbody tr:first-child a[href*='#growth']").await?;
    browser
        .becomes_true("return location.search.includes('from=') && !location.search.includes('from=1&')")
        .await?;
    assert_eq!(browser.texts("#growth dl code").await?.first(), root.first());
    browser.see_by_name(&node, "/audit?from=9&to=3").await?;
    browser.shown("#growth [role=alert]").await?;

    // What the page tells to type is what works.
    let commands = browser.texts("main pre code").await?;
    let commands: Vec<&str> = commands.iter().flat_map(|block| block.lines()).collect();
    let by_page = |beginning: &str| {
        let found = commands.iter().find(|command| command.starts_with(beginning));
        found.unwrap_or_else(|| panic!("`{beginning}` stands on the page: {commands:?}")).to_string()
    };
    runs(home.path(), &by_page("lamppost consistency")).success();
    let verified = runs(home.path(), &by_page("lamppost verify")).success();
    assert!(verified.contains("entries"), "{verified}");
    runs(home.path(), &by_page("lamppost audit --node")).success();
    let evidence = browser.text("main").await?;
    assert!(evidence.contains("Evidence") && evidence.contains("None is known to this node"));
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn the_search_leads_to_what_each_id_is_of_and_a_proof_to_the_page_that_verifies_it()
-> WebDriverResult<()> {
    let node = Up::new().start();
    let mut sensor = Sensor::any();
    let kid = sensor.kid();
    let owner = node.enrol(&sensor.public_key());
    let reading = sensor.reading();
    assert_eq!(node.submit(&reading.bytes).0, 202);
    let height = node.settled(&reading.transaction)["height"].to_string();
    let browser = Browser::open(Reader::default()).await?;
    let places = [
        (kid.clone(), format!("/devices/{kid}")),
        (owner.clone(), format!("/accounts/{owner}")),
        (height.clone(), format!("/blocks/{height}")),
        (reading.transaction.clone(), format!("/transactions/{}", reading.transaction)),
    ];
    for (asked, place) in &places {
        browser.see_by_name(&node, "/").await?;
        browser.fill("input[name=q]", asked).await?;
        browser.press(".search button").await?;
        browser.comes_to(place).await?;
        browser.shown("h1").await?;
    }
    // The last of them is the reading: its own page leads to its verification.
    browser.press("main a[href^='/verify?id=']").await?;
    browser.says("#verified", "It holds").await?;
    let url = browser.driver.current_url().await?;
    assert!(url.as_str().starts_with(&site(&node)), "{url}");
    let verdicts: Value =
        browser.asked("return document.querySelectorAll('#verified li.holds').length").await?;
    assert_eq!(verdicts, json!(6));
    browser.close().await
}
