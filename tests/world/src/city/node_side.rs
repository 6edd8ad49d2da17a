//! The node's turns, its starts and its deaths.

use devices::{DeviceId, Refusal, Sequence, TopicKind};

use super::{City, Moment};
use crate::checker::Violation;
use crate::disk::Crash;
use crate::faults::Fault;
use crate::process::{Ending, Happened, Process, StartError};

/// Starts that are interrupted, permille.
const INTERRUPTED_STARTS: u64 = 150;
/// Starts after which the power goes at once, permille.
const SECOND_DEATHS: u64 = 250;
/// Effects and disk operations until then, at most.
const SECOND_OPERATIONS: u64 = 8;
/// Disk operations of an interrupted start, at most.
const START_OPERATIONS: u64 = 60;

impl City {
    /// The node does what is due.
    pub(super) fn node_turn(&mut self) -> Result<(), Violation> {
        let unix = self.node_clock();
        let Some(process) = &mut self.process else { return Ok(()) };
        let (happened, ending) = process.turn(self.now, unix);
        self.take_note(happened, &ending)?;
        match ending {
            Ending::Running => {
                let goes_on = self
                    .process
                    .as_mut()
                    .is_none_or(|process| process.snapshot_after(self.scenario.snapshot_blocks));
                if !goes_on {
                    self.die();
                }
            }
            Ending::Died => self.die(),
            Ending::Stopped(error) => self.stopped(&error)?,
        }
        Ok(())
    }

    /// What the node did, as the world sees it and in that order.
    pub(super) fn take_note(&mut self, happened: Vec<Happened>, ending: &Ending) -> Result<(), Violation> {
        let unix = self.node_clock();
        let mut by_this_block: Vec<(DeviceId, Sequence, Refusal)> = Vec::new();
        for one in happened {
            match one {
                Happened::Written(block) => {
                    let (height, entries) = (block.seal.height, block.entries.len());
                    self.trace.note(self.now, format_args!("block {height} is durable, {entries} entries"));
                    self.checker.written(&block)?;
                }
                Happened::Derived(results) => self.checker.derived(&results)?,
                Happened::Published { kid, kind, payload } => self.published(kid, kind, &payload)?,
                Happened::Answered(ticket, answer) => self.answered(ticket, answer)?,
                Happened::Refused { kid: Some(kid), sequence: Some(sequence), reason } => {
                    self.trace.note(self.now, format_args!("{kid} {sequence} is refused: {reason}"));
                    match reason {
                        Refusal::Replayed | Refusal::Revoked => by_this_block.push((kid, sequence, reason)),
                        _ => self.checker.refused(kid, sequence, reason, unix)?,
                    }
                }
                Happened::Refused { .. } => {}
            }
        }
        // The reason may be a transaction of the same block, and is durable only with it.
        if *ending == Ending::Running {
            for (kid, sequence, reason) in by_this_block {
                self.checker.refused(kid, sequence, reason, unix)?;
            }
        }
        Ok(())
    }

    fn published(&mut self, kid: DeviceId, kind: TopicKind, payload: &[u8]) -> Result<(), Violation> {
        if kind == TopicKind::Ack {
            self.checker.acknowledged(kid, payload)?;
        }
        self.broker.retain(kid, kind, payload);
        let Some(device) = self.devices.iter().position(|device| device.kid == kid) else { return Ok(()) };
        let Some(session) = self.devices[device].session else { return Ok(()) };
        for (at, payload) in self.broker.carry(&self.scenario, self.now, payload, false) {
            self.at(at, Moment::Down { device, session, kind, payload });
        }
        Ok(())
    }

    /// The fuse has burnt down.
    fn die(&mut self) {
        let crash = self.crash;
        self.trace.note(self.now, format_args!("the node dies: {crash:?}"));
        self.faults.count(if crash == Crash::Kill { Fault::Kill } else { Fault::PowerLoss });
        self.gone(crash);
        self.soon(3_000, Moment::Start);
    }

    /// The node stopped by itself: only a disk that failed explains that.
    fn stopped(&mut self, error: &str) -> Result<(), Violation> {
        self.trace.note(self.now, format_args!("the node stops: {error}"));
        if self.disk.faults().of(Fault::FailedSync) == self.failed_syncs {
            return Err(format!("the node stops, and nothing was wrong with its disk: {error}"));
        }
        self.gone(Crash::Kill);
        self.soon(3_000, Moment::Start);
        Ok(())
    }

    fn disk_failures(&self) -> u64 {
        let faults = self.disk.faults();
        faults.of(Fault::FailedSync) + faults.of(Fault::DiskFull)
    }

    /// The process is no more.
    pub(super) fn gone(&mut self, crash: Crash) {
        self.process = None;
        self.disk.crash(crash);
        self.hang_up();
        if self.scenario.broker_embedded {
            self.broker.forget();
            self.close_sessions();
        }
    }

    /// The node starts from what the disk holds, and must find all that was promised.
    pub(super) fn start(&mut self) -> Result<(), Violation> {
        if self.process.is_some() {
            return Ok(());
        }
        let is_interrupted = !self.peace && self.before_rot.is_none() && self.crashes_happen();
        if is_interrupted && self.chance.happens(INTERRUPTED_STARTS) {
            self.disk.light_fuse(self.chance.below(START_OPERATIONS) as u32);
        }
        self.failed_syncs = self.disk.faults().of(Fault::FailedSync);
        let failures = self.disk_failures();
        match Process::start(&self.disk, &self.genesis, &self.validator) {
            Ok(process) => {
                self.disk.put_out_fuse();
                self.before_rot = None;
                let blocks: Result<Vec<_>, _> =
                    process.log().reader().blocks().map(|block| block.map(|(_, _, block)| block)).collect();
                let blocks = blocks.map_err(|error| format!("the log cannot be read again: {error}"))?;
                self.trace.note(self.now, format_args!("the node starts with {} blocks", blocks.len()));
                self.checker.recovered(&process.state(), &blocks)?;
                self.process = Some(process);
                if is_interrupted && self.chance.happens(SECOND_DEATHS) {
                    // What the dead process wrote and did not sync must be durable before this one builds on it.
                    self.crash = Crash::PowerLoss;
                    self.disk.light_fuse(self.chance.below(SECOND_OPERATIONS) as u32);
                }
                Ok(())
            }
            Err(StartError::Died) => {
                self.faults.count(Fault::CrashInRecovery);
                let crash = if self.chance.happens(500) { Crash::Kill } else { Crash::PowerLoss };
                self.trace.note(self.now, format_args!("the node dies while it starts: {crash:?}"));
                self.gone(crash);
                self.soon(2_000, Moment::Start);
                Ok(())
            }
            Err(StartError::Refused(why)) => self.start_refused(&why, failures),
        }
    }

    /// A start that refuses is right when a bit has turned over, or the disk failed meanwhile; and only then.
    fn start_refused(&mut self, why: &str, failures: u64) -> Result<(), Violation> {
        self.trace.note(self.now, format_args!("the node refuses to start: {why}"));
        if let Some(rot) = self.before_rot.take() {
            if rot.segments.is_some_and(|segments| segments != self.segments()) {
                return Err(format!("a start refuses a damaged log and has changed it: {why}"));
            }
            self.faults.count(Fault::RotNoticed);
            self.disk.restore(rot.backup);
        } else if self.disk_failures() == failures {
            return Err(format!("the node refuses to start from what a crash left: {why}"));
        } else {
            self.gone(Crash::Kill);
        }
        self.soon(2_000, Moment::Start);
        Ok(())
    }
}
