//! The stages that an envelope passes, each by itself on one core: `cargo bench -p gateway`.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use devices::{DeviceId, SignedReading, SigningKey};
use fleet::load::bulk::{BulkKey, BulkSigner};
use fleet::load::{self, LoadPlan, LoadReader};
use gateway::admit::{self, Arrival, Candidate};
use gateway::key_cache::KeyCache;
use gateway::limits::VERIFY_BATCH_MAX;
use gateway::log::Log;
use gateway::verify;
use ledger::block::{Block, Seal};
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::merkle::{Frontier, leaf_hash};
use ledger::state::State;
use ledger::transaction::VerifiedTransaction;

const NETWORK: &str = "devnet";
const SECRET: [u8; 32] = [42; 32];
const DEVICES: u32 = 10_000;
/// Envelopes of one round: a block full of them, each of another device.
const ENVELOPES: usize = 2_048;
/// Any time will do.
const NOW: u64 = 1_800_000_000;

/// A network whose devices are enrolled, and their envelopes.
struct Fixture {
    state: State,
    envelopes: Vec<(DeviceId, Vec<u8>)>,
}

impl Fixture {
    fn new() -> Fixture {
        let key = |seed| SigningKey::from_seed([seed; 32]);
        let [validator, operator, treasury] = [1, 2, 3].map(|seed| key(seed).public_key());
        let genesis =
            Genesis::devnet(NETWORK, "lamppost/devnet", validator, operator, treasury, 3_600, NOW * 1_000)
                .unwrap();
        let mut state = State::genesis(&genesis).0;
        let keys = load::keys(&SECRET, DEVICES).unwrap();
        let enrol = |key: &BulkKey| {
            Instruction::Enrol { public_key: key.public_key, owner: None, position: None }.encode()
        };
        let mut signer = BulkSigner::of_instructions(NETWORK, &SECRET, 0).unwrap();
        let operator = BulkKey::of(&key(2));
        let enrolments = signer.instructions(&operator, 1, keys.iter().map(enrol).collect()).unwrap();
        let kept = KeyCache::new(DEVICES);
        for some in enrolments.chunks(1_000) {
            let candidates = some.iter().map(|bytes| admitted(&state, None, bytes.clone())).collect();
            let verified: Vec<_> =
                verify::verify(NETWORK, &kept, candidates).into_iter().map(Result::unwrap).collect();
            let mut block = state.begin(NOW * 1_000);
            for verified in verified {
                block.include(verified.transaction).unwrap();
            }
            let _block = block.finish();
        }
        Fixture { state, envelopes: envelopes() }
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.envelopes.iter().map(|(kid, bytes)| admitted(&self.state, Some(*kid), bytes.clone())).collect()
    }

    fn verified(&self) -> Vec<VerifiedTransaction<Vec<u8>>> {
        let keys = KeyCache::new(DEVICES);
        verify::verify(NETWORK, &keys, self.candidates())
            .into_iter()
            .map(|verdict| verdict.unwrap().transaction)
            .collect()
    }
}

fn admitted(state: &State, topic_kid: Option<DeviceId>, bytes: Vec<u8>) -> Candidate {
    admit::admit(state, Arrival { bytes, topic_kid, ticket: None }).unwrap()
}

fn envelopes() -> Vec<(DeviceId, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("load");
    let plan = LoadPlan {
        network: NETWORK.to_owned(),
        secret: SECRET,
        devices: DEVICES,
        first: 0,
        envelopes: ENVELOPES as u64,
        records_each: 1,
        boot: 1,
        base_time: NOW as u32,
    };
    load::write(&file, &plan).unwrap();
    let mut reader = LoadReader::open(&file).unwrap();
    std::iter::from_fn(|| reader.take().unwrap()).collect()
}

fn stages(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let mut group = criterion.benchmark_group("stages");
    group.sample_size(20).throughput(Throughput::Elements(ENVELOPES as u64));
    group.bench_function("decode", |bencher| {
        let decode = |(_, bytes): &(DeviceId, Vec<u8>)| SignedReading::decode(&bytes[..]).is_ok();
        bencher.iter(|| fixture.envelopes.iter().filter(|envelope| decode(envelope)).count());
    });
    group.bench_function("admit", |bencher| {
        let arrivals = || {
            let arrival = |(kid, bytes): &(DeviceId, Vec<u8>)| Arrival {
                bytes: bytes.clone(),
                topic_kid: Some(*kid),
                ticket: None,
            };
            fixture.envelopes.iter().map(arrival).collect::<Vec<_>>()
        };
        let admit = |arrivals: Vec<Arrival>| -> Vec<_> {
            arrivals.into_iter().map(|arrival| admit::admit(&fixture.state, arrival)).collect()
        };
        bencher.iter_batched(arrivals, admit, BatchSize::LargeInput);
    });
    let verified = fixture.verified();
    group.bench_function("apply", |bencher| {
        let setup = || (fixture.state.clone(), verified.clone());
        let apply = |(mut state, verified): (State, Vec<VerifiedTransaction<Vec<u8>>>)| {
            let mut block = state.begin(NOW * 1_000 + 1);
            let taken = verified.into_iter().filter_map(|verified| block.include(verified).ok()).count();
            assert_eq!(taken, ENVELOPES);
            (block.finish(), state)
        };
        bencher.iter_batched(setup, apply, BatchSize::LargeInput);
    });
    group.bench_function("merkle", |bencher| {
        bencher.iter(|| {
            let mut log = Frontier::new();
            fixture.envelopes.iter().for_each(|(_, bytes)| log.append(leaf_hash(bytes)));
            log.root()
        });
    });
    group.finish();
}

fn verification(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    // As in a node that has heard of its devices before.
    let keys = KeyCache::new(DEVICES);
    let mut group = criterion.benchmark_group("verify");
    group.sample_size(10).throughput(Throughput::Elements(ENVELOPES as u64));
    for size in [1, 16, 64, 256, 1_024, ENVELOPES] {
        let name = if size == VERIFY_BATCH_MAX { format!("{size}, the node's") } else { size.to_string() };
        let batches = || fixture.candidates().chunks(size).map(<[Candidate]>::to_vec).collect::<Vec<_>>();
        let judge = |batches: Vec<Vec<Candidate>>| {
            batches.into_iter().map(|batch| verify::verify(NETWORK, &keys, batch)).collect::<Vec<_>>()
        };
        group.bench_function(BenchmarkId::new("batches of", name), |bencher| {
            bencher.iter_batched(batches, judge, BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn log_append(criterion: &mut Criterion) {
    let directory = tempfile::tempdir_in(".").unwrap();
    let (mut log, _) = Log::open(&directory.path().join("log"), [0; 32], 0).unwrap();
    let entries: Vec<Vec<u8>> = envelopes().into_iter().map(|(_, bytes)| bytes).collect();
    let mut group = criterion.benchmark_group("log");
    group.sample_size(20).throughput(Throughput::Elements(ENVELOPES as u64));
    group.bench_function("append and fdatasync", |bencher| {
        let mut height = 0;
        bencher.iter(|| {
            let seal = Seal {
                height,
                time_unix_milliseconds: height,
                entries: ENVELOPES as u32,
                refused: [0; 8],
                results_root: [0; 32],
                log_root: [0; 32],
                state_root: None,
                settled_epochs: None,
            };
            height += 1;
            black_box(log.append(&Block { entries: entries.clone(), seal }).unwrap())
        });
    });
    group.finish();
}

criterion_group!(benches, stages, verification, log_append);
criterion_main!(benches);
