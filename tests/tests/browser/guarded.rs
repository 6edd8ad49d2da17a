//! Pages in a hostile world: names made to be run or to turn the reading round, a stolen session, another site's forms.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use devices::{Base, Decimal, Record, Value as Measured, encode_pack};
use e2e::node::{Node, Up};
use e2e::people::Person;
use e2e::sensor::{NETWORK, Sensor, unix_seconds};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::hands::site;
use crate::session::{Browser, Reader};
use crate::sign_in::login;

/// What would run, or build something, if a page took it for markup.
const MARKUP: &str = "\"><img src=x onerror=window.ran=1><script>window.ran=1</script>";
/// A unit may have 16 bytes.
const UNITS: [&str; 3] = ["<b onclick=a>x", "\u{202e}C\u{200b}e", "{{7*7}}${7*7}"];
/// What only the markup above would have done: what ran, what was made, and what sticks out of a telephone's screen.
const FOREIGN: &str = "
    const room = document.documentElement.clientWidth;
    const made = [...document.querySelectorAll('[onerror], [onclick], img[src=x], main script, main b')];
    const wide = [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > room);
    const out = document.documentElement.scrollWidth > room ? wide.map((one) => one.outerHTML.slice(0, 200)) : [];
    return [window.ran ?? 0, made.length, out];";

/// A node with a device whose units, revocation and owner's transfer are named so; the paths of their pages.
fn hostile() -> (Node, Vec<(String, String)>) {
    let node = Up::new().start();
    let owner = Person::new();
    let mut sensor = Sensor::any();
    let kid = sensor.kid();
    node.enrol_for(&sensor.public_key(), &owner.account);
    let mut pages = Vec::new();
    for unit in UNITS {
        let value = Measured::Number(Decimal::new(7, 0).expect("a number"));
        let base =
            Base { version: Some(26), name: Some("temp"), time: Some(unix_seconds()), unit: Some(unit) };
        let mut pack = [0; 512];
        let length = encode_pack(&base, &[Record::of(value)], &mut pack).expect("such a unit is allowed");
        let sequence = sensor.next_sequence();
        let envelope = sensor.sign(NETWORK, sequence, &pack[..length]);
        assert_eq!(node.submit(&envelope.bytes).0, 202);
        let shown =
            unit.replace('\u{202e}', "\u{27e8}202E\u{27e9}").replace('\u{200b}', "\u{27e8}200B\u{27e9}");
        pages.push((format!("/transactions/{}", envelope.transaction), shown));
    }
    let why = format!("{MARKUP}\u{202e}gnp.exe");
    let treasury = Person::of(&node, "treasury");
    let pays = ["send", "transfer", "--to", &owner.account, "--amount", "1", "--memo", &why, "--json"];
    let paid: Value = serde_json::from_str(&treasury.does(&node, &pays).success()).expect("JSON");
    let revoke = ["device", "revoke", &kid, "--reason", &why, "--json"];
    let revoked: Value = serde_json::from_str(&owner.does(&node, &revoke).success()).expect("JSON");
    let shown = why.replace('\u{202e}', "\u{27e8}202E\u{27e9}");
    for transaction in [&paid["id"], &revoked["transaction"]] {
        pages.push((format!("/transactions/{}", transaction.as_str().expect("an id")), shown.clone()));
    }
    node.epoch_passes();
    pages.push((format!("/accounts/{}", owner.account), shown));
    pages.push((format!("/devices/{kid}"), UNITS[0].to_owned()));
    pages.push((format!("/devices/{kid}/statements"), String::new()));
    (node, pages)
}

/// As the address line has it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn names_made_to_be_run_are_shown_as_text_and_turn_nothing_round() -> WebDriverResult<()> {
    let (node, mut pages) = hostile();
    let long = encoded(&MARKUP.repeat(10_240 / MARKUP.len()));
    let round = encoded("\u{202e}\u{2066}<script>window.ran=1</script>");
    for address in
        ["/search?q=", "/verify?id=", "/claim?code=", "/sign-in?link=", "/devices/", "/accounts/", "/blocks/"]
    {
        pages.push((format!("{address}{long}"), String::new()));
        pages.push((format!("{address}{round}"), String::new()));
    }
    pages.push((format!("/search?q={round}"), "\u{27e8}202E\u{27e9}\u{27e8}2066\u{27e9}<script>".to_owned()));
    let browser = Browser::open(Reader { phone: true, ..Reader::default() }).await?;
    for (number, (path, shown)) in pages.iter().enumerate() {
        browser.see_by_name(&node, path).await?;
        let page = browser.asked("return document.body.innerText").await?;
        let page = page.as_str().unwrap_or_default();
        let path = path.get(..60).unwrap_or(path);
        assert!(page.contains(shown), "{path} shows {shown}: {page}");
        assert!(!page.contains(['\u{202e}', '\u{2066}', '\u{200b}']), "{path} hides no mark: {page}");
        assert_eq!(browser.asked(FOREIGN).await?, json!([0, 0, []]), "{path}");
        if number == 4 {
            browser.picture("hostile").await?;
        }
    }
    browser.close().await
}

/// A site of somebody else's with one page; it ends with the test's process. By its name it is same-site with the node, so the
/// browser sends it the session's cookie all the same.
fn other_site(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().expect("a stream can be shared")).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close";
            drop(write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{page}", page.len()));
        }
    });
    format!("http://localhost:{port}/")
}

#[tokio::test]
async fn another_sites_page_can_neither_act_with_a_session_nor_read_by_it_nor_frame_it() -> WebDriverResult<()>
{
    let node = Up::new().start();
    let owner = Person::new();
    let home = site(&node);
    let browser = Browser::open(Reader::default()).await?;
    browser.signs_in_by(login(&owner, &node)["url"].as_str().expect("a link")).await?;
    let forms =
        ["/sign-out", "/sessions/revoke-all", "/sessions/revoke", "/passkeys/remove", "/operator/tariff"];
    let form = |path: &&str| {
        format!(
            "<form method=post action=\"{home}{path}\"><input name=token value=x><button>Win a prize</button></form>"
        )
    };
    let page: String = forms.iter().map(form).collect();
    let evil =
        other_site(format!("<!doctype html><h1>Prize</h1>{page}<iframe src=\"{home}/sessions\"></iframe>"));
    for path in forms {
        browser.go_to(&evil).await?;
        browser.press(&format!("form[action='{home}{path}'] button")).await?;
        browser.becomes_true(&format!("return location.origin === {}", json!(home))).await?;
        let answer = browser.text("body").await?;
        let words = if *path == *"/operator/tariff" {
            "For the operator"
        } else {
            "not sent by this node's own page"
        };
        assert!(answer.contains(words), "{path}: {answer}");
        browser.see_by_name(&node, "/mine").await?;
        browser.header_says("Sign out").await?;
    }
    browser.go_to(&evil).await?;
    let reads = format!(
        "return fetch({}, {{ credentials: 'include' }}).then((answer) => answer.text(), (error) => error.name)",
        json!(format!("{home}/mine"))
    );
    assert_eq!(browser.asked(&reads).await?, json!("TypeError"), "nothing is readable from elsewhere");
    browser.driver.enter_frame(0).await?;
    assert!(!browser.text("body").await?.contains("Sessions"), "the page stands in nobody's frame");
    browser.close().await
}

#[tokio::test]
async fn a_session_is_out_of_scripts_reach_and_a_stolen_one_ends_with_it() -> WebDriverResult<()> {
    let node = Up::new().start();
    let owner = Person::new();
    let browser = Browser::open(Reader::default()).await?;
    browser.signs_in_by(login(&owner, &node)["url"].as_str().expect("a link")).await?;
    browser.see_by_name(&node, "/mine").await?;
    assert_eq!(browser.asked("return document.cookie").await?, json!(""), "no script reads the session");
    let cookie = browser.driver.get_named_cookie("lamppost_session").await?;
    assert_eq!((cookie.http_only, cookie.same_site), (Some(true), Some(SameSite::Lax)));

    // Somebody has it all the same: it looks, until its owner ends it.
    let thief = Browser::open(Reader::default()).await?;
    thief.see_by_name(&node, "/").await?;
    let mut stolen = Cookie::new(cookie.name.clone(), cookie.value.clone());
    stolen.set_path("/");
    thief.driver.add_cookie(stolen).await?;
    thief.see_by_name(&node, "/mine").await?;
    thief.header_says("Owner").await?;
    thief.see_by_name(&node, "/key").await?;
    thief.shown("#key-make").await?;
    browser.press(".viewer button").await?;
    browser.header_says("Sign in").await?;
    thief.see_by_name(&node, "/mine").await?;
    thief.header_says("Sign in").await?;
    assert!(!thief.text("main").await?.contains(&owner.account[..10]));
    thief.close().await?;
    browser.close().await
}
