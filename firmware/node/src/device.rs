//! One device: sampler, reporter and outbox put together. Takes time, gives envelopes; does no input or output itself
//! but that of its storage and its sensor.

use devices::cose::SealError;
use devices::{Ack, Refusal, RefusedNotice, Sequence};
use embedded_storage::Storage;
use log::{error, info, warn};

use crate::delivery::Delivery;
use crate::limits::{
    OUTBOX_SLOT_BYTES, OUTBOX_SLOT_BYTES_MAX, SAMPLE_INTERVAL_MILLISECONDS, SAMPLE_PACK_BYTES_MAX,
};
use crate::outbox::{Entry, Outbox, OutboxError};
use crate::provision::Identity;
use crate::reporter::Reporter;
use crate::sampler::{Records, Sensor};
use crate::sequence::{self, SequenceError};
use crate::watch::Watch;

/// What a board or a fleet may choose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Milliseconds between two samples.
    pub sample_interval_milliseconds: u64,
    /// Bytes of an outbox slot; a pack may be 18 bytes shorter. A multiple of the EEPROM's page.
    pub outbox_slot_bytes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sample_interval_milliseconds: SAMPLE_INTERVAL_MILLISECONDS,
            outbox_slot_bytes: OUTBOX_SLOT_BYTES,
        }
    }
}

/// Why a device cannot start. It must not publish then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError<E> {
    /// There is no boot number.
    Sequence(SequenceError<E>),
    /// The outbox cannot be opened.
    Outbox(OutboxError<E>),
}

impl<E: core::fmt::Debug> core::fmt::Display for StartError<E> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Sequence(error) => error.fmt(out),
            Self::Outbox(error) => error.fmt(out),
        }
    }
}

/// Why there is no envelope to send, beside there being none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError<E> {
    /// The outbox cannot be read.
    Outbox(OutboxError<E>),
    /// The pack cannot be signed.
    Seal(SealError),
}

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
    /// Unix seconds at the start of the millisecond count, once known.
    start_unix_seconds: Option<u32>,
    counters: Counters,
}

impl<S: Storage<Error: core::fmt::Debug>, P: Sensor> Device<S, P> {
    /// Counts a boot and finds what the last one left in the outbox.
    pub fn start(
        identity: Identity,
        mut storage: S,
        sensor: P,
        settings: Settings,
        now_milliseconds: u64,
    ) -> Result<Self, StartError<S::Error>> {
        let boot = sequence::next_boot(&mut storage).map_err(StartError::Sequence)?;
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
            start_unix_seconds: None,
            counters: Counters::default(),
        })
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

    /// Tells the time of day; from now on packs carry a base time. Without it the time of arrival counts.
    pub fn set_clock(&mut self, now_milliseconds: u64, unix_seconds: u32) {
        let since_start = u32::try_from(now_milliseconds / 1000).unwrap_or(u32::MAX);
        self.start_unix_seconds = unix_seconds.checked_sub(since_start);
    }

    /// When the next sample is due.
    pub fn sample_at_milliseconds(&self) -> u64 {
        self.sample_at_milliseconds
    }

    /// When something is to be done at the latest, if no message comes before.
    pub fn wake_at_milliseconds(&self) -> u64 {
        let delivery = self.delivery.wake_at().unwrap_or(u64::MAX);
        self.sample_at_milliseconds.min(delivery)
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
        (!records.is_empty()).then(|| self.report(now_milliseconds, &records))
    }

    /// Numbers the records and keeps them in the outbox. Also for records that come from elsewhere than the sensor.
    pub fn report(&mut self, now_milliseconds: u64, records: &Records) -> Report {
        let since_start = u32::try_from(now_milliseconds / 1000).unwrap_or(u32::MAX);
        let time = self.start_unix_seconds.and_then(|start| start.checked_add(since_start));
        let mut pack = [0; SAMPLE_PACK_BYTES_MAX];
        let length = match Reporter::pack(records, time, &mut pack) {
            Ok(length) => length,
            Err(refusal) => return self.lost(&refusal),
        };
        let sequence = self.reporter.next();
        if let Err(refusal) = self.outbox.keep(&mut self.storage, sequence, &pack[..length]) {
            return self.lost(&refusal);
        }
        if !self.reporter.used() {
            // 2^32 readings in one boot; the next boot begins anew.
            return self.lost(&"this boot has no number left");
        }
        self.counters.kept = self.counters.kept.saturating_add(1);
        for record in records.iter() {
            if let (Some(name), Some(unit)) = (record.name, record.unit) {
                info!("{sequence} {name} {} {unit}", record.value);
            }
        }
        Report::Kept(sequence)
    }

    fn lost(&mut self, why: &dyn core::fmt::Display) -> Report {
        self.counters.lost = self.counters.lost.saturating_add(1);
        warn!("a sample is lost: {why}");
        Report::Lost
    }

    /// A session is there and its subscriptions are confirmed.
    pub fn session_opened(&mut self, now_milliseconds: u64) {
        self.outbox.send_again();
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
        if !self.delivery.may_send(now_milliseconds, self.outbox.in_flight()) {
            return Ok(None);
        }
        let mut pack = [0; OUTBOX_SLOT_BYTES_MAX as usize];
        let entry = self.outbox.next_to_send(&mut self.storage, &mut pack).map_err(SendError::Outbox)?;
        let Some(entry) = entry else { return Ok(None) };
        let envelope_bytes =
            self.reporter.sign(entry.sequence, &pack[..entry.pack_bytes], out).map_err(SendError::Seal)?;
        Ok(Some(Outgoing { sequence: entry.sequence, envelope_bytes, entry }))
    }

    /// The envelope is on its way.
    pub fn sent(&mut self, now_milliseconds: u64, outgoing: &Outgoing) {
        self.outbox.sent(outgoing.entry);
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
