//! The binary under test, run to its end: its exit code and what it said.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Waits for a command's end.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn of(command: &mut Command) -> Ended {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a command that must succeed.
    ///
    /// # Panics
    /// Where it did not.
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "stderr: {}", self.stderr);
        self.stdout
    }

    /// The one clear sentence of a command that must fail: exit code 1, no panic, no trace.
    ///
    /// # Panics
    /// Where it succeeded, panicked or said nothing.
    pub fn refusal(self) -> String {
        assert_eq!(self.code, 1, "stdout: {}, stderr: {}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        let sentence =
            self.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        assert!(sentence.len() > 10, "one clear sentence is missing: `{}`", self.stderr);
        sentence
    }
}

/// Where the binary lies: what `LAMPPOST` says, or beside the test's own executable in cargo's target directory.
///
/// # Panics
/// Where there is none; `cargo build --workspace` makes it.
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("LAMPPOST") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows its own executable");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("cargo puts tests into PROFILE/deps");
    let binary = profile.join("lamppost");
    assert!(binary.is_file(), "{} is missing: `cargo build --workspace` makes it", binary.display());
    binary
}

/// `lamppost …`, not started yet.
pub fn lamppost(arguments: &[&str]) -> Command {
    let mut command = lamppost_within(&[]);
    command.args(arguments);
    command
}

/// `lamppost` without arguments, started by another program where one is named.
pub fn lamppost_within(starter: &[String]) -> Command {
    let mut command = match starter {
        [] => Command::new(path()),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(path());
            command
        }
    };
    // A variable of the machine's must not steer what is tested.
    let steering = [
        "LAMPPOST_DATA",
        "LAMPPOST_HTTP",
        "LAMPPOST_MQTT",
        "LAMPPOST_NODE",
        "LAMPPOST_PUBLIC_URL",
        "RUST_LOG",
    ];
    for variable in steering {
        command.env_remove(variable);
    }
    command
}

/// Runs `lamppost …` to its end.
pub fn run(arguments: &[&str]) -> Ended {
    Ended::of(&mut lamppost(arguments))
}
