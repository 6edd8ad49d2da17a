//! `lamppost bench start`: how long a node takes to serve again, on a long log, after it was killed.

use super::measure::directory_bytes;
use super::{Figure, Load, Scratch, Settings, idle, ingest, say};
use crate::clock;

/// Envelopes that are signed and fed at once.
const PIECE: f64 = 2_000_000.0;
/// A piece is fed as fast as the node takes it; this is only a bound.
const PIECE_SECONDS: f64 = 600.0;

/// Starts a node and lets it accept envelopes until its log holds so many entries.
///
/// # Errors
/// When it does not accept them.
pub fn filled(settings: &Settings, scratch: &Scratch, transactions: f64) -> anyhow::Result<ingest::Node> {
    let mut node = ingest::start(settings, scratch, &[])?;
    loop {
        let entries = node.ask("counters")?["entries"].as_f64().unwrap_or(0.0);
        if entries >= transactions {
            return Ok(node);
        }
        say(&format!("its log holds {entries} of {transactions} entries"));
        let piece = (transactions - entries).min(PIECE).ceil() as u64;
        let load = Load::sign_envelopes(settings, scratch, piece)?;
        ingest::feed(&mut node, &load, 0.0, PIECE_SECONDS, 0.0)?;
        std::fs::remove_file(&load.path)?;
    }
}

/// Measures a start.
///
/// # Errors
/// When the node does not start.
pub fn measure(settings: &Settings, transactions: u64) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let mut node = filled(settings, &scratch, transactions as f64)?;
    let entries = node.ask("counters")?["entries"].as_f64().unwrap_or(0.0);
    say("killing it, and starting it again");
    node.process.kill();
    let began = clock::monotonic();
    let (up, _) = idle::up(&scratch, "0")?;
    let elapsed = began.elapsed().as_secs_f64();
    let usage = up.usage();
    // As it was found: the next run starts from the same snapshot.
    up.kill();
    let data = scratch.data();
    Ok(Figure {
        name: "start: from kill -9 to the ready line".to_owned(),
        unit: "s",
        value: elapsed,
        ceiling: None,
        details: vec![
            ("entries of the log", entries, ""),
            ("CPU of the start", usage.cpu_seconds, "s"),
            ("peak RSS of the start", usage.peak_rss_bytes / 1e6, "MB"),
            ("log on disk", directory_bytes(&data.join("log")) / 1e6, "MB"),
            ("index on disk", directory_bytes(&data.join("index")) / 1e6, "MB"),
        ],
    })
}
