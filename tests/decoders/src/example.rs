//! Valid inputs of every kind, taken from a small city that lives through three epochs: made once, the same each time.

use devices::possession::Possession;
use devices::{
    Base, Decimal, Record, Sequence, SignedInstruction, SignedReading, SigningKey, Value, encode_pack,
    sign_instruction, sign_reading,
};
use ledger::account::AccountId;
use ledger::block::{Block, BlockResults};
use ledger::checkpoint::Checkpoint;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::merkle::{Hash, leaf_hash, root_of};
use ledger::note::Note;
use ledger::registry::Position;
use ledger::state::State;
use ledger::transaction::VerifiedTransaction;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The network's id.
pub const NETWORK: &str = "devnet";
const ORIGIN: &str = "lamppost/devnet";
const START: u64 = 1_800_000_000_000;
const EPOCH_SECONDS: u64 = 60;
const EPOCH: u64 = EPOCH_SECONDS * 1_000;

/// A whole log and everything that follows from it.
#[derive(Debug)]
pub struct Example {
    /// How the network begins.
    pub genesis: Genesis,
    /// The state after the last block.
    pub state: State,
    /// Every block.
    pub blocks: Vec<Block>,
    /// What each block did.
    pub results: Vec<BlockResults>,
    /// The state's leaves when the last epoch was settled.
    pub leaves: Vec<Vec<u8>>,
    /// Where the seal stands that holds their root.
    pub seal_index: u64,
    counters: BTreeMap<[u8; 32], u64>,
}

/// The example, made at the first call.
pub fn example() -> &'static Example {
    static EXAMPLE: OnceLock<Example> = OnceLock::new();
    EXAMPLE.get_or_init(Example::made)
}

/// A key by its number.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn account(seed: u8) -> AccountId {
    AccountId::of(&key(seed).public_key())
}

const VALIDATOR: u8 = 202;
const OPERATOR: u8 = 200;
const TREASURY: u8 = 201;

impl Example {
    /// Every entry of the log in order.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        let of_block =
            |block: &Block| block.entries.iter().cloned().chain([block.seal.encode()]).collect::<Vec<_>>();
        self.blocks.iter().flat_map(of_block).collect()
    }

    /// The entries' leaf hashes.
    pub fn hashes(&self) -> Vec<Hash> {
        self.entries().iter().map(|entry| leaf_hash(entry)).collect()
    }

    /// The signed checkpoint of the log's first `size` entries.
    pub fn checkpoint(&self, size: u64) -> Note {
        let first = self.hashes().into_iter().take(usize::try_from(size).unwrap_or(usize::MAX));
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: root_of(first) };
        checkpoint.sign(ORIGIN, &key(VALIDATOR)).expect("the origin is a key's name")
    }

    fn made() -> Example {
        let genesis = Genesis::devnet(
            NETWORK,
            ORIGIN,
            key(VALIDATOR).public_key(),
            key(OPERATOR).public_key(),
            key(TREASURY).public_key(),
            EPOCH_SECONDS,
            START,
        );
        let genesis = genesis.expect("a devnet is valid");
        let (state, block, results) = State::genesis(&genesis);
        let (leaves, counters) = (Vec::new(), BTreeMap::new());
        let (blocks, results) = (vec![block], vec![results]);
        let mut city = Example { genesis, state, blocks, results, leaves, seal_index: 0, counters };
        city.first_epoch();
        city.second_epoch();
        city.block(START + 2 * EPOCH, Vec::new());
        let leaves = &mut city.leaves;
        city.state.for_each_leaf(|leaf| leaves.push(leaf.to_vec()));
        city.seal_index = city.results.last().expect("blocks were made").seal_index();
        let readings = (0..4).map(|count| reading(5, (2, count), 2)).collect();
        city.block(START + 2 * EPOCH + 1_000, readings);
        city
    }

    /// Devices, tokens and a tariff come into the city.
    fn first_epoch(&mut self) {
        let enrol = |device: u8, owner| Instruction::Enrol {
            public_key: key(device).public_key(),
            owner,
            position: Some(Position {
                latitude_microdegrees: 57_100_000,
                longitude_microdegrees: -2_100_000,
            }),
        };
        let mut tariff = self.genesis.tariff.clone();
        tariff.version += 1;
        let by_operator = [
            enrol(1, Some(account(100))),
            enrol(2, None),
            Instruction::Enrol { public_key: key(3).public_key(), owner: None, position: None },
            Instruction::SetTariff { tariff },
        ];
        let mut transactions: Vec<_> =
            by_operator.iter().map(|instruction| self.instruct(OPERATOR, instruction)).collect();
        let to = account(100);
        transactions.push(self.instruct(TREASURY, &Instruction::Issue { to, amount_microtokens: 5_000_000 }));
        let memo = Some("für die Laterne".to_owned());
        let pay = Instruction::Transfer { to: account(101), amount_microtokens: 1_250_000, memo };
        transactions.push(self.instruct(100, &pay));
        self.block(START + 1_000, transactions);
        let readings = |device| (0..3).map(move |count| reading(device, (1, count), 5));
        self.block(START + 10_000, readings(1).chain(readings(2)).collect());
    }

    /// Devices change hands and keys.
    fn second_epoch(&mut self) {
        let claim = Possession::Claim { account: *account(101).as_bytes() };
        let proof = claim.sign(&key(2), NETWORK).expect("the network has a name");
        let position = Position { latitude_microdegrees: 57_150_000, longitude_microdegrees: -2_090_000 };
        let claim = Instruction::Claim { kid: key(2).kid(), position, proof };
        let kid = key(1).kid();
        let rotation = Possession::Rotation { replaced: kid, account: *account(101).as_bytes() };
        let proof = rotation.sign(&key(5), NETWORK).expect("the network has a name");
        let why = "the owner found it broken".to_owned();
        let correct = Instruction::Correct {
            entry_index: 3,
            from: AccountId::pool(NETWORK),
            to: account(100),
            amount_microtokens: 77,
            why: "the first day was not counted".to_owned(),
        };
        let steps = [
            (101, claim),
            (100, Instruction::TransferDevice { kid, to: Some(account(101)) }),
            (101, Instruction::AcceptDevice { kid }),
            (101, Instruction::RotateKey { kid, new_key: key(5).public_key(), proof }),
            (101, Instruction::RevokeDevice { kid: key(2).kid(), why }),
            (OPERATOR, correct),
        ];
        let transactions = steps.iter().map(|(signer, instruction)| self.instruct(*signer, instruction));
        let transactions = transactions.collect();
        self.block(START + EPOCH + 500, transactions);
        self.block(START + EPOCH + 900, vec![reading(5, (1, 0), 3)]);
    }

    fn instruct(&mut self, signer: u8, instruction: &Instruction) -> VerifiedTransaction<Vec<u8>> {
        let key = key(signer);
        let counter = self.counters.entry([signer; 32]).or_default();
        *counter += 1;
        let mut bytes = vec![0; 16_384];
        let length = sign_instruction(&key, NETWORK, *counter, &instruction.encode(), true, &mut bytes);
        bytes.truncate(length.expect("the instruction is short"));
        let signed = SignedInstruction::decode(bytes).expect("what was signed can be read");
        VerifiedTransaction::Instruction(signed.verify(&key.public_key(), NETWORK).expect("it is signed"))
    }

    fn block(&mut self, time: u64, transactions: Vec<VerifiedTransaction<Vec<u8>>>) {
        let mut builder = self.state.begin(time);
        for transaction in &transactions {
            builder.execute(transaction).expect("the example is carried out");
        }
        let (block, results) = builder.finish();
        self.blocks.push(block);
        self.results.push(results);
    }
}

/// A reading of `records` temperatures with one yes or no behind them.
fn reading(device: u8, (boot, count): (u32, u32), records: u8) -> VerifiedTransaction<Vec<u8>> {
    let pack = pack(count, records);
    let mut bytes = vec![0; 1_024];
    let length = sign_reading(&key(device), NETWORK, Sequence { boot, count }, &pack, &mut bytes);
    bytes.truncate(length.expect("the pack is short"));
    let signed = SignedReading::decode(bytes).expect("what was signed can be read");
    VerifiedTransaction::Reading(signed.verify(&key(device).public_key(), NETWORK).expect("it is signed"))
}

/// The pack of [`reading`]; every third has no time.
pub fn pack(count: u32, records: u8) -> Vec<u8> {
    let time = (count % 3 != 2).then_some(1_800_000_000);
    let base = Base { version: None, name: Some("temp"), time, unit: Some("Cel") };
    let number = |at: u8| {
        let value = Decimal::new(i128::from(at) * 7 + i128::from(count) - 9, -1).expect("one decimal");
        Record { time_offset_seconds: Some(i32::from(at)), ..Record::of(Value::Number(value)) }
    };
    let mut all: Vec<Record<'_>> = (0..records).map(number).collect();
    all.push(Record { name: Some("ok"), unit: None, ..Record::of(Value::Boolean(true)) });
    let mut bytes = vec![0; 1_024];
    let length = encode_pack(&base, &all, &mut bytes).expect("the records are a pack");
    bytes.truncate(length);
    bytes
}
