//! Every page that there is, on a node where something happened: what is claimed of pages is claimed of all of these.

use std::fs;

use e2e::browser::Browser;
use e2e::node::Node;
use e2e::people::Person;
use e2e::sensor::Sensor;
use e2e::wait;
use serde_json::Value;
use thirtyfour::prelude::*;

use crate::pages::city;

/// Sources that say which paths have pages.
const ROUTES: [&str; 4] = [
    "dashboard/src/routes.rs",
    "dashboard/src/routes/owner.rs",
    "dashboard/src/routes/operator.rs",
    "gateway/src/http/sign_in/pages.rs",
];
/// A file, not a page.
const NO_PAGE: &str = "/assets/{name}";

/// A node on which devices earn, one is offered to an owner, one was never heard, and something was refused.
pub struct Town {
    pub node: Node,
    /// Its address by a name that passkeys and keys can be bound to.
    pub site: String,
    /// Who owns a device that has earned, and is offered another.
    pub owner: Person,
    pub operator: Person,
    /// All pages that a browser can be sent to.
    pub places: Vec<Place>,
}

/// A page, and what is done on it before it is looked at.
pub struct Place {
    /// The path as the router has it.
    pub route: &'static str,
    pub path: String,
    /// Scripts that press what is to be pressed, each with one that says when its work is to be seen.
    pub then: &'static [(&'static str, &'static str)],
}

const VERIFIED: (&str, &str) = ("", "return document.querySelectorAll('.checks .holds').length > 3");
const RECOMPUTED: (&str, &str) = (
    "document.querySelector('#recompute button').click()",
    "return document.querySelectorAll('#recompute tbody tr').length > 1",
);
const KEY_MADE: (&str, &str) =
    ("document.getElementById('key-make').click()", "return !document.getElementById('key-backup').hidden");
const KEY_KEPT: (&str, &str) = (
    "document.getElementById('key-saved').click(); document.querySelector('#key-keep button').click()",
    "return !document.getElementById('key-held').hidden",
);
const KEY_REMOVED: (&str, &str) = (
    "document.querySelector('#key-remove input').click(); document.querySelector('#key-remove button').click()",
    "return !document.getElementById('key-none').hidden",
);
/// Only the operator's page has the button.
const TRIED: (&str, &str) = (
    "document.querySelector('#proposal form button')?.click()",
    "return !document.getElementById('proposal') || document.getElementById('rehearsal') !== null",
);

impl Town {
    /// Takes the seconds of three short epochs.
    pub fn new() -> Town {
        let (node, _) = city();
        let [operator, owner, seller] =
            ["operator", "owner-1", "owner-2"].map(|name| Person::of(&node, name));
        let [earning, offered] = [&owner, &seller].map(|person| device_of(&node, person));
        seller.does(&node, &["device", "transfer", &offered, "--to", &owner.account]).success();
        node.enrol(&Sensor::any().public_key());
        let (status, said) = node.submit(&Sensor::any().reading().bytes);
        assert_eq!(status, 403, "an unknown device is refused: {said}");
        let site = node.http.replace("127.0.0.1", "localhost");
        let places = places(&node, &owner, &earning, &offered);
        Town { node, site, owner, operator, places }
    }

    /// Opens the page and does what is to be done on it.
    pub async fn visit(&self, browser: &Browser, place: &Place) -> WebDriverResult<()> {
        browser.go_to(&format!("{}{}", self.site, place.path)).await?;
        for (deed, seen) in place.then {
            browser.asked(deed).await?;
            browser.becomes_true(seen).await?;
        }
        Ok(())
    }

    /// Signs the browser in as this person, by the link of `lamppost login`.
    pub async fn lets_in(&self, browser: &Browser, person: &Person, role: &str) -> WebDriverResult<()> {
        let link = person.does(&self.node, &["login"]).success();
        browser.go_to(link.trim()).await?;
        browser.press("main form button").await?;
        browser.header_says(role).await
    }
}

/// A device of this person's that has earned.
fn device_of(node: &Node, person: &Person) -> String {
    wait::until("a statement of this owner's has paid", wait::LONG, || {
        let statements = node.json(&format!("/api/v1/accounts/{}/statements", person.account));
        Some(statements[0]["kid"].as_str()?.to_owned())
    })
}

fn places(node: &Node, owner: &Person, kid: &str, offered: &str) -> Vec<Place> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let readings = node.json(&format!("/api/v1/devices/{kid}/readings"));
    let transaction = text(&readings[0]["transaction"]);
    let statements = node.json(&format!("/api/v1/devices/{kid}/statements"));
    let epoch = text(&statements[0]["epoch"]);
    let device = node.json(&format!("/api/v1/devices/{kid}"));
    let height = text(&node.json("/api/v1/status")["height"]);
    let block = node.json(&format!("/api/v1/blocks/{height}"));
    let seal = text(&block["seal_transaction"]);
    let place = |route, path: String| Place { route, path, then: &[] };
    let plain = |route: &'static str| place(route, route.to_owned());
    let then = |route, path: String, then| Place { route, path, then };
    vec![
        plain("/"),
        plain("/map"),
        place("/map", format!("/map?cell={}", text(&device["cell"]))),
        place("/search", "/search?q=nothing+at+all".to_owned()),
        place("/devices/{kid}", format!("/devices/{kid}")),
        place("/devices/{kid}", format!("/devices/{offered}")),
        place("/devices/{kid}", "/devices/0000000000000000".to_owned()),
        place("/devices/{kid}/statements", format!("/devices/{kid}/statements")),
        then(
            "/devices/{kid}/statements/{epoch}",
            format!("/devices/{kid}/statements/{epoch}"),
            &[RECOMPUTED],
        ),
        place("/devices/{kid}/transfer", format!("/devices/{kid}/transfer")),
        place("/devices/{kid}/transfer", format!("/devices/{kid}/transfer?to={}", owner.account)),
        place("/devices/{kid}/accept", format!("/devices/{offered}/accept")),
        place("/devices/{kid}/accept", format!("/devices/{kid}/accept")),
        place("/accounts/{id}", format!("/accounts/{}", owner.account)),
        place("/transactions/{id}", format!("/transactions/{transaction}")),
        place("/transactions/{id}", format!("/transactions/{seal}")),
        place("/blocks/{height}", format!("/blocks/{height}")),
        plain("/verify"),
        then("/verify", format!("/verify?id={transaction}"), &[VERIFIED]),
        plain("/audit"),
        place("/audit", "/audit?from=1&to=9".to_owned()),
        plain("/key"),
        then("/key", "/key".to_owned(), &[KEY_MADE, KEY_KEPT]),
        then("/key", "/key".to_owned(), &[KEY_REMOVED, KEY_MADE]),
        plain("/claim"),
        place("/claim", format!("/claim?code={kid}.00&lat=57.15&lon=-2.09")),
        plain("/mine"),
        plain("/mine/payouts"),
        plain("/operator"),
        plain("/operator/refused"),
        plain("/operator/fleet"),
        plain("/operator/tariff"),
        then("/operator/tariff", "/operator/tariff".to_owned(), &[TRIED]),
        plain("/operator/validators"),
        plain("/sign-in"),
        place("/sign-in", "/sign-in?link=0000".to_owned()),
        plain("/sign-in/command"),
        plain("/sessions"),
        place("", "/nothing-is-here".to_owned()),
    ]
}

#[test]
fn every_path_that_has_a_page_is_among_the_places() {
    let node = e2e::node::Up::new().devices(1).start();
    let owner = Person::of(&node, "owner-1");
    let kid = device_of(&node, &owner);
    let known: Vec<&str> = places(&node, &owner, &kid, &kid).iter().map(|place| place.route).collect();
    let mut seen = 0;
    for source in ROUTES {
        let text = fs::read_to_string(xtask::process::root().join(source)).expect("the source is there");
        for line in text.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
            let (path, handler) = line.split_once('"').expect("a path is text");
            if path != NO_PAGE && !handler.starts_with(", post(") {
                assert!(known.contains(&path), "{path} of {source} is not among the places");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "the routers' paths are found: {seen}");
}
