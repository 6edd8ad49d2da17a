//! One suite under way: its steps run one after the other, their output goes to a file, their counts add up.

use crate::process::{self, Failure, say};
use crate::tally::Tally;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A step that runs longer than this hangs: it is ended and counts as failed.
const STEP_SECONDS_MAX: u64 = 25 * 60;
/// How often a running step's output is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How much of a failed step's output is repeated on the terminal; all of it lies in the file.
const FAILURE_LINES_MAX: usize = 120;

/// A suite that is running.
#[derive(Debug)]
pub struct Run {
    name: &'static str,
    log: PathBuf,
    verbose: bool,
    tally: Tally,
    started: Instant,
}

impl Run {
    /// Starts the suite's clock and its empty log under `target/xtask/`.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub fn start(name: &'static str, verbose: bool) -> Result<Self, Failure> {
        let directory = process::target_dir().join("xtask");
        let log = directory.join(format!("{name}.log"));
        let made = fs::create_dir_all(&directory).and_then(|()| File::create(&log));
        made.map_err(|error| Failure::new(format!("{} cannot be written: {error}", log.display())))?;
        Ok(Run { name, log, verbose, tally: Tally::default(), started: Instant::now() })
    }

    /// The counts so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// A command that must exit with 0; it counts one.
    pub fn check(&mut self, command: Command) -> bool {
        self.step(command, |_, succeeded| if succeeded { Tally::PASSED } else { Tally::FAILED })
    }

    /// A `cargo test`, whose tests are counted.
    pub fn tests(&mut self, command: Command) -> bool {
        self.step(command, Tally::of_cargo_test)
    }

    /// A command that the next step needs; it counts only if it fails.
    pub fn prepare(&mut self, command: Command) -> bool {
        self.step(command, |_, succeeded| if succeeded { Tally::default() } else { Tally::FAILED })
    }

    /// The outcome of work that was done in this process; it counts one.
    pub fn outcome(&mut self, outcome: Result<(), Failure>) -> bool {
        match outcome {
            Ok(()) => self.tally += Tally::PASSED,
            Err(failure) => {
                say(&format!("{}: {failure}", self.name));
                self.tally += Tally::FAILED;
                return false;
            }
        }
        true
    }

    /// Says why something cannot be tested on this machine.
    pub fn skip(&mut self, reason: &str) {
        say(&format!("{}: skipped: {reason}", self.name));
        self.tally += Tally::SKIPPED;
    }

    fn step(&mut self, mut command: Command, count: impl Fn(&str, bool) -> Tally) -> bool {
        let typed = process::shown(&command);
        say(&format!("{}: $ {typed}", self.name));
        // Colours would stand in the log as control characters.
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_PROGRESS_WHEN", "never");
        let (output, succeeded) = match self.run_logged(&mut command, &typed) {
            Ok((output, status)) => (output, status.success()),
            Err(error) => (process::cannot_start(&command, &error).to_string(), false),
        };
        let counted = count(&output, succeeded);
        self.tally += counted;
        if counted.failed > 0 {
            self.show_failure(&typed, &output);
        }
        counted.failed == 0
    }

    /// The step's output goes to a file, not through a pipe: a child of a child that outlives the step would hold
    /// a pipe open and this program with it.
    fn run_logged(&self, command: &mut Command, typed: &str) -> io::Result<(String, ExitStatus)> {
        let mut log = File::options().append(true).open(&self.log)?;
        writeln!(log, "$ {typed}")?;
        let from = log.metadata()?.len();
        let mut child = command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log)).spawn()?;
        let deadline = Instant::now() + Duration::from_secs(STEP_SECONDS_MAX);
        let mut shown = from;
        let (_never, pause) = mpsc::channel::<()>();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                say(&format!("{}: ended after {STEP_SECONDS_MAX} s without a result", self.name));
                child.kill()?;
            }
            if self.verbose {
                shown = copy_tail(&self.log, shown)?;
            }
            // A sender that never sends: a pause that says how long it is.
            let _timeout = pause.recv_timeout(LOOK_INTERVAL);
        };
        if self.verbose {
            copy_tail(&self.log, shown)?;
        }
        Ok((read_from(&self.log, from)?, status))
    }

    fn show_failure(&self, typed: &str, output: &str) {
        let lines: Vec<&str> = output.lines().filter(|line| !is_good_news(line)).collect();
        let first = lines.len().saturating_sub(FAILURE_LINES_MAX);
        eprintln!("--- {}: the end of `{typed}` ({} has all of it)", self.name, self.log.display());
        if !self.verbose {
            for line in &lines[first..] {
                eprintln!("{line}");
            }
        }
        eprintln!("---");
    }
}

/// A line of a runner that says nothing about a failure.
fn is_good_news(line: &str) -> bool {
    let line = line.trim();
    let passed = line.starts_with("test ") && line.ends_with("... ok");
    let begins = ["running ", "Running ", "Compiling ", "Checking ", "Blocking ", "test result: ok"];
    line.is_empty() || passed || begins.iter().any(|beginning| line.starts_with(beginning))
}

/// What was written to the file since byte `from`. Runners may print bytes that are no text.
fn read_from(path: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Repeats on standard error what was written since byte `from`; gives the new end.
fn copy_tail(path: &Path, from: u64) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let copied = io::copy(&mut file, &mut io::stderr().lock())?;
    Ok(from + copied)
}

/// One line of the summary: the suite, how long it took, and its counts.
pub fn line(name: &str, elapsed: Duration, tally: Tally) -> String {
    let verdict = if tally.failed > 0 { "FAILED" } else { "ok" };
    format!("{name:<10} {verdict:<6} {:>7.1} s  {tally}", elapsed.as_secs_f64())
}
