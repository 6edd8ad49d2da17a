//! The main job: `up` serves, virtual devices earn, and every place that shows a total shows the same.

use e2e::node::{Node, Up, microtokens};
use e2e::page;
use e2e::wait;
use serde_json::Value;
use std::path::Path;

const DEVICES: u32 = 4;

/// Virtual devices have earned for some epochs; then the node stands on the same data without them, so that totals
/// hold still while they are compared.
fn still_life(data: &Path) -> Node {
    let mut node = Up::new().data(data).devices(DEVICES).start();
    wait::until_true("every virtual device has earned", wait::LONG, || {
        let devices = devices(&node);
        devices.len() == DEVICES as usize
            && devices.iter().all(|device| microtokens(&device["earned_total"]) > 0)
    });
    assert_eq!(node.terminate().code(), Some(0));
    let node = Up::new().data(data).start();
    // What the devices sent last is settled at the end of the epoch that now runs.
    node.epoch_passes();
    node
}

fn devices(node: &Node) -> Vec<Value> {
    node.json("/api/v1/devices").as_array().expect("a list of devices").clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{value} has a text `{name}`"))
}

#[test]
fn home_device_and_statement_pages_and_the_api_show_equal_totals() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = still_life(&directory.path().join("data"));
    let home = node.text("/");
    let mut sum = 0;
    for device in devices(&node) {
        let (kid, owner) = (text(&device, "kid"), text(&device, "owner"));
        let total = microtokens(&device["earned_total"]);
        let row = page::part(&home, &format!("id=\"d-{kid}\""), "</tr>");
        assert_eq!(page::amounts(row).last(), Some(&total), "home's row of {kid}: {row}");
        let own_page = node.text(&format!("/devices/{kid}"));
        assert_eq!(page::amounts(&own_page).first(), Some(&total), "the device's page of {kid}");
        let statements = statements_of(&node, owner, kid);
        assert_eq!(
            statements.iter().map(|one| microtokens(&one["paid"])).sum::<u64>(),
            total,
            "statements of {kid}"
        );
        for statement in &statements {
            let page = node.text(&format!("/devices/{kid}/statements/{}", statement["epoch"]));
            assert!(
                page::amounts(&page).contains(&microtokens(&statement["paid"])),
                "the statement's page: {statement}"
            );
        }
        sum += total;
    }
    assert_eq!(page::amounts(&home).first(), Some(&sum), "home's figure of all devices");
    let accounts = owners(&node);
    let posted: u64 = accounts.iter().map(|owner| node.posted(owner)).sum();
    assert_eq!(posted, sum, "what the owners hold is what their devices have earned");
    for owner in &accounts {
        let account_page = node.text(&format!("/accounts/{owner}"));
        assert!(page::amounts(&account_page).contains(&node.posted(owner)), "the account's page of {owner}");
    }
}

#[test]
fn every_statement_sums_line_by_line_to_the_transfer_that_paid_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = still_life(&directory.path().join("data"));
    for owner in owners(&node) {
        let statements = node.json(&format!("/api/v1/accounts/{owner}/statements"));
        for statement in statements.as_array().expect("a list of statements") {
            let lines = statement["lines"].as_array().expect("a statement has lines");
            for line in lines {
                let number = |name: &str| -> u64 {
                    let value = &line[name];
                    value
                        .as_u64()
                        .or_else(|| value.as_str()?.parse().ok())
                        .unwrap_or_else(|| microtokens(value))
                };
                let base = number("paid_records") * number("price");
                assert_eq!(number("base"), base, "records times price: {line}");
                let factors = line["factors"].as_array().expect("a line has factors");
                let left = factors.iter().fold(base, |amount, factor| {
                    amount * factor["permille"].as_u64().expect("thousandths") / 1_000
                });
                assert_eq!(number("amount"), left, "times every factor: {line}");
            }
            let due: u64 = lines.iter().map(|line| microtokens(&line["amount"])).sum();
            assert_eq!(due, microtokens(&statement["due"]), "lines add up: {statement}");
            let seal = text(&statement["seal"], "transaction");
            assert_eq!(node.settled(seal)["kind"], "seal", "the statement names the seal that settled it");
        }
        let transfers = node.json(&format!("/api/v1/accounts/{owner}/transfers"));
        let credited: u64 = transfers
            .as_array()
            .expect("a list of transfers")
            .iter()
            .filter(|transfer| transfer["credit"] == owner.as_str())
            .map(|transfer| microtokens(&transfer["amount"]))
            .sum();
        assert_eq!(credited, node.posted(&owner), "the history adds up to the balance");
    }
}

#[test]
fn a_reading_leads_from_the_device_page_to_its_receipt() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = still_life(&directory.path().join("data"));
    let device = devices(&node).swap_remove(0);
    let kid = text(&device, "kid");
    let readings = node.json(&format!("/api/v1/devices/{kid}/readings"));
    let reading = &readings.as_array().expect("a list of readings")[0];
    let transaction = text(reading, "transaction");
    assert!(reading["senml"][0]["n"].is_string(), "SenML JSON: {reading}");
    let html = node.text(&format!("/transactions/{transaction}"));
    let receipt = format!("/api/v1/transactions/{transaction}/receipt");
    assert!(page::links(&html, &receipt).contains(&receipt), "the page links its receipt");
    assert!(node.text(&receipt).starts_with("c2sp.org/tlog-proof@v1\n"));
    let own_page = node.text(&format!("/devices/{kid}"));
    assert!(
        !page::links(&own_page, "/transactions/").is_empty(),
        "amounts and readings link to transactions"
    );
    assert!(own_page.contains("<svg"), "the chart is drawn on the server");
}

#[test]
fn an_empty_node_says_what_to_do_first() {
    let node = Up::new().start();
    let home = page::text(&node.text("/"));
    assert!(home.contains("enrol"), "{home}");
    assert_eq!(node.get_as("/healthz", "*/*").0, 200);
    assert_eq!(node.get_as("/devices/0011223344556677", "text/html").0, 404);
    assert_eq!(node.get_as(&format!("/api/v1/transactions/{}", "00".repeat(32)), "application/json").0, 404);
}

#[test]
fn the_log_can_be_followed_by_any_c2sp_client() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let node = still_life(&directory.path().join("data"));
    let checkpoint = node.text("/checkpoint");
    let mut lines = checkpoint.lines();
    assert_eq!(lines.next(), Some("lamppost/devnet"));
    let size: u64 = lines.next().and_then(|size| size.parse().ok()).expect("the second line is the size");
    assert_eq!(node.json("/api/v1/status")["log_size"], size);
    let genesis = node.json("/genesis");
    assert_eq!(genesis["origin"], "lamppost/devnet");
    assert_eq!(genesis["validators"].as_array().map(Vec::len), Some(1));
    let tile = if size >= 256 { "/tile/0/000".to_owned() } else { format!("/tile/0/000.p/{size}") };
    assert_eq!(node.get_bytes(&tile).len() as u64, size.min(256) * 32);
    let openapi = node.json("/api/openapi.json");
    assert!(text(&openapi, "openapi").starts_with("3.1"));
}

fn statements_of(node: &Node, owner: &str, kid: &str) -> Vec<Value> {
    let statements = node.json(&format!("/api/v1/accounts/{owner}/statements"));
    let statements = statements.as_array().expect("a list of statements").iter();
    statements.filter(|statement| statement["kid"] == kid).cloned().collect()
}

fn owners(node: &Node) -> Vec<String> {
    let mut owners: Vec<String> =
        devices(node).iter().map(|device| text(device, "owner").to_owned()).collect();
    owners.sort();
    owners.dedup();
    owners
}
