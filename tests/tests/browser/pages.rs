//! The pages in Chromium: with JavaScript they stay current, without it they are complete, and on a phone they fit.
//! Pictures of what was seen lie in `target/screenshots/`.

use e2e::node::{Node, Up, microtokens};
use e2e::{page, wait};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::session::{Browser, Reader};

/// Names what sticks out to the right, where that makes the page scroll sideways.
pub const WIDER_THAN_THE_SCREEN: &str = "
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    const wide = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > room);
    return ['the page', ...wide.map((one) => one.outerHTML.slice(0, 120))];";

/// A node whose devices have earned, and one of the devices.
pub fn city() -> (Node, Value) {
    let node = Up::new().devices(6).start();
    let device = wait::until("a device has earned in three epochs", wait::LONG, || {
        let devices = node.json("/api/v1/devices");
        let device = devices.as_array()?.first()?.clone();
        let owner = device["owner"].as_str()?.to_owned();
        let statements = node.json(&format!("/api/v1/accounts/{owner}/statements"));
        let kid = device["kid"].clone();
        let own = statements.as_array()?.iter().filter(|statement| statement["kid"] == kid).count();
        (own >= 3 && microtokens(&device["earned_total"]) > 0).then_some(device)
    });
    (node, device)
}

/// Every kind of page, by a name for its picture.
fn pages(node: &Node, device: &Value) -> Vec<(&'static str, String)> {
    let kid = device["kid"].as_str().expect("a device has a kid");
    let owner = device["owner"].as_str().expect("a virtual device has an owner");
    let readings = node.json(&format!("/api/v1/devices/{kid}/readings"));
    let transaction = readings[0]["transaction"].as_str().expect("a reading has a transaction").to_owned();
    let statements = node.json(&format!("/api/v1/accounts/{owner}/statements"));
    let mut statements = statements.as_array().into_iter().flatten();
    let epoch =
        &statements.find(|statement| statement["kid"] == kid).expect("the device has a statement")["epoch"];
    vec![
        ("home", "/".to_owned()),
        ("device", format!("/devices/{kid}")),
        ("statements", format!("/devices/{kid}/statements")),
        ("statement", format!("/devices/{kid}/statements/{epoch}")),
        ("transaction", format!("/transactions/{transaction}")),
        ("account", format!("/accounts/{owner}")),
        ("block", format!("/blocks/{}", node.json("/api/v1/status")["height"])),
        ("map", "/map".to_owned()),
        ("search", "/search?q=nothing+at+all".to_owned()),
    ]
}

#[tokio::test]
async fn with_javascript_the_pages_stay_current() -> WebDriverResult<()> {
    let (node, device) = city();
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, "/").await?;
    browser.text_becomes("#asof", |text| text.starts_with("Live")).await?;
    let before = browser.text("#log-size").await?;
    browser.text_becomes("#log-size", |text| text != before).await?;
    for (name, path) in pages(&node, &device) {
        browser.see(&node, &path).await?;
        assert!(!browser.text("h1").await?.is_empty(), "{path} has a heading");
        browser.picture(name).await?;
    }
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn without_javascript_the_pages_are_complete() -> WebDriverResult<()> {
    let (node, device) = city();
    let browser = Browser::open(Reader { without_javascript: true, ..Reader::default() }).await?;
    for (name, path) in pages(&node, &device) {
        browser.see(&node, &path).await?;
        assert!(browser.text("#asof").await?.starts_with("As of"), "no script runs on {path}");
        browser.picture(&format!("{name}-without-javascript")).await?;
    }
    let kid = device["kid"].as_str().expect("a device has a kid");
    browser.see(&node, &format!("/devices/{kid}")).await?;
    assert!(!browser.driver.find_all(By::Css("main svg")).await?.is_empty(), "the chart is in the page");
    assert!(!browser.text("#statements").await?.is_empty());
    browser
        .driver
        .find(By::Css("#readings a[href^='/transactions/'], #numbers summary"))
        .await?
        .click()
        .await?;
    browser.close().await
}

#[tokio::test]
async fn what_the_browser_shows_is_what_the_api_says() -> WebDriverResult<()> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let mut busy = Up::new().data(&data).devices(3).start();
    wait::until_true("devices have earned", wait::LONG, || {
        busy.json("/api/v1/devices").as_array().is_some_and(|all| {
            all.len() == 3 && all.iter().all(|device| microtokens(&device["earned_total"]) > 0)
        })
    });
    assert_eq!(busy.terminate().code(), Some(0));
    let node = Up::new().data(&data).start();
    node.epoch_passes();
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, "/").await?;
    for device in node.json("/api/v1/devices").as_array().expect("a list of devices") {
        let kid = device["kid"].as_str().expect("a device has a kid");
        let css = format!("#d-{kid} td:last-child data.amount");
        let shown = browser.driver.find(By::Css(css)).await?.attr("value").await?;
        assert_eq!(shown.as_deref(), device["earned_total"]["microtokens"].as_str(), "{kid}");
    }
    browser.close().await
}

#[tokio::test]
async fn on_a_phone_and_in_the_dark_the_pages_fit() -> WebDriverResult<()> {
    let (node, device) = city();
    let light = Browser::open(Reader { phone: true, ..Reader::default() }).await?;
    let dark = Browser::open(Reader { dark: true, ..Reader::default() }).await?;
    for (name, path) in pages(&node, &device) {
        light.see(&node, &path).await?;
        let wide = light.driver.execute(WIDER_THAN_THE_SCREEN, Vec::new()).await?;
        assert_eq!(wide.json(), &json!([]), "{path} is wider than a phone");
        light.picture(&format!("{name}-phone")).await?;
        dark.see(&node, &path).await?;
        dark.picture(&format!("{name}-dark")).await?;
    }
    dark.see(&node, "/").await?;
    let script = "return getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor";
    let in_the_dark = dark.driver.execute(script, Vec::new()).await?.json().to_string();
    light.see(&node, "/").await?;
    let in_the_light = light.driver.execute(script, Vec::new()).await?.json().to_string();
    assert_ne!(in_the_dark, in_the_light, "dark is dark");
    light.close().await?;
    dark.close().await
}

#[tokio::test]
async fn the_empty_state_says_what_to_do_first() -> WebDriverResult<()> {
    let node = Up::new().start();
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&node, "/").await?;
    assert!(browser.text("#devices").await?.contains("device enrol"), "the command is shown");
    assert!(page::text(&node.text("/")).contains("device enrol"));
    browser.picture("empty").await?;
    browser.close().await
}
