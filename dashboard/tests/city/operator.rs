//! What the city's operator and its auditors are shown.

use dashboard::view::*;

use super::statements::cell_of;
use super::{BEAT_SECONDS, City, EPOCH_SECONDS, GENESIS, POOL, account, hex};

/// What the treasury was filled with.
const TREASURY: u64 = 9_000_000_000;

fn tariff(version: u32) -> Tariff {
    let quantity = |name: &str, price_microtokens| TariffQuantity {
        name: name.to_owned(),
        unit: "Cel".to_owned(),
        price_microtokens,
        paid_records_max: 60,
        plausible: ("-40".to_owned(), "85".to_owned()),
        interval_seconds: 60,
    };
    Tariff {
        version,
        cell_budget_microtokens: 1_000_000,
        cell_resolution: 9,
        late_after_seconds: 3_600,
        late_permille: 500,
        quantities: vec![quantity("temp", 100), quantity(super::HOSTILE_NAME, 0)],
    }
}

impl City {
    fn silent(&self) -> Vec<Device> {
        let mut silent: Vec<Device> = self.residents.iter().map(|one| self.device_of(one)).collect();
        silent.retain(|device| device.status == DeviceStatus::Silent);
        silent.sort_by_key(|device| std::cmp::Reverse(device.last_reading_milliseconds));
        silent
    }

    fn end_of(&self, epoch: u64) -> EpochEnd {
        let height = (epoch + 1) * EPOCH_SECONDS / BEAT_SECONDS;
        EpochEnd {
            epoch,
            height,
            time_milliseconds: GENESIS + height * BEAT_SECONDS * 1_000,
            log_size: self.first_index(height + 1),
            root: hex(41_000, height),
            paid_microtokens: self.settlement(epoch).paid_microtokens,
        }
    }

    fn growth(&self, from: u64, to: u64) -> Growth {
        if from > to || to > self.figures().log_size {
            return Growth::Refused(format!("A log only grows: {from} comes after {to}."));
        }
        Growth::Proven(Proof {
            from,
            to,
            from_root: hex(42_000, from),
            to_root: hex(42_000, to),
            hashes: (0..5).map(|number| hex(43_000, number)).collect(),
        })
    }

    fn rehearsal(&self, proposal: &Proposal) -> Rehearsal {
        if !proposal.json.contains("\"version\": 2") {
            return Rehearsal::Refused(format!("This does not hold: unknown field {}.", super::HOSTILE_NAME));
        }
        let pay = |number: u64, was_microtokens, would_be_microtokens| RehearsedPay {
            account: account(number),
            was_microtokens,
            would_be_microtokens,
        };
        Rehearsal::Done(Rehearsed {
            version: 2,
            first_epoch: self.epoch().saturating_sub(proposal.epochs),
            last_epoch: self.epoch().saturating_sub(1),
            was_microtokens: 1_500_000,
            would_be_microtokens: 250_000,
            payees: vec![pay(0, 1_500_000, 0), pay(1, 0, 250_000)],
            payees_total: 7,
        })
    }
}

impl OperatorView for City {
    fn desk(&self, viewer: &Viewer) -> Answer<Desk> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let network = self.figures();
        let busy = !self.residents.is_empty();
        let alert = |kind: &str, cause: &str| Alert {
            kind: kind.to_owned(),
            cause: cause.to_owned(),
            action: "Look at it.".to_owned(),
        };
        let queue = |name: &str, depth| Queue { name: name.to_owned(), depth, bound: 16_384 };
        Ok(Some(Desk {
            alerts: match busy {
                true => vec![alert("silent_devices", "1 of 12 devices is silent.")],
                false => Vec::new(),
            },
            recent: Recent {
                seconds: 300,
                received: if busy { 330 } else { 0 },
                accepted: match busy {
                    true => Count { envelopes: 300, records: 900 },
                    false => Count::default(),
                },
                refused: Refused(if busy { [0, 3, 0, 0, 27, 0, 0, 0] } else { [0; 8] }),
                delay_half_microseconds: busy.then_some(11_500),
                delay_p99_microseconds: busy.then_some(28_000),
            },
            refused_since_start: network.refused,
            queues: ["intake", "verify", "batch", "outbound", "index"].map(|name| queue(name, 3)).to_vec(),
            disk: Disk { full: false, free_bytes: 5 << 30, reserve_bytes: 64 << 20 },
            treasury_microtokens: TREASURY,
            treasury_account: account(1_002),
            paid_a_day_microtokens: busy.then_some(77_000_000),
            paid_over_seconds: 7_200,
            pool_seconds: busy.then_some(640 * 86_400),
            treasury_seconds: busy.then_some(760 * 86_400),
            network,
        }))
    }

    fn refused_samples(&self, viewer: &Viewer) -> Answer<RefusedSamples> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let network = self.figures();
        let kids: Vec<String> = self.residents.iter().map(|resident| resident.kid.clone()).collect();
        let of_reason = |reason: usize| -> Vec<RefusedSample> {
            let count = network.refused.0[reason].min(32);
            let one = |number: u64| RefusedSample {
                kid: kids.get(reason).filter(|_| reason > 0).cloned(),
                known: reason > 1,
                sequence: (reason > 1).then_some(Sequence { boot: 1, count: 7 }),
                time_milliseconds: network.now_milliseconds - number * 1_000,
                size_bytes: 133 + number,
            };
            (0..count).map(one).collect()
        };
        let samples = std::array::from_fn(of_reason);
        Ok(Some(RefusedSamples { since_start: network.refused, kept_max: 32, samples, network }))
    }

    fn fleet(&self, viewer: &Viewer, offset: u64, limit: usize) -> Answer<Fleet> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let silent = self.silent();
        let band = |from_seconds, to_seconds, devices| SilenceBand { from_seconds, to_seconds, devices };
        let bands = vec![band(180, Some(3_600), silent.len() as u64), band(3_600, None, 0)];
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let silent = silent.into_iter().skip(offset).take(limit).collect();
        let named = vec![("1.4.2".to_owned(), 3), ("1.4.1-<b>".to_owned(), 1)];
        let firmware = if self.residents.is_empty() { Vec::new() } else { named };
        Ok(Some(Fleet { network: self.figures(), bands, silent, firmware }))
    }

    fn tariff_desk(
        &self,
        viewer: &Viewer,
        proposal: Option<&Proposal>,
        payees_max: usize,
    ) -> Answer<TariffDesk> {
        assert!(payees_max > 0);
        if !viewer.is_operator() {
            return Ok(None);
        }
        let network = self.figures();
        let version = TariffVersion {
            version: 1,
            from_epoch: 0,
            from_milliseconds: GENESIS,
            quantities: 2,
            cell_budget_microtokens: 1_000_000,
            in_force: true,
        };
        let pending = TariffVersion {
            version: 2,
            from_epoch: network.epoch + 1,
            from_milliseconds: network.epoch_ends_milliseconds,
            in_force: false,
            ..version
        };
        Ok(Some(TariffDesk {
            network,
            in_force: tariff(1),
            next_json: "{\n  \"version\": 3\n}\n".to_owned(),
            history: vec![pending, version],
            epochs_max: 10,
            rehearsal: proposal.map(|proposal| self.rehearsal(proposal)),
        }))
    }

    fn validators(&self, viewer: &Viewer) -> Answer<Validators> {
        if !viewer.is_operator() {
            return Ok(None);
        }
        let network = self.figures();
        let validator = |name: &str, has_signed| Validator {
            name: name.to_owned(),
            vkey: format!("{name}+00000000+AAAA"),
            has_signed,
        };
        let several = self.agreement.iter().flat_map(|agreement| &agreement.validators);
        let several: Vec<Validator> = several.map(|one| validator(&one.name, one.is_present())).collect();
        let lone = vec![validator(&network.origin, true)];
        Ok(Some(Validators {
            quorum: self.agreement.as_ref().map_or(1, |agreement| agreement.quorum),
            validators: if several.is_empty() { lone } else { several },
            checkpoint_size: network.log_size,
            network,
        }))
    }

    fn audit(&self, sizes: Option<(u64, u64)>, ends_max: usize) -> Result<Audit, ViewError> {
        let network = self.figures();
        let closed = if self.residents.is_empty() { 0 } else { self.epoch() };
        let escrowed = |one: &&super::Resident| one.owner.is_none() && cell_of(one).is_some();
        let escrow: u64 = self
            .residents
            .iter()
            .filter(escrowed)
            .map(|one| self.device_of(one).earned_total_microtokens)
            .sum();
        Ok(Audit {
            checkpoint: format!(
                "{}\n{}\nAAAA\n\n— {} AAAA\n",
                network.origin, network.log_size, network.origin
            ),
            checkpoint_size: network.log_size,
            signers: vec![network.origin.clone()],
            quorum: 1,
            ends: (0..closed).rev().take(ends_max).map(|epoch| self.end_of(epoch)).collect(),
            supply: Supply {
                genesis_microtokens: POOL + TREASURY,
                issued_since_microtokens: 0,
                pool_microtokens: network.pool_microtokens,
                treasury_microtokens: TREASURY,
                escrow_microtokens: escrow,
                holders_microtokens: network.earned_total_microtokens - escrow,
                holders: 4,
            },
            growth: sizes.map(|(from, to)| self.growth(from, to)),
            network,
        })
    }
}
