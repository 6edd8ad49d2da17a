//! What a person does at a browser beyond looking: types, chooses and drops files, saves one, loses the network.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::node::Node;
use crate::wait;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use super::Browser;

/// How the network does.
#[derive(Debug, Clone, Copy)]
pub enum Line {
    /// As fast as the machine.
    Whole,
    /// A far cell of a mobile network.
    Slow {
        /// Both ways alike.
        bytes_per_second: u32,
        /// Added to each answer.
        latency_milliseconds: u32,
    },
    /// No network at all.
    Cut,
}

/// `http://localhost:PORT`, which keys, sessions and passkeys can be bound to.
pub fn site(node: &Node) -> String {
    node.http.replace("127.0.0.1", "localhost")
}

impl Browser {
    /// As [`Browser::see`], by the name that people sign in at.
    pub async fn see_by_name(&self, node: &Node, path: &str) -> WebDriverResult<()> {
        self.go_to(&format!("{}{path}", site(node))).await
    }

    /// Writes into a field in place of what stands in it.
    pub async fn fill(&self, css: &str, text: &str) -> WebDriverResult<()> {
        let field = self.shown(css).await?;
        field.clear().await?;
        field.send_keys(text).await
    }

    /// Chooses files for a field, all at once.
    pub async fn choose(&self, css: &str, files: &[PathBuf]) -> WebDriverResult<()> {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        self.shown(css).await?.send_keys(names.join("\n")).await
    }

    /// The element, as soon as it is there and seen.
    pub async fn shown(&self, css: &str) -> WebDriverResult<WebElement> {
        let query = self.driver.query(By::Css(css)).wait(wait::SHORT, Duration::from_millis(50));
        query.and_displayed().first().await
    }

    /// Waits until the element is seen, and presses it.
    pub async fn press_shown(&self, css: &str) -> WebDriverResult<()> {
        self.shown(css).await?.click().await
    }

    /// Waits until the element says something like this, whether it is there already or not.
    pub async fn says(&self, css: &str, words: &str) -> WebDriverResult<String> {
        let (place, words) = (json!(css), json!(words));
        let text = format!("document.querySelector({place})?.innerText");
        self.becomes_true(&format!("return ({text} ?? '').includes({words})")).await?;
        let said = self.asked(&format!("return {text}")).await?;
        Ok(said.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the browser is at a path.
    pub async fn comes_to(&self, path: &str) -> WebDriverResult<()> {
        self.becomes_true(&format!("return location.pathname === {}", json!(path))).await
    }

    /// Texts of every element, as they are seen.
    pub async fn texts(&self, css: &str) -> WebDriverResult<Vec<String>> {
        let script =
            format!("[...document.querySelectorAll({})].map((one) => one.innerText.trim())", json!(css));
        let texts = self.asked(&format!("return {script}")).await?;
        Ok(texts.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Micro-tokens of every amount in an element, in the page's order.
    pub async fn amounts(&self, css: &str) -> WebDriverResult<Vec<u64>> {
        let amounts = format!("[...document.querySelectorAll({})].map((one) => one.value)", json!(css));
        let values = self.asked(&format!("return {amounts}")).await?;
        let number = |value: &Value| value.as_str()?.parse().ok();
        Ok(values.as_array().into_iter().flatten().filter_map(number).collect())
    }

    /// Opens a link that signs in, and presses its button.
    pub async fn signs_in_by(&self, link: &str) -> WebDriverResult<()> {
        self.go_to(link).await?;
        self.press("main form button").await?;
        self.header_says("Sign out").await
    }

    /// Keeps what is downloaded from now on in a directory.
    pub async fn downloads_into(&self, directory: &Path) -> WebDriverResult<()> {
        let kept = json!({"behavior": "allow", "downloadPath": directory});
        self.driver.cdp().send_raw("Browser.setDownloadBehavior", kept).await.map(drop)
    }

    /// Drops files from outside onto an element, as a person drags them there.
    pub async fn drop_on(&self, css: &str, files: &[PathBuf]) -> WebDriverResult<()> {
        let place = self.shown(css).await?;
        place.scroll_into_view().await?;
        let middle = format!(
            "const box = document.querySelector({}).getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]",
            json!(css)
        );
        let middle = self.asked(&middle).await?;
        for kind in ["dragEnter", "dragOver", "drop"] {
            let dragged = json!({"items": [], "files": files, "dragOperationsMask": 1});
            let event = json!({"type": kind, "x": middle[0], "y": middle[1], "data": dragged});
            self.driver.cdp().send_raw("Input.dispatchDragEvent", event).await?;
        }
        Ok(())
    }

    /// Gives the open page, and those that come after it, such a network.
    pub async fn has_line(&self, line: Line) -> WebDriverResult<()> {
        let (offline, latency, pace) = match line {
            Line::Whole => (false, 0, -1),
            Line::Slow { bytes_per_second, latency_milliseconds } => {
                (false, latency_milliseconds, i64::from(bytes_per_second))
            }
            Line::Cut => (true, 0, -1),
        };
        let conditions = json!({
            "offline": offline, "latency": latency, "downloadThroughput": pace, "uploadThroughput": pace,
        });
        let cdp = self.driver.cdp();
        cdp.send_raw("Network.enable", json!({})).await?;
        cdp.send_raw("Network.emulateNetworkConditions", conditions).await.map(drop)
    }
}
