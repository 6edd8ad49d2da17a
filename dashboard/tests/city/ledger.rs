//! What the city's ledger says: readings, statements, accounts, transactions and blocks.

use dashboard::view::*;

use super::residents::{Measure, Resident, kid};
use super::statements::cell_of;
use super::{BEAT_SECONDS, City, EPOCH_SECONDS, GENESIS, POOL, account, hex};

const READING: u64 = 10_000;
const SEAL: u64 = 20_000;
pub(super) const BEATS_PER_EPOCH: u64 = EPOCH_SECONDS / BEAT_SECONDS;

fn beat_time(beat: u64) -> u64 {
    GENESIS + beat * BEAT_SECONDS * 1_000
}

fn reading_id(resident: &Resident, beat: u64) -> String {
    hex(READING + resident.number, beat)
}

pub(super) fn seal_of(city: &City, height: u64) -> Seal {
    Seal { height, index: city.first_index(height + 1) - 1, transaction: hex(SEAL, height) }
}

/// A value that wanders with the beat, within the measure's swing.
fn value(measure: &Measure, beat: u64) -> Exact {
    let phase = i128::from(beat % 64);
    let wave = if phase < 32 { phase - 16 } else { 48 - phase };
    let jitter = i128::from(beat * 7 % 5) - 2;
    Exact { mantissa: measure.middle + measure.swing * (wave * 4 + jitter) / 64, exponent: measure.exponent }
}

impl City {
    /// The beats at which a resident was accepted: the block's height is the same number.
    pub fn beats(&self, resident: &Resident) -> std::ops::Range<u64> {
        let Some(from) = resident.from else { return 0..0 };
        let until = resident.until.unwrap_or(self.now_milliseconds).min(self.now_milliseconds);
        let beat = |time: u64| (time - GENESIS) / (BEAT_SECONDS * 1_000);
        (beat(from) + 1)..(beat(until) + 1).max(beat(from) + 1)
    }

    pub(super) fn beats_of_epoch(&self, resident: &Resident, epoch: u64) -> u64 {
        let all = self.beats(resident);
        let (first, last) = (epoch * BEATS_PER_EPOCH, (epoch + 1) * BEATS_PER_EPOCH);
        last.min(all.end).saturating_sub(first.max(all.start))
    }

    fn senders(&self, height: u64) -> impl Iterator<Item = &Resident> {
        self.residents.iter().filter(move |resident| self.beats(resident).contains(&height))
    }

    /// Index of a block's first entry: every block before it has its senders' envelopes and a seal.
    pub fn first_index(&self, height: u64) -> u64 {
        let before = |resident: &Resident| {
            let beats = self.beats(resident);
            beats.end.min(height).saturating_sub(beats.start)
        };
        height + self.residents.iter().map(before).sum::<u64>()
    }

    pub(super) fn reading(&self, resident: &Resident, beat: u64) -> Reading {
        let place = self.senders(beat).position(|sender| sender.number == resident.number).unwrap_or(0);
        Reading {
            transaction: reading_id(resident, beat),
            index: self.first_index(beat) + place as u64,
            height: beat,
            accepted_milliseconds: beat_time(beat),
            sequence: self.sequence(beat),
            records: resident
                .measures
                .iter()
                .map(|measure| Measurement {
                    name: measure.name.to_owned(),
                    unit: measure.unit.to_owned(),
                    value: value(measure, beat),
                    time_milliseconds: Some(beat_time(beat) - 1_000).filter(|_| resident.number != 9),
                })
                .collect(),
        }
    }

    fn sequence(&self, beat: u64) -> Sequence {
        Sequence { boot: 3, count: u32::try_from(beat).unwrap_or(u32::MAX) }
    }

    pub(super) fn device_of(&self, resident: &Resident) -> Device {
        let beats = self.beats(resident);
        let (envelopes, records) = (beats.end - beats.start, resident.measures.len() as u64);
        let epoch_envelopes = self.beats_of_epoch(resident, self.epoch());
        let last = beats.clone().next_back();
        let mut refused = Refused::default();
        if resident.number.is_multiple_of(3) && envelopes > 0 {
            refused.0[4] = 12;
            refused.0[6] = 1;
        }
        if resident.revoked {
            refused.0[2] = 360;
        }
        Device {
            firmware: None,
            kid: resident.kid.clone(),
            owner: resident.owner.clone(),
            escrow: resident.owner.is_none().then(|| account(500 + resident.number)),
            former_owners: resident
                .former
                .iter()
                .map(|(owner, until)| FormerOwner { owner: account(*owner), until_milliseconds: *until })
                .collect(),
            offered_to: resident.offered_to.map(account),
            replaces: self
                .residents
                .iter()
                .find(|other| other.replaced_by == Some(resident.number))
                .map(|other| other.kid.clone()),
            replaced_by: resident.replaced_by.map(kid),
            cell: cell_of(resident),
            position_exact: false,
            position: (resident.number != 2).then(|| Position {
                latitude_microdegrees: 52_500_000 + i32::try_from(resident.number).unwrap_or(0) * 13_137,
                longitude_microdegrees: 13_400_000 - i32::try_from(resident.number).unwrap_or(0) * 9_173,
            }),
            status: match last {
                _ if resident.revoked => DeviceStatus::Revoked,
                None => DeviceStatus::New,
                Some(beat) if self.now_milliseconds - beat_time(beat) > 180_000 => DeviceStatus::Silent,
                Some(_) => DeviceStatus::Online,
            },
            enrolled_height: 0,
            last_reading_milliseconds: last.map(beat_time),
            last_sequence: last.map(|beat| self.sequence(beat)),
            accepted: Count { envelopes, records: envelopes * records },
            accepted_epoch: Count { envelopes: epoch_envelopes, records: epoch_envelopes * records },
            refused,
            earned_epoch_microtokens: self.statement_of(resident, self.epoch()).paid_microtokens,
            earned_total_microtokens: self.statements_of(resident).map(|row| row.paid_microtokens).sum(),
            statements_total: self.statements_of(resident).count() as u64,
        }
    }

    fn rewards(&self, height: u64) -> Vec<Transfer> {
        if height == 0 || !height.is_multiple_of(BEATS_PER_EPOCH) {
            return Vec::new();
        }
        let epoch = height / BEATS_PER_EPOCH - 1;
        let settled = self.residents.iter().map(|resident| self.statement_of(resident, epoch));
        settled
            .filter(|statement| statement.paid_microtokens > 0)
            .map(|statement| self.reward(statement))
            .collect()
    }

    pub(super) fn reward(&self, statement: Statement) -> Transfer {
        let seal = seal_of(self, (statement.epoch + 1) * BEATS_PER_EPOCH);
        Transfer {
            debit: account(1_000),
            credit: statement.payee,
            amount_microtokens: statement.paid_microtokens,
            reason: "reward".to_owned(),
            cause: TransferCause::Statement { kid: statement.kid, epoch: statement.epoch },
            transaction: seal.transaction,
            index: seal.index,
            height: seal.height,
            time_milliseconds: beat_time(seal.height),
        }
    }

    pub(super) fn account_of(
        &self,
        id: &str,
        devices: usize,
        transfers: usize,
        statements: usize,
    ) -> Option<AccountPage> {
        if id == account(1_000) {
            return Some(self.pool(transfers));
        }
        let mine = |resident: &&Resident| {
            resident.owner.as_deref() == Some(id)
                || (resident.owner.is_none() && account(500 + resident.number) == id)
        };
        let owned: Vec<&Resident> = self.residents.iter().filter(mine).collect();
        let escrow = owned.first()?.owner.is_none();
        let paid_to = |statement: &Statement| statement.payee == id;
        let mut all: Vec<Statement> =
            self.residents.iter().flat_map(|one| self.statements_of(one)).filter(paid_to).collect();
        all.sort_by_key(|statement| std::cmp::Reverse(statement.epoch));
        let paid: Vec<Statement> = all.iter().filter(|row| row.paid_microtokens > 0).cloned().collect();
        let mine: Vec<Device> = owned.iter().map(|one| self.device_of(one)).collect();
        Some(AccountPage {
            network: self.network().ok()?,
            id: id.to_owned(),
            role: if escrow { AccountRole::Escrow } else { AccountRole::Holder },
            posted_microtokens: paid.iter().map(|statement| statement.paid_microtokens).sum(),
            pending_microtokens: mine.iter().map(|device| device.earned_epoch_microtokens).sum(),
            devices_total: if escrow { 0 } else { mine.len() as u64 },
            devices: mine.into_iter().take(if escrow { 0 } else { devices }).collect(),
            transfers_total: paid.len() as u64,
            transfers: paid.into_iter().take(transfers).map(|statement| self.reward(statement)).collect(),
            statements: all.into_iter().take(statements).collect(),
        })
    }

    fn pool(&self, transfers: usize) -> AccountPage {
        let network = self.network().unwrap_or_default();
        let all: Vec<Transfer> = (0..=self.height()).rev().flat_map(|height| self.rewards(height)).collect();
        assert_eq!(
            network.pool_microtokens,
            POOL - all.iter().map(|one| one.amount_microtokens).sum::<u64>()
        );
        AccountPage {
            id: account(1_000),
            role: AccountRole::Pool,
            posted_microtokens: network.pool_microtokens,
            network,
            transfers_total: all.len() as u64,
            transfers: all.into_iter().take(transfers).collect(),
            ..AccountPage::default()
        }
    }

    pub(super) fn transaction_of(&self, id: &str, transfers_max: usize) -> Option<TransactionPage> {
        let network = self.network().ok()?;
        for height in 0..=self.height() {
            if hex(SEAL, height) == id {
                let rewards = self.rewards(height);
                return Some(TransactionPage {
                    network,
                    id: id.to_owned(),
                    index: seal_of(self, height).index,
                    height,
                    time_milliseconds: beat_time(height),
                    raw: "8a01".repeat(60),
                    body: TransactionBody::Seal(self.seal_body(height)),
                    transfers_total: rewards.len() as u64,
                    transfers: rewards.into_iter().take(transfers_max).collect(),
                    corrections: Vec::new(),
                });
            }
            if let Some(sender) = self.senders(height).find(|sender| reading_id(sender, height) == id) {
                let reading = self.reading(sender, height);
                return Some(TransactionPage {
                    network,
                    id: id.to_owned(),
                    index: reading.index,
                    height,
                    time_milliseconds: beat_time(height),
                    raw: "d284".repeat(90),
                    body: TransactionBody::Reading {
                        kid: sender.kid.clone(),
                        sequence: reading.sequence,
                        records: reading.records,
                    },
                    ..TransactionPage::default()
                });
            }
        }
        (id == hex(1, 1)).then(|| self.instruction(id)).or_else(|| {
            let correction = (id == hex(1, 2)).then(|| self.correction());
            correction.map(|correction| TransactionPage {
                network,
                id: id.to_owned(),
                index: correction.index,
                height: correction.height,
                time_milliseconds: correction.time_milliseconds,
                body: TransactionBody::Instruction {
                    account: account(3),
                    counter: 9,
                    name: "correct".to_owned(),
                    sentence: "Corrects entry 1 of the log.".to_owned(),
                    arguments: vec![("entry".to_owned(), "1".to_owned())],
                },
                transfers: vec![correction],
                transfers_total: 1,
                ..TransactionPage::default()
            })
        })
    }

    /// What the operator set right about the instruction, with a reason of nobody's taste.
    fn correction(&self) -> Transfer {
        Transfer {
            debit: account(1),
            credit: account(1_000),
            amount_microtokens: 250_000,
            reason: "correct".to_owned(),
            cause: TransferCause::Correction {
                index: 1,
                transaction: hex(1, 1),
                why: super::HOSTILE_NAME.to_owned(),
            },
            transaction: hex(1, 2),
            index: 40,
            height: 5,
            time_milliseconds: beat_time(5),
        }
    }

    /// A transfer with a hostile memo, as long as an instruction may be.
    fn instruction(&self, id: &str) -> TransactionPage {
        TransactionPage {
            network: self.network().unwrap_or_default(),
            id: id.to_owned(),
            index: 1,
            height: 1,
            time_milliseconds: beat_time(1),
            raw: "d2".repeat(16_384),
            body: TransactionBody::Instruction {
                account: account(0),
                counter: 4,
                name: "transfer".to_owned(),
                sentence: format!("Pays 1.250000 tokens to {}: {}", account(1), super::HOSTILE_NAME),
                arguments: vec![
                    ("to".to_owned(), account(1)),
                    ("amount".to_owned(), "1.250000 tokens".to_owned()),
                    ("memo".to_owned(), super::HOSTILE_NAME.repeat(100)),
                ],
            },
            transfers: vec![Transfer {
                debit: account(0),
                credit: account(1),
                amount_microtokens: 1_250_000,
                reason: "transfer".to_owned(),
                cause: TransferCause::Memo(super::HOSTILE_NAME.to_owned()),
                transaction: id.to_owned(),
                index: 1,
                height: 1,
                time_milliseconds: beat_time(1),
            }],
            transfers_total: 1,
            corrections: vec![self.correction()],
        }
    }

    fn seal_body(&self, height: u64) -> SealBody {
        let settles = height > 0 && height.is_multiple_of(BEATS_PER_EPOCH);
        let epoch = height / BEATS_PER_EPOCH;
        SealBody {
            entries: self.senders(height).count() as u64,
            refused: Refused::default(),
            results_root: hex(30_000, height),
            state_root: (height == 0 || settles).then(|| hex(40_000, height)),
            settled_epochs: settles.then(|| (epoch - 1, epoch - 1)),
            settlement: settles.then(|| self.settlement(epoch - 1)),
        }
    }

    pub(super) fn block_of(&self, height: u64, offset: u64, limit: usize) -> BlockPage {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let entries = self.senders(height).skip(offset).take(limit).map(|sender| {
            let reading = self.reading(sender, height);
            BlockEntry {
                index: reading.index,
                id: reading.transaction,
                kind: "reading".to_owned(),
                kid: Some(sender.kid.clone()),
                account: None,
                records: reading.records.len() as u64,
            }
        });
        BlockPage {
            height,
            time_milliseconds: beat_time(height),
            first_index: self.first_index(height),
            log_size: self.first_index(height + 1),
            seal_transaction: hex(SEAL, height),
            seal: self.seal_body(height),
            entries: entries.collect(),
            network: self.network().unwrap_or_default(),
        }
    }
}
