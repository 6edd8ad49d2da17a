//! Pages that stay right when things do not: a node killed under an open page, a slow line, fifty owners, devices that have
//! nothing to show.

use e2e::broker::free_address;
use e2e::node::{Node, Up, microtokens};
use e2e::people::Person;
use e2e::program;
use e2e::sensor::Sensor;
use e2e::wait;
use ledger::account::AccountId;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::hands::Line;
use crate::session::{Browser, Reader};
use crate::sign_in::login;

const OWNERS: u8 = 50;

#[tokio::test]
async fn a_node_that_was_killed_and_started_again_is_followed_on_and_nothing_is_missed() -> WebDriverResult<()>
{
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (data, address) = (directory.path().join("data"), free_address());
    let up = || Up::new().data(&data).http(&address).start();
    let mut node = up();
    let mut sensor = Sensor::any();
    let owner = node.enrol(&sensor.public_key());
    assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, &format!("/accounts/{owner}")).await?;
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    browser.asked("window.sameVisit = true").await?;
    node.kill();
    browser.text_becomes("#asof", |text| text.starts_with("Not live")).await?;
    let node = up();
    // Accepted and paid perhaps before the page has come back to the node; after that nothing happens that could tell it.
    for _ in 0..3 {
        assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
    }
    node.epoch_passes();
    let posted = node.posted(&owner);
    assert!(posted > 0);
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    let shown = "Number(document.querySelector('main data.amount').value)";
    browser.becomes_true(&format!("return {shown} === {posted}")).await?;
    let transfers = node.json(&format!("/api/v1/accounts/{owner}/transfers"));
    let rows = transfers.as_array().map_or(0, Vec::len);
    browser
        .becomes_true(&format!("return document.querySelectorAll('#transfers tbody tr').length === {rows}"))
        .await?;
    assert_eq!(browser.asked("return window.sameVisit").await?, json!(true), "nobody reloaded the page");
    browser.close().await
}

#[tokio::test]
async fn over_a_slow_line_a_page_is_whole_and_can_be_used() -> WebDriverResult<()> {
    let node = Up::new().devices(3).start();
    let device = wait::until("a device is heard", wait::LONG, || {
        let devices = node.json("/api/v1/devices");
        devices.as_array()?.iter().find(|device| device["status"] == "online").cloned()
    });
    let kid = device["kid"].as_str().expect("a kid");
    let browser = Browser::open(Reader::default()).await?;
    browser.has_line(Line::Slow { bytes_per_second: 50_000, latency_milliseconds: 400 }).await?;
    browser.see_by_name(&node, "/").await?;
    assert_eq!(browser.texts("#devices tbody tr").await?.len(), 3, "the page came whole");
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    browser.press(&format!("#d-{kid} th a")).await?;
    browser.comes_to(&format!("/devices/{kid}")).await?;
    assert!(browser.text("#state").await?.contains("Sending"));
    browser.becomes_true("return document.querySelectorAll('.picture canvas').length > 0").await?;
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    let before = browser.text("#log-size").await?;
    browser.text_becomes("#log-size", |text| text != before).await?;
    browser.fill("input[name=q]", kid).await?;
    browser.press(".search button").await?;
    browser.comes_to(&format!("/devices/{kid}")).await?;
    browser.has_line(Line::Whole).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

/// Fifty accounts with a device each, which was paid for one to three readings, and the seal of that is durable.
fn fifty_owners() -> (Node, Vec<(String, Sensor)>) {
    let node = Up::new().start();
    let account = |number: u8| {
        let key =
            devices::SigningKey::from_seed([number, 0, 1].repeat(11)[..32].try_into().expect("32 bytes"));
        AccountId::of(&key.public_key()).to_string()
    };
    let mut owners: Vec<_> = (0..OWNERS).map(|number| (account(number), Sensor::any())).collect();
    for (number, (owner, sensor)) in owners.iter_mut().enumerate() {
        node.enrol_for(&sensor.public_key(), owner);
        for _ in 0..=number % 3 {
            assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
        }
    }
    node.epoch_passes();
    (node, owners)
}

#[tokio::test]
async fn what_fifty_owners_see_is_what_the_api_says_and_the_ledger_holds() -> WebDriverResult<()> {
    let (node, owners) = fifty_owners();
    // The audit executes the log from genesis and holds every balance and statement of the API against it.
    program::run(&["audit", "--node", &node.http]).success();
    let browser = Browser::open(Reader::default()).await?;
    let mut sum = 0;
    for (owner, sensor) in &owners {
        let posted = node.posted(owner);
        assert!(posted > 0, "{owner} was paid");
        sum += posted;
        browser.see(&node, &format!("/accounts/{owner}")).await?;
        assert_eq!(browser.amounts("main data.amount").await?.first(), Some(&posted), "{owner}");
        let earned = microtokens(&node.json(&format!("/api/v1/devices/{}", sensor.kid()))["earned_total"]);
        assert_eq!(earned, posted, "{owner} has one device");
        let row = format!("#d-{} td:last-child data.amount", sensor.kid());
        assert_eq!(browser.amounts(&row).await?, [earned], "{owner}");
    }
    browser.see(&node, "/").await?;
    assert_eq!(browser.amounts("#figures .lead data.amount").await?, [sum], "the network's total is theirs");
    browser.close().await
}

#[tokio::test]
async fn a_device_that_shows_nothing_says_why_and_what_to_do() -> WebDriverResult<()> {
    let node = Up::new().with(&["--silent-after", "1"]).start();
    let owner = Person::new();
    let mut sensors = [Sensor::any(), Sensor::any(), Sensor::any()];
    for sensor in &sensors {
        node.enrol_for(&sensor.public_key(), &owner.account);
    }
    for sensor in &mut sensors[1..] {
        assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
    }
    let [new, silent, revoked] = sensors.map(|sensor| sensor.kid());
    owner.does(&node, &["device", "revoke", &revoked, "--reason", "its post was felled"]).success();
    wait::until_true("one is silent", wait::SHORT, || {
        node.json(&format!("/api/v1/devices/{silent}"))["status"] == "silent"
    });
    node.epoch_passes();
    let browser = Browser::open(Reader::default()).await?;
    browser.signs_in_by(login(&owner, &node)["url"].as_str().expect("a link")).await?;
    // Of each: its word, the sentence of its state, why the running epoch is zero, and what its page says to do.
    let words = [
        (
            &new,
            "new",
            "nothing it sent has been accepted yet",
            "no reading accepted yet",
            "watch why it is refused",
        ),
        (&silent, "silent", "What is shown is its last word", "nothing accepted in epoch", "its power"),
        (
            &revoked,
            "revoked",
            "what it sends is refused and earns nothing",
            "revoked: earns no more",
            "switch it off",
        ),
    ];
    for (kid, status, state, zero, remedy) in words {
        browser.see_by_name(&node, "/").await?;
        let row = browser.text(&format!("#d-{kid}")).await?;
        assert!(row.contains(status) && row.contains(zero), "{kid}: {row}");
        browser.see_by_name(&node, &format!("/devices/{kid}")).await?;
        let said = browser.text("#state").await?;
        assert!(said.contains(state) && said.contains(zero), "{kid}: {said}");
        browser.picture(&format!("device-{status}")).await?;
        let page = browser.text("main").await?;
        assert!(page.contains(remedy), "the page of the {status} device says what to do: {page}");
    }
    browser.see_by_name(&node, "/mine").await?;
    for (kid, status, ..) in words {
        let own = browser.text(&format!("#d-{kid} [data-label=Status]")).await?;
        assert_eq!(own.trim(), status, "{kid}");
    }
    let alerts: Value = browser.asked("return document.querySelectorAll('#alerts .alert').length").await?;
    assert_eq!(alerts, json!(1), "one that is new or out of service alarms nobody");
    browser.close().await
}
