//! The few packets of MQTT 3.1.1 that a loader speaks, on a blocking socket.

use super::{Broker, DeviceId, Duration, ErrorKind, Order, TcpStream, ack_topic, io};
use std::io::{Read as _, Write as _};

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// Topics of one SUBSCRIBE.
const TOPICS_AT_ONCE: usize = 64;
/// How long a connection may take to be accepted, or a subscription to be confirmed.
const ANSWER: Duration = Duration::from_secs(10);
/// Seconds without a packet after which a broker gives a connection up.
const KEEP_ALIVE_SECONDS: u16 = 60;

/// A packet from the broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// CONNACK that accepts.
    Connected,
    /// PUBACK.
    PublishAcknowledged,
    /// SUBACK.
    Subscribed,
    /// PUBLISH of quality 0.
    Publish {
        /// Its topic.
        topic: &'a str,
        /// Its content.
        payload: &'a [u8],
    },
    /// Anything else.
    Other,
}

/// One connection.
pub struct Connection {
    socket: TcpStream,
    /// What was read and is no whole packet yet.
    held: Vec<u8>,
    next_id: u16,
}

impl Connection {
    /// Connects with a clean session.
    pub fn open(broker: &Broker, name: &str) -> io::Result<Connection> {
        let socket = TcpStream::connect((broker.host.as_str(), broker.port))?;
        socket.set_nodelay(true)?;
        let mut connection = Connection { socket, held: Vec::new(), next_id: 1 };
        let mut body = b"\x00\x04MQTT\x04\x02".to_vec();
        body.extend_from_slice(&KEEP_ALIVE_SECONDS.to_be_bytes());
        text(&mut body, &format!("lamppost-{name}-{}", std::process::id()));
        connection.send(0x10, &body)?;
        connection.wait_for(Packet::Connected)?;
        Ok(connection)
    }

    /// Connects and listens for the acks of the watched devices.
    pub fn listen(order: &Order<'_>) -> io::Result<Connection> {
        let mut connection = Connection::open(&order.broker, "load-acks")?;
        for some in order.watched.chunks(TOPICS_AT_ONCE) {
            let mut body = connection.packet_id().to_be_bytes().to_vec();
            for kid in some {
                text(&mut body, &ack_topic(&order.network, *kid));
                body.push(0);
            }
            connection.send(0x82, &body)?;
            connection.wait_for(Packet::Subscribed)?;
        }
        Ok(connection)
    }

    /// Appends a PUBLISH of quality 1 to `packets`.
    pub fn publish(&mut self, network: &str, kid: DeviceId, envelope: &[u8], packets: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        const PREFIX: &[u8] = b"lamppost/1/";
        let topic_bytes = PREFIX.len() + network.len() + 5 + 16 + 3;
        packets.push(0x32);
        length(packets, 2 + topic_bytes + 2 + envelope.len());
        packets.extend_from_slice(&(topic_bytes as u16).to_be_bytes());
        packets.extend_from_slice(PREFIX);
        packets.extend_from_slice(network.as_bytes());
        packets.extend_from_slice(b"/dev/");
        let digits = |byte: u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        packets.extend(kid.as_bytes().iter().copied().flat_map(digits));
        packets.extend_from_slice(b"/up");
        packets.extend_from_slice(&self.packet_id().to_be_bytes());
        packets.extend_from_slice(envelope);
    }

    /// Writes packets.
    pub fn write(&mut self, packets: &[u8]) -> io::Result<()> {
        self.socket.write_all(packets)
    }

    /// Shows that it is alive.
    pub fn ping(&mut self) -> io::Result<()> {
        self.write(&[0xc0, 0])
    }

    /// Waits so long for bytes and hands each whole packet on.
    pub fn read(&mut self, wait: Duration, mut each: impl FnMut(Packet<'_>)) -> io::Result<()> {
        self.socket.set_read_timeout(Some(wait))?;
        let mut chunk = [0; READ_BYTES];
        match self.socket.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => self.held.extend_from_slice(&chunk[..bytes]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let mut at = 0;
        while let Some((packet, bytes)) = first(&self.held[at..]) {
            each(packet);
            at += bytes;
        }
        self.held.drain(..at);
        Ok(())
    }

    fn wait_for(&mut self, wanted: Packet<'_>) -> io::Result<()> {
        let began = std::time::Instant::now();
        let mut is_there = false;
        while !is_there {
            if began.elapsed() > ANSWER {
                return Err(ErrorKind::TimedOut.into());
            }
            self.read(ANSWER, |packet| is_there |= packet == wanted)?;
        }
        Ok(())
    }

    fn send(&mut self, head: u8, body: &[u8]) -> io::Result<()> {
        let mut packet = vec![head];
        length(&mut packet, body.len());
        packet.extend_from_slice(body);
        self.write(&packet)
    }

    /// Never 0 (§2.3.1); far fewer are on their way at once than there are.
    fn packet_id(&mut self) -> u16 {
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        id
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The remaining length (§2.2.3).
fn length(out: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// The first packet of `bytes` and its length, where all of it is there.
fn first(bytes: &[u8]) -> Option<(Packet<'_>, usize)> {
    let (mut remaining, mut at) = (0, 1);
    loop {
        let byte = *bytes.get(at)?;
        remaining |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let body = bytes.get(at..at + remaining)?;
    let packet = match (bytes[0] >> 4, body) {
        (2, [_, 0]) => Packet::Connected,
        (4, _) => Packet::PublishAcknowledged,
        (9, _) => Packet::Subscribed,
        (3, [high, low, rest @ ..]) => rest
            .split_at_checked(u16::from_be_bytes([*high, *low]).into())
            .and_then(|(topic, payload)| {
                Some(Packet::Publish { topic: str::from_utf8(topic).ok()?, payload })
            })
            .unwrap_or(Packet::Other),
        _ => Packet::Other,
    };
    Some((packet, at + remaining))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_only_when_they_are_whole() {
        let bytes = b"\x40\x02\x00\x07\x30\x05\x00\x01ahi";
        assert_eq!(first(bytes), Some((Packet::PublishAcknowledged, 4)));
        assert_eq!(first(&bytes[4..]), Some((Packet::Publish { topic: "a", payload: b"hi" }, 7)));
        assert_eq!(first(&bytes[4..10]), None);
        assert_eq!(first(&[]), None);
    }

    #[test]
    fn long_packets_have_long_lengths() {
        let mut out = Vec::new();
        length(&mut out, 321);
        assert_eq!(out, [0xc1, 0x02]);
    }
}
