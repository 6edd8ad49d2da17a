//! The pages in Chromium: with JavaScript they stay current, without it they are complete, and on a phone they fit.
//! Pictures of what was seen lie in `target/screenshots/`.

use e2e::broker::free_address;
use e2e::node::{Node, Up, microtokens};
use e2e::{page, wait};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel};

/// The browser starts no service of its own, asks nobody outside, and runs where there is no graphics card.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
];

/// Names what sticks out to the right, where that makes the page scroll sideways.
const WIDER_THAN_THE_SCREEN: &str = "
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    const wide = [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > room);
    return ['the page', ...wide.map((one) => one.outerHTML.slice(0, 120))];";

/// How a reader looks at the pages.
#[derive(Debug, Clone, Copy, Default)]
struct Reader {
    without_javascript: bool,
    dark: bool,
    phone: bool,
}

/// chromedriver and a browser session with a profile of its own.
struct Browser {
    driver: WebDriver,
    _chromedriver: Chromedriver,
    _profile: TempDir,
}

struct Chromedriver {
    child: Child,
    address: String,
}

impl Drop for Chromedriver {
    /// Killed at once it would leave its browser running: so it is asked first, which also ends every session.
    fn drop(&mut self) {
        drop(ureq::get(format!("http://{}/shutdown", self.address)).call());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Browser {
    /// The client would wait minutes for an answer where a test has failed; chromedriver ends the session by itself.
    fn drop(&mut self) {
        drop(self.driver.clone().leak());
    }
}

impl Browser {
    async fn open(reader: Reader) -> WebDriverResult<Browser> {
        let profile = tempfile::tempdir().expect("a temporary directory can be made");
        let address = free_address();
        let port = address.rsplit(':').next().expect("HOST:PORT");
        let chromedriver =
            xtask::process::find("chromedriver").expect("`cargo xtask test browser` installs it");
        let child = Command::new(chromedriver)
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let chromedriver = Chromedriver { child, address: address.clone() };
        wait::until_true("chromedriver listens", wait::SHORT, || TcpStream::connect(&address).is_ok());
        let driver = WebDriver::new(format!("http://{address}"), capabilities(reader, &profile)?).await?;
        Ok(Browser { driver, _chromedriver: chromedriver, _profile: profile })
    }

    async fn see(&self, node: &Node, path: &str) -> WebDriverResult<()> {
        self.driver.goto(format!("{}{path}", node.http)).await
    }

    async fn text(&self, css: &str) -> WebDriverResult<String> {
        self.driver.find(By::Css(css)).await?.text().await
    }

    /// Waits until the element's text is as wanted.
    async fn text_becomes(&self, css: &str, wanted: impl Fn(&str) -> bool) -> WebDriverResult<String> {
        let deadline = Instant::now() + wait::SHORT;
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            let text = self.text(css).await?;
            if wanted(&text) {
                return Ok(text);
            }
            assert!(Instant::now() < deadline, "{css} stays as it is: {text}");
        }
    }

    async fn picture(&self, name: &str) -> WebDriverResult<()> {
        let directory = screenshots();
        std::fs::create_dir_all(&directory).expect("target/screenshots can be made");
        self.driver.screenshot(&directory.join(format!("{name}.png"))).await
    }

    /// What the page complained about: a script's error, a resource that the policy refused.
    async fn complaints(&self) -> WebDriverResult<Vec<String>> {
        let log = self.driver.browser_log().await?;
        Ok(log.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect())
    }

    async fn close(self) -> WebDriverResult<()> {
        self.driver.clone().quit().await
    }
}

fn capabilities(reader: Reader, profile: &TempDir) -> WebDriverResult<ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    for flag in FLAGS {
        capabilities.add_arg(flag)?;
    }
    capabilities.add_arg("--window-size=1280,1600")?;
    capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    if let Some(chromium) = xtask::process::find("chromium") {
        capabilities.set_binary(&chromium.to_string_lossy())?;
    }
    if reader.dark {
        capabilities.add_arg("--blink-settings=preferredColorScheme=0")?;
    }
    if reader.without_javascript {
        let prefs = json!({"profile.managed_default_content_settings.javascript": 2});
        capabilities.add_experimental_option("prefs", prefs)?;
    }
    if reader.phone {
        let phone = json!({"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0}});
        capabilities.add_experimental_option("mobileEmulation", phone)?;
    }
    Ok(capabilities)
}

fn screenshots() -> PathBuf {
    xtask::process::target_dir().join("screenshots")
}

/// A node whose devices have earned, and one of the devices.
fn city() -> (Node, Value) {
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
