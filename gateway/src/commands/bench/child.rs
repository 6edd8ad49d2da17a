//! A process that a measurement starts: orders go in as lines, answers come out as one JSON line each, and what it uses
//! is read from /proc, so that nothing of the measurement counts as its own.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::measure::Usage;

/// How often a process that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The process; it ends with this.
pub struct Child {
    process: Process,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program with other words.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("this program's own file is unknown")?;
        let mut command = Command::new(program);
        command.args(words.into_iter().map(Into::into));
        if std::env::var_os("LAMPPOST_LOG").is_none() {
            command.env("LAMPPOST_LOG", "warn,sled=error,rumqttd=off,rumqttc=error");
        }
        Child::of(command)
    }

    /// Starts a program of others.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of(mut command: Command) -> anyhow::Result<Child> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut process = command.spawn().with_context(|| format!("{name} cannot start"))?;
        let orders = process.stdin.take();
        let stdout = process.stdout.take().context("a process has no stdout")?;
        Ok(Child { process, orders, answers: BufReader::new(stdout).lines() })
    }

    /// Its next line.
    ///
    /// # Errors
    /// When it ended instead; it has said why on stderr.
    pub fn line(&mut self) -> anyhow::Result<String> {
        Ok(self.answers.next().context("a process of the measurement ended early")??)
    }

    /// Its next answer.
    ///
    /// # Errors
    /// As [`Child::line`].
    pub fn answer(&mut self) -> anyhow::Result<Value> {
        let line = self.line()?;
        serde_json::from_str(&line).with_context(|| format!("a process of the measurement said {line:?}"))
    }

    /// Gives an order.
    ///
    /// # Errors
    /// When it takes none any more.
    pub fn order(&mut self, order: &str) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("a process of the measurement takes no orders")?;
        orders.write_all(format!("{order}\n").as_bytes()).context("a process of the measurement ended early")
    }

    /// Gives an order and waits for its answer.
    ///
    /// # Errors
    /// As [`Child::answer`].
    pub fn ask(&mut self, order: &str) -> anyhow::Result<Value> {
        self.order(order)?;
        self.answer()
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        Usage::of(self.process.id())
    }

    /// Lets the peak of its memory begin anew.
    pub fn forget_peak(&self) {
        Usage::forget_peak(self.process.id());
    }

    /// Closes its stdin and waits until it has ended; gives what it used, as far as could be seen.
    ///
    /// # Errors
    /// When it fails.
    pub fn finish(mut self) -> anyhow::Result<Usage> {
        self.orders = None;
        self.finished()
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it fails.
    pub fn terminate(mut self) -> anyhow::Result<Usage> {
        let terminated = Command::new("kill").arg(self.process.id().to_string()).status();
        terminated.context("`kill` cannot be started")?;
        self.finished()
    }

    fn finished(&mut self) -> anyhow::Result<Usage> {
        let mut usage = self.usage();
        loop {
            if let Some(status) = self.process.try_wait()? {
                anyhow::ensure!(status.success(), "a process of the measurement failed ({status})");
                return Ok(usage);
            }
            let now = self.usage();
            // A process that is ending has no memory any more.
            usage = Usage { peak_rss_bytes: now.peak_rss_bytes.max(usage.peak_rss_bytes), ..now.or(usage) };
            std::thread::sleep(LOOK);
        }
    }

    /// Ends it as a power failure would (SIGKILL).
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ended_by_itself = self.process.kill();
        let _ended = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.end();
        }
    }
}
