//! `lamppost bench idle`: what a node takes that has little to do: `lamppost up` with its virtual devices.

use std::time::Duration;

use super::child::Child;
use super::measure::Usage;
use super::{Figure, Scratch, Settings, say};

/// What a node needs to come to rest.
const SETTLING: Duration = Duration::from_secs(3);

/// Starts `lamppost up` as a user would, on free ports, waits for its ready line, and gives the pages' HOST:PORT from it.
///
/// # Errors
/// When it does not start.
pub fn up(scratch: &Scratch, devices: &str) -> anyhow::Result<(Child, String)> {
    let data = scratch.data();
    let data = data.to_str().unwrap_or_default();
    let any = "127.0.0.1:0";
    let mut up = Child::start(["up", "--data", data, "--http", any, "--mqtt", any, "--devices", devices])?;
    loop {
        let line = up.line()?;
        if let Some(ready) = line.strip_prefix("ready http=http://") {
            let address = ready.split(' ').next().unwrap_or_default().to_owned();
            return Ok((up, address));
        }
    }
}

/// What a node used before and after so many seconds, once it has come to rest. What a span of time costs is measured, so it
/// is the clock that is waited for.
pub fn watched(node: &Child, seconds: u32) -> [Usage; 2] {
    std::thread::sleep(SETTLING);
    say("watching it");
    let before = node.usage();
    std::thread::sleep(Duration::from_secs(seconds.into()));
    [before, node.usage()]
}

/// Measures a node at rest.
///
/// # Errors
/// When it does not start.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let devices = settings.devices.to_string();
    let (up, _) = up(&scratch, &devices)?;
    let [before, after] = watched(&up, settings.seconds);
    up.terminate()?;
    let seconds = f64::from(settings.seconds);
    Ok(Figure {
        name: "idle: memory of a node with its virtual devices".to_owned(),
        unit: "MB",
        value: after.peak_rss_bytes / 1e6,
        ceiling: None,
        details: vec![
            ("CPU", (after.cpu_seconds - before.cpu_seconds) / seconds * 100.0, "% of a core"),
            ("RSS", after.rss_bytes / 1e6, "MB"),
            ("devices", f64::from(settings.devices), ""),
        ],
    })
}
