//! What an epoch of many devices costs: memory, counting, settling, sealing. Signatures are made up, since the ledger
//! takes readings as verified; everything else is as in a node.
//!
//! `cargo run --release -p ledger --example epoch -- [DEVICES] [RECORDS] [OWNERS] [EPOCHS] [THREADS]`: each device sends one
//! temperature in an envelope `RECORDS` times an epoch; with no owners the rewards wait in escrow.

use devices::identity::{PublicKey, SigningKey};
use devices::instruction::{SignedInstruction, VerifiedInstruction};
use devices::reading::{SignedReading, VerifiedReading};
use devices::senml::{Base, Record, Value, encode_pack};
use devices::sequence::Sequence;
use devices::{Decimal, sign_instruction, sign_reading};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::registry::Position;
use ledger::state::State;
use ledger::transaction::VerifiedTransaction;
use ledger::workers::{Task, Workers};
use std::time::{Duration, Instant};

const START_SECONDS: u64 = 1_800_000_000;
const EPOCH_SECONDS: u64 = 600;
const NETWORK: &str = "devnet";
/// Envelopes that are signed; every device's are made of them, with another kid and count.
const TEMPLATES: usize = 61;
const BLOCK_TRANSACTIONS: usize = 2_000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let devices: usize = numbers.next().unwrap_or(100_000);
    let records: u64 = numbers.next().unwrap_or(1) as u64;
    let owners: usize = numbers.next().unwrap_or(1_000);
    let epochs: u64 = numbers.next().unwrap_or(2) as u64;
    let threads = Threads(numbers.next().unwrap_or(1));

    let keys = keys(devices);
    let (mut state, _, _) = State::genesis(&genesis());
    let before = resident_bytes();
    let watch = Watch::start();
    enrol(&mut state, &keys, owners);
    watch.stop("enrol", devices);
    println!("{:>10} B a device, enrolled", (resident_bytes() - before) / devices as u64);

    for epoch in 0..epochs {
        let begins = START_SECONDS + epoch * EPOCH_SECONDS;
        let watch = Watch::start();
        for round in 0..records {
            let time = begins + (2 * round + 1) * EPOCH_SECONDS / (2 * records);
            send(&mut state, &keys, time, (epoch * records + round + 1) as u32);
        }
        watch.stop("check and count", devices * records as usize);
        println!("{:>10} B a device, with a tally", (resident_bytes() - before) / devices as u64);
        settle(&mut state, &threads, begins + EPOCH_SECONDS, devices, before);
    }
}

fn settle(state: &mut State, threads: &Threads, time_seconds: u64, devices: usize, before: u64) {
    let watch = Watch::start();
    let builder = state.begin_with(time_seconds * 1_000, threads);
    watch.stop("settle", devices);
    let watch = Watch::start();
    let (block, results) = builder.finish();
    watch.stop("seal", devices);
    let settlement = results.settlement.expect("an epoch ended");
    println!("{:>10} B a device, sealed", (resident_bytes() - before) / devices as u64);
    println!("{:>10} MiB at most so far", peak_bytes() >> 20);
    println!("{} paid to {} statements", settlement.paid_microtokens, settlement.statements);
    println!("seal {}", hex::encode(block.seal.id()));
}

/// As many threads at once.
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

fn genesis() -> Genesis {
    let key = |seed: u8| SigningKey::from_seed([seed; 32]).public_key();
    let start = START_SECONDS * 1_000;
    Genesis::devnet(NETWORK, "lamppost/devnet", key(1), operator().public_key(), key(3), EPOCH_SECONDS, start)
        .expect("a devnet's genesis is valid")
}

fn operator() -> SigningKey {
    SigningKey::from_seed([2; 32])
}

fn keys(devices: usize) -> Vec<PublicKey> {
    let key = |number: usize| {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
        SigningKey::from_seed(seed).public_key()
    };
    (0..devices).map(key).collect()
}

fn enrol(state: &mut State, keys: &[PublicKey], owners: usize) {
    let operator = operator();
    let mut counter = 0;
    let mut template = vec![0; 4_096];
    for some in keys.chunks(BLOCK_TRANSACTIONS) {
        let mut builder = state.begin(START_SECONDS * 1_000);
        for key in some {
            counter += 1;
            let street = counter as i32;
            let position = Position {
                latitude_microdegrees: 57_000_000 + street % 1_000 * 1_000,
                longitude_microdegrees: -2_000_000 + street / 1_000 * 1_000,
            };
            let owner = (counter as usize).checked_rem(owners).map(|owner| {
                let mut id = [7; 32];
                id[..8].copy_from_slice(&(owner as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
                AccountId::from_bytes(id)
            });
            let enrol = Instruction::Enrol { public_key: *key, owner, position: Some(position) };
            let length =
                sign_instruction(&operator, NETWORK, counter, &enrol.encode(), true, &mut template).unwrap();
            let signed = SignedInstruction::decode(&template[..length]).map_err(|(refusal, _)| refusal);
            let verified =
                VerifiedInstruction::from_own_log(signed.unwrap(), &operator.public_key(), NETWORK);
            builder.execute(&VerifiedTransaction::Instruction(verified)).unwrap();
        }
        let _block = builder.finish();
    }
}

fn send(state: &mut State, keys: &[PublicKey], time_seconds: u64, count: u32) {
    let templates = templates(time_seconds, count);
    for (block, some) in keys.chunks(BLOCK_TRANSACTIONS).enumerate() {
        let mut builder = state.begin(time_seconds * 1_000);
        for (at, key) in some.iter().enumerate() {
            let (mut bytes, kid_at) = templates[(at * 31 + block * 7) % TEMPLATES].clone();
            bytes[kid_at..kid_at + 8].copy_from_slice(key.kid().as_bytes());
            let signed = SignedReading::decode(bytes.as_slice()).map_err(|(refusal, _)| refusal).unwrap();
            builder.state().check(time_seconds * 1_000, &signed).unwrap();
            let verified = VerifiedReading::from_own_log(signed, key, NETWORK);
            builder.execute(&VerifiedTransaction::Reading(verified)).unwrap();
        }
        let _block = builder.finish();
    }
}

/// Envelopes of temperatures with the place of the kid in each.
fn templates(time_seconds: u64, count: u32) -> Vec<(Vec<u8>, usize)> {
    let signer = SigningKey::from_seed([5; 32]);
    let sign = |number: usize| {
        let value = 2_000 + (number as i128 * 37 + i128::from(count) * 29) % 200;
        let value = Value::Number(Decimal::new(value, -2).unwrap());
        let time = Some(time_seconds as u32 - 1);
        let base = Base { version: None, name: Some("temp"), time, unit: Some("Cel") };
        let mut pack = [0; 128];
        let length = encode_pack(&base, &[Record::of(value)], &mut pack).unwrap();
        let mut out = vec![0; 1_024];
        let length =
            sign_reading(&signer, NETWORK, Sequence { boot: 1, count }, &pack[..length], &mut out).unwrap();
        out.truncate(length);
        let kid = signer.kid();
        let kid_at = out.windows(8).position(|window| window == kid.as_bytes()).unwrap();
        (out, kid_at)
    };
    (0..TEMPLATES).map(sign).collect()
}

/// Wall time and the processor's, all threads together.
struct Watch {
    began: Instant,
    busy: Duration,
}

impl Watch {
    fn start() -> Self {
        Self { began: Instant::now(), busy: busy() }
    }

    fn stop(&self, what: &str, of: usize) {
        let (wall, busy) = (self.began.elapsed(), busy().saturating_sub(self.busy));
        let each = |time: Duration| time.as_secs_f64() * 1e6 / of as f64;
        println!("{what:>16}: {wall:.2?}, {:.2} µs each; {:.2} µs of processor", each(wall), each(busy));
    }
}

/// Processor time of the process; a tick is 10 ms on Linux.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().map(|rest| {
        rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
    });
    Duration::from_millis(ticks.unwrap_or_default() * 10)
}

fn resident_bytes() -> u64 {
    status("VmRSS:")
}

fn peak_bytes() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1_024
}
