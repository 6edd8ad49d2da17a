//! A machine that is not as the node needs it: one clear sentence and exit code 1, or patience that says so.

use e2e::broker::{Mosquitto, free_address};
use e2e::mqtt::Device;
use e2e::node::Up;
use e2e::program;
use e2e::sensor::Sensor;
use e2e::wait;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("a bound listener has an address").to_string();
    let sentence = Up::new().http(&address).fails().refusal();
    assert!(sentence.contains(&address), "{sentence}");
    let sentence = Up::new().mqtt(&address).fails().refusal();
    assert!(sentence.contains(&address), "{sentence}");
}

#[test]
fn a_directory_of_somebody_elses_files_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let picture = directory.path().join("holiday.jpg");
    fs::write(&picture, b"not a ledger").expect("the file can be written");
    let sentence = Up::new().data(directory.path()).fails().refusal();
    assert!(names(&sentence, directory.path()), "{sentence}");
    let left: Vec<_> = fs::read_dir(directory.path()).expect("the directory is there").flatten().collect();
    assert_eq!(left.len(), 1, "nothing was put beside the picture: {left:?}");
}

#[test]
fn a_data_directory_that_cannot_be_one_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("data");
    fs::write(&file, b"a file, not a directory").expect("the file can be written");
    let sentence = Up::new().data(&file).fails().refusal();
    assert!(names(&sentence, &file), "{sentence}");
}

#[test]
fn a_second_process_on_the_same_data_is_turned_away() {
    let node = Up::new().start();
    let sentence = Up::new().data(&node.data).fails().refusal();
    assert!(names(&sentence, &node.data), "{sentence}");
    assert_eq!(node.get_as("/healthz", "*/*").0, 200, "the first one goes on");
}

#[test]
fn a_broken_key_file_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    Up::new().data(&data).start().terminate();
    let keys: Vec<_> = fs::read_dir(data.join("keys")).expect("the keys are there").flatten().collect();
    assert!(!keys.is_empty());
    let validator = data.join("keys/validator.pem");
    fs::write(&validator, "-----BEGIN PRIVATE KEY-----\nno key\n-----END PRIVATE KEY-----\n")
        .expect("writable");
    let sentence = Up::new().data(&data).fails().refusal();
    assert!(sentence.contains("validator.pem"), "{sentence}");
}

#[test]
fn a_genesis_that_is_not_this_ledgers_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    Up::new().data(&data).start().terminate();
    fs::write(data.join("genesis.json"), "{\"network\":").expect("writable");
    let sentence = Up::new().data(&data).fails().refusal();
    assert!(sentence.contains("genesis.json"), "{sentence}");
}

#[test]
fn sigterm_ends_with_everything_on_disk_and_exit_code_0() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let mut node = Up::new().data(&data).start();
    let mut sensor = Sensor::any();
    node.enrol(&sensor.public_key());
    let reading = sensor.reading();
    assert_eq!(node.submit(&reading.bytes).0, 202);
    assert_eq!(node.terminate().code(), Some(0));
    let node = Up::new().data(&data).start();
    assert!(node.json_if_there(&format!("/api/v1/transactions/{}", reading.transaction)).is_some());
}

#[test]
fn an_unreachable_broker_is_tried_again_with_patience() {
    let address = free_address();
    let node = Up::new().with(&["--broker", &format!("mqtt://{address}")]).start();
    let tries = || node.stderr().lines().filter(|line| line.contains(&address)).count();
    wait::until_true("the node says that the broker does not answer", wait::SHORT, || tries() >= 2);
    let _broker = Mosquitto::start_at(&address);
    let mut sensor = Sensor::any();
    node.enrol(&sensor.public_key());
    let device = Device::connect(&address, "patient", &[sensor.topic("ack")]);
    let reading = sensor.reading();
    // Published until it is settled, as a device does: the gateway may subscribe later than it is first sent.
    wait::until_true("the reading arrives through the late broker", wait::LONG, || {
        device.publish(&sensor.topic("up"), &reading.bytes);
        device.next(wait::SHORT / 20).is_some()
    });
    node.settled(&reading.transaction);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    assert_eq!(program::run(&["up", "--no-such-option"]).code, 2);
    assert_eq!(program::run(&["no-such-command"]).code, 2);
    assert_eq!(program::run(&[]).code, 2);
}

#[test]
fn a_command_without_a_node_says_so_in_one_sentence() {
    let address = free_address();
    let sentence = program::run(&["device", "list", "--node", &format!("http://{address}")]).refusal();
    assert!(sentence.contains(&address), "{sentence}");
}

#[test]
fn a_key_is_never_overwritten() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("key.pem");
    let path = file.to_str().expect("a temporary path is text");
    program::run(&["key", "new", path]).success();
    let before = fs::read(&file).expect("the key is there");
    let sentence = program::run(&["key", "new", path]).refusal();
    assert!(names(&sentence, &file), "{sentence}");
    assert_eq!(fs::read(&file).expect("the key is there"), before);
}

fn names(sentence: &str, path: &Path) -> bool {
    path.to_str().is_some_and(|path| sentence.contains(path))
}
