//! A broker of one page and a gateway of one line: takes MQTT 3.1.1 publishes, verifies them and acknowledges.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use devices::{Ack, DeviceId, PublicKey, Sequence, SignedReading, SigningKey, Topic, TopicKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What has arrived, by device and number, each with its bytes.
pub type Arrived = BTreeMap<(DeviceId, Sequence), Vec<u8>>;

/// What a test sees of the broker.
#[derive(Clone, Default)]
pub struct Seen {
    arrived: Arc<Mutex<Arrived>>,
    is_silent: Arc<AtomicBool>,
}

impl Seen {
    pub fn arrived(&self) -> Arrived {
        self.arrived.lock().unwrap().clone()
    }

    /// Whether acknowledgements are withheld.
    pub fn set_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// Checks one publish and keeps it; the same number must always mean the same bytes.
    fn take(
        &self,
        keys: &BTreeMap<DeviceId, PublicKey>,
        topic: &str,
        payload: &[u8],
    ) -> Option<(String, Vec<u8>)> {
        let topic = Topic::parse(topic).expect("a topic of the contract");
        assert_eq!(topic.kind, TopicKind::Up);
        let signed = SignedReading::decode(payload.to_vec()).map_err(|(why, _)| why).expect("an envelope");
        assert_eq!(signed.kid(), topic.kid);
        let key = (signed.kid(), signed.sequence());
        signed.verify(&keys[&topic.kid], topic.network).map_err(|(why, _)| why).expect("a good signature");
        let mut arrived = self.arrived.lock().unwrap();
        let before = arrived.insert(key, payload.to_vec());
        assert!(before.is_none_or(|before| before == payload), "{} {} was used twice", key.0, key.1);
        let highest =
            arrived.keys().filter(|(kid, _)| *kid == topic.kid).map(|(_, sequence)| *sequence).max()?;
        let window = (0..64).filter(|distance| {
            let count = highest.count.checked_sub(*distance);
            count.is_some_and(|count| {
                arrived.contains_key(&(topic.kid, Sequence { boot: highest.boot, count }))
            })
        });
        let window = window.fold(0, |window, distance| window | 1 << distance);
        let mut content = [0; 64];
        let length = Ack { highest, window, log_size: arrived.len() as u64 }.encode(&mut content).unwrap();
        let answer = Topic { kind: TopicKind::Ack, ..topic }.to_string();
        (!self.is_silent.load(Ordering::SeqCst)).then(|| (answer, content[..length].to_vec()))
    }
}

/// Serves on the listener until the test's runtime ends.
pub fn serve(listener: TcpListener, seeds: &[[u8; 32]]) -> Seen {
    let keys = seeds.iter().map(|seed| SigningKey::from_seed(*seed));
    serve_keys(listener, keys.map(|key| (key.kid(), key.public_key())).collect())
}

/// The same for devices whose public keys are known.
pub fn serve_keys(listener: TcpListener, keys: BTreeMap<DeviceId, PublicKey>) -> Seen {
    let seen = Seen::default();
    let (keys, shared) = (Arc::new(keys), seen.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (keys, seen) = (keys.clone(), shared.clone());
            tokio::spawn(async move { serve_client(stream, &keys, &seen).await });
        }
    });
    seen
}

async fn serve_client(
    mut stream: TcpStream,
    keys: &BTreeMap<DeviceId, PublicKey>,
    seen: &Seen,
) -> Option<()> {
    loop {
        let (first, body) = packet(&mut stream).await?;
        let answer = match first >> 4 {
            1 => vec![0x20, 2, 0, 0],
            8 => suback(&body),
            12 => vec![0xd0, 0],
            14 => return None,
            3 => {
                let topic_bytes = usize::from(u16::from_be_bytes([body[0], body[1]]));
                let (topic, rest) = body[2..].split_at(topic_bytes);
                assert_eq!(first & 0x0f, 0b0010, "QoS 1, not retained, not a duplicate");
                let mut answer = vec![0x40, 2, rest[0], rest[1]];
                if let Some((topic, content)) =
                    seen.take(keys, std::str::from_utf8(topic).unwrap(), &rest[2..])
                {
                    answer.extend(publish(&topic, &content));
                }
                answer
            }
            other => panic!("packet type {other} is not expected"),
        };
        stream.write_all(&answer).await.ok()?;
    }
}

async fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

fn suback(body: &[u8]) -> Vec<u8> {
    let (mut topics, mut rest) = (0_u8, &body[2..]);
    while let [high, low, more @ ..] = rest {
        rest = &more[usize::from(u16::from_be_bytes([*high, *low])) + 1..];
        topics += 1;
    }
    let mut answer = vec![0x90, 2 + topics, body[0], body[1]];
    answer.extend(std::iter::repeat_n(0, topics.into()));
    answer
}

fn publish(topic: &str, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(2 + topic.len() + content.len()).expect("a short message");
    assert!(length < 0x80);
    let mut packet = vec![0x30, length, 0, topic.len() as u8];
    packet.extend(topic.as_bytes());
    packet.extend(content);
    packet
}
