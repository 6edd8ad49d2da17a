//! An epoch closed by many hands: what they find together is what one finds alone, to the byte.

mod city;

use city::{EPOCH, START, account, genesis, instruction_with, key, operator};
use devices::identity::SigningKey;
use devices::reading::{SignedReading, VerifiedReading};
use devices::senml::{Base, Record, Value, encode_pack};
use devices::sequence::Sequence;
use devices::{Decimal, sign_reading};
use ledger::block::{Block, BlockResults};
use ledger::instruction::Instruction;
use ledger::registry::Position;
use ledger::state::State;
use ledger::transaction::VerifiedTransaction;
use ledger::workers::{Sequential, Task, Workers};

/// More than are closed by one alone.
const DEVICES: usize = 4_400;
/// Envelopes that are signed; every device's is one of them with another kid, so that some send what others sent.
const TEMPLATES: usize = 4_000;

/// Does the parts of so many hands one after another, the last one first.
#[derive(Debug)]
struct Backwards(usize);

impl Workers for Backwards {
    fn hands(&self) -> usize {
        self.0
    }

    fn run(&self, tasks: Vec<Task<'_>>) {
        tasks.into_iter().rev().for_each(|task| task());
    }
}

/// As many threads.
#[derive(Debug)]
struct Threads(usize);

impl Workers for Threads {
    fn hands(&self) -> usize {
        self.0
    }

    fn run(&self, tasks: Vec<Task<'_>>) {
        std::thread::scope(|scope| tasks.into_iter().for_each(|task| drop(scope.spawn(task))));
    }
}

#[test]
fn an_epoch_comes_to_the_same_however_many_hands_close_it() {
    let keys: Vec<SigningKey> = (0..DEVICES).map(device_key).collect();
    let (mut state, _, _) = State::genesis(&genesis());
    enrol(&mut state, &keys);
    for epoch in 0..2 {
        send(&mut state, &keys, epoch);
        let time = START + (epoch + 1) * EPOCH;
        let (next, alone) = closed(&state, time, &Sequential);
        let several: [&dyn Workers; 4] = [&Backwards(2), &Backwards(3), &Backwards(7), &Threads(4)];
        for workers in several {
            let (state, together) = closed(&state, time, workers);
            assert!(together == alone, "{workers:?} close epoch {epoch} otherwise than one alone");
            assert!(state == next, "{workers:?} leave another state than one alone");
        }
        let (block, results) = &alone;
        assert_eq!(block.seal.state_root, Some(next.state_root()));
        assert!(results.statements.len() >= DEVICES, "one for each device, more for those that were sold");
        assert!(results.transfers.len() > DEVICES / 2, "most were paid");
        let reasons = |word: &str| {
            let cuts = results.statements.iter().flat_map(|it| &it.lines).flat_map(|line| &line.factors);
            cuts.filter_map(|factor| factor.cut).filter(|cut| cut.as_str() == word).count()
        };
        assert!(reasons("copied") > 0 && reasons("difference") > 0, "copies and liars are among them");
        state = next;
    }
}

fn closed(state: &State, time: u64, workers: &dyn Workers) -> (State, (Block, BlockResults)) {
    let mut state = state.clone();
    let closed = state.begin_with(time, workers).finish();
    (state, closed)
}

fn device_key(number: usize) -> SigningKey {
    let mut seed = [17; 32];
    seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
    SigningKey::from_seed(seed)
}

fn enrol(state: &mut State, keys: &[SigningKey]) {
    for (block, some) in keys.chunks(1_000).enumerate() {
        let mut builder = state.begin(START);
        for (at, device) in some.iter().enumerate() {
            let number = block * 1_000 + at;
            let street = number as i32 % 40;
            let position = Position {
                latitude_microdegrees: 57_100_000 + street * 1_000,
                longitude_microdegrees: -2_100_000,
            };
            // Some have an owner of their own, some share one, some wait for one.
            let owner =
                (number % 3 > 0).then(|| account(&if number % 3 == 1 { key(100) } else { device.clone() }));
            let enrol =
                Instruction::Enrol { public_key: device.public_key(), owner, position: Some(position) };
            builder
                .execute(&instruction_with(&operator(), number as u64 + 1, &enrol.encode(), true))
                .unwrap();
        }
        let _block = builder.finish();
    }
}

/// One envelope of each device with records from the whole epoch.
fn send(state: &mut State, keys: &[SigningKey], epoch: u64) {
    let time = START + (epoch + 1) * EPOCH - 1_000;
    let templates: Vec<(Vec<u8>, usize)> =
        (0..TEMPLATES).map(|number| template(number, time / 1_000, epoch)).collect();
    for (block, some) in keys.chunks(1_000).enumerate() {
        let mut builder = state.begin(time);
        for (at, device) in some.iter().enumerate() {
            let (mut bytes, kid_at) = templates[(block * 1_000 + at) % TEMPLATES].clone();
            bytes[kid_at..kid_at + 8].copy_from_slice(device.kid().as_bytes());
            let signed = SignedReading::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
            let verified = VerifiedReading::from_own_log(signed, &device.public_key(), "devnet");
            builder.execute(&VerifiedTransaction::Reading(verified)).unwrap();
        }
        let _block = builder.finish();
    }
}

fn template(number: usize, time_seconds: u64, epoch: u64) -> (Vec<u8>, usize) {
    let signer = key(5);
    // One in twenty lies by twenty degrees.
    let level = if number % 20 == 7 { 4_000 } else { 2_000 };
    let record = |at: i32| {
        let place = (at as u64 + number as u64 * 1_000 + epoch).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (place ^ (place >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
        let value = level + mixed as i32 % 90;
        let value = Value::Number(Decimal::new(value.into(), -2).unwrap());
        Record { time_offset_seconds: Some(at - 59), ..Record::of(value) }
    };
    let records: Vec<Record<'_>> = (0..59).step_by(2).map(record).collect();
    let base = Base { version: None, name: Some("temp"), time: Some(time_seconds as u32), unit: Some("Cel") };
    let mut pack = [0; 1_024];
    let length = encode_pack(&base, &records, &mut pack).unwrap();
    let mut out = vec![0; 2_048];
    let sequence = Sequence { boot: 1, count: epoch as u32 + 1 };
    let length = sign_reading(&signer, "devnet", sequence, &pack[..length], &mut out).unwrap();
    out.truncate(length);
    let kid_at = out.windows(8).position(|window| window == signer.kid().as_bytes()).unwrap();
    (out, kid_at)
}
