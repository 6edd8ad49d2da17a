//! Pruning's claims: nothing but readings goes, whatever is derived comes back, and a kill leaves the old or the new.

use std::fs;
use std::path::PathBuf;

use devices::{
    Base, Decimal, DeviceId, Record, Sequence, SignedInstruction, SignedReading, SigningKey, Value,
};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use ledger::transaction::VerifiedTransaction;
use tempfile::TempDir;

use super::*;
use crate::commands::audit;
use crate::keys;
use crate::storage::Opened;

const NETWORK: &str = "devnet";
const DAY: u64 = 86_400_000;

/// A ledger of day epochs that was written in a moment.
struct City {
    directory: TempDir,
    devices: Vec<SigningKey>,
    count: u32,
    begins: u64,
}

/// What a ledger answers that must not change.
#[derive(Debug, PartialEq)]
struct Answers {
    state: State,
    root: [u8; 32],
    statements: Vec<Vec<u8>>,
    transfers: Vec<Vec<u8>>,
    proof: Vec<[u8; 32]>,
    tiles: Vec<u8>,
}

impl City {
    fn new(devices: u8) -> City {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        let wanted = Wanted { network: Some(NETWORK.into()), epoch_seconds: Some(DAY / 1_000) };
        let Opened { mut state, mut log, directory: data, genesis, .. } =
            storage::open(&root, &wanted).unwrap();
        let operator = keys::read(&data.key("operator")).unwrap();
        let devices: Vec<_> = (0..devices).map(|seed| SigningKey::from_seed([seed + 50; 32])).collect();
        let owner = AccountId::of(&SigningKey::from_seed([7; 32]).public_key());
        let enrolments =
            devices.iter().zip(1..).map(|(key, counter)| enrolment(&operator, key, counter, owner));
        let mut block = state.begin(genesis.time_unix_milliseconds + 1);
        for enrolment in enrolments {
            block.execute(&enrolment).unwrap();
        }
        log.append(&block.finish().0).unwrap();
        City { directory, devices, count: 0, begins: genesis.time_unix_milliseconds }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn open(&self) -> Opened {
        storage::open(&self.root(), &Wanted { network: None, epoch_seconds: None }).unwrap()
    }

    /// One day's blocks, each with so many readings of single records; the first one settles the day before.
    fn day(&mut self, day: u64, blocks: u64, readings: u32) {
        let Opened { mut state, mut log, .. } = self.open();
        for number in 0..blocks {
            let mut block = state.begin(self.begins + day * DAY + 60_000 * (number + 1));
            for _ in 0..readings {
                self.count += 1;
                let key = &self.devices[self.count as usize % self.devices.len()];
                block.execute(&reading(key, self.count)).unwrap();
            }
            log.append(&block.finish().0).unwrap();
        }
    }

    fn answers(&self) -> Answers {
        let opened = self.open();
        let size = opened.state.log_size();
        let device = self.devices[0].kid();
        let owner = AccountId::of(&SigningKey::from_seed([7; 32]).public_key());
        let statements = opened.index.statements_of_device(device, 0..u64::MAX, 1_000).unwrap();
        Answers {
            root: opened.rows.root(size).unwrap(),
            statements: statements.iter().map(ledger::statement::Statement::encode).collect(),
            transfers: opened
                .index
                .transfers(owner, 0..u64::MAX, 1_000)
                .unwrap()
                .iter()
                .map(|t| t.encode())
                .collect(),
            proof: opened.rows.inclusion_proof(3, size).unwrap(),
            tiles: opened.rows.tile(0, 0, size.min(256), size).unwrap().unwrap(),
            state: opened.state,
        }
    }

    fn prune(&self, day: u64) -> Result<Pruned, PruneError> {
        prune(&self.root(), self.begins + day * DAY)
    }

    fn reader(&self) -> LogReader {
        let genesis = DataDir::look(&self.root()).unwrap().genesis().unwrap().unwrap();
        LogReader::open(&self.root().join("log"), genesis.hash()).unwrap()
    }
}

fn enrolment(
    operator: &SigningKey,
    key: &SigningKey,
    counter: u64,
    owner: AccountId,
) -> VerifiedTransaction<Vec<u8>> {
    let instruction = Instruction::Enrol { public_key: key.public_key(), owner: Some(owner), position: None };
    let mut bytes = vec![0; 512];
    let length =
        devices::sign_instruction(operator, NETWORK, counter, &instruction.encode(), false, &mut bytes)
            .unwrap();
    bytes.truncate(length);
    let signed = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
    let verified = signed.verify(&operator.public_key(), NETWORK).map_err(|(refusal, _)| refusal).unwrap();
    VerifiedTransaction::Instruction(verified)
}

fn reading(key: &SigningKey, count: u32) -> VerifiedTransaction<Vec<u8>> {
    let base = Base { version: Some(26), name: Some("pm2.5"), time: None, unit: Some("ug/m3") };
    let value = Value::Number(Decimal::new(1_200 + i128::from(count % 90), -2).unwrap());
    let mut pack = [0; 128];
    let length = devices::encode_pack(&base, &[Record::of(value)], &mut pack).unwrap();
    let mut bytes = vec![0; 512];
    let sequence = Sequence { boot: 1, count };
    let length = devices::sign_reading(key, NETWORK, sequence, &pack[..length], &mut bytes).unwrap();
    bytes.truncate(length);
    let signed = SignedReading::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
    VerifiedTransaction::Reading(
        signed.verify(&key.public_key(), NETWORK).map_err(|(refusal, _)| refusal).unwrap(),
    )
}

fn readings_of(opened: &Opened, kid: DeviceId) -> usize {
    opened.index.last_readings(kid, 10_000).unwrap().len()
}

#[test]
fn a_pruned_ledger_answers_as_before_also_without_what_is_derived() {
    let mut city = City::new(3);
    for day in 0..4 {
        city.day(day, 3, 20);
    }
    let before = city.answers();
    let pruned = city.prune(3).unwrap();
    assert!(pruned.erased_readings > 0 && pruned.entries < before.state.log_size());
    assert_eq!(city.answers(), before);
    for derived in ["index", "rows", "snapshots"] {
        fs::remove_dir_all(city.root().join(derived)).unwrap();
        assert_eq!(city.answers(), before, "without {derived}");
    }
    city.day(4, 2, 20);
    let opened = city.open();
    let all: usize = city.devices.iter().map(|key| readings_of(&opened, key.kid())).sum();
    // Day 3's blocks and day 4's, with the base's own block, which is the first of day 3.
    assert_eq!(all, 5 * 20);
}

#[test]
fn what_stays_of_a_pruned_log_still_holds_together_and_says_what_is_gone() {
    let mut city = City::new(2);
    for day in 0..3 {
        city.day(day, 2, 10);
    }
    let pruned = city.prune(2).unwrap();
    assert_eq!(pruned.erased_readings, 40);
    let reader = city.reader();
    let (mut erased, mut statements, mut instructions) = (0, 0, 0);
    reader
        .check_history(|block| {
            erased += block.erased();
            statements += block.results.as_ref().map_or(0, |results| results.statements.len());
            instructions += block.entries.iter().flatten().count();
        })
        .unwrap();
    assert_eq!((erased, statements), (40, 4), "two days, two devices");
    assert_eq!(instructions, 2 + 10, "the enrolments, and the base's own block is whole");
    assert!(matches!(city.prune(2), Err(PruneError::Nothing)), "it is pruned already");
    let again = city.prune(1_000);
    assert!(matches!(again, Err(PruneError::Nothing)), "no later epoch was closed: {again:?}");
    city.day(3, 2, 10);
    let before = city.answers();
    assert_eq!(city.prune(3).unwrap().erased_readings, 20, "the last base's own block goes too");
    assert_eq!(city.answers(), before);
}

#[test]
fn an_audit_of_a_pruned_log_verifies_what_stays_and_says_what_it_cannot() {
    let mut city = City::new(2);
    for day in 0..3 {
        city.day(day, 2, 10);
    }
    let whole = audit::audit_directory(&city.root(), None, &mut audit::Progress::new()).unwrap();
    city.prune(2).unwrap();
    let findings = audit::audit_directory(&city.root(), None, &mut audit::Progress::new()).unwrap();
    let pruned = findings.pruned.unwrap();
    assert_eq!((findings.entries, findings.root), (whole.entries, whole.root));
    assert_eq!(pruned.erased_readings, 40);
    assert_eq!(pruned.statements + findings.statements, whole.statements);
    assert_eq!(pruned.paid_microtokens + findings.paid_microtokens, whole.paid_microtokens);
    assert_eq!(pruned.instructions + findings.instructions, whole.instructions);
    // The base's own block is whole, but it was executed before the base.
    assert_eq!(pruned.erased_readings + 10 + findings.readings, whole.readings);
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_log_or_the_new_one() {
    let mut city = City::new(2);
    for day in 0..3 {
        city.day(day, 2, 10);
    }
    let before = city.answers();
    let log = city.root().join("log");
    let genesis = DataDir::look(&city.root()).unwrap().genesis().unwrap().unwrap();
    let prepare = |reader: &LogReader| prepare(&log, &genesis, reader, city.begins + 2 * DAY).unwrap().0;
    // Killed while the new files were written: each of them may be there or not, whole or not.
    drop(prepare(&city.reader()));
    assert!(fs::read_dir(&log).unwrap().count() > 3);
    assert_eq!(city.answers(), before, "the old one");
    assert_eq!(fs::read_dir(&log).unwrap().count(), 1, "what was begun is gone");
    // Killed right after the switch: nothing of the old log was taken away, the index and the rows are the old ones.
    prepare(&city.reader()).switch().unwrap();
    assert!(log.join("00000001.segment").exists());
    assert_eq!(city.answers(), before, "the new one");
    assert!(!log.join("00000001.segment").exists());
    assert_eq!(city.reader().base().map(|base| base.entries > 0), Some(true));
}

#[test]
fn damage_in_what_stays_is_found() {
    let mut city = City::new(2);
    for day in 0..3 {
        city.day(day, 2, 10);
    }
    let height = city.prune(2).unwrap().height;
    let log = city.root().join("log");
    for name in
        [format!("{height}.history"), format!("{height}.leaves"), format!("{height}.snapshot"), "base".into()]
    {
        let file = log.join(&name);
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&file, bytes).unwrap();
            let genesis = DataDir::look(&city.root()).unwrap().genesis().unwrap().unwrap();
            let found = LogReader::open(&log, genesis.hash())
                .and_then(|reader| reader.check_history(|_| ()).and_then(|_| reader.base_state()));
            assert!(found.is_err(), "{name}, byte {at}");
        }
        fs::write(&file, &whole).unwrap();
    }
    fs::remove_file(log.join("base")).unwrap();
    let Err(error) = storage::open(&city.root(), &Wanted { network: None, epoch_seconds: None }) else {
        panic!("a pruned log without its base is no new one")
    };
    assert!(error.to_string().contains("base"), "{error}");
    assert!(log.join(format!("{height}.history")).exists(), "nothing was taken away");
}

#[test]
fn the_disk_falls_by_seventy_percent_and_more() {
    let mut city = City::new(10);
    for day in 0..5 {
        city.day(day, 5, 1_000);
    }
    city.day(5, 1, 1);
    drop(city.open());
    let pruned = city.prune(5).unwrap();
    let (before, after) = pruned.bytes;
    println!("{} readings erased: {before} bytes before, {after} after", pruned.erased_readings);
    assert!(after * 100 <= before * 30, "{before} bytes before, {after} after");
}
