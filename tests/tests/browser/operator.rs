//! What an operator sees from the first run on: the link, how the node stands, what it refuses, what another tariff would pay;
//! and that nobody else sees any of it.

use std::time::{Duration, Instant};

use e2e::mqtt::Device;
use e2e::node::{Node, Up, microtokens};
use e2e::people::Person;
use e2e::sensor::{NETWORK, Sensor, pack, unix_seconds};
use e2e::wait;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::session::{Browser, Reader};
use crate::sign_in::{first_link, login};

const ROOMS: [(&str, &str); 5] = [
    ("/operator", "What needs looking at"),
    ("/operator/refused", "Refused envelopes"),
    ("/operator/fleet", "Firmware"),
    ("/operator/tariff", "Try another one"),
    ("/operator/validators", "Validators"),
];

/// An envelope of this device with a signature that somebody altered.
fn forged(sensor: &mut Sensor) -> (Vec<u8>, devices::Sequence) {
    let sequence = sensor.next_sequence();
    let mut bytes = sensor.sign(NETWORK, sequence, &pack(Some(unix_seconds()), 1200)).bytes;
    *bytes.last_mut().expect("an envelope has bytes") ^= 1;
    (bytes, sequence)
}

/// Signs in by the link that the first run prints.
async fn operator(node: &Node) -> WebDriverResult<Browser> {
    let browser = Browser::open(Reader::default()).await?;
    browser.signs_in_by(&first_link(node)).await?;
    browser.header_says("Operator").await?;
    Ok(browser)
}

#[tokio::test]
async fn the_first_link_leads_to_a_desk_with_intake_queues_pool_and_what_was_refused() -> WebDriverResult<()>
{
    let node = Up::new().start();
    let mut sensor = Sensor::any();
    node.enrol(&sensor.public_key());
    let browser = operator(&node).await?;
    browser.driver.find(By::LinkText("Operator")).await?.click().await?;
    browser.comes_to("/operator").await?;
    assert!(browser.text("#refused").await?.contains("Nothing was refused"), "an empty state");
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;

    // The open page learns of both by itself.
    let kid = sensor.kid();
    let radio = Device::connect(&node.mqtt, &kid, &[sensor.topic("ack"), sensor.topic("refused")]);
    let good = sensor.reading();
    assert!(radio.publish(&sensor.topic("up"), &good.bytes));
    radio.settled(good.sequence);
    let (bytes, sequence) = forged(&mut sensor);
    assert!(radio.publish(&sensor.topic("up"), &bytes));
    browser.says("#refused", "signature").await?;
    browser.becomes_true("return document.querySelector('#pace .big').innerText.trim().length > 0").await?;
    let delays = browser.texts("#pace .figure:nth-child(-n+3) .big").await?;
    assert_eq!(delays.len(), 3, "{delays:?}");
    browser.becomes_true("return /[0-9]/.test(document.querySelectorAll('#pace .big')[2].innerText)").await?;

    // Once the good reading is paid, page and API say the same of the pool, and nothing changes it any more.
    node.epoch_passes();
    let account = browser.driver.find(By::Css("#tokens dd a")).await?.attr("href").await?;
    let account = account.unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let pool = node.posted(&account);
    let shown = "Number(document.querySelector('#tokens data.amount').value)";
    browser.becomes_true(&format!("return {shown} === {pool}")).await?;
    let queues = browser.texts("#queues tbody th").await?;
    for queue in ["intake", "verify", "batch", "outbound", "index"] {
        assert!(queues.contains(&queue.to_owned()), "{queue}: {queues:?}");
    }
    let bounded = browser.asked(
        "return [...document.querySelectorAll('#queues meter')].every((one) => one.max > 0 && one.value <= one.max)",
    );
    assert_eq!(bounded.await?, json!(true));
    browser.picture("operator").await?;

    browser.press("#refused a[href='/operator/refused#signature']").await?;
    browser.comes_to("/operator/refused").await?;
    let sample = browser.says("#samples", "signature").await?;
    let number = format!("boot {}, count {}", sequence.boot, sequence.count);
    for said in [&kid, &number, &bytes.len().to_string()] {
        assert!(sample.contains(said.as_str()), "{said}: {sample}");
    }
    browser.picture("operator-refused").await?;
    for (path, words) in ROOMS {
        browser.see_by_name(&node, path).await?;
        browser.says("main", words).await?;
    }
    assert_eq!(browser.texts("main td .pill").await?, ["signed"], "the one validator has");
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn a_device_that_falls_silent_is_told_to_its_operator_and_its_owner_with_what_to_do()
-> WebDriverResult<()> {
    let node = Up::new().with(&["--silent-after", "3"]).start();
    let owner = Person::new();
    let mut sensor = Sensor::any();
    node.enrol_for(&sensor.public_key(), &owner.account);
    let kid = sensor.kid();
    let browser = operator(&node).await?;
    browser.see_by_name(&node, "/operator").await?;
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
    let told = browser.says("#a-silent_devices", "1 of 1 devices").await?;
    assert!(told.contains("more than 3 seconds"), "{told}");
    browser.picture("operator-alert").await?;
    browser.see_by_name(&node, "/operator/fleet").await?;
    browser.says("#silence", &kid).await?;
    browser.picture("operator-fleet").await?;
    assert!(node.text("/metrics").contains("lamppost_alert{kind=\"silent_devices\"} 1"));

    let own = Browser::open(Reader::default()).await?;
    own.signs_in_by(login(&owner, &node)["url"].as_str().expect("a link")).await?;
    own.see_by_name(&node, "/mine").await?;
    let alert = own.says("#alerts .alert", &kid).await?;
    assert!(alert.contains("Silent for") && alert.contains("Look at its power and its network"), "{alert}");
    own.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    // It is back and sends on, and nobody needs to reload for that.
    let deadline = Instant::now() + wait::SHORT;
    let mut sends = tokio::time::interval(Duration::from_millis(300));
    while !own.text("#alerts").await?.contains("none of your devices is silent") {
        assert!(Instant::now() < deadline, "the alert stays: {}", own.text("#alerts").await?);
        sends.tick().await;
        assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
    }
    own.close().await?;
    browser.close().await
}

#[tokio::test]
async fn another_tariff_is_tried_on_the_page_and_nothing_is_set() -> WebDriverResult<()> {
    let node = Up::new().start();
    let owner = Person::new();
    let mut sensor = Sensor::any();
    node.enrol_for(&sensor.public_key(), &owner.account);
    assert_eq!(node.submit(&sensor.reading().bytes).0, 202);
    let paid = wait::until("it is paid", wait::LONG, || {
        let device = node.json(&format!("/api/v1/devices/{}", sensor.kid()));
        Some(microtokens(&device["earned_total"])).filter(|paid| *paid > 0)
    });
    let browser = operator(&node).await?;
    browser.see_by_name(&node, "/operator/tariff").await?;
    let shown = browser.asked("return document.getElementById('tariff').value").await?;
    let mut tariff: Value = serde_json::from_str(shown.as_str().expect("text")).expect("JSON");
    for quantity in tariff["quantities"].as_array_mut().expect("quantities") {
        let price: u64 = quantity["price_microtokens"].as_str().expect("text").parse().expect("a number");
        quantity["price_microtokens"] = (price * 3).to_string().into();
    }
    let tries = async |tariff: &Value| -> WebDriverResult<()> {
        browser.fill("#tariff", &tariff.to_string()).await?;
        browser.fill("#epochs", "10").await?;
        browser.press("#proposal button").await
    };
    tries(&tariff).await?;
    browser.says("#rehearsal", "would have paid").await?;
    let amounts = browser.amounts("#rehearsal .state data.amount").await?;
    assert_eq!(amounts.first(), Some(&paid));
    assert!(amounts[1] >= 3 * paid, "{amounts:?}");
    assert!(browser.text("#rehearsal").await?.contains("lamppost send tariff tariff-2.json"));
    browser.picture("operator-tariff").await?;
    tariff["version"] = 7.into();
    tries(&tariff).await?;
    browser.says("#rehearsal [role=alert]", "but version 2 follows").await?;
    let versions = node.json("/api/v1/tariffs");
    assert_eq!(versions.as_array().map(Vec::len), Some(1), "nothing was set: {versions}");
    browser.close().await
}

#[tokio::test]
async fn strangers_and_owners_are_shown_nothing_of_the_operators_pages() -> WebDriverResult<()> {
    let node = Up::new().start();
    let mut sensor = Sensor::any();
    let kid = sensor.kid();
    node.enrol(&sensor.public_key());
    assert_eq!(node.submit(&forged(&mut sensor).0).0, 403);
    let browser = Browser::open(Reader::default()).await?;
    let refused = async |words: &str| -> WebDriverResult<()> {
        for (path, _) in ROOMS {
            browser.see_by_name(&node, path).await?;
            let said = browser.says("main", words).await?;
            assert!(said.contains("For the operator") && !said.contains(&kid), "{path}: {said}");
            assert!(browser.driver.find_all(By::Css("main .figure, main table")).await?.is_empty(), "{path}");
        }
        Ok(())
    };
    refused("signed in with the operator's account").await?;
    browser.signs_in_by(login(&Person::new(), &node)["url"].as_str().expect("a link")).await?;
    assert!(browser.driver.find_all(By::LinkText("Operator")).await?.is_empty());
    refused("but not with the operator's account").await?;
    browser.picture("operator-only").await?;
    browser.close().await
}
