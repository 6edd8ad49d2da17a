//! Devices, their sessions, and their messages on the way.

use devices::{DeviceId, TopicKind};
use gateway::admit::Arrival;

use super::{BEGIN_UNIX_MILLISECONDS, City, Moment};
use crate::checker::Violation;
use crate::faults::Fault;

/// Envelopes that somebody else posts as well, permille.
const POSTED: u64 = 15;

impl City {
    /// A device gets power and a session, where it has none and there is one to get.
    pub(super) fn connect(&mut self, device: usize) -> Result<(), Violation> {
        let unix_seconds = (BEGIN_UNIX_MILLISECONDS + self.now) / 1_000;
        if !self.devices[device].is_on() {
            let kid = self.devices[device].kid;
            self.trace.note(self.now, format_args!("{kid} gets power"));
            let started = self.devices[device].start(self.now, unix_seconds);
            started.map_err(|error| format!("{kid} does not start: {error}"))?;
        }
        if self.devices[device].session.is_none() {
            if self.scenario.broker_embedded && self.process.is_none() {
                self.soon(2_000, Moment::Connect(device));
            } else {
                self.open_session(device);
            }
        }
        self.device_turn(device)
    }

    fn open_session(&mut self, device: usize) {
        self.next_session += 1;
        let session = self.next_session;
        self.devices[device].session_opened(self.now, session);
        if let Some(payload) = self.broker.retained(self.devices[device].kid).cloned() {
            self.soon(self.scenario.latency, Moment::Down { device, session, kind: TopicKind::Ack, payload });
        }
    }

    /// A device samples and sends what is due, and plans its next turn.
    pub(super) fn device_turn(&mut self, device: usize) -> Result<(), Violation> {
        if !self.devices[device].is_on() {
            return Ok(());
        }
        let kid = self.devices[device].kid;
        let Some(turn) = self.devices[device].turn(self.now) else {
            self.faults.count(Fault::DevicePowerLoss);
            self.trace.note(self.now, format_args!("{kid} loses power while it writes"));
            self.soon(4_000, Moment::Connect(device));
            return Ok(());
        };
        if let Some(sequence) = turn.kept {
            self.checker.kept(kid, sequence)?;
        }
        for (sequence, envelope) in turn.sent {
            self.checker.sent(kid, sequence, &envelope);
            self.trace.note(self.now, format_args!("{kid} sends {sequence}"));
            for (at, copy) in self.broker.carry(&self.scenario, self.now, &envelope, true) {
                self.at(at, Moment::Up(kid, copy));
            }
            if self.chance.happens(POSTED) && !self.peace {
                self.soon(5_000, Moment::Post(envelope));
            }
        }
        let Some(next) = self.devices[device].wake_at(self.now) else { return Ok(()) };
        if self.turns[device] <= self.now || next < self.turns[device] {
            self.turns[device] = next;
            self.at(next, Moment::Device(device));
        }
        Ok(())
    }

    /// A message reaches a device, if it still is in the session that the message was sent in.
    pub(super) fn deliver(
        &mut self,
        device: usize,
        session: u64,
        kind: TopicKind,
        payload: &[u8],
    ) -> Result<(), Violation> {
        if self.devices[device].session != Some(session) {
            return Ok(());
        }
        let read = match kind {
            TopicKind::Ack => self.devices[device].acknowledged(self.now, payload),
            // The node of a simulated city says nothing else.
            _ => self.devices[device].refused(payload),
        };
        if !read {
            return Err(format!("{} cannot read what the node says", self.devices[device].kid));
        }
        self.device_turn(device)
    }

    /// A message reaches the node, if there is one.
    pub(super) fn arrive(&mut self, kid: DeviceId, bytes: Vec<u8>) -> Result<(), Violation> {
        if let Some(process) = &mut self.process {
            // Where there is no room the broker waits; that it forgets is what the device is ready for.
            let _taken = process.take(Arrival { bytes, topic_kid: Some(kid), ticket: None });
        }
        Ok(())
    }

    pub(super) fn close_sessions(&mut self) {
        for device in 0..self.devices.len() {
            if self.devices[device].session.is_some() {
                self.devices[device].session_closed();
                self.soon(4_000, Moment::Connect(device));
            }
        }
    }
}
