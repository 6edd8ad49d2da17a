//! What axe-core finds on every page, for everybody who may look at it, by day and by night, on a desk and on the narrowest
//! telephone: nothing. And no page has to be pushed sideways.

use std::fs;

use e2e::browser::{Browser, Reader};
use e2e::people::Person;
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use xtask::assets;

use crate::pages::WIDER_THAN_THE_SCREEN;
use crate::places::Town;

/// Width, height and whether it is night.
const LOOKS: [(u32, u32, bool); 4] =
    [(1280, 900, false), (1280, 900, true), (320, 800, false), (320, 800, true)];

/// The rules of WCAG 2.2 AA that a program can judge, and those that are good practice beside them. Told is each rule that
/// is broken, with where and why.
const AXE: &str = "
    const done = arguments[arguments.length - 1];
    const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] }).then(
        ({ violations, passes }) => done({
            judged: passes.length,
            broken: violations.flatMap(({ id, nodes }) => nodes.map((node) =>
                id + ': ' + node.target.join(' ') + ': ' + node.failureSummary + ': ' + node.html.slice(0, 200))),
        }),
        (error) => done({ judged: 0, broken: [String(error)] }));";

/// The source of axe-core. The pages' policy lets no page load it, but whoever steers the browser may run it.
fn axe() -> String {
    let file = assets::packages().join("axe-core/axe.min.js");
    fs::read_to_string(file).expect("`cargo xtask test browser` fetches axe-core")
}

/// What is wrong with every page of the town for this one, each once.
async fn faults(town: &Town, who: Option<(&Person, &str)>) -> WebDriverResult<Vec<String>> {
    let browser = Browser::open(Reader::default()).await?;
    if let Some((person, role)) = who {
        town.lets_in(&browser, person, role).await?;
    }
    let axe = axe();
    let mut faults = Vec::new();
    for place in &town.places {
        let (width, height, dark) = LOOKS[0];
        browser.looks(width, height, 1.0, dark);
        town.visit(&browser, place).await?;
        browser.driver.execute(axe.as_str(), Vec::new()).await?;
        for (width, height, dark) in LOOKS {
            browser.looks(width, height, 1.0, dark);
            let at = format!("{} at {width} pixels{}", place.path, if dark { " in the dark" } else { "" });
            let found = browser.driver.execute_async(AXE, Vec::new()).await?.json().clone();
            assert!(found["judged"].as_u64() > Some(5), "axe-core judged {at}: {found}");
            let broken = found["broken"].as_array().into_iter().flatten();
            faults.extend(broken.map(|fault| format!("{at}: {}", fault.as_str().unwrap_or_default())));
            let wide: Value = browser.asked(WIDER_THAN_THE_SCREEN).await?;
            if wide != json!([]) {
                faults.push(format!("{at} scrolls sideways: {wide}"));
            }
        }
    }
    browser.close().await?;
    Ok(faults)
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page_for_a_stranger() -> WebDriverResult<()> {
    let town = Town::new();
    assert_eq!(faults(&town, None).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page_for_an_owner() -> WebDriverResult<()> {
    let town = Town::new();
    assert_eq!(faults(&town, Some((&town.owner, "Owner"))).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page_for_the_operator() -> WebDriverResult<()> {
    let town = Town::new();
    assert_eq!(faults(&town, Some((&town.operator, "Operator"))).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn axe_does_find_what_is_wrong() -> WebDriverResult<()> {
    let town = e2e::node::Up::new().start();
    let browser = Browser::open(Reader::default()).await?;
    browser.see(&town, "/").await?;
    browser.asked("document.querySelector('.search input').removeAttribute('aria-label'); document.querySelector('.search input').removeAttribute('placeholder')").await?;
    browser.driver.execute(axe(), Vec::new()).await?;
    let found = browser.driver.execute_async(AXE, Vec::new()).await?.json().clone();
    assert!(found["broken"].to_string().contains("label"), "{found}");
    browser.close().await
}
