//! What went wrong on purpose, counted by kind: a simulation without faults proves nothing.

use std::fmt;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A message to or from the broker was lost.
    Drop,
    /// A message came twice or more.
    Duplicate,
    /// A message was held back for long, so that later ones overtook it.
    Delay,
    /// A message was altered on its way.
    Alteration,
    /// All sessions with the broker ended.
    BrokerOutage,
    /// A device lost its session.
    SessionLoss,
    /// A device lost power, also in the middle of a write to its EEPROM.
    DevicePowerLoss,
    /// The node was killed between two effects.
    Kill,
    /// The node's machine lost power between two effects.
    PowerLoss,
    /// The node was killed or lost power while it recovered.
    CrashInRecovery,
    /// The node's clock was set forward or back.
    ClockStep,
    /// A write that was not synced was lost with the power.
    LostWrite,
    /// A write that was not synced reached the disk in parts.
    TornWrite,
    /// A file that was made or renamed without a sync went back.
    LostName,
    /// A sync failed.
    FailedSync,
    /// A sync took its time.
    SlowSync,
    /// The disk had no room.
    DiskFull,
    /// A bit turned over on the disk.
    BitRot,
    /// A start refused because of it; in the other cases the bit lay where nothing is lost by it.
    RotNoticed,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Fault; 19] = [
        Fault::Drop,
        Fault::Duplicate,
        Fault::Delay,
        Fault::Alteration,
        Fault::BrokerOutage,
        Fault::SessionLoss,
        Fault::DevicePowerLoss,
        Fault::Kill,
        Fault::PowerLoss,
        Fault::CrashInRecovery,
        Fault::ClockStep,
        Fault::LostWrite,
        Fault::TornWrite,
        Fault::LostName,
        Fault::FailedSync,
        Fault::SlowSync,
        Fault::DiskFull,
        Fault::BitRot,
        Fault::RotNoticed,
    ];

    /// A few words for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Drop => "messages dropped",
            Fault::Duplicate => "messages duplicated",
            Fault::Delay => "messages delayed",
            Fault::Alteration => "messages altered",
            Fault::BrokerOutage => "broker outages",
            Fault::SessionLoss => "sessions lost",
            Fault::DevicePowerLoss => "devices' power losses",
            Fault::Kill => "kills",
            Fault::PowerLoss => "power losses",
            Fault::CrashInRecovery => "crashes in recovery",
            Fault::ClockStep => "clock steps",
            Fault::LostWrite => "writes lost",
            Fault::TornWrite => "writes torn",
            Fault::LostName => "names lost",
            Fault::FailedSync => "syncs failed",
            Fault::SlowSync => "slow syncs",
            Fault::DiskFull => "full disk",
            Fault::BitRot => "bits turned over",
            Fault::RotNoticed => "of them refused at the start",
        }
    }
}

/// How often each kind happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; Fault::ALL.len()]);

impl Faults {
    /// One more.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How many of a kind.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Adds another count to this.
    pub fn add(&mut self, other: &Faults) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }
}

impl fmt::Display for Faults {
    /// A line a kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fault::ALL.iter().try_for_each(|fault| writeln!(f, "{:>12}  {}", self.of(*fault), fault.as_str()))
    }
}
