//! What a client may say to the embedded broker, read from its bytes as they stream past. Nothing here knows sockets.
//!
//! The broker itself has no rules, so without these any client could publish another device's `ack`, or fill the
//! broker's memory with retained messages. Only headers are looked at; payloads are counted off.

use std::sync::Arc;

use devices::limits::TOPIC_BYTES_MAX;
use devices::{Topic, TopicKind};

use crate::limits;

/// The name of the gateway's own link; whoever connected by it would push the gateway off the broker.
pub const GATEWAY_CLIENT_ID: &str = "lamppost-gateway";

/// Packet type and remaining length (MQTT 5 §2.1.1): never more bytes.
const FIXED_HEADER_BYTES_MAX: usize = 5;
/// What has to be held of a packet until it is judged: the fixed header and a PUBLISH's topic with its length.
const HELD_BYTES_MAX: usize = FIXED_HEADER_BYTES_MAX + 2 + TOPIC_BYTES_MAX;
/// The shortest packet: type, and a remaining length of one byte.
const PACKET_BYTES_MIN: usize = 2;
/// The protocol level of MQTT 5.
const LEVEL_5: u8 = 5;

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
/// Types that only a broker sends, and the reserved one: CONNACK, SUBACK, UNSUBACK, PINGRESP (MQTT 5 §2.1.2).
const NOT_FROM_CLIENTS: [u8; 5] = [0, 2, 9, 11, 13];

const WILL_FLAG: u8 = 0b0000_0100;
const WILL_RETAIN_FLAG: u8 = 0b0010_0000;
const RETAIN_FLAG: u8 = 0b0000_0001;
const QOS_FLAGS: u8 = 0b0000_0110;
/// The property that stands for a topic (MQTT 5 §3.3.2.3.4).
const TOPIC_ALIAS: u8 = 0x23;

/// Why a client's connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A remaining length, or the length of properties, as nobody may write it.
    #[error("a length is longer than four bytes or than it needs to be")]
    Length,
    /// Longer than the gateway takes.
    #[error("a packet is longer than {} bytes", limits::MQTT_PAYLOAD_BYTES_MAX)]
    Oversized,
    /// Does not hold what its lengths say.
    #[error("a packet's parts do not fit into it")]
    Malformed,
    /// Only a broker may send it, or only as the first packet.
    #[error("a packet of type {0} has no place in what a client sends")]
    Type(u8),
    /// To another topic than a device's own direction of this network.
    #[error("a message to a topic that clients do not publish to")]
    Topic,
    /// Clients leave nothing behind.
    #[error("a message that is to be retained")]
    Retained,
    /// The gateway's own name.
    #[error("the client id {GATEWAY_CLIENT_ID} is taken")]
    ClientId,
}

/// How far a packet's header is understood.
enum Header {
    /// It can be judged when this many bytes are held.
    Needs(usize),
    /// It may pass, and with it so many bytes after those that are held.
    Passes(usize),
}

/// One connection's rules, and where in a packet its stream stands.
#[derive(Debug, Clone)]
pub struct Rules {
    network: Arc<str>,
    /// Of MQTT 5, where a topic may stand as an alias.
    has_aliases: bool,
    /// Bytes of the running packet that pass without being looked at.
    passing: usize,
    held: [u8; HELD_BYTES_MAX],
    held_bytes: usize,
    needed_bytes: usize,
}

impl Rules {
    /// Rules of a network, before a connection's first byte.
    pub fn new(network: &str) -> Rules {
        Rules {
            network: network.into(),
            has_aliases: false,
            passing: 0,
            held: [0; HELD_BYTES_MAX],
            held_bytes: 0,
            needed_bytes: PACKET_BYTES_MIN,
        }
    }

    /// Judges the CONNECT at the beginning of `head` (a known version of MQTT); its length in bytes, or `None` while it
    /// is not complete. What follows it is [`Rules::pass`]ed.
    ///
    /// # Errors
    /// When the client may not connect like this.
    pub fn connect(&mut self, head: &[u8]) -> Result<Option<usize>, Violation> {
        let Some((remaining, length_bytes)) = variable_length(head.get(1..).unwrap_or_default())? else {
            return Ok(None);
        };
        if remaining > limits::MQTT_PAYLOAD_BYTES_MAX {
            return Err(Violation::Oversized);
        }
        let packet_bytes = 1 + length_bytes + remaining;
        let Some(body) = head.get(1 + length_bytes..packet_bytes) else { return Ok(None) };
        let mut fields = Fields(body);
        let _name = fields.text()?;
        let level = fields.byte()?;
        let flags = fields.byte()?;
        let _keep_alive = fields.take(2)?;
        self.has_aliases = level == LEVEL_5;
        if level == LEVEL_5 {
            fields.properties()?;
        }
        if fields.text()? == GATEWAY_CLIENT_ID.as_bytes() {
            return Err(Violation::ClientId);
        }
        if flags & WILL_FLAG != 0 {
            if level == LEVEL_5 {
                fields.properties()?;
            }
            if flags & WILL_RETAIN_FLAG != 0 {
                return Err(Violation::Retained);
            }
            self.topic(fields.text()?)?;
        }
        Ok(Some(packet_bytes))
    }

    /// Judges the next bytes of the stream, which may begin and end anywhere in a packet. A packet that may not pass is
    /// found before its last byte has passed, so that the broker never has it.
    ///
    /// # Errors
    /// When a packet breaks the rules; then the connection is over.
    pub fn pass(&mut self, mut chunk: &[u8]) -> Result<(), Violation> {
        loop {
            let passing = self.passing.min(chunk.len());
            self.passing -= passing;
            chunk = &chunk[passing..];
            if chunk.is_empty() {
                return Ok(());
            }
            let (more, rest) = chunk.split_at(chunk.len().min(self.needed_bytes - self.held_bytes));
            self.held[self.held_bytes..self.held_bytes + more.len()].copy_from_slice(more);
            self.held_bytes += more.len();
            chunk = rest;
            if self.held_bytes < self.needed_bytes {
                return Ok(());
            }
            match self.header(&self.held[..self.held_bytes])? {
                Header::Needs(bytes) => self.needed_bytes = bytes,
                Header::Passes(bytes) => {
                    (self.passing, self.held_bytes, self.needed_bytes) = (bytes, 0, PACKET_BYTES_MIN);
                }
            }
        }
    }

    fn header(&self, held: &[u8]) -> Result<Header, Violation> {
        let Some((remaining, length_bytes)) = variable_length(&held[1..])? else {
            return Ok(Header::Needs(held.len() + 1));
        };
        if remaining > limits::MQTT_PAYLOAD_BYTES_MAX {
            return Err(Violation::Oversized);
        }
        let kind = held[0] >> 4;
        if kind == CONNECT || NOT_FROM_CLIENTS.contains(&kind) {
            return Err(Violation::Type(kind));
        }
        if kind != PUBLISH {
            return Ok(Header::Passes(remaining));
        }
        self.publish(held, 1 + length_bytes, 1 + length_bytes + remaining)
    }

    /// Judges a PUBLISH of `packet_bytes` whose variable header begins at `at`.
    fn publish(&self, held: &[u8], at: usize, packet_bytes: usize) -> Result<Header, Violation> {
        if held[0] & RETAIN_FLAG != 0 {
            return Err(Violation::Retained);
        }
        let topic_at = at + 2;
        if packet_bytes < topic_at {
            return Err(Violation::Malformed);
        }
        let Some(&[high, low]) = held.get(at..topic_at) else { return Ok(Header::Needs(topic_at)) };
        let topic_bytes = usize::from(u16::from_be_bytes([high, low]));
        if packet_bytes < topic_at + topic_bytes {
            return Err(Violation::Malformed);
        }
        if topic_bytes > TOPIC_BYTES_MAX {
            return Err(Violation::Topic);
        }
        let Some(topic) = held.get(topic_at..topic_at + topic_bytes) else {
            return Ok(Header::Needs(topic_at + topic_bytes));
        };
        if !(topic.is_empty() && self.has_aliases) {
            self.topic(topic)?;
            return Ok(Header::Passes(packet_bytes - held.len()));
        }
        // An alias stands for a topic of an earlier PUBLISH of this very connection, which has been judged; the broker
        // closes the connection for one that stands for nothing. It has to come early enough to be held.
        match Fields(&held[topic_at..]).publish_has_alias(held[0] & QOS_FLAGS != 0) {
            Ok(true) => Ok(Header::Passes(packet_bytes - held.len())),
            Err(Violation::Malformed) if held.len() < packet_bytes.min(HELD_BYTES_MAX) => {
                Ok(Header::Needs(held.len() + 1))
            }
            Ok(false) | Err(_) => Err(Violation::Topic),
        }
    }

    fn topic(&self, topic: &[u8]) -> Result<(), Violation> {
        let topic = std::str::from_utf8(topic).ok().and_then(Topic::parse);
        let is_allowed = |topic: &Topic| {
            matches!(topic.kind, TopicKind::Up | TopicKind::Proof) && topic.network == &*self.network
        };
        topic.filter(is_allowed).map(drop).ok_or(Violation::Topic)
    }
}

/// A variable byte integer (MQTT 5 §1.5.5) in its shortest form, and how many bytes it takes; `None` while incomplete.
fn variable_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let is_overlong = *byte == 0 && index > 0;
            return if is_overlong { Err(Violation::Length) } else { Ok(Some((value, index + 1))) };
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Violation::Length) }
}

/// What is left of a packet, field by field.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Violation> {
        let (field, rest) = self.0.split_at_checked(bytes).ok_or(Violation::Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    fn byte(&mut self) -> Result<u8, Violation> {
        self.take(1).map(|byte| byte[0])
    }

    /// Text or binary data behind its two bytes of length.
    fn text(&mut self) -> Result<&'a [u8], Violation> {
        let bytes = u16::from_be_bytes([self.byte()?, self.byte()?]);
        self.take(bytes.into())
    }

    /// Passes over properties one by one: where they overran their length, the broker, which goes by the properties,
    /// would find other fields behind them than were judged here.
    fn properties(&mut self) -> Result<(), Violation> {
        let (bytes, length_bytes) = variable_length(self.0)?.ok_or(Violation::Malformed)?;
        self.take(length_bytes)?;
        let mut properties = Fields(self.take(bytes)?);
        while !properties.0.is_empty() {
            properties.property()?;
        }
        Ok(())
    }

    /// Whether what follows a PUBLISH's topic has a topic alias; `Malformed` also where that cannot be told yet.
    fn publish_has_alias(&mut self, has_packet_id: bool) -> Result<bool, Violation> {
        if has_packet_id {
            self.take(2)?;
        }
        let (bytes, length_bytes) = variable_length(self.0)?.ok_or(Violation::Malformed)?;
        self.take(length_bytes)?;
        let before = self.0.len();
        while before - self.0.len() < bytes {
            if self.property()? == TOPIC_ALIAS {
                return Ok(before - self.0.len() <= bytes);
            }
        }
        Ok(false)
    }

    /// One property of a CONNECT, its will or a PUBLISH (MQTT 5 §2.2.2.2); tells which.
    fn property(&mut self) -> Result<u8, Violation> {
        let identifier = self.byte()?;
        match identifier {
            0x01 | 0x17 | 0x19 => self.take(1),
            0x21 | 0x22 | TOPIC_ALIAS => self.take(2),
            0x02 | 0x11 | 0x18 | 0x27 => self.take(4),
            0x03 | 0x08 | 0x09 | 0x15 | 0x16 => self.text(),
            0x26 => self.text().and_then(|_name| self.text()),
            _ => Err(Violation::Malformed),
        }
        .map(|_value| identifier)
    }
}

#[cfg(test)]
mod tests;
