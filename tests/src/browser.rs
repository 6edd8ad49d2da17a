//! A browser of its own for every test: Chromium, driven as its readers use it.

pub mod hands;

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::broker::free_address;
use crate::node::Node;
use crate::wait;
use serde_json::{Value, json};
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

/// How a reader looks at the pages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reader {
    /// No script runs.
    pub without_javascript: bool,
    /// The colours for the night.
    pub dark: bool,
    /// A phone's screen: 390 pixels wide, of two dots each.
    pub phone: bool,
}

/// chromedriver and a browser session with a profile of its own.
pub struct Browser {
    /// What steers it.
    pub driver: WebDriver,
    chromedriver: Chromedriver,
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
    /// Opens one for this reader.
    ///
    /// # Errors
    /// Where there is no Chromium.
    ///
    /// # Panics
    /// Where there is no chromedriver.
    pub async fn open(reader: Reader) -> WebDriverResult<Browser> {
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
        Ok(Browser { driver, chromedriver, _profile: profile })
    }

    /// Goes to this page of the node.
    ///
    /// # Errors
    /// Where the browser is gone.
    pub async fn see(&self, node: &Node, path: &str) -> WebDriverResult<()> {
        self.driver.goto(format!("{}{path}", node.http)).await
    }

    /// As [`Browser::see`], by a whole address.
    ///
    /// # Errors
    /// Where the browser is gone.
    pub async fn go_to(&self, url: &str) -> WebDriverResult<()> {
        self.driver.goto(url).await
    }

    /// Clicks on the first such element.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn press(&self, css: &str) -> WebDriverResult<()> {
        self.driver.find(By::Css(css)).await?.click().await
    }

    /// Waits until the page's header says so: a page that is being left may still answer, or not be there.
    ///
    /// # Errors
    /// Where the browser is gone.
    pub async fn header_says(&self, words: &str) -> WebDriverResult<()> {
        let script = "return document.querySelector('.viewer')?.innerText.replace(/\\s+/g, ' ').includes(";
        self.becomes_true(&format!("{script}{})", json!(words))).await
    }

    /// Gives the browser a fingerprint reader that always says yes (WebAuthn Level 3 §11).
    ///
    /// # Panics
    /// Where chromedriver does not.
    pub fn has_a_fingerprint_reader(&self) {
        let reader = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "isUserConsenting": true,
        });
        self.tell("webauthn/authenticator", &reader);
    }

    /// Makes the window this wide and high, in CSS pixels of so many dots, and light or dark from now on.
    ///
    /// # Panics
    /// Where chromedriver does not.
    pub fn looks(&self, width: u32, height: u32, dots: f64, dark: bool) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": dots, "mobile": false});
        self.develop("Emulation.setDeviceMetricsOverride", &screen);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.develop("Emulation.setEmulatedMedia", &features);
    }

    /// A command of Chromium's developer tools.
    ///
    /// # Panics
    /// Where there is none such.
    pub fn develop(&self, command: &str, parameters: &Value) {
        self.tell("goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    /// What WebDriver's own client does not offer.
    fn tell(&self, path: &str, what: &Value) {
        let session = self.driver.session_id().clone();
        let url = format!("http://{}/session/{session}/{path}", self.chromedriver.address);
        let answer = ureq::post(&url).content_type("application/json").send(what.to_string());
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}: {what}"));
        let answer = answer.into_body().read_to_string();
        assert!(answer.expect("it answers").contains("value"));
    }

    /// The text of the first such element.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn text(&self, css: &str) -> WebDriverResult<String> {
        self.driver.find(By::Css(css)).await?.text().await
    }

    /// Waits until the element's text is as wanted.
    ///
    /// # Errors
    /// Where there is no such element.
    ///
    /// # Panics
    /// Where it never is.
    pub async fn text_becomes(&self, css: &str, wanted: impl Fn(&str) -> bool) -> WebDriverResult<String> {
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

    /// Keeps a picture of what is shown in `target/screenshots/`.
    ///
    /// # Errors
    /// Where the browser is gone.
    ///
    /// # Panics
    /// Where the directory cannot be made.
    pub async fn picture(&self, name: &str) -> WebDriverResult<()> {
        let directory = screenshots();
        std::fs::create_dir_all(&directory).expect("target/screenshots can be made");
        self.driver.screenshot(&directory.join(format!("{name}.png"))).await
    }

    /// Waits until a script that returns a truth says yes.
    ///
    /// # Errors
    /// Where the script fails.
    ///
    /// # Panics
    /// Where it never says yes.
    pub async fn becomes_true(&self, script: &str) -> WebDriverResult<()> {
        let deadline = Instant::now() + wait::SHORT;
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            if self.asked(script).await? == json!(true) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let said: Vec<_> =
                    self.driver.browser_log().await?.into_iter().map(|entry| entry.message).collect();
                panic!("it does not become true: {script}; the browser said {said:?}");
            }
        }
    }

    /// What a script returns.
    ///
    /// # Errors
    /// Where it fails.
    pub async fn asked(&self, script: &str) -> WebDriverResult<Value> {
        Ok(self.driver.execute(script, Vec::new()).await?.json().clone())
    }

    /// What the page complained about: a script's error, a resource that the policy refused.
    ///
    /// # Errors
    /// Where the browser is gone.
    pub async fn complaints(&self) -> WebDriverResult<Vec<String>> {
        let log = self.driver.browser_log().await?;
        Ok(log.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect())
    }

    /// Ends the browser.
    ///
    /// # Errors
    /// Where it had ended before.
    pub async fn close(self) -> WebDriverResult<()> {
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
