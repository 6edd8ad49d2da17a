//! One device: sampler, reporter and outbox put together. Takes time, gives envelopes; does no input or output itself
//! but that of its storage and its sensor.

mod commands;
mod failure;
mod time;

use devices::limits::{BASE_TIME_MIN, PACK_BYTES_MAX};
use devices::{Ack, Record, Refusal, RefusedNotice, Sequence};
use embedded_storage::Storage;
use log::{error, info, warn};

use crate::clock::{self, Clock};
use crate::condition::Condition;
use crate::delivery::Delivery;
use crate::generation;
use crate::health::{Birth, Vitals};
use crate::limits::OUTBOX_SLOT_BYTES_MAX;
use crate::orders::Orders;
use crate::outbox::{Entry, Outbox, OutboxError};
use crate::pack;
use crate::provision::Identity;
use crate::reporter::Reporter;
use crate::sampler::{Records, Sensor};
use crate::sequence;
use crate::settings::Settings;
use crate::slot::{Head, Stamp};
use crate::threshold::Crossings;
use crate::watch::Watch;
use commands::Obedience;
pub use failure::{SendError, StartError};

/// What became of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    /// It lies in the outbox under this number.
    Kept(Sequence),
    /// It is lost: the outbox is full, or its storage fails, or it makes no pack. Counted.
    Lost,
}

/// What happened, in numbers since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Times a connection, a session or a look-up of the time failed.
    pub link_errors: u32,
    /// Samples kept in the outbox.
    pub kept: u32,
    /// Samples that found no room or made no pack.
    pub lost: u32,
    /// Times the sensor did not answer.
    pub sensor_faults: u32,
    /// Envelopes handed to the uplink, repeats included.
    pub sent: u32,
    /// Packs that an acknowledgement settled.
    pub settled: u32,
    /// Refusal notices, by reason.
    pub refused: [u32; Refusal::ALL.len()],
}

/// An envelope on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Its number.
    pub sequence: Sequence,
    /// Its length in the buffer that was handed in.
    pub envelope_bytes: usize,
    entry: Entry,
}

/// A device with its storage and its sensor. All times are milliseconds since start and never go back.
pub struct Device<S, P> {
    storage: S,
    sensor: P,
    reporter: Reporter,
    outbox: Outbox,
    delivery: Delivery,
    watch: Watch,
    settings: Settings,
    sample_at_milliseconds: u64,
    /// When the samples that are being collected are to be sent.
    close_at_milliseconds: Option<u64>,
    crossings: Crossings,
    clock: Clock,
    condition: Condition,
    obedience: Obedience,
    vitals: Option<Vitals>,
    counters: Counters,
}

impl<S: Storage<Error: core::fmt::Debug>, P: Sensor> Device<S, P> {
    /// Counts a boot and finds what earlier ones left: what waits in the outbox, which key is in use, and what the owner
    /// has commanded, which `settings` give way to.
    ///
    /// # Errors
    /// Why nothing may be published.
    // Its frame shall not lie under everything that the device does later.
    #[inline(never)]
    pub fn start(
        mut identity: Identity,
        mut storage: S,
        sensor: P,
        mut settings: Settings,
        now_milliseconds: u64,
    ) -> Result<Self, StartError<S::Error>> {
        let boot = sequence::next_boot(&mut storage).map_err(StartError::Sequence)?;
        let generation = generation::present(&mut storage).map_err(StartError::Generation)?;
        if generation > 0 && !identity.use_generation(generation) {
            return Err(StartError::NoSuchKey);
        }
        let orders = Orders::load(&mut storage).map_err(StartError::Orders)?;
        if let Some(commanded) = orders.configuration() {
            commands::apply(&commanded, &mut settings);
        }
        let outbox = Outbox::open(&mut storage, settings.outbox_slot_bytes).map_err(StartError::Outbox)?;
        info!(
            "{} on {}, boot {boot}: {} of {} outbox slots wait",
            identity.kid(),
            identity.network(),
            outbox.waiting(),
            outbox.capacity()
        );
        Ok(Self {
            storage,
            sensor,
            reporter: Reporter::new(identity, boot),
            outbox,
            delivery: Delivery::new(),
            watch: Watch::new(now_milliseconds, settings.sample_interval_milliseconds),
            settings,
            sample_at_milliseconds: now_milliseconds,
            close_at_milliseconds: None,
            crossings: Crossings::default(),
            clock: Clock::new(),
            condition: Condition::new(),
            obedience: Obedience::default(),
            vitals: None,
            counters: Counters::default(),
        })
    }

    /// Tells what firmware runs and why it started: the first pack of this boot says it. From now on the device reports on
    /// itself every hour ([`crate::condition`]).
    pub fn introduce(&mut self, now_milliseconds: u64, birth: &Birth) {
        info!("firmware {}, started by {}", birth.firmware, birth.reset);
        if let Some(words) = birth.last_words {
            warn!("it panicked before, at {words}");
        }
        self.condition.introduce(now_milliseconds, birth);
    }

    /// What the board has measured of itself; the next hourly report tells it.
    pub fn set_vitals(&mut self, vitals: Vitals) {
        self.vitals = Some(vitals);
    }

    /// A connection or a session has failed; the next hourly report counts it.
    pub fn link_failed(&mut self) {
        self.counters.link_errors = self.counters.link_errors.saturating_add(1);
    }

    /// Takes other settings, from the next sample on. Those of the outbox stay: its slots lie where they lie.
    pub fn configure(&mut self, now_milliseconds: u64, settings: Settings) {
        self.settings = Settings { outbox_slot_bytes: self.settings.outbox_slot_bytes, ..settings };
        self.settings_changed(now_milliseconds);
    }

    fn settings_changed(&mut self, now_milliseconds: u64) {
        let Settings { sample_interval_milliseconds, batch_interval_milliseconds, .. } = self.settings;
        self.watch.expect(now_milliseconds, sample_interval_milliseconds);
        let soon = now_milliseconds.saturating_add(sample_interval_milliseconds);
        self.sample_at_milliseconds = self.sample_at_milliseconds.min(soon);
        let soon = now_milliseconds.saturating_add(batch_interval_milliseconds);
        self.close_at_milliseconds = self.close_at_milliseconds.map(|at| at.min(soon));
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What else is to be told of the device in its next pack, as a yes or no.
    pub fn say(&mut self, name: &dyn core::fmt::Display, value: bool) {
        self.condition.say(name, value);
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        self.reporter.identity()
    }

    /// What happened since start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Packs that wait for their acknowledgement or for being sent.
    pub fn waiting(&self) -> u32 {
        self.outbox.waiting()
    }

    /// The sensor, for virtual devices that steer theirs.
    pub fn sensor_mut(&mut self) -> &mut P {
        &mut self.sensor
    }

    /// Gives the storage back, as a reset does to the next boot.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// When the next sample is due.
    pub fn sample_at_milliseconds(&self) -> u64 {
        self.sample_at_milliseconds
    }

    /// When something is to be done at the latest, if no message comes before.
    pub fn wake_at_milliseconds(&self) -> u64 {
        let delivery = self.delivery.wake_at().unwrap_or(u64::MAX);
        let close = self.close_at_milliseconds.filter(|_| self.delivery.is_connected()).unwrap_or(u64::MAX);
        let change = self.obedience.wake_at().unwrap_or(u64::MAX);
        self.sample_at_milliseconds.min(delivery).min(close).min(change)
    }

    /// Takes the sample that is due, if one is. Missed ones are left out, not caught up with.
    pub fn sample_if_due(&mut self, now_milliseconds: u64) -> Option<Report> {
        if now_milliseconds < self.sample_at_milliseconds {
            return None;
        }
        let interval = self.settings.sample_interval_milliseconds.max(1);
        let missed = (now_milliseconds - self.sample_at_milliseconds) / interval;
        self.sample_at_milliseconds += (missed + 1).saturating_mul(interval);
        self.watch.sampled(now_milliseconds);
        let mut records = Records::default();
        records.take(&mut self.sensor);
        for (sensor, fault) in records.faults() {
            self.counters.sensor_faults = self.counters.sensor_faults.saturating_add(1);
            warn!("{sensor} {fault}");
        }
        self.condition.sensors(records.faults());
        self.report_hourly(now_milliseconds);
        let report = (!records.is_empty()).then(|| self.report(now_milliseconds, &records));
        self.tell_condition(now_milliseconds);
        self.close_if_due(now_milliseconds);
        report
    }

    /// Numbers the records and keeps them in the outbox. Also for records that come from elsewhere than the sensor.
    pub fn report(&mut self, now_milliseconds: u64, records: &Records) -> Report {
        let mut is_urgent = false;
        for record in records.as_slice() {
            is_urgent |= self.crossings.crosses(&self.settings.thresholds, record);
        }
        let sequence = match self.keep(now_milliseconds, records.as_slice()) {
            Ok(sequence) => sequence,
            Err(why) => return self.lost(&why),
        };
        self.counters.kept = self.counters.kept.saturating_add(1);
        for record in records.as_slice() {
            if let (Some(name), Some(unit)) = (record.name, record.unit) {
                info!("{sequence} {name} {} {unit}", record.value);
            }
        }
        if is_urgent {
            info!("{sequence} is urgent: a threshold is crossed");
            self.close_at_milliseconds = Some(now_milliseconds);
        }
        if self.settings.batch_interval_milliseconds == 0 {
            self.close();
        }
        Report::Kept(sequence)
    }

    /// Appends records to the pack that is being collected, or to a new one with the next number.
    fn keep(
        &mut self,
        now_milliseconds: u64,
        records: &[Record<'_>],
    ) -> Result<Sequence, OutboxError<S::Error>> {
        let next = self.reporter.next();
        let sequence = self.outbox.append(&mut self.storage, next, seconds(now_milliseconds), records)?;
        if sequence == next {
            if !self.reporter.used() {
                // 2^32 packs in one boot; the next boot begins anew.
                return Err(OutboxError::Full);
            }
            let close = now_milliseconds.saturating_add(self.settings.batch_interval_milliseconds);
            self.close_at_milliseconds = Some(close);
        }
        Ok(sequence)
    }

    /// Puts what is to be told of the device into packs, as far as there is room.
    fn tell_condition(&mut self, now_milliseconds: u64) {
        while let Some(health) = self.condition.first() {
            match self.keep(now_milliseconds, &[health.record()]) {
                Ok(sequence) => info!("{sequence} {} {}", health.name(), health.value()),
                Err(OutboxError::Full | OutboxError::Storage(_)) => return,
                // No slot of this size ever takes it.
                Err(OutboxError::TooLong | OutboxError::NoRoom) => {}
            }
            self.condition.told();
        }
        if self.settings.batch_interval_milliseconds == 0 {
            self.close();
        }
    }

    fn report_hourly(&mut self, now_milliseconds: u64) {
        if !self.condition.is_report_due(now_milliseconds) {
            return;
        }
        let Counters { link_errors, sensor_faults, lost, .. } = self.counters;
        self.condition.count("uptime", "s", seconds(now_milliseconds).into());
        if let Some(vitals) = self.vitals {
            self.condition.count("stack_free", "B", vitals.stack_free_bytes.into());
        }
        self.condition.count("queue", "count", self.outbox.waiting().into());
        self.condition.count("link_errors", "count", link_errors.into());
        self.condition.count("sensor_faults", "count", sensor_faults.into());
        self.condition.count("lost", "count", lost.into());
    }

    fn close(&mut self) {
        self.outbox.close();
        self.close_at_milliseconds = None;
    }

    /// Without a connection a pack that is due goes on collecting: it takes less room than two.
    fn close_if_due(&mut self, now_milliseconds: u64) {
        if self.delivery.is_connected() && self.close_at_milliseconds.is_some_and(|at| now_milliseconds >= at)
        {
            self.close();
        }
    }

    fn lost(&mut self, why: &dyn core::fmt::Display) -> Report {
        self.counters.lost = self.counters.lost.saturating_add(1);
        warn!("a sample is lost: {why}");
        Report::Lost
    }

    /// A session is there and its subscriptions are confirmed.
    pub fn session_opened(&mut self, now_milliseconds: u64) {
        self.outbox.send_again();
        self.obedience.session_opened();
        self.delivery.opened(now_milliseconds);
    }

    /// The session is gone; what was in flight will be sent again in the next.
    pub fn session_closed(&mut self) {
        self.delivery.closed();
    }

    /// Signs the next envelope to send into `out`, if one may be sent now. Say [`Self::sent`] once it is on its way.
    pub fn next_to_send(
        &mut self,
        now_milliseconds: u64,
        out: &mut [u8],
    ) -> Result<Option<Outgoing>, SendError<S::Error>> {
        if self.delivery.is_retry_due(now_milliseconds) {
            info!("no acknowledgement came: sending {} again", self.outbox.waiting());
            self.outbox.send_again();
        }
        if self.obedience.is_held(now_milliseconds)
            || !self.delivery.may_send(now_milliseconds, self.outbox.in_flight())
        {
            return Ok(None);
        }
        self.close_if_due(now_milliseconds);
        loop {
            let mut slot = [0; OUTBOX_SLOT_BYTES_MAX as usize];
            let (boot, start) = (self.reporter.next().boot, self.clock.start_unix_seconds());
            let stamp = |storage: &mut S, head: &Head| stamp_of(storage, head, boot, start, now_milliseconds);
            let entry = self.outbox.next_to_send(&mut self.storage, &mut slot, stamp);
            let Some(entry) = entry.map_err(SendError::Outbox)? else { return Ok(None) };
            let sequence = entry.head.sequence;
            let mut pack = [0; PACK_BYTES_MAX];
            match pack::write(&entry.head, entry.records(&slot), entry.seal.stamp, &mut pack) {
                Ok(length) => {
                    let envelope_bytes =
                        self.reporter.sign(sequence, &pack[..length], out).map_err(SendError::Seal)?;
                    return Ok(Some(Outgoing { sequence, envelope_bytes, entry }));
                }
                Err(failure) => {
                    error!("{sequence} makes no pack, and is let go: {failure}");
                    self.outbox.discard(&mut self.storage, entry).map_err(SendError::Outbox)?;
                }
            }
        }
    }

    /// The envelope is on its way.
    pub fn sent(&mut self, now_milliseconds: u64, outgoing: &Outgoing) {
        self.outbox.sent(outgoing.entry);
        self.obedience.sent(outgoing.sequence);
        self.delivery.sent(now_milliseconds);
        self.counters.sent = self.counters.sent.saturating_add(1);
    }

    /// A message came on the `ack` topic.
    pub fn acknowledged(&mut self, now_milliseconds: u64, ack: &Ack) {
        // Nobody signs acknowledgements, so one that speaks of numbers this device never gave settles nothing.
        if ack.highest >= self.reporter.next() {
            let next = self.reporter.next();
            error!(
                "ignored: an acknowledgement of {}, but the next is {next}. Has the EEPROM been replaced?",
                ack.highest
            );
            return;
        }
        match self.outbox.settle(&mut self.storage, ack) {
            Ok(settled) => {
                self.counters.settled = self.counters.settled.saturating_add(settled);
                self.delivery.acknowledged(now_milliseconds, settled, self.outbox.in_flight());
                info!("settled {settled} up to {}, {} wait", ack.highest, self.outbox.waiting());
            }
            Err(failure) => error!("{failure}"),
        }
    }

    /// A message came on the `refused` topic. Nothing is let go: only an acknowledgement settles.
    pub fn refused(&mut self, notice: &RefusedNotice) {
        let count = &mut self.counters.refused[notice.reason.index()];
        *count = count.saturating_add(1);
        match notice.reason {
            // The gateway acknowledges these: they are settled, though not paid.
            Refusal::Replayed | Refusal::TooOld | Refusal::InFuture => {
                info!("{} refused: {}", notice.sequence, notice.reason);
            }
            Refusal::Malformed
            | Refusal::UnknownDevice
            | Refusal::Revoked
            | Refusal::Signature
            | Refusal::OverQuota => {
                warn!("{} refused: {}; kept, and tried again later", notice.sequence, notice.reason);
                self.delivery.refused();
            }
        }
    }

    /// The uplink has taken a turn: the watchdog is told.
    pub fn uplink_turned(&mut self, now_milliseconds: u64) {
        self.watch.uplink_turned(now_milliseconds);
    }

    /// Whether the watchdog may be fed: sampler and uplink both make progress.
    pub fn may_feed_watchdog(&self, now_milliseconds: u64) -> bool {
        self.watch.may_feed(now_milliseconds)
    }
}

fn seconds(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX)
}

/// When a slot was opened, as far as is known when it is sealed.
fn stamp_of<S: Storage>(
    storage: &mut S,
    head: &Head,
    boot: u32,
    start_unix_seconds: Option<u32>,
    now_milliseconds: u64,
) -> Stamp {
    let is_of_this_boot = head.sequence.boot == boot;
    let start = match start_unix_seconds {
        Some(start) if is_of_this_boot => Some(start),
        // A storage that fails here fails the caller at its next step; until then the time is merely unknown.
        _ if !is_of_this_boot => clock::recall(storage, head.sequence.boot).ok().flatten(),
        _ => None,
    };
    let opened = start.and_then(|start| start.checked_add(head.opened_seconds));
    match opened.filter(|opened| *opened >= BASE_TIME_MIN) {
        Some(opened) => Stamp::Unix(opened),
        None if is_of_this_boot => Stamp::Age(seconds(now_milliseconds).saturating_sub(head.opened_seconds)),
        None => Stamp::Unknown,
    }
}
