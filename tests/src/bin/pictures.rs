//! The process behind `cargo xtask pictures`: takes the README's pictures from a node of its own, and says how far it is.

use e2e::pictures::{self, PICTURE_BYTES_MAX, PICTURES_BYTES_MAX};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (directory, readings): (&Path, Option<&Path>) = match &words[..] {
        [directory] => (directory, None),
        [directory, readings] => (directory, Some(readings)),
        _ => {
            eprintln!("usage: pictures DIRECTORY [READINGS]");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let taken = match runtime.block_on(pictures::take(readings, directory, |line| eprintln!("{line}"))) {
        Ok(taken) => taken,
        Err(error) => {
            eprintln!("the browser failed: {error}");
            return ExitCode::FAILURE;
        }
    };
    let bytes: u64 = taken.iter().map(|(_, bytes)| bytes).sum();
    println!("{} pictures, {} KB", taken.len(), bytes.div_ceil(1_000));
    let heavy = taken.iter().find(|(_, bytes)| *bytes > PICTURE_BYTES_MAX);
    if let Some((file, _)) = heavy {
        eprintln!("{} has more than {} KB: show less in it", file.display(), PICTURE_BYTES_MAX / 1_000);
    } else if bytes > PICTURES_BYTES_MAX {
        eprintln!("they have more than {} KB: leave one out", PICTURES_BYTES_MAX / 1_000);
    } else {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}
