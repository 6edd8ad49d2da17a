//! `lamppost bench store`: blocks through the log, against a bare file with the same writes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use ledger::block::{Block, Seal};

use super::measure::{Usage, percentile};
use super::{Figure, Scratch, Settings};
use crate::clock;
use crate::log::Log;

/// Transactions of a block, each of the size of a single-reading envelope.
const TRANSACTIONS: usize = 1_024;
const TRANSACTION_BYTES: usize = 200;

/// Measures the log.
///
/// # Errors
/// What the disk says.
pub fn measure(settings: &Settings) -> anyhow::Result<Figure> {
    let scratch = Scratch::new(settings)?;
    let span = Duration::from_secs(settings.seconds.max(1).into());
    let entries: Vec<Vec<u8>> =
        (0..TRANSACTIONS).map(|number| vec![number as u8; TRANSACTION_BYTES]).collect();
    let bytes = TRANSACTIONS * TRANSACTION_BYTES;

    let mut bare = OpenOptions::new().create_new(true).append(true).open(scratch.0.join("bare"))?;
    let buffer = vec![0x5a; bytes];
    let (mut writes, began) = (0_u64, clock::monotonic());
    while began.elapsed() < span {
        bare.write_all(&buffer)?;
        bare.sync_data()?;
        writes += 1;
    }
    let ceiling_per_second = (writes * TRANSACTIONS as u64) as f64 / began.elapsed().as_secs_f64();

    let (mut log, _) = Log::open(&scratch.0.join("log"), [0; 32], 0)?;
    let (mut height, mut latencies) = (0_u64, Vec::new());
    let process = std::process::id();
    let before = Usage::of(process);
    let began = clock::monotonic();
    while began.elapsed() < span {
        let seal = Seal {
            height,
            time_unix_milliseconds: height,
            entries: TRANSACTIONS as u32,
            refused: [0; 8],
            results_root: [0; 32],
            log_root: [0; 32],
            state_root: None,
            settled_epochs: None,
        };
        let block = Block { entries: entries.clone(), seal };
        let asked = clock::monotonic();
        log.append(&block)?;
        latencies.push(asked.elapsed().as_secs_f64() * 1e3);
        height += 1;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let after = Usage::of(process);
    let transactions = (height * TRANSACTIONS as u64) as f64;
    Ok(Figure {
        name: "store: blocks of 1024 x 200 bytes, one fdatasync each".to_owned(),
        unit: "transactions/s",
        value: transactions / elapsed,
        ceiling: Some(("the same bytes, append and fdatasync".to_owned(), ceiling_per_second)),
        details: vec![
            ("written", height as f64 * bytes as f64 / elapsed / 1e6, "MB/s"),
            ("block p50", percentile(&mut latencies, 500), "ms"),
            ("block p99", percentile(&mut latencies, 990), "ms"),
            ("CPU", (after.cpu_seconds - before.cpu_seconds) / transactions * 1e6, "µs/transaction"),
            ("log bytes", log.written_bytes() as f64 / (height as f64 * bytes as f64), "x transaction bytes"),
            ("peak RSS", after.peak_rss_bytes / 1e6, "MB"),
        ],
    })
}
