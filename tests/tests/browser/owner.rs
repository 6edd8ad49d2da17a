//! What an owner does, from no key at all to a device handed on: with a key that lies in the browser and the node's word
//! for nothing.

use std::path::PathBuf;

use e2e::node::{Node, Up, microtokens};
use e2e::people::{Person, Provisioned};
use e2e::program;
use e2e::wait;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::session::{Browser, Reader};
use crate::sign_in::login;

const PLACE: (&str, &str) = ("57.1497", "-2.0943");

/// Keeps a person's key file in the browser, as its owner does it.
async fn imports(browser: &Browser, node: &Node, person: &Person) -> WebDriverResult<()> {
    browser.see_by_name(node, "/key").await?;
    browser.choose("#key-file", &[person.key_file().to_owned()]).await?;
    browser.press("#key-import button").await?;
    browser.says("#key-account", &person.account).await.map(drop)
}

/// The code by which this device says that it is in that account's hands.
fn claim_code(device: &Provisioned, account: &str) -> String {
    let prove = ["device", "prove", "--account", account, "--identity", &device.page, "--json"];
    let printed: Value = serde_json::from_str(&program::run(&prove).success()).expect("JSON");
    printed["claim_code"].as_str().expect("it prints the code").to_owned()
}

/// What an alert of a form says, as soon as it says something.
async fn alerted(browser: &Browser, words: &str) -> WebDriverResult<()> {
    browser.says("#instruct-alert:not([hidden])", words).await.map(drop)
}

async fn balance_on_home(browser: &Browser, node: &Node) -> WebDriverResult<u64> {
    browser.see_by_name(node, "/mine").await?;
    Ok(browser.amounts("#balance .lead data.amount").await?[0])
}

#[tokio::test]
async fn a_key_made_in_the_browser_is_saved_kept_and_taken_away_and_its_file_is_the_same_account()
-> WebDriverResult<()> {
    let node = Up::new().start();
    let saved = tempfile::tempdir().expect("a temporary directory can be made");
    let browser = Browser::open(Reader::default()).await?;
    browser.downloads_into(saved.path()).await?;
    browser.see_by_name(&node, "/mine").await?;
    browser.driver.find(By::LinkText("make one in this browser")).await?.click().await?;
    browser.press_shown("#key-make").await?;
    browser.press_shown("#key-download").await?;
    let file: PathBuf = wait::until("the key file is saved", wait::SHORT, || {
        let mut files = std::fs::read_dir(saved.path()).ok()?.flatten().map(|file| file.path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "pem"))
    });
    browser.picture("key-new").await?;
    browser.press("#key-saved").await?;
    browser.press("#key-keep button").await?;
    let account = browser.says("#key-account", "lamp1").await?;
    let shown = program::run(&["key", "show", file.to_str().expect("a path is text"), "--json"]).success();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["account"], *account, "the file that was saved is this account");

    // It outlives the page, and no script gets it out.
    browser.see_by_name(&node, "/key").await?;
    browser.says("#key-account", &account).await?;
    browser.picture("key").await?;
    let taken = "return lamppostKey.load().then(({ privateKey }) => crypto.subtle.exportKey('pkcs8', privateKey))\
        .then(() => 'taken', (refused) => refused.name)";
    assert_eq!(browser.asked(taken).await?, json!("InvalidAccessError"));

    browser.press("#key-sign-in").await?;
    browser.comes_to("/mine").await?;
    browser.header_says("Owner lamp1").await?;
    browser.shown(&format!("main a[href='/accounts/{account}']")).await?;
    assert!(browser.text("#devices").await?.contains("You own no device yet"));
    browser.picture("mine-new").await?;
    browser.see_by_name(&node, "/key").await?;
    browser.press_shown("#key-remove input").await?;
    browser.press("#key-remove button").await?;
    browser.shown("#key-make").await?;
    browser.see_by_name(&node, "/key").await?;
    browser.shown("#key-make").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn a_device_is_claimed_by_its_code_and_a_wrong_code_says_why() -> WebDriverResult<()> {
    let node = Up::new().start();
    let (owner, stranger) = (Person::new(), Person::new());
    let mut device = Provisioned::new();
    let kid = device.kid();
    let enrol = ["device", "enrol", "--public-key", &device.sensor.public_key()];
    Person::of(&node, "operator").does(&node, &enrol).success();
    assert_eq!(node.submit(&device.sensor.reading().bytes).0, 202);
    node.epoch_passes();

    let browser = Browser::open(Reader::default()).await?;
    imports(&browser, &node, &owner).await?;
    browser.press("#key-sign-in").await?;
    browser.comes_to("/mine").await?;
    browser.driver.find(By::LinkText("claim it")).await?.click().await?;
    browser.comes_to("/claim").await?;
    let code = claim_code(&device, &owner.account);
    let tries = [
        ("rubbish".to_owned(), "kid"),
        (code.replace(&kid, "0123456789abcdef"), "No device 0123456789abcdef is enrolled"),
        (claim_code(&device, &stranger.account), "did not sign for"),
        (code[..code.len() - 2].to_owned(), "hex digits"),
    ];
    browser.press_shown("#pin canvas").await?;
    browser.becomes_true("return document.getElementById('lat').value.includes('.')").await?;
    browser.fill("#lat", PLACE.0).await?;
    browser.fill("#lon", PLACE.1).await?;
    for (wrong, why) in tries {
        browser.fill("#code", &wrong).await?;
        browser.press("#claim button.button").await?;
        alerted(&browser, why).await?;
        let confirmation = browser.driver.find(By::Css("#confirm")).await?;
        assert!(!confirmation.is_displayed().await?, "{wrong} is not even asked about");
    }
    browser.picture("claim-wrong").await?;
    assert_eq!(node.json(&format!("/api/v1/devices/{kid}"))["owner"], Value::Null);

    // The link on the device, opened in the same tab, brings the right one.
    browser.see_by_name(&node, &format!("/claim#{code}")).await?;
    browser
        .becomes_true(&format!("return document.getElementById('code').value === {}", json!(code)))
        .await?;
    browser.press("#claim button.button").await?;
    let said = browser.says("#confirm-said", &kid).await?;
    assert!(said.contains(&format!("{}, {}", PLACE.0, PLACE.1)), "{said}");
    assert_eq!(browser.text("#confirm-account").await?, owner.account);
    browser.picture("claim").await?;
    browser.driver.find(By::Css("#lon")).await?.send_keys("1").await?;
    browser.becomes_true("return document.getElementById('confirm').hidden").await?;
    browser.press("#claim button.button").await?;
    browser.says("#confirm-said", &format!("{}1", PLACE.1)).await?;
    browser.press_shown("#confirm-send").await?;
    browser.says("#confirm-done", "Done: it stands in block").await?;
    browser.press("#confirm-done a[href^='/transactions/']").await?;
    browser.says("main", "claim").await?;
    assert!(browser.text("main").await?.contains(&kid));
    browser.picture("claimed").await?;

    let earned = node.posted(&owner.account);
    assert!(earned > 0, "what waited in escrow was paid out");
    assert_eq!(balance_on_home(&browser, &node).await?, earned);
    browser.shown(&format!("#d-{kid}")).await?;
    browser.see_by_name(&node, &format!("/claim#{code}")).await?;
    browser.fill("#lat", PLACE.0).await?;
    browser.fill("#lon", PLACE.1).await?;
    browser.press("#claim button.button").await?;
    alerted(&browser, "has an owner already").await?;
    browser.close().await
}

#[tokio::test]
async fn a_device_changes_hands_in_two_steps_between_two_browsers_and_by_a_command() -> WebDriverResult<()> {
    let node = Up::new().start();
    let [seller, buyer, third] = [Person::new(), Person::new(), Person::new()];
    let device = Provisioned::new();
    let kid = device.kid();
    node.enrol_for(&device.sensor.public_key(), &seller.account);
    let owner = || node.json(&format!("/api/v1/devices/{kid}"))["owner"].clone();
    let names = async |browser: &Browser, account: &str| -> WebDriverResult<()> {
        browser.see_by_name(&node, &format!("/devices/{kid}/transfer")).await?;
        browser.fill("#to", account).await?;
        browser.press("form[data-instruction] button").await
    };
    let offers = async |browser: &Browser, account: &str| -> WebDriverResult<()> {
        names(browser, account).await?;
        browser.press_shown("#confirm-send").await
    };
    let selling = Browser::open(Reader::default()).await?;
    imports(&selling, &node, &seller).await?;
    names(&selling, "lamp1nobody").await?;
    alerted(&selling, "account").await?;
    offers(&selling, &buyer.account).await?;
    selling.picture("transfer").await?;
    selling.says("#confirm-done", "Done: it stands in block").await?;
    assert_eq!(owner(), *seller.account, "an offer alone moves nothing");

    let buying = Browser::open(Reader::default()).await?;
    imports(&buying, &node, &buyer).await?;
    buying.press("#key-sign-in").await?;
    buying.comes_to("/mine").await?;
    buying.says("#alerts .offer", &kid).await?;
    buying.press("#alerts .offer a[href$='/accept']").await?;
    buying.press_shown("form[data-instruction] button").await?;
    buying.says("#confirm-said", &kid).await?;
    buying.press_shown("#confirm-send").await?;
    buying.says("#confirm-done", "Done: it stands in block").await?;
    assert_eq!(owner(), *buyer.account);
    buying.see_by_name(&node, "/mine").await?;
    buying.shown(&format!("#d-{kid}")).await?;
    // Who sold it cannot sell it twice.
    offers(&selling, &third.account).await?;
    alerted(&selling, "not the signer's").await?;
    selling.close().await?;

    offers(&buying, &third.account).await?;
    buying.says("#confirm-done", "Done: it stands in block").await?;
    third.does(&node, &["device", "accept", &kid]).success();
    assert_eq!(owner(), *third.account);
    buying.see_by_name(&node, &format!("/devices/{kid}")).await?;
    assert_eq!(buying.texts("#state a[href$='/transfer']").await?, Vec::<String>::new());
    buying.close().await
}

#[tokio::test]
async fn an_owners_home_its_bars_its_payouts_and_their_file_are_the_apis_figures() -> WebDriverResult<()> {
    let node = Up::new().start();
    let owner = Person::new();
    let mut device = Provisioned::new();
    node.enrol_for(&device.sensor.public_key(), &owner.account);
    for _ in 0..2 {
        assert_eq!(node.submit(&device.sensor.reading().bytes).0, 202);
        node.epoch_passes();
    }
    let account = format!("/api/v1/accounts/{}", owner.account);
    let posted = node.posted(&owner.account);
    let statements = || -> u64 {
        let all = node.json(&format!("{account}/statements"));
        all.as_array().into_iter().flatten().map(|statement| microtokens(&statement["paid"])).sum()
    };
    wait::until_true("every statement is listed", wait::SHORT, || posted > 0 && statements() == posted);
    let saved = tempfile::tempdir().expect("a temporary directory can be made");
    let browser = Browser::open(Reader::default()).await?;
    browser.downloads_into(saved.path()).await?;
    browser.signs_in_by(login(&owner, &node)["url"].as_str().expect("a link")).await?;
    assert_eq!(balance_on_home(&browser, &node).await?, posted);
    browser.press("#days-table summary").await?;
    browser.picture("mine").await?;

    // Each bar is a row of the table, and the rows come to what the statements say.
    let paid = browser.amounts("#days-table tbody data.amount").await?;
    assert_eq!(browser.amounts("#days-table tfoot data.amount").await?, [paid.iter().sum::<u64>()]);
    assert_eq!(paid.iter().sum::<u64>(), posted);
    let bars = browser
        .asked("return [...document.querySelectorAll('#bars rect title')].map((bar) => bar.textContent)");
    let mut bars: Vec<String> = serde_json::from_value(bars.await?).expect("texts");
    bars.reverse();
    let rows = browser.asked(
        "return [...document.querySelectorAll('#days-table tbody tr')].filter((row) => row.querySelector('data').value > 0)\
        .map((row) => row.cells[0].innerText.replace(', so far', '') + ': ' + row.querySelector('data').innerText + ' tokens')",
    );
    assert_eq!(rows.await?, json!(bars), "the bars are the table");

    browser.press("#balance .lead a").await?;
    browser.comes_to("/mine/payouts").await?;
    let transfers = node.json(&format!("{account}/transfers"));
    let listed: Vec<u64> =
        transfers.as_array().into_iter().flatten().map(|one| microtokens(&one["amount"])).collect();
    assert!(listed.len() >= 2, "{transfers}");
    assert_eq!(browser.amounts("#payouts tbody data.amount").await?, listed);
    browser.picture("payouts").await?;
    browser.press("form[action='/mine/payouts.csv'] button").await?;
    let file = wait::until("the file is saved", wait::SHORT, || {
        let mut files = std::fs::read_dir(saved.path()).ok()?.flatten().map(|file| file.path());
        let file = files.find(|path| path.extension().is_some_and(|extension| extension == "csv"))?;
        std::fs::read_to_string(file).ok()
    });
    assert_eq!(file, node.get_as(&format!("{account}/transfers"), "text/csv").1);
    browser.see_by_name(&node, "/mine/payouts").await?;
    browser.press("#payouts tbody a[href^='/transactions/']").await?;
    browser.says("main", "Seal").await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    browser.close().await
}
