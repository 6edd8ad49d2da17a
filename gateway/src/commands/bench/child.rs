//! A process that a measurement starts: orders go in as lines, answers come out as one JSON line each, and what it uses
//! is read from /proc, so that nothing of the measurement counts as its own.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::measure::Usage;

/// Lines of a process that wait to be read: more than a broker says of all the subscriptions of a measurement.
const LINES_MAX: usize = 4_096;
/// How often what a process uses is read while its end is waited for: its memory's peak is gone when it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// The process; it ends with this.
pub struct Child {
    process: Process,
    orders: Option<ChildStdin>,
    answers: Receiver<io::Result<String>>,
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
        let mut process = spawn(command.stdout(Stdio::piped()))?;
        let stdout = process.stdout.take().context("a process has no stdout")?;
        Ok(Child::of(process, stdout))
    }

    /// Starts a program of others, whose answers are what it logs to stderr: to a pipe, C writes stdout when a buffer
    /// is full, stderr at once.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_other(mut command: Command) -> anyhow::Result<Child> {
        let mut process = spawn(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let stderr = process.stderr.take().context("a process has no stderr")?;
        Ok(Child::of(process, stderr))
    }

    fn of(mut process: Process, said: impl Read + Send + 'static) -> Child {
        let orders = process.stdin.take();
        // Read as they come, so that a broker that tells more than somebody reads does not stop for it.
        let (lines, answers) = mpsc::sync_channel(LINES_MAX);
        thread::spawn(move || {
            let _nobody_reads_on = BufReader::new(said).lines().try_for_each(|line| lines.send(line));
        });
        Child { process, orders, answers }
    }

    /// Its next line.
    ///
    /// # Errors
    /// When it ended instead; it has said why on stderr.
    pub fn line(&mut self) -> anyhow::Result<String> {
        Ok(self.answers.recv().context("a process of the measurement ended early")??)
    }

    /// Everything it still says until it ends, and what it used.
    ///
    /// # Errors
    /// When it fails.
    pub fn rest(mut self) -> anyhow::Result<(String, Usage)> {
        let (mut said, mut usage) = (String::new(), self.usage());
        loop {
            match self.answers.recv_timeout(LOOK) {
                Ok(line) => said.push_str(&line?),
                Err(RecvTimeoutError::Timeout) => usage = self.usage().or(usage),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // It closes what it says into when it ends.
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "a process of the measurement failed ({status})");
        Ok((said, usage))
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
        Ok(self.rest()?.1)
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it fails.
    pub fn terminate(self) -> anyhow::Result<Usage> {
        let terminated = Command::new("kill").arg(self.process.id().to_string()).status();
        terminated.context("`kill` cannot be started")?;
        Ok(self.rest()?.1)
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

fn spawn(command: &mut Command) -> anyhow::Result<Process> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).spawn().with_context(|| format!("{name} cannot start"))
}
