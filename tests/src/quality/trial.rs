//! One day of a city on the ledger itself: devices enrolled, readings signed, blocks executed, the epoch settled, and
//! what its statements pay.

use super::series::{DAY_SECONDS, Day, QUANTITIES, Sensor};
use devices::identity::{DeviceId, SigningKey};
use devices::instruction::SignedInstruction;
use devices::reading::{SignedReading, VerifiedReading};
use devices::senml::{Base, Record, Value, encode_pack};
use devices::{Decimal, Sequence, sign_instruction, sign_reading};
use ledger::account::AccountId;
use ledger::factor::{Factor, FactorName};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::registry::Position;
use ledger::state::State;
use ledger::statement::Statement;
use ledger::tariff::Tariff;
use ledger::transaction::VerifiedTransaction;

/// The network of every trial.
const NETWORK: &str = "quality";
/// Readings of one envelope: PM10 and PM2.5 of ten moments.
const MOMENTS_PER_ENVELOPE: usize = 10;
/// Envelopes that one device can send on one day, as far as its numbers go.
const ENVELOPES_PER_DAY_MAX: u32 = 10_000;
/// Seconds between blocks.
const BLOCK_SECONDS: u32 = 1_800;

/// The price list and rule of the trials: a dust sensor's, a day long.
///
/// # Panics
/// When the ledger does not take it.
#[must_use]
pub fn tariff() -> Tariff {
    Tariff::from_json(include_str!("tariff.json")).expect("the trial's tariff is one")
}

/// A verified envelope and the second of the day at which it arrives.
#[derive(Clone, Debug)]
pub struct Envelope {
    second: u32,
    transaction: VerifiedTransaction<Vec<u8>>,
}

impl Envelope {
    /// The same envelope, arriving this much later on the same day.
    #[must_use]
    pub fn later(mut self, seconds: u32) -> Self {
        self.second = self.second.saturating_add(seconds).min(DAY_SECONDS - 1);
        self
    }
}

/// What one device was paid for one quantity of one day, before its cell and the pool are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pay {
    /// Price times records.
    pub base_microtokens: u64,
    /// What the factors leave of it.
    pub amount_microtokens: u64,
    /// The factors of quality.
    pub factors: Vec<Factor>,
}

impl Pay {
    /// What judgement leaves of a thousand: every factor but those of counting, completeness and freshness.
    #[must_use]
    pub fn judged_permille(&self) -> u64 {
        let counted = [FactorName::Completeness, FactorName::Freshness];
        let judged = self.factors.iter().filter(|factor| !counted.contains(&factor.name));
        judged.fold(1_000, |left, factor| left * u64::from(factor.permille) / 1_000)
    }
}

/// A city's ledger with its devices enrolled, about to begin a day.
#[derive(Clone, Debug)]
pub struct Trial {
    state: State,
    first_day_unix_seconds: u64,
}

/// The device's key.
fn key(sensor: u32) -> SigningKey {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&sensor.to_be_bytes());
    SigningKey::from_seed(seed)
}

impl Trial {
    /// A city that begins with the first of the sensors' days; each day is an epoch.
    ///
    /// # Panics
    /// When the ledger refuses a device.
    #[must_use]
    pub fn of(sensors: &[Sensor], first_day_unix_seconds: u64, tariff: Tariff) -> Self {
        let operator = SigningKey::from_seed([1; 32]);
        let keys =
            [SigningKey::from_seed([2; 32]), SigningKey::from_seed([3; 32])].map(|key| key.public_key());
        let mut genesis = Genesis::devnet(
            NETWORK,
            "lamppost/quality",
            keys[0],
            operator.public_key(),
            keys[1],
            DAY_SECONDS.into(),
            first_day_unix_seconds * 1_000,
        )
        .expect("a genesis of a day's epochs");
        genesis.tariff = tariff;
        genesis.validate().expect("a genesis with the trial's tariff");
        let (mut state, ..) = State::genesis(&genesis);
        let mut builder = state.begin(first_day_unix_seconds * 1_000);
        for (counter, sensor) in (1..).zip(sensors) {
            let [latitude_microdegrees, longitude_microdegrees] = sensor.position;
            let position = Some(Position { latitude_microdegrees, longitude_microdegrees });
            let public_key = key(sensor.number).public_key();
            let owner = Some(AccountId::of(&operator.public_key()));
            let enrol = Instruction::Enrol { public_key, owner, position };
            builder.execute(&instruct(&operator, counter, &enrol)).expect("the device is enrolled");
        }
        let _ = builder.finish();
        Self { state, first_day_unix_seconds }
    }

    /// The envelopes of a device's day, `delay_seconds` later than the device itself would send them.
    ///
    /// # Panics
    /// When the readings make no envelope.
    #[must_use]
    pub fn envelopes(&self, sensor: u32, number: usize, day: &Day, delay_seconds: u32) -> Vec<Envelope> {
        let device = key(sensor);
        let begins = self.first_day_unix_seconds + number as u64 * u64::from(DAY_SECONDS);
        let envelope = |(part, moments): (u32, &[super::series::Reading])| {
            let sequence = Sequence { boot: 1, count: number as u32 * ENVELOPES_PER_DAY_MAX + part };
            let transaction = sign(&device, sequence, begins, moments);
            let second =
                moments.last().map_or(0, |moment| moment.second + delay_seconds).min(DAY_SECONDS - 1);
            Envelope { second, transaction }
        };
        (0..).zip(day.chunks(MOMENTS_PER_ENVELOPE)).map(envelope).collect()
    }

    /// Runs a day and settles it; gives the statements.
    ///
    /// # Panics
    /// When the ledger refuses a reading.
    pub fn run(&mut self, number: usize, envelopes: &[&Envelope]) -> Vec<Statement> {
        let mut envelopes = envelopes.to_vec();
        envelopes.sort_by_key(|envelope| envelope.second);
        let begins = self.first_day_unix_seconds + number as u64 * u64::from(DAY_SECONDS);
        for until in (BLOCK_SECONDS..=DAY_SECONDS).step_by(BLOCK_SECONDS as usize) {
            let mut builder = self.state.begin((begins + u64::from(until) - 1) * 1_000);
            let in_block = |envelope: &&&Envelope| (until - BLOCK_SECONDS..until).contains(&envelope.second);
            for envelope in envelopes.iter().filter(in_block) {
                builder.execute(&envelope.transaction).expect("the reading is accepted");
            }
            let _ = builder.finish();
        }
        let (_, results) = self.state.begin((begins + u64::from(DAY_SECONDS)) * 1_000).finish();
        results.statements
    }
}

/// What a statement pays for one of the two quantities of dust; `None` where it has no line of it.
#[must_use]
pub fn pay(statements: &[Statement], sensor: u32, quantity: usize) -> Option<Pay> {
    let kid: DeviceId = key(sensor).kid();
    let statement = statements.iter().find(|statement| statement.kid == kid)?;
    let name = ["pm", QUANTITIES[quantity]].concat();
    let line = statement.lines.iter().find(|line| line.quantity == name)?;
    Some(Pay {
        base_microtokens: line.base_microtokens,
        amount_microtokens: line.amount_microtokens,
        factors: line.factors.clone(),
    })
}

fn instruct(signer: &SigningKey, counter: u64, instruction: &Instruction) -> VerifiedTransaction<Vec<u8>> {
    let mut out = vec![0; 1_024];
    let length = sign_instruction(signer, NETWORK, counter, &instruction.encode(), true, &mut out);
    out.truncate(length.expect("the instruction fits"));
    let signed = SignedInstruction::decode(out).map_err(|(refusal, _)| refusal).expect("an instruction");
    let verified = signed.verify(&signer.public_key(), NETWORK).map_err(|(refusal, _)| refusal);
    VerifiedTransaction::Instruction(verified.expect("its own signature holds"))
}

/// One envelope of some moments, signed by the device. The signature was made here, so it is not checked again.
fn sign(
    device: &SigningKey,
    sequence: Sequence,
    begins: u64,
    moments: &[super::series::Reading],
) -> VerifiedTransaction<Vec<u8>> {
    let first = moments.first().map_or(0, |moment| moment.second);
    let time = u32::try_from(begins + u64::from(first)).ok();
    let base = Base { version: Some(26), name: Some("pm"), time, unit: Some("ug/m3") };
    let record = |second: u32, quantity: usize, hundredths: i64| Record {
        name: Some(QUANTITIES[quantity]),
        time_offset_seconds: i32::try_from(second - first).ok(),
        ..Record::of(Value::Number(Decimal::new(hundredths.into(), -2).expect("a value of the wire")))
    };
    let of_moment = |moment: &super::series::Reading| {
        let moment = *moment;
        [0, 1].into_iter().filter_map(move |quantity| {
            moment.hundredths[quantity].map(|hundredths| record(moment.second, quantity, hundredths))
        })
    };
    let records: Vec<Record<'_>> = moments.iter().flat_map(of_moment).collect();
    let (mut pack, mut out) = ([0; 1_024], vec![0; 1_024]);
    let length = encode_pack(&base, &records, &mut pack).expect("the moments make a pack");
    let length = sign_reading(device, NETWORK, sequence, &pack[..length], &mut out).expect("an envelope");
    out.truncate(length);
    let signed = SignedReading::decode(out).map_err(|(refusal, _)| refusal).expect("a reading");
    VerifiedTransaction::Reading(VerifiedReading::from_own_log(signed, &device.public_key(), NETWORK))
}
