//! The operator's part of the view: for the operator alone, except for what an auditor is shown.

use dashboard::view::{
    Alert, Answer, Audit, Count, Desk, Disk, Fleet, OperatorView, Proposal, Queue, Recent, Refused,
    RefusedSample, RefusedSamples, SilenceBand, Tariff, TariffDesk, TariffQuantity, TariffVersion, Validator,
    Validators, ViewError, Viewer,
};
use devices::DeviceId;
use ledger::registry::Device;
use ledger::state::State;

use super::{Window, audit, failed};
use crate::clock;
use crate::limits::{DRY_RUN_PAGE_EPOCHS_MAX, REFUSED_SAMPLES_PER_REASON_MAX};
use crate::pulse;
use crate::reads::{self, DeviceFigures, DeviceStatus};
use crate::refusals::Sample;
use crate::standing::{self, Filled, Standing};

/// Where the bands of silence end, seconds: an hour, six, a day, a week.
const BANDS: [u64; 4] = [3_600, 6 * 3_600, 86_400, 7 * 86_400];

impl OperatorView for Window {
    fn desk(&self, viewer: &Viewer) -> Answer<Desk> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let now = clock::now_unix_milliseconds();
        let look = self.shared.look_at_length();
        let standing = standing::of(&self.shared, &look.state, now).map_err(failed)?;
        let (pool_microtokens, both) = (standing.pool_microtokens, standing.both_microtokens());
        let Standing { recent, queues, space, treasury_microtokens, payouts, alerts, .. } = standing;
        Ok(Some(Desk {
            network: self.network_of(&look, now),
            alerts: alerts.into_iter().map(alert).collect(),
            recent: lately(&recent),
            refused_since_start: Refused(self.shared.telemetry.refused_counts()),
            queues: queues.into_iter().map(queue).collect(),
            disk: Disk { full: space.full, free_bytes: space.free_bytes, reserve_bytes: space.reserve_bytes },
            treasury_microtokens,
            treasury_account: look.state.treasury().to_string(),
            paid_a_day_microtokens: payouts.a_day_microtokens(),
            paid_over_seconds: payouts.over_seconds,
            pool_seconds: payouts.runway_seconds(pool_microtokens),
            treasury_seconds: payouts.runway_seconds(both),
        }))
    }

    fn refused_samples(&self, viewer: &Viewer) -> Answer<RefusedSamples> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let newest = self.shared.refusals.newest();
        Ok(Some(RefusedSamples {
            network: self.network_of(&self.shared.look_at_length(), clock::now_unix_milliseconds()),
            since_start: Refused(self.shared.telemetry.refused_counts()),
            kept_max: REFUSED_SAMPLES_PER_REASON_MAX,
            samples: newest.map(|samples| samples.iter().map(sample).collect()),
        }))
    }

    fn fleet(&self, viewer: &Viewer, offset: u64, limit: usize) -> Answer<Fleet> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let now = clock::now_unix_milliseconds();
        let look = self.shared.look_at_length();
        let mut silent = silent(&look.state, self.shared.heard_since(now));
        // Those that fell silent last come first: they are the news.
        silent.sort_unstable_by(|one, other| other.cmp(one));
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let shown = silent.iter().skip(skipped).take(limit);
        let figures: Vec<DeviceFigures> =
            shown.filter_map(|(_, kid)| reads::device_figures(&self.shared, &look, now, *kid)).collect();
        let network = self.network_of(&look, now);
        let rows = figures.iter().map(|figures| self.device_row(figures, false));
        Ok(Some(Fleet {
            network,
            bands: bands(&silent, now, self.shared.silent_after_seconds),
            firmware: self.shared.index.firmware_counts(),
            silent: rows.collect::<Result<_, _>>()?,
        }))
    }

    fn tariff_desk(
        &self,
        viewer: &Viewer,
        proposal: Option<&Proposal>,
        payees_max: usize,
    ) -> Answer<TariffDesk> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let rehearse = |proposal| self.rehearsals.rehearse(&self.shared, proposal, payees_max);
        let rehearsal = proposal.map(rehearse).transpose().map_err(failed)?;
        let look = self.shared.look_at_length();
        let state = &look.state;
        let newest = state.tariffs().versions().next_back().map_or(0, |newest| newest.tariff.version);
        let next = ledger::tariff::Tariff { version: newest.saturating_add(1), ..state.tariff().clone() };
        Ok(Some(TariffDesk {
            network: self.network_of(&look, clock::now_unix_milliseconds()),
            in_force: tariff(state.tariff()),
            next_json: next.to_json(),
            history: history(state),
            epochs_max: DRY_RUN_PAGE_EPOCHS_MAX,
            rehearsal,
        }))
    }

    fn validators(&self, viewer: &Viewer) -> Answer<Validators> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let (checkpoint, checkpoint_size) = self.shared.checkpoint_and_size();
        let look = self.shared.look_at_length();
        let signers = audit::signers(look.state.handovers(), &checkpoint);
        // Those that decide now, who need not be those of the genesis document.
        let present = look.state.validators();
        let validator = |key: &ledger::note::VerifierKey| Validator {
            name: key.name().to_owned(),
            vkey: key.to_string(),
            has_signed: signers.iter().any(|signer| signer == key.name()),
        };
        Ok(Some(Validators {
            network: self.network_of(&look, clock::now_unix_milliseconds()),
            quorum: present.quorum() as u64,
            validators: present.keys().iter().map(validator).collect(),
            checkpoint_size,
        }))
    }

    fn audit(&self, sizes: Option<(u64, u64)>, ends_max: usize) -> Result<Audit, ViewError> {
        let genesis = &self.shared.genesis;
        let look = self.shared.look_at_length();
        let (checkpoint, checkpoint_size) = self.shared.checkpoint_and_size();
        let growth = sizes.map(|(from, to)| audit::growth(&self.shared, from, to));
        Ok(Audit {
            network: self.network_of(&look, clock::now_unix_milliseconds()),
            signers: audit::signers(look.state.handovers(), &checkpoint),
            checkpoint: checkpoint.to_string(),
            checkpoint_size,
            quorum: look.state.validators().quorum() as u64,
            ends: audit::epoch_ends(&self.shared, ends_max).map_err(failed)?,
            supply: audit::supply(genesis, &look),
            growth: growth.transpose().map_err(failed)?,
        })
    }
}

fn alert(alert: crate::alerts::Alert) -> Alert {
    Alert { kind: alert.kind.as_str().to_owned(), cause: alert.cause, action: alert.action }
}

fn queue(filled: Filled) -> Queue {
    Queue { name: filled.queue.as_str().to_owned(), depth: filled.depth, bound: filled.bound }
}

fn lately(recent: &pulse::Recent) -> Recent {
    let microseconds = |delay: std::time::Duration| u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
    Recent {
        seconds: recent.over.as_secs(),
        received: recent.counts.received,
        accepted: Count {
            envelopes: recent.counts.accepted_envelopes,
            records: recent.counts.accepted_records,
        },
        refused: Refused(recent.counts.refused),
        delay_half_microseconds: recent.delay_half.map(microseconds),
        delay_p99_microseconds: recent.delay_p99.map(microseconds),
    }
}

fn sample(sample: &Sample) -> RefusedSample {
    let refused = &sample.refused;
    RefusedSample {
        kid: refused.kid.map(|kid| kid.to_string()),
        known: refused.known,
        sequence: refused
            .sequence
            .map(|sequence| dashboard::view::Sequence { boot: sequence.boot, count: sequence.count }),
        time_milliseconds: sample.time_unix_milliseconds,
        size_bytes: refused.size_bytes as u64,
    }
}

/// When each silent device was last heard, and which it is.
fn silent(state: &State, heard_since: u64) -> Vec<(u64, DeviceId)> {
    let is_silent = |device: &Device| DeviceStatus::of(device, heard_since) == DeviceStatus::Silent;
    let silent = state.devices().filter(|(_, device)| is_silent(device));
    silent.filter_map(|(kid, device)| Some((device.last_accepted_unix_milliseconds?, kid))).collect()
}

/// How many are silent for how long, the shortest silence first.
fn bands(silent: &[(u64, DeviceId)], now: u64, silent_after_seconds: u64) -> Vec<SilenceBand> {
    let later = || BANDS.into_iter().filter(|begin| *begin > silent_after_seconds);
    let begins = [silent_after_seconds].into_iter().chain(later());
    let ends = later().map(Some).chain([None]);
    let band = |(from_seconds, to_seconds): (u64, Option<u64>)| {
        let is_within = |last: u64| {
            let seconds = now.saturating_sub(last) / 1_000;
            seconds >= from_seconds && to_seconds.is_none_or(|to| seconds < to)
        };
        let devices = silent.iter().filter(|(last, _)| is_within(*last)).count() as u64;
        SilenceBand { from_seconds, to_seconds, devices }
    };
    begins.zip(ends).map(band).collect()
}

fn tariff(tariff: &ledger::tariff::Tariff) -> Tariff {
    let quantity = |quantity: &ledger::tariff::Quantity| TariffQuantity {
        name: quantity.name.clone(),
        unit: quantity.unit.clone(),
        price_microtokens: quantity.price_microtokens,
        paid_records_max: quantity.paid_records_max.into(),
        plausible: (quantity.minimum.to_string(), quantity.maximum.to_string()),
        interval_seconds: quantity.interval_seconds.into(),
    };
    Tariff {
        version: tariff.version,
        cell_budget_microtokens: tariff.cell_budget_microtokens,
        cell_resolution: tariff.cell_resolution,
        late_after_seconds: tariff.late_after_seconds.into(),
        late_permille: tariff.late_permille,
        quantities: tariff.quantities.iter().map(quantity).collect(),
    }
}

fn history(state: &State) -> Vec<TariffVersion> {
    let in_force = state.tariff().version;
    let version = |version: &ledger::tariffs::TariffVersion| TariffVersion {
        version: version.tariff.version,
        from_epoch: version.from_epoch,
        from_milliseconds: state.epoch_begins_unix_milliseconds(version.from_epoch),
        quantities: version.tariff.quantities.len() as u64,
        cell_budget_microtokens: version.tariff.cell_budget_microtokens,
        in_force: version.tariff.version == in_force,
    };
    state.tariffs().versions().rev().map(version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_silent_device_is_in_one_band() {
        let now = 1_800_000_000_000;
        let since = |seconds: u64| (now - seconds * 1_000, DeviceId([1; 8]));
        let all = [301, 3_599, 3_600, 86_399, 86_400, 7 * 86_400, 9_000_000].map(since);
        let bands = bands(&all, now, 300);
        assert_eq!(bands.iter().map(|band| band.devices).collect::<Vec<_>>(), [2, 1, 1, 1, 2]);
        assert_eq!(bands.iter().map(|band| band.devices).sum::<u64>(), all.len() as u64);
        assert_eq!(bands.last().and_then(|band| band.to_seconds), None);
        // Where the operator waits for longer, the bands begin there.
        let late = super::bands(&all, now, 86_400);
        assert_eq!(late.iter().map(|band| band.devices).collect::<Vec<_>>(), [1, 2]);
    }
}
