//! The public MQTT port: reads a client's CONNECT, forwards the connection to the listener of its version as long as it
//! keeps to the rules, and holds publishers back while the gateway's intake is full.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::rules::{Rules, Violation};
use crate::limits;
use crate::shared::Submission;
use crate::telemetry::Telemetry;

/// Bytes copied at once; also what one connection may have on its way past a closed gate.
const CHUNK_BYTES: usize = 8 * 1024;
/// Bytes of a CONNECT that hold the protocol level: fixed header (5), name (6) and level.
const CONNECT_HEAD_BYTES: usize = 12;
/// How often a closed gate looks again.
const GATE_MILLISECONDS: u64 = 5;
/// CONNACK of MQTT 3.1.1 §3.2.2.3 with return code 1: unacceptable protocol version.
const UNACCEPTABLE_VERSION: [u8; 4] = [0x20, 0x02, 0x00, 0x01];

/// The internal listeners.
#[derive(Debug, Clone, Copy)]
pub struct Backends {
    /// Of MQTT 3.1.1.
    pub v4: SocketAddr,
    /// Of MQTT 5.
    pub v5: SocketAddr,
}

/// Closed while the intake queue is nearly full: then publishers wait in their sockets instead of losing messages.
#[derive(Debug, Clone)]
pub struct Gate {
    intake: mpsc::Sender<Submission>,
    telemetry: Arc<Telemetry>,
}

impl Gate {
    /// A gate before this queue.
    pub fn new(intake: mpsc::Sender<Submission>, telemetry: Arc<Telemetry>) -> Gate {
        Gate { intake, telemetry }
    }

    async fn pass(&self) {
        if self.intake.capacity() >= limits::INTAKE_MAX / 4 || self.intake.is_closed() {
            return;
        }
        self.telemetry.intake_waits.inc();
        while self.intake.capacity() < limits::INTAKE_MAX / 2 && !self.intake.is_closed() {
            tokio::time::sleep(Duration::from_millis(GATE_MILLISECONDS)).await;
        }
    }
}

/// Which listener a CONNECT belongs to.
#[derive(Debug, PartialEq, Eq)]
enum Level {
    /// More bytes are needed.
    Unknown,
    V4,
    V5,
    /// Not MQTT, or a version nobody speaks here.
    Unsupported,
}

/// Accepts clients until the runtime ends.
pub async fn serve(listener: TcpListener, backends: Backends, gate: Gate, rules: Rules) {
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    loop {
        let (client, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: waiting lets some connections end.
                tracing::warn!(%error, "an MQTT connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (gate, rules) = (gate.clone(), rules.clone());
        tokio::spawn(async move {
            gate.telemetry.connections.inc();
            if let Err(violation) = forward(client, backends, &gate, rules).await {
                gate.telemetry.mqtt_violations.inc();
                tracing::warn!(%address, %violation, "an MQTT client broke the rules: its connection is closed");
            }
            gate.telemetry.connections.dec();
            drop(place);
        });
    }
}

async fn forward(
    mut client: TcpStream,
    backends: Backends,
    gate: &Gate,
    mut rules: Rules,
) -> Result<(), Violation> {
    let mut head = Vec::with_capacity(CHUNK_BYTES);
    let wait = Duration::from_secs(limits::CONNECT_SECONDS_MAX);
    let connect = read_connect(&mut client, &mut head, &mut rules);
    let Ok(level) = tokio::time::timeout(wait, connect).await else { return Ok(()) };
    let backend = match level? {
        Level::V4 => backends.v4,
        Level::V5 => backends.v5,
        Level::Unknown => return Ok(()),
        Level::Unsupported => {
            let _client_may_be_gone = client.write_all(&UNACCEPTABLE_VERSION).await;
            return Ok(());
        }
    };
    let Ok(mut server) = TcpStream::connect(backend).await else { return Ok(()) };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    if server.write_all(&head).await.is_err() {
        return Ok(());
    }
    drop(head);
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    // Either side's end ends both.
    tokio::select! {
        judged = copy_to_broker(client_read, server_write, gate, rules) => judged,
        () = copy_to_client(server_read, client_write) => Ok(()),
    }
}

/// Reads a whole CONNECT, with what came right behind it, and judges both; says to whom they belong.
async fn read_connect(
    client: &mut TcpStream,
    head: &mut Vec<u8>,
    rules: &mut Rules,
) -> Result<Level, Violation> {
    let level = read_level(client, head).await;
    if !matches!(level, Level::V4 | Level::V5) {
        return Ok(level);
    }
    loop {
        if let Some(connect_bytes) = rules.connect(head)? {
            rules.pass(&head[connect_bytes..])?;
            return Ok(level);
        }
        if !matches!(client.read_buf(head).await, Ok(bytes) if bytes > 0) {
            return Ok(Level::Unknown);
        }
    }
}

async fn read_level(client: &mut TcpStream, head: &mut Vec<u8>) -> Level {
    loop {
        match level(head) {
            Level::Unknown if head.len() < CONNECT_HEAD_BYTES => {}
            Level::Unknown => return Level::Unsupported,
            known => return known,
        }
        if !matches!(client.read_buf(head).await, Ok(bytes) if bytes > 0) {
            return Level::Unknown;
        }
    }
}

/// The protocol level of a CONNECT packet (MQTT 3.1.1 §3.1.2.2, MQTT 5 §3.1.2.2).
fn level(head: &[u8]) -> Level {
    let Some((first, rest)) = head.split_first() else { return Level::Unknown };
    if *first != 0x10 {
        return Level::Unsupported;
    }
    let Some(length_bytes) = rest.iter().take(4).position(|byte| byte & 0x80 == 0) else {
        return if rest.len() < 4 { Level::Unknown } else { Level::Unsupported };
    };
    let variable = &rest[length_bytes + 1..];
    let name = b"\x00\x04MQTT";
    if !variable.iter().zip(name).all(|(found, wanted)| found == wanted) {
        return Level::Unsupported;
    }
    match variable.get(name.len()) {
        None => Level::Unknown,
        Some(4) => Level::V4,
        Some(5) => Level::V5,
        Some(_) => Level::Unsupported,
    }
}

/// What is judged in a chunk's last byte has not passed before, so the broker sees no packet that breaks the rules.
async fn copy_to_broker(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    gate: &Gate,
    mut rules: Rules,
) -> Result<(), Violation> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let bytes = match from.read(&mut chunk).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(bytes) => bytes,
        };
        rules.pass(&chunk[..bytes])?;
        gate.pass().await;
        if to.write_all(&chunk[..bytes]).await.is_err() {
            return Ok(());
        }
    }
}

async fn copy_to_client(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let bytes = match from.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => bytes,
        };
        if to.write_all(&chunk[..bytes]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_tells_its_version_as_soon_as_it_can() {
        let v4 = b"\x10\x10\x00\x04MQTT\x04\x02";
        assert_eq!(level(v4), Level::V4);
        assert_eq!(level(b"\x10\xff\x01\x00\x04MQTT\x05"), Level::V5);
        for cut in 0..9 {
            assert_eq!(level(&v4[..cut]), Level::Unknown, "{cut} bytes");
        }
    }

    #[test]
    fn what_is_not_mqtt_is_turned_away() {
        for head in [
            &b"GET / HTTP/1.1"[..],
            b"\x10\x10\x00\x06MQIsdp\x03",
            b"\x10\xff\xff\xff\xff\x00",
            b"\x10\x10\x00\x04MQTT\x06",
        ] {
            assert_eq!(level(head), Level::Unsupported);
        }
    }

    #[test]
    fn publishers_wait_while_the_intake_is_nearly_full_and_go_on_when_there_is_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (intake, mut arrivals) = mpsc::channel(limits::INTAKE_MAX);
            let telemetry = Arc::new(Telemetry::new());
            let gate = Gate::new(intake.clone(), telemetry.clone());
            gate.pass().await;
            assert_eq!(telemetry.intake_waits.get(), 0, "an empty queue lets everything pass");
            for _ in 0..limits::INTAKE_MAX {
                intake.try_send(Submission { topic_kid: None, bytes: Vec::new(), reply: None }).unwrap();
            }
            let passed = tokio::spawn(async move { gate.pass().await });
            while telemetry.intake_waits.get() == 0 {
                tokio::task::yield_now().await;
            }
            assert!(!passed.is_finished());
            while arrivals.try_recv().is_ok() {}
            tokio::time::timeout(Duration::from_secs(10), passed).await.unwrap().unwrap();
        });
    }
}
