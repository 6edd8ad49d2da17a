//! A small city made of arithmetic: a `View` whose every figure follows from the time alone.
//!
//! It has a device of each kind that has broken such pages before: new, silent, revoked, without an owner, with
//! hostile names, with more readings than a page shows. Everything is reckoned from the same rule (one envelope
//! every ten seconds), so that its totals agree wherever they are asked for.

mod ledger;
mod operator;
mod owner;
mod places;
mod residents;
mod statements;
mod validators;
pub mod visit;

use std::sync::OnceLock;

use dashboard::view::*;

pub use residents::{HOSTILE_NAME, Resident};

/// 22 November 2026, 07:38:46 UTC.
pub const NOON: u64 = 1_795_333_126_000;
/// When the city's network began.
pub const GENESIS: u64 = NOON - 7_246_000;
/// Seconds between envelopes of a device, and between blocks.
pub const BEAT_SECONDS: u64 = 10;
/// Length of an epoch.
pub const EPOCH_SECONDS: u64 = 60;
/// What the pool was filled with.
pub const POOL: u64 = 50_000_000_000;

/// The city at a moment.
#[derive(Debug, Clone)]
pub struct City {
    /// Its wall clock.
    pub now_milliseconds: u64,
    /// Its devices, in the order of their kids.
    pub residents: Vec<Resident>,
    /// How its validators agree, where there are several.
    pub agreement: Option<Agreement>,
    /// Its figures, reckoned once.
    figures: OnceLock<Network>,
}

/// 64 hex digits that differ for every pair of numbers.
pub fn hex(kind: u64, number: u64) -> String {
    let mut state = kind.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03);
    let mut digits = String::new();
    for _ in 0..4 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        digits.push_str(&format!("{:016x}", word ^ (word >> 31)));
    }
    digits
}

/// An account id as it looks.
pub fn account(number: u64) -> String {
    let letters = hex(900, number).replace('b', "q").replace('1', "z");
    format!("lamp1{}", letters.chars().take(58).collect::<String>())
}

impl City {
    /// The city with all its devices.
    pub fn at(now_milliseconds: u64) -> Self {
        Self { now_milliseconds, residents: residents::all(), agreement: None, figures: OnceLock::new() }
    }

    /// A city that nobody has moved into.
    pub fn empty(now_milliseconds: u64) -> Self {
        Self { now_milliseconds, residents: Vec::new(), agreement: None, figures: OnceLock::new() }
    }

    /// The resident with that kid.
    pub fn resident(&self, kid: &str) -> Option<&Resident> {
        self.residents.iter().find(|resident| resident.kid == kid)
    }

    /// The running epoch.
    pub fn epoch(&self) -> u64 {
        (self.now_milliseconds - GENESIS) / (EPOCH_SECONDS * 1_000)
    }

    /// Height of the newest block.
    pub fn height(&self) -> u64 {
        (self.now_milliseconds - GENESIS) / (BEAT_SECONDS * 1_000)
    }

    /// The network's figures.
    pub fn figures(&self) -> Network {
        self.figures.get_or_init(|| self.reckon()).clone()
    }

    fn reckon(&self) -> Network {
        let devices: Vec<Device> = self.residents.iter().map(|resident| self.device_of(resident)).collect();
        let sum = |figure: fn(&Device) -> u64| devices.iter().map(figure).sum::<u64>();
        let count = |status| devices.iter().filter(|device| device.status == status).count() as u64;
        let mut refused = Refused::default();
        for device in &devices {
            for (all, one) in refused.0.iter_mut().zip(device.refused.0) {
                *all += one;
            }
        }
        refused.0[0] += if devices.is_empty() { 0 } else { 17 };
        let paid = sum(|device| device.earned_total_microtokens);
        Network {
            name: "devnet".to_owned(),
            origin: "lamppost/devnet".to_owned(),
            version: "0.1.0".to_owned(),
            http_url: "http://127.0.0.1:8080".to_owned(),
            mqtt_url: "mqtt://127.0.0.1:1883".to_owned(),
            operator_key_path: "lamppost-data/keys/operator.pem".to_owned(),
            now_milliseconds: self.now_milliseconds,
            height: self.height(),
            last_block_milliseconds: GENESIS + self.height() * BEAT_SECONDS * 1_000,
            log_size: self.first_index(self.height() + 1),
            epoch: self.epoch(),
            epoch_seconds: EPOCH_SECONDS,
            epoch_ends_milliseconds: GENESIS + (self.epoch() + 1) * EPOCH_SECONDS * 1_000,
            silent_after_seconds: 180,
            accepted: Count {
                envelopes: sum(|device| device.accepted.envelopes),
                records: sum(|device| device.accepted.records),
            },
            refused,
            pool_microtokens: POOL - paid,
            pool_account: account(1_000),
            earned_epoch_microtokens: sum(|device| device.earned_epoch_microtokens),
            earned_total_microtokens: paid,
            devices: DeviceCounts {
                new: count(DeviceStatus::New),
                online: count(DeviceStatus::Online),
                silent: count(DeviceStatus::Silent),
                revoked: count(DeviceStatus::Revoked),
            },
            agreement: self.agreement.clone(),
        }
    }
}

impl View for City {
    fn home(&self, offset: u64, limit: usize) -> Result<Home, ViewError> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let devices = self.residents.iter().skip(offset).take(limit).map(|one| self.device_of(one)).collect();
        Ok(Home { network: self.figures(), devices })
    }

    fn device(
        &self,
        viewer: &Viewer,
        kid: &str,
        readings_max: usize,
        statements_max: usize,
    ) -> Answer<DevicePage> {
        Ok(self.resident(kid).map(|resident| DevicePage {
            network: self.figures(),
            device: Device {
                position_exact: viewer.may_see_of(resident.owner.as_deref()),
                ..self.device_of(resident)
            },
            public_key: hex(700, resident.number),
            readings: self
                .beats(resident)
                .rev()
                .take(readings_max)
                .map(|beat| self.reading(resident, beat))
                .collect(),
            running: Some(self.statement_of(resident, self.epoch()))
                .filter(|running| running.due_microtokens > 0)
                .into_iter()
                .collect(),
            statements: self.statements_of(resident).rev().take(statements_max).collect(),
        }))
    }

    fn statements(&self, kid: &str, before_epoch: Option<u64>, limit: usize) -> Answer<StatementsPage> {
        let Some(resident) = self.resident(kid) else { return Ok(None) };
        let older = self
            .statements_of(resident)
            .rev()
            .filter(|row| before_epoch.is_none_or(|epoch| row.epoch < epoch));
        let mut statements: Vec<Statement> = older.take(limit + 1).collect();
        let more = statements.len() > limit;
        statements.truncate(limit);
        Ok(Some(StatementsPage {
            network: self.figures(),
            device: self.device_of(resident),
            statements,
            more,
        }))
    }

    fn statement(&self, kid: &str, epoch: u64) -> Answer<StatementPage> {
        let found = self.resident(kid).and_then(|resident| {
            let statement = self.statements_of(resident).find(|statement| statement.epoch == epoch)?;
            Some(StatementPage {
                network: self.figures(),
                device: self.device_of(resident),
                transfers: Some(statement.clone())
                    .filter(|statement| statement.paid_microtokens > 0)
                    .map(|statement| self.reward(statement))
                    .into_iter()
                    .collect(),
                statements: vec![statement],
            })
        });
        Ok(found)
    }

    fn account(&self, id: &str, devices: usize, transfers: usize, statements: usize) -> Answer<AccountPage> {
        Ok(self.account_of(id, devices, transfers, statements))
    }

    fn transaction(&self, id: &str, transfers_max: usize) -> Answer<TransactionPage> {
        Ok(self.transaction_of(id, transfers_max))
    }

    fn block(&self, height: u64, offset: u64, limit: usize) -> Answer<BlockPage> {
        Ok((height <= self.height()).then(|| self.block_of(height, offset, limit)))
    }

    fn map(&self, cells_max: usize, chosen: Option<&str>, devices_max: usize) -> Result<Map, ViewError> {
        Ok(self.map_of(cells_max, chosen, devices_max))
    }

    fn network(&self) -> Result<Network, ViewError> {
        Ok(self.figures())
    }

    fn mine(&self, asked: &MineAsked) -> Result<Mine, ViewError> {
        Ok(self.mine_of(asked))
    }

    fn payouts(
        &self,
        account: &str,
        after: Option<PayoutsAfter>,
        limit: usize,
    ) -> Result<Payouts, ViewError> {
        Ok(self.payouts_of(account, after, limit))
    }
}
