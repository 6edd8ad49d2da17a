//! kill -9 of the real process, round after round: what was acknowledged is on the ledger, once, and paid once.
//!
//! Three devices publish, an account pays by HTTP, and the node is killed: at work, at the end of an epoch, while it
//! starts (and replays its log), or while it ends (and writes its snapshot). The devices keep what nobody acknowledged
//! and send it again, as the firmware does. The log is read back over HTTP after every start, and once more from its
//! first entry at the end.

pub(crate) mod entries;
pub(crate) mod fleet;
pub(crate) mod payer;

use crate::chance::Chance;
use crate::mqtt::Device;
use crate::node::{Node, Up};
use crate::program;
use crate::sensor::unix_milliseconds;
use crate::wait;
use entries::Entries;
use fleet::Fleet;
use payer::Payer;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Short, so that a round can wait for an epoch's end.
const EPOCH_SECONDS: u32 = 1;
/// A kill at an epoch's end comes from so much before it …
const BEFORE_EDGE_MILLISECONDS: u64 = 10;
/// … to so much after it.
const AFTER_EDGE_MILLISECONDS: u64 = 70;
/// A node that is told to end is killed within this time.
const ENDING_MILLISECONDS: u64 = 80;
/// How long the devices are given for a round's acknowledgements.
const PATIENCE: Duration = wait::LONG;
/// More than a device's window, so that a kill meets every part of it.
const ACKNOWLEDGEMENTS_MAX: u64 = 100;

/// When a round's kill comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// After some acknowledgements.
    Working,
    /// Around the end of an epoch, when rewards are posted.
    EpochEnd,
    /// Before it serves: it opens its log and replays it.
    Starting,
    /// After SIGTERM: it writes what it has, its index and its snapshot.
    Ending,
}

impl Moment {
    const ALL: [Moment; 4] = [Moment::Working, Moment::EpochEnd, Moment::Starting, Moment::Ending];

    fn words(self) -> &'static str {
        match self {
            Moment::Working => "at work",
            Moment::EpochEnd => "at an epoch's end",
            Moment::Starting => "while starting",
            Moment::Ending => "while ending",
        }
    }
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Kills, by their moment.
    pub kills: BTreeMap<Moment, u32>,
    /// Envelopes whose ack the devices have.
    pub envelopes_acknowledged: u64,
    /// Instructions that were answered with 202.
    pub instructions_accepted: u64,
    /// Acknowledged envelopes and accepted instructions that are not in the log.
    pub lost: u64,
    /// Entries that are in the log twice, or that a statement or a balance counts more than once.
    pub paid_twice: u64,
    /// Starts that found a block torn at the log's end and cut it off.
    pub torn_tails: u32,
    /// Entries in the log at the end.
    pub entries: u64,
    /// What does not fit together, a sentence each.
    pub contradictions: Vec<String>,
}

impl Report {
    /// Rounds done.
    pub fn rounds(&self) -> u32 {
        self.kills.values().sum()
    }

    /// The figures so far, in a few words.
    pub fn progress(&self) -> String {
        format!(
            "{} acknowledged, {} accepted, {} lost, {} torn tails",
            self.envelopes_acknowledged, self.instructions_accepted, self.lost, self.torn_tails
        )
    }

    /// Whether nothing was lost, nothing was paid twice and everything fits.
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.paid_twice == 0 && self.contradictions.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moments: Vec<String> =
            self.kills.iter().map(|(moment, kills)| format!("{kills} {}", moment.words())).collect();
        writeln!(out, "{} rounds: {}", self.rounds(), moments.join(", "))?;
        writeln!(
            out,
            "{} envelopes acknowledged, {} instructions accepted, {} entries in the log",
            self.envelopes_acknowledged, self.instructions_accepted, self.entries
        )?;
        write!(
            out,
            "{} lost, {} paid twice, {} torn tails cut",
            self.lost, self.paid_twice, self.torn_tails
        )?;
        self.contradictions.iter().try_for_each(|sentence| write!(out, "\n{sentence}"))
    }
}

/// Kills a node in `directory` in that many rounds, at moments that follow from the seed, and tells after each.
///
/// # Panics
/// Where the node does not come up, or does not acknowledge at all.
pub fn run(directory: &Path, rounds: u32, seed: u64, mut tell: impl FnMut(&Report)) -> Report {
    let mut crash = Crash::begin(directory, seed);
    for round in 0..rounds {
        crash.round(round);
        tell(&crash.report);
    }
    crash.end()
}

struct Crash {
    data: PathBuf,
    chance: Chance,
    fleet: Fleet,
    payer: Payer,
    entries: Entries,
    /// How long the last whole start took.
    start: Duration,
    report: Report,
}

impl Crash {
    fn begin(directory: &Path, seed: u64) -> Crash {
        let data = directory.join("data");
        let up = || Up::new().epoch_seconds(EPOCH_SECONDS).data(&data);
        let mut node = up().start();
        let fleet = Fleet::enrolled(&node);
        let payer = Payer::funded(&node);
        node.terminate();
        let began = Instant::now();
        let mut node = up().start();
        let start = began.elapsed();
        node.terminate();
        let (chance, entries, report) = (Chance::new(seed), Entries::default(), Report::default());
        Crash { data, chance, fleet, payer, entries, start, report }
    }

    fn up(&self) -> Up {
        Up::new().epoch_seconds(EPOCH_SECONDS).data(&self.data)
    }

    fn round(&mut self, round: u32) {
        let moment = Moment::ALL[self.chance.place(Moment::ALL.len())];
        match moment {
            Moment::Starting => {
                // A little more than a start takes, so that some kills meet its last moments and the first after it.
                let after = self.start.mul_f64(self.chance.below(1_100) as f64 / 1_000.0);
                let said = self.up().is_killed_after(after);
                self.look_for_a_torn_tail(&said);
            }
            Moment::Working | Moment::EpochEnd | Moment::Ending => {
                let mut node = self.start();
                self.work(&mut node, round, moment);
            }
        }
        *self.report.kills.entry(moment).or_default() += 1;
        self.count();
    }

    /// A node that serves; its log holds everything that was acknowledged before.
    fn start(&mut self) -> Node {
        let began = Instant::now();
        let node = self.up().start();
        self.start = began.elapsed();
        self.look_for_a_torn_tail(&node.stderr());
        if let Err(sentence) = self.entries.read_on(&node) {
            self.report.contradictions.push(sentence);
        }
        self.report.lost = self.missing();
        node
    }

    fn work(&mut self, node: &mut Node, round: u32, moment: Moment) {
        let device = Device::connect(&node.mqtt, &format!("crash-{round}"), &self.fleet.topics());
        self.fleet.send_again(&device);
        let acknowledgements = 1 + self.chance.below(ACKNOWLEDGEMENTS_MAX);
        let edge_milliseconds = self.chance.below(BEFORE_EDGE_MILLISECONDS + AFTER_EDGE_MILLISECONDS);
        let ending = Duration::from_millis(self.chance.below(ENDING_MILLISECONDS));
        let url = node.http.clone();
        let (fleet, payer) = (&mut self.fleet, &mut self.payer);
        let stopped = AtomicBool::new(false);
        let paid = thread::scope(|scope| {
            // Ends when the node does; or when this thread fails, for which a scope would wait for ever.
            let _stop = StopAtDrop(&stopped);
            let paying = scope.spawn(|| payer.pay_until_it_breaks(&url, &stopped));
            match moment {
                Moment::EpochEnd => fleet.work_until(&device, edge(edge_milliseconds)),
                _ => fleet.work(&device, acknowledgements),
            }
            if moment == Moment::Ending {
                node.is_told_to_end();
                fleet.work_until(&device, Instant::now() + ending);
            }
            node.kill();
            paying.join().expect("the payer reports what it meets")
        });
        // What the broker had handed over before the kill counts too.
        self.fleet.listen(&device);
        self.report.contradictions.extend(paid.err());
    }

    fn look_for_a_torn_tail(&mut self, said: &str) {
        self.report.torn_tails += u32::from(said.contains("torn by a crash"));
    }

    fn count(&mut self) {
        self.report.envelopes_acknowledged = self.fleet.acknowledged().count() as u64;
        self.report.instructions_accepted = self.payer.accepted().len() as u64;
    }

    /// How much of what was acknowledged or accepted is not among the entries that were read.
    fn missing(&self) -> u64 {
        let promised = self.fleet.acknowledged().chain(self.payer.accepted().iter());
        promised.filter(|transaction| self.entries.places(transaction).is_empty()).count() as u64
    }

    /// Lets the devices deliver what they still have, then compares everything with everything.
    fn end(mut self) -> Report {
        let mut node = self.start();
        let device = Device::connect(&node.mqtt, "crash-last", &self.fleet.topics());
        self.fleet.send_again(&device);
        self.fleet.deliver_the_rest(&device);
        self.count();
        node.epoch_passes();
        self.entries = Entries::default();
        if let Err(sentence) = self.entries.read_on(&node) {
            self.report.contradictions.push(sentence);
        }
        self.report.entries = self.entries.size();
        self.report.lost = self.missing();
        self.report.paid_twice = self.entries.twice();
        self.compare_devices(&node);
        self.compare_payments(&node);
        let ended = node.terminate();
        if ended.code() != Some(0) {
            self.report.contradictions.push(format!("the node did not end well: {ended}"));
        }
        let data = self.data.to_str().expect("a temporary path is text");
        let audit = program::run(&["audit", "--data", data]);
        if audit.code != 0 {
            self.report.contradictions.push(format!("the audit says: {}", audit.stderr));
        }
        self.report
    }

    /// What a device sent, what its registry entry counts, what its statements count, what its owner holds.
    fn compare_devices(&mut self, node: &Node) {
        let compared = self.fleet.compare(node);
        self.report.paid_twice += compared.paid_twice;
        self.report.contradictions.extend(compared.contradictions);
    }

    /// Each payment is one micro-token: the receiver holds as many as there are payments in the log.
    fn compare_payments(&mut self, node: &Node) {
        let there = self.payer.tried().filter(|payment| !self.entries.places(payment).is_empty());
        let there = there.count() as u64;
        let held = node.posted(self.payer.receiver());
        self.report.paid_twice += held.saturating_sub(there);
        if held != there {
            let sentence = format!("{there} payments are in the log, their receiver holds {held}");
            self.report.contradictions.push(sentence);
        }
    }
}

/// Tells another thread to stop, also when this one panics.
pub(crate) struct StopAtDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopAtDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The next end of an epoch, moved by what chance says; epochs begin at whole multiples of their length.
fn edge(milliseconds: u64) -> Instant {
    let epoch = u64::from(EPOCH_SECONDS) * 1_000;
    let left = epoch - unix_milliseconds() % epoch;
    Instant::now() + Duration::from_millis((left + milliseconds).saturating_sub(BEFORE_EDGE_MILLISECONDS))
}
