//! `simulate --seeds N [--from SEED]`: runs seeds on every core, says how far it is, and stops at the first failure.

use std::process::ExitCode;

use world::simulate;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match simulate::Wanted::parse(&arguments) {
        Ok(wanted) => simulate::command(&wanted),
        Err(usage) => {
            eprintln!("simulate: {usage}");
            ExitCode::from(2)
        }
    }
}
