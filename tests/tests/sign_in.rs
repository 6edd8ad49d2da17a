//! Signing in as a new user does: the first run's link, `lamppost login` from start to finish, a passkey, the way out; with
//! JavaScript off where it is not needed, and over a restart.

use e2e::broker::free_address;
use e2e::node::{Node, Up};
use e2e::people::Person;
use e2e::program::{self, Ended};
use e2e::wait;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thirtyfour::ChromeCapabilities;
use thirtyfour::prelude::*;

/// The browser starts no service of its own, asks nobody outside, and runs where there is no graphics card.
const FLAGS: [&str; 10] = [
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
];

/// A browser with a profile of its own, and what drives it.
struct Browser {
    driver: WebDriver,
    address: String,
    child: Child,
    _profile: TempDir,
}

impl Drop for Browser {
    /// Killed at once, chromedriver would leave its browser running: so it is asked first, which also ends the session.
    fn drop(&mut self) {
        drop(self.driver.clone().leak());
        drop(ureq::get(format!("http://{}/shutdown", self.address)).call());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Browser {
    async fn open(javascript: bool) -> WebDriverResult<Browser> {
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
        wait::until_true("chromedriver listens", wait::SHORT, || TcpStream::connect(&address).is_ok());
        let capabilities = capabilities(javascript, profile.path())?;
        let driver = WebDriver::new(format!("http://{address}"), capabilities).await?;
        Ok(Browser { driver, address, child, _profile: profile })
    }

    async fn see(&self, url: &str) -> WebDriverResult<()> {
        self.driver.goto(url).await
    }

    async fn text(&self, css: &str) -> WebDriverResult<String> {
        self.driver.find(By::Css(css)).await?.text().await
    }

    async fn press(&self, css: &str) -> WebDriverResult<()> {
        self.driver.find(By::Css(css)).await?.click().await
    }

    async fn picture(&self, name: &str) -> WebDriverResult<()> {
        let directory = xtask::process::target_dir().join("screenshots");
        std::fs::create_dir_all(&directory).expect("target/screenshots can be made");
        self.driver.screenshot(&directory.join(format!("{name}.png"))).await
    }

    /// Waits until the page's header says so: a page that is being left may still answer.
    async fn header_says(&self, words: &str) -> WebDriverResult<()> {
        let deadline = Instant::now() + wait::SHORT;
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            let said = match self.driver.find(By::Css(".viewer")).await {
                Ok(header) => header.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if said.contains(words) {
                return Ok(());
            }
            assert!(Instant::now() < deadline, "the header says `{said}`, not `{words}`");
        }
    }

    /// Gives the browser a fingerprint reader that always says yes (WebAuthn Level 3 §11).
    async fn has_a_fingerprint_reader(&self) -> WebDriverResult<()> {
        let session = self.driver.session_id().clone();
        let url = format!("http://{}/session/{session}/webauthn/authenticator", self.address);
        let reader = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "isUserConsenting": true,
        });
        let answer = ureq::post(&url).content_type("application/json").send(reader.to_string());
        let answer = answer.expect("chromedriver plugs it in").body_mut().read_to_string();
        assert!(answer.expect("it answers").contains("value"));
        Ok(())
    }
}

fn capabilities(javascript: bool, profile: &Path) -> WebDriverResult<ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    for flag in FLAGS {
        capabilities.add_arg(flag)?;
    }
    capabilities.add_arg("--window-size=1280,1000")?;
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    if let Some(chromium) = xtask::process::find("chromium") {
        capabilities.set_binary(&chromium.to_string_lossy())?;
    }
    if !javascript {
        let prefs = json!({"profile.managed_default_content_settings.javascript": 2});
        capabilities.add_experimental_option("prefs", prefs)?;
    }
    Ok(capabilities)
}

/// The link that the first run of `up` prints for its operator.
fn first_link(node: &Node) -> String {
    let said = node.stderr();
    let link = said.split_whitespace().find(|word| word.contains("/sign-in?link="));
    link.unwrap_or_else(|| panic!("no link in\n{said}")).to_owned()
}

/// `http://localhost:PORT`, which passkeys can be bound to.
fn by_name(node: &Node) -> String {
    node.http.replace("127.0.0.1", "localhost")
}

fn login(person: &Person, node: &Node) -> Value {
    let printed = person.does(node, &["login", "--json"]).success();
    serde_json::from_str(&printed).expect("--json prints JSON")
}

#[tokio::test]
async fn the_first_run_lets_the_operator_in_and_a_restart_keeps_them() -> WebDriverResult<()> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let mut node = Up::new().data(&data).start();
    let link = first_link(&node);
    let browser = Browser::open(false).await?;
    browser.see(&link).await?;
    browser.picture("sign-in-link").await?;
    browser.press("main form button").await?;
    browser.header_says("Operator lamp1").await?;
    assert_eq!(node.terminate().code(), Some(0));
    let address = node.http.strip_prefix("http://").expect("an address").to_owned();
    drop(node);
    let node = Up::new().data(&data).http(&address).start();
    assert!(!node.stderr().contains("/sign-in?link="), "only the first run prints a link");
    browser.see(&format!("{}/sessions", by_name(&node))).await?;
    browser.header_says("Operator").await?;
    assert!(browser.text("#sessions-title + table").await?.contains("by the link of the first run"));
    browser.picture("sessions-without-javascript").await?;
    browser.press(".viewer button").await?;
    browser.header_says("Sign in").await?;
    browser.see(&link).await?;
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
    assert!(link.starts_with(&by_name(&node)) && !link.contains(char::is_whitespace), "{link}");
    let browser = Browser::open(false).await?;
    browser.see(&format!("{}/sign-in", by_name(&node))).await?;
    assert!(browser.text("main").await?.contains("lamppost login"));
    assert!(browser.text("main").await?.contains("Passkeys need JavaScript"));
    browser.picture("sign-in-without-javascript").await?;
    browser.see(link).await?;
    assert!(browser.text("main").await?.contains("works once"));
    browser.press("main form button").await?;
    browser.header_says("Owner lamp1").await?;
    let again = Browser::open(false).await?;
    again.see(link).await?;
    assert!(again.text("[role=alert]").await?.contains("used already"));

    // On a machine that reaches no node, by a command with the challenge in it.
    again.see(&format!("{}/sign-in/command", by_name(&node))).await?;
    again.picture("sign-in-command").await?;
    let shown = again.text("main code").await?;
    let words = shown.split_whitespace().skip(1).filter(|word| !["--key", "owner.pem"].contains(word));
    let words: Vec<&str> = words.collect();
    let answered = owner.does(&node, &words).success();
    again.driver.find(By::Css("textarea")).await?.send_keys(answered.trim()).await?;
    again.press("main form button").await?;
    again.header_says("Owner lamp1").await?;
    again.see(&format!("{}/sessions", by_name(&node))).await?;
    assert_eq!(again.driver.find_all(By::Css("#sessions-title ~ table tbody tr")).await?.len(), 2);
    again.press("form[action='/sessions/revoke-all'] button").await?;
    again.header_says("Sign in").await?;
    browser.see(&format!("{}/", by_name(&node))).await?;
    browser.header_says("Sign in").await?;
    Ok(())
}

#[tokio::test]
async fn a_passkey_signs_in_again_and_a_removed_one_does_not() -> WebDriverResult<()> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let mut node = Up::new().data(&data).start();
    let operator = Person::of(&node, "operator");
    let site = by_name(&node);
    let browser = Browser::open(true).await?;
    browser.has_a_fingerprint_reader().await?;
    browser.see(login(&operator, &node)["url"].as_str().expect("a link")).await?;
    browser.press("main form button").await?;
    browser.header_says("Operator").await?;
    browser.see(&format!("{site}/sessions")).await?;
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
        browser.see(&format!("{site}/sign-in")).await?;
        browser.press("#passkey-sign-in").await
    };
    browser.see(&format!("{site}/sign-in")).await?;
    browser.picture("sign-in").await?;
    sign_in().await?;
    browser.header_says("Operator").await?;
    browser.see(&format!("{site}/sessions")).await?;
    assert!(browser.text("main").await?.contains("with a passkey"));
    let field = browser.driver.find(By::Css("form[action='/passkeys/rename'] input[name=name]")).await?;
    field.clear().await?;
    field.send_keys("Old telephone").await?;
    browser.press("form[action='/passkeys/rename'] button").await?;
    let renamed = browser.driver.query(By::Css("form[action='/passkeys/rename'] input[value='Old telephone']"));
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
    browser.see(&format!("{}/sign-in", node.http)).await?;
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
