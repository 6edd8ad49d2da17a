//! A fleet against a broker of one page: nothing is lost, no number is used twice, recordings arrive as they were taken.
mod broker;

use std::path::Path;
use std::time::Duration;

use broker::Seen;
use devices::{SignedReading, SigningKey};
use fleet::client::Broker;
use fleet::load::press::{self, Order};
use fleet::load::{self, LoadPlan};
use fleet::{FleetConfig, FleetReport, seeds};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

async fn listener() -> (TcpListener, Broker) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, Broker { host: "127.0.0.1".to_owned(), port })
}

fn config(broker: &Broker, devices: usize) -> FleetConfig {
    FleetConfig {
        broker: broker.clone(),
        network: "devnet".to_owned(),
        seeds: seeds(&[5; 32], devices),
        readings_per_second: 100,
        seconds: None,
        replay: Vec::new(),
        state_directory: None,
    }
}

/// Runs until the broker has seen enough, or panics after 30 seconds.
async fn run_until(config: FleetConfig, seen: &Seen, enough: impl Fn(&Seen) -> bool) -> FleetReport {
    let (stop, stopped) = watch::channel(false);
    let fleet = tokio::spawn(fleet::run(config, stopped));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !enough(seen) {
        assert!(Instant::now() < deadline, "only {} arrived", seen.arrived().len());
        sleep(Duration::from_millis(10)).await;
    }
    stop.send(true).unwrap();
    fleet.await.unwrap().unwrap()
}

fn check(report: &FleetReport) {
    assert_eq!((report.lost, report.refused), (0, [0; 8]), "{report:?}");
    assert_eq!(report.kept, report.settled + report.waiting, "{report:?}");
}

#[tokio::test]
async fn every_reading_is_published_under_its_own_number_and_settled() {
    let (listener, broker) = listener().await;
    let config = FleetConfig { seconds: Some(3), ..config(&broker, 7) };
    let seen = broker::serve(listener, &config.seeds);
    let (_stop, stopped) = watch::channel(false);
    let report = fleet::run(config, stopped).await.unwrap();
    check(&report);
    assert_eq!((report.devices, report.waiting), (7, 0), "{report:?}");
    assert_eq!(report.settled, seen.arrived().len() as u64);
    assert!((200..=320).contains(&report.settled), "about 100 a second: {report:?}");
    let envelope = seen.arrived().into_values().next().unwrap();
    let signed = SignedReading::decode(&envelope[..]).map_err(|(why, _)| why).unwrap();
    let texts: Vec<_> = signed.pack().resolved().map(|record| record.to_string()).collect();
    assert!(
        texts[0].starts_with("temp ") && texts[1].starts_with("hum ") && texts[2].starts_with("pm2.5 "),
        "{texts:?}"
    );
    assert!(signed.pack().base().time.is_some(), "virtual devices have a clock");
}

#[tokio::test]
async fn a_restarted_fleet_uses_no_number_twice_and_delivers_what_was_left() {
    let state = tempfile::tempdir().unwrap();
    let (listener, broker) = listener().await;
    let config = FleetConfig { state_directory: Some(state.path().to_owned()), ..config(&broker, 3) };
    let seen = broker::serve(listener, &config.seeds);
    seen.set_silent(true);
    let first = run_until(config.clone(), &seen, |seen| seen.arrived().len() >= 3).await;
    check(&first);
    assert!(first.waiting > 0, "nothing was acknowledged: {first:?}");
    seen.set_silent(false);
    let sure = |seen: &Seen| {
        let arrived = seen.arrived();
        let of_boot = |boot: u32| arrived.keys().filter(|(_, sequence)| sequence.boot == boot).count() as u64;
        of_boot(1) == first.kept && of_boot(2) >= 6
    };
    let second = run_until(config, &seen, sure).await;
    // The broker has asserted for each number that it always meant the same bytes.
    assert_eq!(second.kept + first.waiting, second.settled + second.waiting, "{second:?} after {first:?}");
}

#[tokio::test]
async fn a_broker_that_comes_late_gets_every_reading() {
    let (listener, broker) = listener().await;
    drop(listener);
    let config = config(&broker, 2);
    let late = async {
        sleep(Duration::from_millis(600)).await;
        let listener = TcpListener::bind((broker.host.as_str(), broker.port)).await.unwrap();
        broker::serve(listener, &config.seeds)
    };
    let (_stop, stopped) = watch::channel(false);
    let fleet =
        fleet::run(FleetConfig { readings_per_second: 20, seconds: Some(3), ..config.clone() }, stopped);
    let (report, seen) = tokio::join!(fleet, late);
    let report = report.unwrap();
    check(&report);
    assert_eq!((report.waiting, report.settled), (0, seen.arrived().len() as u64));
    assert!(report.settled >= 40, "{report:?}");
}

#[tokio::test]
async fn recordings_arrive_as_they_were_taken_and_end_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("2019-05-01_sds011_sensor_7789.csv");
    let header = "sensor_id;sensor_type;location;lat;lon;timestamp;P1;durP1;ratioP1;P2;durP2;ratioP2\n";
    let rows: String = (0..40)
        .map(|row| format!("7789;SDS011;1;57.1;-2.0;2019-05-01T00:{row:02}:00;1{row}.50;;;{row}.07;;\n"))
        .collect();
    std::fs::write(&path, header.to_owned() + &rows).unwrap();
    let (listener, broker) = listener().await;
    let config = FleetConfig { replay: vec![path], ..config(&broker, 1) };
    let seen = broker::serve(listener, &config.seeds);
    let (_stop, stopped) = watch::channel(false);
    let report = fleet::run(config, stopped).await.unwrap();
    check(&report);
    assert_eq!((report.settled, report.waiting), (40, 0));
    for (row, envelope) in seen.arrived().into_values().enumerate() {
        let signed = SignedReading::decode(&envelope[..]).map_err(|(why, _)| why).unwrap();
        let texts: Vec<_> = signed.pack().resolved().map(|record| record.to_string()).collect();
        assert_eq!(texts, [format!("pm10 1{row}.5 ug/m3"), format!("pm2.5 {row}.07 ug/m3")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn load_that_was_signed_beforehand_arrives_completely() {
    let (listener, broker) = listener().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("load");
    let plan = LoadPlan {
        network: "devnet".to_owned(),
        secret: [6; 32],
        devices: 20,
        first: 0,
        envelopes: 1_000,
        records_each: 1,
        boot: 1,
        base_time: 1_800_000_000,
    };
    load::write(&file, &plan).unwrap();
    let keys = load::keys(&plan.secret, plan.devices).unwrap();
    let seen = broker::serve_keys(listener, keys.iter().map(|key| (key.kid, key.public_key)).collect());
    let network = plan.network;
    let order = Order {
        broker,
        network,
        connections: 3,
        per_second: None,
        within: None,
        watched: &[],
        tell_every: None,
    };
    let publish = |skip| press::publish(&file, &order, skip, |_| {}).unwrap().published;
    let published = tokio::task::block_in_place(|| [publish(900), publish(0)]);
    assert_eq!((published, seen.arrived().len()), ([100, 1_000], 1_000));
}

#[tokio::test]
async fn real_recordings_are_read_whole_where_they_are_at_hand() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/abdn_2019-05.tar.xz");
    if !archive.exists() {
        println!("skipped: the recordings are not beside the project");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let unpacked =
        std::process::Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(directory.path()).status();
    if !unpacked.is_ok_and(|status| status.success()) {
        println!("skipped: no tar that unpacks xz");
        return;
    }
    let mut paths = Vec::new();
    for sensor in std::fs::read_dir(directory.path().join("data/luftdaten")).unwrap() {
        let files = std::fs::read_dir(sensor.unwrap().path()).unwrap();
        paths.extend(files.map(|file| file.unwrap().path()));
    }
    let recordings = fleet::replay::read(&paths).unwrap();
    let rows: usize = recordings.iter().map(fleet::replay::Recording::len).sum();
    // One row of them has a PM10 only.
    assert_eq!((paths.len(), recordings.len(), rows), (318, 23, 173_876));
}

#[test]
fn seeds_are_different_and_always_the_same() {
    let (some, more) = (seeds(&[1; 32], 3), seeds(&[1; 32], 5));
    assert_eq!(some, more[..3]);
    let kids: std::collections::BTreeSet<_> =
        more.iter().map(|seed| SigningKey::from_seed(*seed).kid()).collect();
    assert_eq!(kids.len(), 5);
    assert_ne!(seeds(&[2; 32], 1), seeds(&[1; 32], 1));
}
