//! The storage's claims: whatever is derived comes back from the log, and what was acknowledged is missed.

use std::fs;

use devices::TransactionId;
use ledger::instruction::Instruction;
use tempfile::TempDir;

use super::*;
use crate::host::{self, Ends};
use crate::shared::{Shared, SubmitError};
use crate::telemetry::Telemetry;

const WANTED: Wanted = Wanted { network: None, epoch_seconds: Some(1) };

struct World {
    root: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        World { root: tempfile::tempdir().unwrap(), runtime }
    }

    fn path(&self) -> std::path::PathBuf {
        self.root.path().join("data")
    }

    fn genesis(&self) -> Genesis {
        DataDir::look(&self.path()).unwrap().genesis().unwrap().unwrap()
    }

    fn open(&self) -> Result<Opened, StorageError> {
        open(&self.path(), &WANTED)
    }

    /// Runs a node, enrols a device, accepts readings with these counts, and stops it.
    fn run(&self, counts: std::ops::Range<u32>) -> TransactionId {
        self.run_opened(self.open().unwrap(), counts)
    }

    fn run_opened(&self, opened: Opened, counts: std::ops::Range<u32>) -> TransactionId {
        let operator = keys::read(&opened.directory.key("operator")).unwrap();
        let Ends { shared, stop, finished, intake, outbound } =
            host::start(opened, std::sync::Arc::new(Telemetry::new())).unwrap();
        drop((intake, outbound));
        let last = self.runtime.block_on(async {
            enrol(&shared, &operator).await;
            let mut last = TransactionId([0; 32]);
            for count in counts {
                last = shared.submit(reading(count)).await.unwrap().id;
            }
            last
        });
        assert!(shared.transaction(&last).unwrap().is_some());
        drop((shared, stop));
        self.runtime.block_on(finished).unwrap().unwrap();
        last
    }
}

fn device() -> SigningKey {
    SigningKey::from_seed([9; 32])
}

async fn enrol(shared: &Shared, operator: &SigningKey) {
    if shared.state().device(device().kid()).is_some() {
        return;
    }
    let instruction = Instruction::Enrol { public_key: device().public_key(), owner: None, position: None };
    let mut bytes = vec![0; 512];
    let length =
        devices::sign_instruction(operator, "devnet", 1, &instruction.encode(), false, &mut bytes).unwrap();
    bytes.truncate(length);
    shared.submit(bytes).await.unwrap();
}

fn reading(count: u32) -> Vec<u8> {
    let base = devices::Base { version: None, name: Some("temp"), time: None, unit: Some("Cel") };
    let value = devices::Value::Number(devices::Decimal::from(count + 1));
    let mut pack = [0; 128];
    let length = devices::encode_pack(&base, &[devices::Record::of(value)], &mut pack).unwrap();
    let mut envelope = vec![0; 512];
    let sequence = devices::Sequence { boot: 1, count };
    let length =
        devices::sign_reading(&device(), "devnet", sequence, &pack[..length], &mut envelope).unwrap();
    envelope.truncate(length);
    envelope
}

#[test]
fn a_restart_goes_on_where_the_node_stopped() {
    let world = World::new();
    world.run(0..5);
    let opened = world.open().unwrap();
    let device = opened.state.device(device().kid()).unwrap().clone();
    assert_eq!(device.accepted_envelopes, 5);
    assert_eq!(opened.snapshot_height, Some(opened.state.height()), "nothing was replayed");
    drop(opened);
    world.run(5..8);
    assert_eq!(world.open().unwrap().state.device(device.public_key.kid()).unwrap().accepted_envelopes, 8);
}

#[test]
fn whatever_is_derived_is_rebuilt_equal_from_the_log() {
    let world = World::new();
    let last = world.run(0..6);
    let before = world.open().unwrap();
    let found = (before.state.clone(), before.rows.root(before.state.log_size()).unwrap());
    let places = (
        before.index.find(&last).unwrap(),
        before.index.readings(device().kid(), 0..u64::MAX, usize::MAX).unwrap(),
    );
    drop(before);
    for derived in ["index", "rows", "snapshots"] {
        fs::remove_dir_all(world.path().join(derived)).unwrap();
        let after = world.open().unwrap();
        assert_eq!(
            (after.state.clone(), after.rows.root(after.state.log_size()).unwrap()),
            found,
            "without {derived}"
        );
        let again = (
            after.index.find(&last).unwrap(),
            after.index.readings(device().kid(), 0..u64::MAX, usize::MAX).unwrap(),
        );
        assert_eq!(again, places, "without {derived}");
    }
}

#[test]
fn a_snapshot_that_is_older_newer_or_damaged_gives_the_same_state() {
    let world = World::new();
    world.run(0..3);
    world.run(3..6);
    let opened = world.open().unwrap();
    let (state, directory) = (opened.state.clone(), opened.directory.snapshots());
    drop(opened);
    let heights = snapshot::heights(&directory);
    assert_eq!(heights.len(), 2);
    let file = |height: u64| directory.join(format!("{height}.snapshot"));
    fs::write(file(heights[1]), b"damaged").unwrap();
    let opened = world.open().unwrap();
    assert_eq!((opened.snapshot_height, &opened.state), (Some(heights[0]), &state), "the older one");
    drop(opened);
    fs::rename(file(heights[0]), file(9_999_999)).unwrap();
    let opened = world.open().unwrap();
    assert_eq!((opened.snapshot_height, &opened.state), (None, &state), "one beyond the log is passed over");
}

#[test]
fn a_start_executes_at_most_two_snapshot_intervals_again() {
    let world = World::new();
    drop(world.open().unwrap());
    for (round, by_blocks) in [(0, true), (1, false)] {
        let mut opened = world.open().unwrap();
        let interval = match by_blocks {
            true => snapshot::Interval { blocks: 10, log_bytes: u64::MAX },
            false => snapshot::Interval { blocks: u64::MAX, log_bytes: 2_500 },
        };
        opened.snapshot_interval = interval;
        let last = world.run_opened(opened, round * 50..round * 50 + 35);
        // What a kill leaves: the newest snapshot that the interval wrote, not the one of an orderly stop.
        let snapshots = world.path().join("snapshots");
        let heights = snapshot::heights(&snapshots);
        fs::remove_file(snapshots.join(format!("{}.snapshot", heights.last().unwrap()))).unwrap();
        let opened = world.open().unwrap();
        let Replayed { blocks, bytes } = opened.replayed;
        assert!(blocks > 0, "something is behind the interval's snapshot");
        // The newest may have been taken of the last block and gone with it: the one before was asked for an interval
        // earlier.
        let most = (interval.blocks.saturating_mul(2), interval.log_bytes.saturating_mul(2));
        assert!(blocks <= most.0 && bytes <= most.1, "{blocks} blocks, {bytes} bytes");
        assert!(!opened.index.find(&last).unwrap().is_empty());
    }
}

#[test]
fn damaged_rows_are_made_anew() {
    let world = World::new();
    world.run(0..6);
    let file = world.path().join("rows/0");
    let mut bytes = fs::read(&file).unwrap();
    bytes[3] ^= 1;
    fs::write(&file, bytes).unwrap();
    let opened = world.open().unwrap();
    assert_eq!(opened.rows.root(opened.state.log_size()).unwrap(), opened.state.root());
}

#[test]
fn a_log_that_lost_an_acknowledged_end_refuses() {
    let world = World::new();
    world.run(0..4);
    let file = world.path().join("log/00000001.segment");
    let bytes = fs::read(&file).unwrap();
    let torn = &bytes[..bytes.len() - 5];
    fs::write(&file, torn).unwrap();
    let Err(error) = world.open() else { panic!("acknowledged readings are missing") };
    assert!(matches!(error, StorageError::Log(LogError::Broken { .. })), "{error}");
    assert_eq!(fs::read(&file).unwrap(), torn, "nothing was cut");
    let reader = crate::log::LogReader::open(&world.path().join("log"), world.genesis().hash()).unwrap();
    let last = reader.blocks().filter_map(Result::ok).last().unwrap().0;
    fs::write(&file, &bytes[..last.offset as usize]).unwrap();
    let Err(error) = world.open() else { panic!("acknowledged readings are missing") };
    assert!(matches!(error, StorageError::Lost { .. }), "{error}");
}

#[test]
fn a_torn_end_that_nobody_was_told_of_is_cut_and_the_node_goes_on() {
    let world = World::new();
    world.run(0..4);
    let file = world.path().join("log/00000001.segment");
    let mut bytes = fs::read(&file).unwrap();
    let torn = bytes[bytes.len() - 80..].to_vec();
    bytes.extend(torn);
    fs::write(&file, bytes).unwrap();
    world.run(4..6);
    assert_eq!(world.open().unwrap().state.device(device().kid()).unwrap().accepted_envelopes, 6);
}

#[test]
fn a_broken_or_swapped_validator_key_is_one_sentence() {
    let world = World::new();
    drop(world.open().unwrap());
    let file = world.path().join("keys/validator.pem");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, b"broken").unwrap();
    assert!(matches!(world.open(), Err(StorageError::Key(KeyFileError::Broken(_)))));
    fs::remove_file(&file).unwrap();
    assert!(matches!(world.open(), Err(StorageError::Key(KeyFileError::Missing(_)))));
    keys::create(&file).unwrap();
    assert!(matches!(world.open(), Err(StorageError::AnotherValidator(_))));
    fs::write(&file, whole).unwrap();
    world.open().unwrap();
}

#[test]
fn another_network_or_epoch_than_the_directorys_is_refused() {
    let world = World::new();
    drop(world.open().unwrap());
    let wanted = Wanted { network: Some("othernet".into()), epoch_seconds: None };
    assert!(matches!(open(&world.path(), &wanted), Err(StorageError::DataDir(DataDirError::Network { .. }))));
    let wanted = Wanted { network: None, epoch_seconds: Some(60) };
    assert!(matches!(open(&world.path(), &wanted), Err(StorageError::Epoch { found: 1, wanted: 60, .. })));
}

#[test]
fn a_refused_submission_is_answered_and_counted_for_its_device() {
    let world = World::new();
    world.run(0..2);
    let opened = world.open().unwrap();
    let Ends { shared, stop, finished, intake, outbound } =
        host::start(opened, std::sync::Arc::new(Telemetry::new())).unwrap();
    drop((intake, outbound));
    let answer = world.runtime.block_on(shared.submit(reading(1)));
    assert_eq!(answer, Err(SubmitError::Reading(devices::Refusal::Replayed)));
    assert_eq!(shared.refused_of(device().kid())[devices::Refusal::Replayed.index()], 1);
    drop((shared, stop));
    world.runtime.block_on(finished).unwrap().unwrap();
    let opened = world.open().unwrap();
    assert_eq!(
        opened.refused_by_device[&device().kid()][devices::Refusal::Replayed.index()],
        1,
        "kept over a restart"
    );
}
