//! The embedded broker's claims, with Debian's mosquitto clients where they are installed.

use std::process::{Command, Output};

use super::*;

struct World {
    port: String,
    arrivals: mpsc::Receiver<Submission>,
    outbound: mpsc::Sender<Outbound>,
    runtime: tokio::runtime::Runtime,
}

fn world() -> Option<World> {
    if Command::new("mosquitto_pub").arg("--help").output().is_err() {
        eprintln!("skipped: mosquitto-clients is not installed");
        return None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (intake, arrivals) = mpsc::channel(limits::INTAKE_MAX);
    let (outbound, messages) = mpsc::channel(100);
    let port = runtime.block_on(async {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        start(listener, "devnet", intake, messages, Arc::new(Telemetry::new())).await.unwrap();
        port
    });
    Some(World { port: port.to_string(), arrivals, outbound, runtime })
}

impl World {
    fn client(&self, program: &str, version: &str, arguments: &[&str]) -> Output {
        let common = ["-h", "127.0.0.1", "-p", &self.port, "-V", version, "-q", "1"];
        Command::new(program).args(common).args(arguments).output().unwrap()
    }
}

#[test]
fn both_versions_of_mqtt_come_in_by_one_port() {
    let Some(mut world) = world() else { return };
    for version in ["mqttv311", "mqttv5"] {
        let topic = "lamppost/1/devnet/dev/0011223344556677/up";
        assert!(world.client("mosquitto_pub", version, &["-t", topic, "-m", version]).status.success());
        let arrival = world.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(10), world.arrivals.recv()).await.unwrap().unwrap()
        });
        assert_eq!(arrival.bytes, version.as_bytes());
        assert_eq!(arrival.topic_kid.unwrap().to_string(), "0011223344556677");
    }
}

#[test]
fn an_ack_waits_for_a_device_that_comes_later() {
    let Some(world) = world() else { return };
    let topic = "lamppost/1/devnet/dev/0011223344556677/ack".to_owned();
    let message = Outbound { topic: topic.clone(), payload: b"ack".to_vec(), retain: true };
    world.runtime.block_on(world.outbound.send(message)).unwrap();
    for version in ["mqttv311", "mqttv5"] {
        let arguments = ["-t", &topic, "-C", "1", "-W", "10"];
        assert_eq!(world.client("mosquitto_sub", version, &arguments).stdout, b"ack\n");
    }
}

#[test]
fn a_taken_port_is_one_sentence() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let first = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let error = bind(first.local_addr().unwrap()).await.unwrap_err();
        assert!(matches!(error, BrokerError::Taken { .. }));
        assert!(error.to_string().contains("--mqtt"), "{error}");
    });
}
