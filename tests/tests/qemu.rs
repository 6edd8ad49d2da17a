//! The emulated board: a temperature becomes a signed reading and a payment; neither an outage nor a reset nor a power cut
//! loses one or repeats one; a sensor that is missing and a clock that jumps are noticed.

use devices::command::{Command, Order};
use devices::{DeviceId, SigningKey};
use e2e::broker::{Mosquitto, free_address, mosquitto_pub};
use e2e::chance::Chance;
use e2e::mqtt;
use e2e::node::{Node, Up};
use e2e::time_server::TimeServer;
use e2e::{page, program, wait};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use xtask::qemu::{Bench, Board, Enrolled, Enrolment, Store};

/// An emulated board on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the power goes in the test of power cuts.
const POWER_CUTS: usize = 20;

/// A board that is enrolled at a node, running.
struct Scene {
    node: Node,
    board: Board,
    enrolled: Enrolled,
    firmware: PathBuf,
    store: Store,
    /// What boards said that were switched off.
    said_before: Vec<String>,
    _directory: TempDir,
}

/// What a pack says: each record's name, value and time.
type Records = Vec<(String, String, Option<i64>)>;

impl Scene {
    fn new(node: Node, broker: &str) -> Scene {
        Scene::with(node, broker, None, Bench::default())
    }

    fn with(node: Node, broker: &str, time_server: Option<&TimeServer>, bench: Bench) -> Scene {
        let firmware = xtask::firmware::build().expect("the firmware builds");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let store = Store::at(directory.path()).expect("the board's store");
        let enrolment = Enrolment {
            lamppost: program::path(),
            node: node.http.clone(),
            key: node.data.join("keys/operator.pem"),
            broker: broker.to_owned(),
            time_server: time_server.map(|server| server.address.clone()),
            owner: None,
        };
        let enrolled = enrolment.ensure(&store).expect("the board is enrolled");
        let board = Board::start(&firmware, &store, bench).expect("QEMU starts");
        Scene { node, board, enrolled, firmware, store, said_before: Vec::new(), _directory: directory }
    }

    /// Pulls the plug in the middle of whatever the board does, and puts it back.
    fn cut_power(self, bench: Bench) -> Scene {
        let Scene { node, board, enrolled, firmware, store, mut said_before, _directory } = self;
        said_before.extend(board.log());
        board.switch_off();
        let board = Board::start(&firmware, &store, bench).expect("QEMU starts");
        Scene { node, board, enrolled, firmware, store, said_before, _directory }
    }

    /// What stands on the ledger, in its order there.
    fn on_ledger(&self) -> Vec<((u64, u64), Records)> {
        let readings = self.node.json(&format!("/api/v1/devices/{}/readings", self.enrolled.kid));
        let readings = readings.as_array().expect("a list of readings").clone();
        let number = |reading: &serde_json::Value, name: &str| reading[name].as_u64().expect("a number");
        let record = |record: &serde_json::Value| {
            let value = if record["vb"].is_null() { &record["v"] } else { &record["vb"] };
            (record["n"].as_str().expect("a name").to_owned(), value.to_string(), record["t"].as_i64())
        };
        readings
            .iter()
            .map(|reading| {
                let records = reading["senml"].as_array().expect("records").iter().map(record).collect();
                ((number(reading, "boot"), number(reading, "count")), records)
            })
            .collect()
    }

    /// Every record on the ledger, in its order there.
    fn records(&self) -> Records {
        self.on_ledger().into_iter().flat_map(|(_, records)| records).collect()
    }

    fn has_record(&self, name: &str, value: &str) -> bool {
        self.records().iter().any(|(its_name, its_value, _)| its_name == name && its_value == value)
    }

    /// How many temperatures the board says it has kept under each number: `12.345 INFO  1.42 temp 31.25 Cel`.
    fn measured(&self) -> BTreeMap<(u64, u64), usize> {
        let number_of = |line: &String| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let &[_, "INFO", sequence, "temp", _, "Cel"] = words.as_slice() else { return None };
            let (boot, count) = sequence.split_once('.')?;
            Some((boot.parse().ok()?, count.parse().ok()?))
        };
        let mut measured = BTreeMap::new();
        for number in self.said_before.iter().chain(&self.board.log()).filter_map(number_of) {
            *measured.entry(number).or_insert(0) += 1;
        }
        measured
    }

    /// Waits until everything in `measured` is on the ledger; then nothing stands there twice, and all is in order.
    fn assert_all_arrives(&self, measured: &BTreeMap<(u64, u64), usize>) {
        let temperatures = || -> BTreeMap<(u64, u64), usize> {
            let count = |records: &Records| records.iter().filter(|(name, ..)| name == "temp").count();
            self.on_ledger().iter().map(|(number, records)| (*number, count(records))).collect()
        };
        wait::until_true("everything measured is on the ledger", PATIENCE, || {
            let arrived = temperatures();
            measured.iter().all(|(number, count)| arrived.get(number).is_some_and(|found| found >= count))
        });
        let numbers: Vec<_> = self.on_ledger().into_iter().map(|(number, _)| number).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(numbers, sorted, "each once, in the order in which they were measured");
        for (number, count) in temperatures() {
            // A record whose line was cut off with the power may be there too, at the end of its pack.
            let said = measured.get(&number).copied().unwrap_or(count);
            assert!(count <= said + 1, "{number:?} has {count} temperatures of {said}");
        }
        for reason in ["signature", "malformed", "too_old", "in_future"] {
            assert_eq!(self.node.refused(reason), 0, "{reason}: {}", self.said());
        }
    }

    fn wait_for_records(&self, count: usize) {
        wait::until_true("records arrive", PATIENCE, || self.records().len() >= count);
    }

    fn said(&self) -> String {
        [self.said_before.as_slice(), &self.board.log()].concat().join("\n")
    }
}

#[test]
fn a_temperature_set_over_qmp_is_shown_signed_and_its_owner_is_paid() {
    let node = Up::new().epoch_seconds(5).start();
    let mqtt = node.mqtt.clone();
    let scene = Scene::new(node, &mqtt);
    // 12 bits of 256 °C: a step is 0.0625 °C, so this value is exact.
    scene.board.control().set_temperature(31_250).expect("QEMU takes a temperature");
    wait::until_true("the temperature is on the ledger", PATIENCE, || scene.has_record("temp", "31.25"));
    let own_page = page::text(&scene.node.text(&format!("/devices/{}", scene.enrolled.kid)));
    assert!(own_page.contains("31.25"), "the device's page shows it:\n{own_page}");
    wait::until_true("the owner is paid", PATIENCE, || scene.node.posted(&scene.enrolled.owner) > 0);
    assert_eq!(scene.node.refused("signature"), 0, "{}", scene.said());
    assert_eq!(scene.node.refused("malformed"), 0, "{}", scene.said());
}

#[test]
fn a_broker_away_for_ten_minutes_of_the_boards_time_and_a_reset_meanwhile_lose_nothing() {
    let address = free_address();
    let broker = Mosquitto::start_at(&address);
    let node = Up::new().with(&["--broker", &format!("mqtt://{address}")]).start();
    let scene = Scene::with(node, &address, None, Bench { is_hurried: true, ..Bench::default() });
    scene.wait_for_records(3);
    broker.stop();
    let before: usize = scene.measured().values().sum();
    // Ten minutes and a reset in the middle of them, by the clock of the board.
    let minutes = |count: usize| before + count * 60 / SAMPLE_SECONDS;
    let has_measured = |count: usize| scene.measured().values().sum::<usize>() >= count;
    wait::until_true("five minutes are over", PATIENCE, || has_measured(minutes(5)));
    scene.board.control().reset().expect("QEMU resets the board");
    wait::until_true("ten minutes are over", PATIENCE, || has_measured(minutes(10)));
    let measured = scene.measured();
    assert!(measured.keys().any(|(boot, _)| *boot > 1), "the board has booted twice:\n{}", scene.said());
    assert!(measured.values().any(|count| *count > 20), "an outage fills packs: {measured:?}");
    let _broker = Mosquitto::start_at(&address);
    scene.assert_all_arrives(&measured);
    for name in ["reset:power_on", "reset:button"] {
        wait::until_true("each boot says why it started", PATIENCE, || scene.has_record(name, "true"));
    }
    let own_page = page::text(&scene.node.text(&format!("/devices/{}", scene.enrolled.kid)));
    assert!(own_page.contains("0.1.0"), "its page names its firmware:\n{own_page}");
}

/// Seconds between two samples of the emulated board.
const SAMPLE_SECONDS: usize = 5;

#[test]
fn power_cut_at_twenty_random_moments_loses_nothing_acknowledged_and_repeats_nothing() {
    let seed = std::env::var("LAMPPOST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(random);
    println!("LAMPPOST_SEED={seed}");
    let mut chance = Chance::new(seed);
    let node = Up::new().start();
    let mqtt = node.mqtt.clone();
    let bench = Bench { is_hurried: true, ..Bench::default() };
    let mut scene = Scene::with(node, &mqtt, None, bench);
    let mut logged = 0;
    for cut in 0..POWER_CUTS {
        // A boot says some twenty lines before its first envelope is settled; a hurried board says them in a second.
        let lines = logged + 4 + chance.below(40) as usize;
        wait::until_true("the board is in the middle of something", PATIENCE, || {
            scene.board.logged() >= lines
        });
        if cut % 2 == 0 {
            scene.board.control().reset().expect("QEMU resets the board");
            logged = scene.board.logged();
        } else {
            scene = scene.cut_power(bench);
            logged = 0;
        }
    }
    let measured = scene.measured();
    assert!(measured.len() > POWER_CUTS / 2, "boards that measured nothing lose nothing: {measured:?}");
    scene.assert_all_arrives(&measured);
}

fn random() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos() as u64
}

#[test]
fn a_sensor_that_is_not_plugged_in_is_told_and_measures_once_it_is() {
    let node = Up::new().start();
    let mqtt = node.mqtt.clone();
    let scene = Scene::with(node, &mqtt, None, Bench { has_sensor: false, ..Bench::default() });
    let fault = |scene: &Scene| {
        let mut records = scene.records().into_iter();
        records.find(|(name, ..)| name.starts_with("fault:") && name.ends_with(":no_answer"))
    };
    let told = wait::until("the fault is on the ledger", PATIENCE, || fault(&scene));
    assert_eq!(told.1, "true");
    assert!(scene.measured().is_empty(), "nothing is measured:\n{}", scene.said());
    let scene = scene.cut_power(Bench::default());
    wait::until_true("it measures", PATIENCE, || scene.records().iter().any(|(name, ..)| name == "temp"));
}

#[test]
fn a_time_server_gives_readings_their_time_and_its_jump_moves_nothing_at_once() {
    let server = TimeServer::start();
    let node = Up::new().start();
    let mqtt = node.mqtt.clone();
    let scene = Scene::with(node, &mqtt, Some(&server), Bench::default());
    let times = |scene: &Scene| -> Vec<i64> {
        let records = scene.records().into_iter();
        records.filter(|(name, ..)| name == "temp").filter_map(|(_, _, time)| time).collect()
    };
    wait::until_true("readings carry a time", PATIENCE, || !times(&scene).is_empty());
    server.be_wrong_by(86_400);
    let logged = scene.board.logged();
    let doubt = scene.board.wait_for("which is doubted until others do", logged, PATIENCE);
    assert!(doubt.is_ok(), "{doubt:?}");
    let count = times(&scene).len();
    wait::until_true("more readings come", PATIENCE, || times(&scene).len() > count + 2);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs() as i64;
    for time in times(&scene) {
        assert!((now - time).abs() < 600, "{time} is {} seconds from now", time - now);
    }
    assert_eq!(scene.node.refused("in_future"), 0, "{}", scene.said());
}

#[test]
fn a_board_obeys_its_owner_and_takes_no_garbage_no_replay_and_no_stranger() {
    let address = free_address();
    let _broker = Mosquitto::start_at(&address);
    let node = Up::new().with(&["--broker", &format!("mqtt://{address}")]).start();
    let scene = Scene::new(node, &address);
    let kid = scene.enrolled.kid.clone();
    let down = format!("lamppost/1/devnet/dev/{kid}/down");
    let ear = mqtt::Device::connect(&address, "ear", std::slice::from_ref(&down));
    scene.wait_for_records(1);
    let configurations = || {
        let records = scene.records().into_iter();
        records.filter(|(name, ..)| name.starts_with("config:")).count()
    };
    let configure = |interval: &str, told: usize| -> Vec<u8> {
        let key = scene.store.directory().join("owner.pem");
        let mut program =
            program::lamppost(&["device", "configure", &kid, "--interval", interval, "--batch", "2"]);
        program.args(["--node", &scene.node.http, "--key"]).arg(key);
        program::Ended::of(&mut program).success();
        wait::until_true("the board says that it is so", PATIENCE, || configurations() >= told);
        ear.next_on("down")
    };
    let first = configure("1", 1);
    let second = configure("2", 2);
    assert_ne!(first, second);

    let stranger = SigningKey::from_seed([9; 32]);
    let device: DeviceId = kid.parse().expect("a kid");
    let order = Order::HandOver(*stranger.public_key().thumbprint().as_bytes());
    let mut strangers = [0; 512];
    let length = Command { device, counter: u64::MAX, order }.sign(&stranger, "devnet", &mut strangers);
    let strangers = &strangers[..length.expect("it can be signed")];
    for (payload, word) in
        [(b"not a command".as_slice(), "malformed"), (&first, "replayed"), (strangers, "not_owner")]
    {
        mosquitto_pub(&address, &down, payload);
        wait::until_true("the refusal is on the ledger", PATIENCE, || {
            scene.has_record(&format!("refused_command:{word}"), "true")
        });
    }
    assert_eq!(configurations(), 2, "nothing else is carried out:\n{}", scene.said());
    scene.board.control().reset().expect("QEMU resets the board");
    let obeyed = configure("3", 3);
    assert_ne!(obeyed, second, "after a reset it obeys the same owner");
}
