//! The embedded broker's claims, with Debian's mosquitto clients where they are installed.

use std::process::{Command, Output};

use devices::{Ack, DeviceId, Sequence};

use super::*;
use crate::outbox::Message;

const DEVICE: DeviceId = DeviceId([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77]);

struct World {
    port: String,
    arrivals: mpsc::Receiver<Submission>,
    outbound: outbox::Sender,
    runtime: tokio::runtime::Runtime,
}

fn world() -> Option<World> {
    if Command::new("mosquitto_pub").arg("--help").output().is_err() {
        eprintln!("skipped: mosquitto-clients is not installed");
        return None;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (intake, arrivals) = mpsc::channel(limits::INTAKE_MAX);
    let (outbound, messages) = outbox::outbox();
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

    /// The gateway acknowledges something; gives what a subscriber prints of it.
    fn acknowledge(&self) -> Vec<u8> {
        let ack = Ack { highest: Sequence { boot: 1, count: 65 }, window: 1, log_size: 66 };
        assert_eq!(self.outbound.acknowledge(&[(DEVICE, ack)]), 0);
        let payload = Outbound { kid: DEVICE, message: Message::Ack(ack) }.payload();
        [&payload[..], b"\n"].concat()
    }

    fn arrival(&mut self) -> Submission {
        let arrivals = &mut self.arrivals;
        let next = async { tokio::time::timeout(Duration::from_secs(10), arrivals.recv()).await };
        self.runtime.block_on(next).unwrap().unwrap()
    }
}

#[test]
fn both_versions_of_mqtt_come_in_by_one_port() {
    let Some(mut world) = world() else { return };
    for version in ["mqttv311", "mqttv5"] {
        let topic = "lamppost/1/devnet/dev/0011223344556677/up";
        assert!(world.client("mosquitto_pub", version, &["-t", topic, "-m", version]).status.success());
        let arrival = world.arrival();
        assert_eq!(arrival.bytes, version.as_bytes());
        assert_eq!(arrival.topic_kid.unwrap().to_string(), "0011223344556677");
    }
}

#[test]
fn an_ack_waits_for_a_device_that_comes_later() {
    let Some(world) = world() else { return };
    let topic = "lamppost/1/devnet/dev/0011223344556677/ack".to_owned();
    let printed = world.acknowledge();
    for version in ["mqttv311", "mqttv5"] {
        let arguments = ["-t", &topic, "-C", "1", "-W", "10"];
        assert_eq!(world.client("mosquitto_sub", version, &arguments).stdout, printed);
    }
}

#[test]
fn nobody_forges_an_ack_or_clears_one_or_pushes_the_gateway_off() {
    let Some(mut world) = world() else { return };
    let device = "lamppost/1/devnet/dev/0011223344556677";
    let (up, ack) = (format!("{device}/up"), format!("{device}/ack"));
    let printed = world.acknowledge();
    for version in ["mqttv311", "mqttv5"] {
        for forbidden in [
            &["-t", &ack, "-m", "forged"][..],
            &["-t", &ack, "-n"],
            &["-t", &up, "-m", "kept", "-r"],
            &["-t", &up, "-m", "x", "--will-topic", &ack, "--will-payload", "forged"],
            &["-t", &up, "-m", "x", "-i", rules::GATEWAY_CLIENT_ID],
        ] {
            assert!(!world.client("mosquitto_pub", version, forbidden).status.success(), "{forbidden:?}");
        }
        let subscribed = world.client("mosquitto_sub", version, &["-t", &ack, "-C", "1", "-W", "10"]);
        assert_eq!(subscribed.stdout, printed);
        let with_will = ["-t", &up, "-m", version, "--will-topic", &up, "--will-payload", "farewell"];
        assert!(world.client("mosquitto_pub", version, &with_will).status.success());
        assert_eq!(world.arrival().bytes, version.as_bytes());
    }
}

#[test]
fn a_topic_alias_saves_the_topic_and_nothing_else() {
    use std::io::{Read as _, Write as _};
    let Some(mut world) = world() else { return };
    let mut client = std::net::TcpStream::connect(format!("127.0.0.1:{}", world.port)).unwrap();
    client.write_all(b"\x10\x0e\0\x04MQTT\x05\x02\0\x1e\0\0\x01a").unwrap();
    let topic = b"lamppost/1/devnet/dev/0011223344556677/up";
    let property = b"\x03\x23\0\x01";
    let length = 2 + topic.len() + property.len() + 5;
    let named = [&[0x30, length as u8, 0, topic.len() as u8], &topic[..], property, b"first"].concat();
    let aliased = [&[0x30, 2 + 4 + 6, 0, 0], &property[..], b"second"].concat();
    client.write_all(&[named, aliased].concat()).unwrap();
    for payload in [&b"first"[..], b"second"] {
        let arrival = world.arrival();
        assert_eq!(arrival.bytes, payload);
        assert_eq!(arrival.topic_kid.unwrap().to_string(), "0011223344556677");
    }
    let unknown = [0x30, 2 + 4, 0, 0, 3, 0x23, 0, 2];
    client.write_all(&unknown).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answers = Vec::new();
    let ended = client.read_to_end(&mut answers);
    let is_over = ended.is_ok() || ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
    assert!(is_over, "an alias that stands for nothing ends the connection");
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
