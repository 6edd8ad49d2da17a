//! Writes the valid inputs of every entry point into DIRECTORY/NAME/, where a fuzzer begins with them.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seeds DIRECTORY");
        return ExitCode::from(2);
    };
    for entry in decoders::ALL {
        let directory = directory.join(entry.name);
        let written = fs::create_dir_all(&directory).and_then(|()| {
            (entry.seeds)()
                .iter()
                .enumerate()
                .try_for_each(|(at, seed)| fs::write(directory.join(format!("seed-{at}")), seed))
        });
        if let Err(error) = written {
            eprintln!("{}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
