//! Signing in as a new user does: the first run's link, `lamppost login` from start to finish, a passkey, the way out; with
//! JavaScript off where it is not needed, and over a restart.

use std::time::Duration;

use e2e::node::{Node, Up};
use e2e::people::Person;
use e2e::program::{self, Ended};
use e2e::wait;
use serde_json::Value;
use thirtyfour::prelude::*;

use crate::hands::site;
use crate::session::{Browser, Reader};

const WITHOUT_JAVASCRIPT: Reader = Reader { without_javascript: true, dark: false, phone: false };

/// The link that the first run of `up` prints for its operator.
pub fn first_link(node: &Node) -> String {
    let said = node.stderr();
    let link = said.split_whitespace().find(|word| word.contains("/sign-in?link="));
    link.unwrap_or_else(|| panic!("no link in\n{said}")).to_owned()
}

/// What `lamppost login` prints.
pub fn login(person: &Person, node: &Node) -> Value {
    let printed = person.does(node, &["login", "--json"]).success();
    serde_json::from_str(&printed).expect("--json prints JSON")
}

#[tokio::test]
async fn the_first_run_lets_the_operator_in_and_a_restart_keeps_them() -> WebDriverResult<()> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let mut node = Up::new().data(&data).start();
    let link = first_link(&node);
    let browser = Browser::open(WITHOUT_JAVASCRIPT).await?;
    browser.go_to(&link).await?;
    browser.picture("sign-in-link").await?;
    browser.press("main form button").await?;
    browser.header_says("Operator lamp1").await?;
    assert_eq!(node.terminate().code(), Some(0));
    let address = node.http.strip_prefix("http://").expect("an address").to_owned();
    drop(node);
    let node = Up::new().data(&data).http(&address).start();
    assert!(!node.stderr().contains("/sign-in?link="), "only the first run prints a link");
    browser.go_to(&format!("{}/sessions", site(&node))).await?;
    browser.header_says("Operator").await?;
    assert!(browser.text("#sessions-title + table").await?.contains("by the link of the first run"));
    browser.picture("sessions-without-javascript").await?;
    browser.press(".viewer button").await?;
    browser.header_says("Sign in").await?;
    browser.go_to(&link).await?;
    assert!(browser.text("[role=alert]").await?.contains("used already"));
    Ok(())
}

#[tokio::test]
async fn login_signs_an_owner_in_from_start_to_finish_without_javascript() -> WebDriverResult<()> {
    let node = Up::new().start();
    let owner = Person::new();
    let ended = owner.does(&node, &["login"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(&owner.account), "it says whom it signs in: {}", ended.stderr);
    let link = ended.stdout.trim();
    assert!(link.starts_with(&site(&node)) && !link.contains(char::is_whitespace), "{link}");
    let browser = Browser::open(WITHOUT_JAVASCRIPT).await?;
    browser.go_to(&format!("{}/sign-in", site(&node))).await?;
    assert!(browser.text("main").await?.contains("lamppost login"));
    assert!(browser.text("main").await?.contains("Passkeys need JavaScript"));
    browser.picture("sign-in-without-javascript").await?;
    browser.go_to(link).await?;
    assert!(browser.text("main").await?.contains("works once"));
    browser.press("main form button").await?;
    browser.header_says("Owner lamp1").await?;
    let again = Browser::open(WITHOUT_JAVASCRIPT).await?;
    again.go_to(link).await?;
    assert!(again.text("[role=alert]").await?.contains("used already"));

    // On a machine that reaches no node, by a command with the challenge in it.
    again.go_to(&format!("{}/sign-in/command", site(&node))).await?;
    again.picture("sign-in-command").await?;
    let shown = again.text("main code").await?;
    let words = shown.split_whitespace().skip(1).filter(|word| !["--key", "owner.pem"].contains(word));
    let words: Vec<&str> = words.collect();
    let answered = owner.does(&node, &words).success();
    again.driver.find(By::Css("textarea")).await?.send_keys(answered.trim()).await?;
    again.press("main form button").await?;
    again.header_says("Owner lamp1").await?;
    again.go_to(&format!("{}/sessions", site(&node))).await?;
    assert_eq!(again.driver.find_all(By::Css("#sessions-title ~ table tbody tr")).await?.len(), 2);
    again.press("form[action='/sessions/revoke-all'] button").await?;
    again.header_says("Sign in").await?;
    browser.go_to(&format!("{}/", site(&node))).await?;
    browser.header_says("Sign in").await?;
    Ok(())
}

#[tokio::test]
async fn a_passkey_signs_in_again_and_a_removed_one_does_not() -> WebDriverResult<()> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let mut node = Up::new().data(&data).start();
    let operator = Person::of(&node, "operator");
    let site = site(&node);
    let browser = Browser::open(Reader::default()).await?;
    browser.has_a_fingerprint_reader();
    browser.go_to(login(&operator, &node)["url"].as_str().expect("a link")).await?;
    browser.press("main form button").await?;
    browser.header_says("Operator").await?;
    browser.go_to(&format!("{site}/sessions")).await?;
    browser.driver.find(By::Css("#passkey-name")).await?.send_keys("Telephone <b>").await?;
    browser.press("#passkey-add button").await?;
    let row = browser.driver.query(By::Css("tr[id^='p-']"));
    let row = row.wait(wait::SHORT, Duration::from_millis(50)).first().await?;
    assert!(row.text().await?.contains("Telephone <b>"));
    browser.picture("sessions").await?;
    browser.press(".viewer button").await?;
    browser.header_says("Sign in").await?;
    assert_eq!(node.terminate().code(), Some(0));
    let address = node.http.strip_prefix("http://").expect("an address").to_owned();
    drop(node);
    let node = Up::new().data(&data).http(&address).start();

    let sign_in = async || -> WebDriverResult<()> {
        browser.go_to(&format!("{site}/sign-in")).await?;
        browser.press("#passkey-sign-in").await
    };
    browser.go_to(&format!("{site}/sign-in")).await?;
    browser.picture("sign-in").await?;
    sign_in().await?;
    browser.header_says("Operator").await?;
    browser.go_to(&format!("{site}/sessions")).await?;
    assert!(browser.text("main").await?.contains("with a passkey"));
    let field = browser.driver.find(By::Css("form[action='/passkeys/rename'] input[name=name]")).await?;
    field.clear().await?;
    field.send_keys("Old telephone").await?;
    browser.press("form[action='/passkeys/rename'] button").await?;
    let renamed =
        browser.driver.query(By::Css("form[action='/passkeys/rename'] input[value='Old telephone']"));
    renamed.wait(wait::SHORT, Duration::from_millis(50)).first().await?;
    browser.press("form[action='/passkeys/remove'] button").await?;
    let empty = browser.driver.query(By::Css("#passkeys-title + .empty"));
    empty.wait(wait::SHORT, Duration::from_millis(50)).first().await?;
    browser.press(".viewer button").await?;
    browser.header_says("Sign in").await?;
    sign_in().await?;
    let refused = browser.driver.query(By::Css("#passkey-alert:not([hidden])"));
    let refused = refused.wait(wait::SHORT, Duration::from_millis(50)).first().await?;
    assert!(refused.text().await?.contains("does not hold"), "{}", refused.text().await?);
    browser.header_says("Sign in").await?;

    // By an address the page says where passkeys work.
    browser.go_to(&format!("{}/sign-in", node.http)).await?;
    assert!(browser.text("main").await?.contains(&format!("open this page as {site}/sign-in")));
    Ok(())
}

#[test]
fn login_signs_nothing_for_a_site_that_nobody_named() {
    let node = Up::new().with(&["--public-url", "https://lamppost.example"]).start();
    let owner = Person::new();
    let sentence = owner.does(&node, &["login"]).refusal();
    assert!(sentence.contains("--origin https://lamppost.example"), "{sentence}");
    let link = owner.does(&node, &["login", "--origin", "https://lamppost.example"]).success();
    assert!(link.starts_with("https://lamppost.example/sign-in?link="), "{link}");
    let sentence = owner.does(&node, &["login", "--origin", "https://lamppost.example.evil"]).refusal();
    assert!(sentence.contains("nothing was signed"), "{sentence}");
    assert!(first_link(&node).starts_with("https://lamppost.example/"));
    let refused = Ended::of(&mut program::lamppost(&["up", "--public-url", "lamppost.example"]));
    assert_eq!((refused.code, refused.stderr.contains("https://HOST")), (2, true), "{}", refused.stderr);
}
