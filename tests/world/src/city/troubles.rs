//! What goes wrong at a moment, and the peace at the end.

use super::{City, Moment, Rot};
use crate::checker::Violation;
use crate::disk::Crash;
use crate::faults::Fault;
use crate::process::Ending;
use crate::scenario::Trouble;

impl City {
    pub(super) fn crashes_happen(&self) -> bool {
        self.scenario.troubles.iter().any(|(trouble, _)| *trouble == Trouble::Crash)
    }

    /// Something goes wrong, and will again.
    pub(super) fn trouble(&mut self, trouble: Trouble) -> Result<(), Violation> {
        let Some((_, mean)) = self.scenario.troubles.iter().find(|(other, _)| *other == trouble).copied()
        else {
            return Ok(());
        };
        self.soon(2 * mean, Moment::Trouble(trouble));
        self.trace.note(self.now, format_args!("trouble: {trouble:?}"));
        match trouble {
            Trouble::Crash => {
                self.crash = if self.chance.happens(500) { Crash::Kill } else { Crash::PowerLoss };
                self.disk.light_fuse(self.chance.below(80) as u32);
            }
            Trouble::DevicePower => self.cut_device(),
            Trouble::Session => {
                let device = self.chance.place(self.devices.len());
                if self.devices[device].session.is_some() {
                    self.faults.count(Fault::SessionLoss);
                    self.devices[device].session_closed();
                    self.soon(5_000, Moment::Connect(device));
                }
            }
            Trouble::Broker => {
                self.faults.count(Fault::BrokerOutage);
                self.broker.forget();
                for device in 0..self.devices.len() {
                    if self.devices[device].session.is_some() {
                        self.devices[device].session_closed();
                        self.soon(20_000, Moment::Connect(device));
                    }
                }
            }
            Trouble::Clock => {
                self.faults.count(Fault::ClockStep);
                let seconds = self.chance.one_of(&[0, 1, 20, 400]).unwrap_or(0);
                let step = self.chance.below(1_000 * seconds + 1) as i64;
                // Back more than forward: block time waits for a clock that was set back, and the run with it.
                self.clock_offset = if self.chance.happens(700) { -step } else { step / 10 };
            }
            Trouble::Full => {
                let free = self.chance.below(40_000);
                self.disk.set_free(Some(free));
                self.soon(8_000, Moment::Heal(trouble));
            }
            Trouble::Slow => {
                let most = self.chance.within(20, 900);
                self.disk.set_sync_milliseconds(most);
                self.soon(6_000, Moment::Heal(trouble));
            }
            Trouble::Sync => self.disk.fail_next_sync(),
            Trouble::Stop => self.stop_in_order()?,
            Trouble::Rot => self.rot(),
        }
        Ok(())
    }

    fn cut_device(&mut self) {
        let device = self.chance.place(self.devices.len());
        if !self.devices[device].is_on() {
            return;
        }
        if self.chance.happens(600) {
            // In the middle of a write to come.
            let bytes = self.chance.place(200);
            self.devices[device].lose_power_after(bytes);
        } else {
            self.faults.count(Fault::DevicePowerLoss);
            self.devices[device].lose_power();
            self.soon(6_000, Moment::Connect(device));
        }
    }

    /// As SIGTERM does; whether the power goes afterwards must not matter.
    fn stop_in_order(&mut self) -> Result<(), Violation> {
        let unix = self.node_clock();
        let Some(process) = &mut self.process else { return Ok(()) };
        let (happened, ending) = process.stop(self.now, unix);
        self.take_note(happened, &ending)?;
        let crash = match ending {
            Ending::Running if self.chance.happens(500) => Crash::PowerLoss,
            _ => Crash::Kill,
        };
        self.gone(crash);
        self.soon(2_000, Moment::Start);
        Ok(())
    }

    /// A bit turns over while the node is down: the next start must notice, or lose nothing.
    fn rot(&mut self) {
        if self.process.is_none() || self.before_rot.is_some() {
            return;
        }
        self.gone(Crash::Kill);
        let backup = self.disk.back_up();
        let suffix = self.chance.one_of(&[".segment", ".segment", ".segment", ".snapshot", "checkpoint"]);
        let suffix = suffix.unwrap_or(".segment");
        if self.disk.rot(suffix) {
            let segments = (suffix == ".segment").then(|| self.segments());
            self.before_rot = Some(Rot { backup, segments });
        }
        self.soon(2_000, Moment::Start);
    }

    /// What the log's files hold.
    pub(super) fn segments(&self) -> Vec<Vec<u8>> {
        self.disk.names(".segment").iter().filter_map(|name| self.disk.content(name)).collect()
    }

    pub(super) fn heal(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Full => self.disk.set_free(None),
            _ => self.disk.set_sync_milliseconds(0),
        }
    }

    /// From now on nothing goes wrong, and what was kept must come through.
    pub(super) fn make_peace(&mut self) {
        self.trace.note(self.now, format_args!("peace"));
        self.peace = true;
        self.scenario.make_peace();
        self.disk.put_out_fuse();
        self.disk.set_free(None);
        self.disk.set_sync_milliseconds(0);
        self.disk.spare_next_sync();
        self.clock_offset = 0;
        for device in 0..self.scenario.devices {
            self.devices[device].stop_sampling();
            self.soon(1_000, Moment::Connect(device));
        }
        let spare = self.scenario.devices;
        self.devices[spare].stop_sampling();
        if self.checker.durable().device(self.devices[spare].kid).is_some() {
            self.soon(1_000, Moment::Connect(spare));
        }
        (0..self.residents.len()).for_each(|resident| self.soon(1_000, Moment::Resident(resident)));
    }
}
