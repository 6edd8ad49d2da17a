//! Other people's implementations: pycose, cbor2 and pyca/cryptography in an environment of their own.

use crate::program::Ended;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// What is installed from PyPI. cbor2 6 no longer has what pycose 1.1 imports.
const PACKAGES: [&str; 3] = ["cbor2<6", "pycose", "cryptography"];

/// The environment's Python; made under `target/` the first time.
///
/// # Panics
/// Where Python cannot make environments, or PyPI does not answer.
pub fn interpreter() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let environment = xtask::process::target_dir().join("pycose");
    let python = environment.join("bin/python");
    let works = |python: &Path| {
        Ended::of(Command::new(python).args(["-c", "import pycose, cbor2, cryptography"])).code == 0
    };
    if !python.is_file() || !works(&python) {
        Ended::of(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment)).success();
        Ended::of(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES)).success();
    }
    python
}

/// Runs a script of `tests/python/` and gives what it prints.
///
/// # Panics
/// Where it fails, with what it said.
pub fn run(script: &str, arguments: &[&str]) -> String {
    ended(script, arguments).success()
}

/// Runs a script of `tests/python/` to its end.
pub fn ended(script: &str, arguments: &[&str]) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    Ended::of(Command::new(interpreter()).arg(script).args(arguments))
}
