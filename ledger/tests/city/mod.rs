//! A small city for the ledger's tests: keys from fixed seeds, signed readings and instructions, blocks in order.
#![allow(dead_code, reason = "every test file uses its own part of the city")]

pub mod asking;
pub mod series;

use devices::identity::{DeviceId, SigningKey};
use devices::instruction::SignedInstruction;
use devices::reading::SignedReading;
use devices::senml::{Base, Record, Value, encode_pack};
use devices::sequence::Sequence;
use devices::{sign_instruction, sign_reading};
use ledger::account::AccountId;
use ledger::block::{Block, BlockResults};
use ledger::genesis::{Genesis, Validator};
use ledger::instruction::Instruction;
use ledger::note::VerifierKey;
use ledger::registry::Position;
use ledger::state::State;
use ledger::tariff::Tariff;
use ledger::transaction::{Outcome, Refused, VerifiedTransaction};
use std::collections::BTreeMap;

/// When the city begins, Unix milliseconds.
pub const START: u64 = 1_800_000_000_000;
/// Seconds of its epochs.
pub const EPOCH_SECONDS: u64 = 60;
/// The same in milliseconds.
pub const EPOCH: u64 = EPOCH_SECONDS * 1_000;

pub type Transaction = VerifiedTransaction<Vec<u8>>;

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub fn operator() -> SigningKey {
    key(200)
}

pub fn treasury() -> SigningKey {
    key(201)
}

pub fn validator() -> SigningKey {
    key(202)
}

pub fn account(key: &SigningKey) -> AccountId {
    AccountId::of(&key.public_key())
}

/// The devnet's tariff, for which one record an epoch is enough: what a test sends is paid in full unless it says why not.
pub fn tariff() -> Tariff {
    let mut tariff = Tariff::default();
    for quantity in &mut tariff.quantities {
        quantity.interval_seconds = EPOCH_SECONDS as u32;
    }
    tariff
}

pub fn genesis() -> Genesis {
    let genesis = Genesis::devnet(
        "devnet",
        "lamppost/devnet",
        validator().public_key(),
        operator().public_key(),
        treasury().public_key(),
        EPOCH_SECONDS,
        START,
    )
    .unwrap();
    Genesis { tariff: tariff(), ..genesis }
}

/// The same network, begun by so many validators: that of seed N is named validator-N.
pub fn genesis_of(validators: u8) -> Genesis {
    let validator = |seed| {
        let name = format!("validator-{seed}");
        let vkey = VerifierKey::new(&name, key(seed).public_key()).unwrap().to_string();
        Validator { name, vkey }
    };
    let genesis = Genesis { validators: (1..=validators).map(validator).collect(), ..genesis() };
    genesis.validate().unwrap();
    genesis
}

/// The city's ledger with every block it ever made.
pub struct City {
    pub genesis: Genesis,
    pub state: State,
    pub blocks: Vec<Block>,
    pub results: Vec<BlockResults>,
    counters: BTreeMap<DeviceId, u64>,
}

impl City {
    pub fn new() -> Self {
        Self::with(genesis())
    }

    pub fn with(genesis: Genesis) -> Self {
        let (state, block, results) = State::genesis(&genesis);
        Self { genesis, state, blocks: vec![block], results: vec![results], counters: BTreeMap::new() }
    }

    /// A city whose device of seed 1 is enrolled and owned by the account of seed 100.
    pub fn with_device() -> Self {
        let mut city = Self::new();
        city.enrol(&key(1), Some(account(&key(100))));
        city
    }

    /// Makes one block; gives each transaction's outcome.
    pub fn block(&mut self, time: u64, transactions: &[Transaction]) -> Vec<Result<Outcome, Refused>> {
        let mut builder = self.state.begin(time);
        let outcomes = transactions.iter().map(|transaction| builder.execute(transaction)).collect();
        let (block, results) = builder.finish();
        self.blocks.push(block);
        self.results.push(results);
        outcomes
    }

    /// One block with one transaction.
    pub fn one(&mut self, time: u64, transaction: &Transaction) -> Result<Outcome, Refused> {
        self.block(time, std::slice::from_ref(transaction)).remove(0)
    }

    pub fn enrol(&mut self, device: &SigningKey, owner: Option<AccountId>) {
        let position =
            Some(Position { latitude_microdegrees: 57_100_000, longitude_microdegrees: -2_100_000 });
        self.enrol_at(device, owner, position);
    }

    pub fn enrol_at(&mut self, device: &SigningKey, owner: Option<AccountId>, position: Option<Position>) {
        let enrol = Instruction::Enrol { public_key: device.public_key(), owner, position };
        let transaction = self.instruct(&operator(), &enrol);
        let time = self.state.time_unix_milliseconds();
        self.one(time, &transaction).unwrap();
    }

    /// An instruction with the account's next counter; it carries the key, as a first one must.
    pub fn instruct(&mut self, signer: &SigningKey, instruction: &Instruction) -> Transaction {
        let counter = self.counters.entry(signer.kid()).or_insert(0);
        *counter += 1;
        instruction_with(signer, *counter, &instruction.encode(), true)
    }

    pub fn last(&self) -> &BlockResults {
        self.results.last().unwrap()
    }

    /// Every entry's bytes in the log's order.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        let of_block =
            |block: &Block| block.entries.iter().cloned().chain([block.seal.encode()]).collect::<Vec<_>>();
        self.blocks.iter().flat_map(of_block).collect()
    }

    /// What an account would be paid if the running epoch ended now.
    pub fn pending(&self, id: AccountId) -> u64 {
        self.state.preview().pending_microtokens(id)
    }

    pub fn balance(&self, id: AccountId) -> u64 {
        self.state.balance_microtokens(id)
    }
}

/// A signed and verified instruction.
pub fn instruction_with(signer: &SigningKey, counter: u64, payload: &[u8], with_key: bool) -> Transaction {
    let mut out = vec![0; 16_384];
    let length = sign_instruction(signer, "devnet", counter, payload, with_key, &mut out).unwrap();
    out.truncate(length);
    let signed = SignedInstruction::decode(out).map_err(|(refusal, _)| refusal).unwrap();
    let verified = signed.verify(&signer.public_key(), "devnet").map_err(|(refusal, _)| refusal).unwrap();
    VerifiedTransaction::Instruction(verified)
}

/// The bytes of an envelope whose every record is of one quantity.
pub fn envelope(
    device: &SigningKey,
    sequence: (u32, u32),
    base: &Base<'_>,
    records: &[Record<'_>],
) -> Vec<u8> {
    let mut pack = [0; 1_024];
    let length = encode_pack(base, records, &mut pack).unwrap();
    let mut out = vec![0; 1_024];
    let sequence = Sequence { boot: sequence.0, count: sequence.1 };
    let length = sign_reading(device, "devnet", sequence, &pack[..length], &mut out).unwrap();
    out.truncate(length);
    out
}

pub fn signed(bytes: Vec<u8>) -> SignedReading<Vec<u8>> {
    SignedReading::decode(bytes).map_err(|(refusal, _)| refusal).unwrap()
}

pub fn verified(device: &SigningKey, bytes: Vec<u8>) -> Transaction {
    let reading =
        signed(bytes).verify(&device.public_key(), "devnet").map_err(|(refusal, _)| refusal).unwrap();
    VerifiedTransaction::Reading(reading)
}

pub fn number(value: u32) -> Value {
    Value::Number(value.into())
}

/// `records` temperatures without a time, now 20 and now 21 degrees.
pub fn temperatures(device: &SigningKey, sequence: (u32, u32), records: usize) -> Transaction {
    let base = Base { version: None, name: Some("temp"), time: None, unit: Some("Cel") };
    let records: Vec<_> = (20..22).cycle().take(records).map(|value| Record::of(number(value))).collect();
    verified(device, envelope(device, sequence, &base, &records))
}

/// One temperature at a time, offset from the base time by `offset` seconds.
pub fn temperature_at(
    device: &SigningKey,
    sequence: (u32, u32),
    time: Option<u32>,
    offset: i32,
) -> Transaction {
    let base = Base { version: None, name: Some("temp"), time, unit: Some("Cel") };
    let record = Record { time_offset_seconds: Some(offset), ..Record::of(number(21)) };
    verified(device, envelope(device, sequence, &base, &[Record::of(number(20)), record]))
}
