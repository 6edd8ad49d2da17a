//! The process behind `cargo xtask bench network`: measures a network of four validators and a gateway, and prints the table.

use e2e::network::figures::{Extent, measure};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Option<Vec<u64>> = words.iter().map(|word| word.parse().ok()).collect();
    let Some(&[seconds, blocks_behind]) = numbers.as_deref() else {
        eprintln!("usage: network_figures SECONDS BLOCKS_BEHIND");
        return ExitCode::from(2);
    };
    println!("{}", measure(Extent { seconds, blocks_behind }));
    ExitCode::SUCCESS
}
