//! What clients send to the embedded broker: packets of MQTT, cut anywhere.

use crate::example::{NETWORK, key};
use devices::{Topic, TopicKind};
use gateway::broker::rules::{Rules, Violation};

const PUBLISH: u8 = 3;
/// Where a stream is cut the second time: primes, so that packets are cut at every place.
const CUTS: [usize; 4] = [1, 2, 7, 61];

/// The input is a CONNECT and what follows it.
pub(crate) fn broker_rules(bytes: &[u8]) {
    let mut rules = Rules::new(NETWORK);
    let whole = match rules.connect(bytes) {
        Ok(Some(length)) => {
            assert!(length <= bytes.len(), "a CONNECT ends where its bytes do");
            length
        }
        // What is not complete is asked again with more, and refused for good once it is.
        Ok(None) | Err(_) => return,
    };
    let stream = &bytes[whole..];
    let verdict = rules.clone().pass(stream);
    for cut in CUTS {
        let mut rules = rules.clone();
        let in_pieces: Result<(), Violation> = stream.chunks(cut).try_for_each(|chunk| rules.pass(chunk));
        assert_eq!(in_pieces, verdict, "a stream is judged alike however it is cut");
    }
    if verdict.is_ok() {
        only_own_topics(stream);
    }
}

/// Reads the packets again by other code: every PUBLISH goes up, on this network, and nothing is retained.
fn only_own_topics(mut stream: &[u8]) {
    while let Some((packet, rest)) = split_packet(stream) {
        stream = rest;
        if packet.first >> 4 != PUBLISH {
            continue;
        }
        assert_eq!(packet.first & 1, 0, "a retained message passes");
        let Some((length, rest)) = packet.body.split_first_chunk() else { panic!("no topic passes") };
        let topic = &rest[..usize::from(u16::from_be_bytes(*length))];
        // Empty where an alias of MQTT 5 stands for it.
        if !topic.is_empty() {
            let topic =
                std::str::from_utf8(topic).ok().and_then(Topic::parse).expect("a foreign topic passes");
            assert!(topic.kind == TopicKind::Up && topic.network == NETWORK, "{topic} passes");
        }
    }
}

struct Packet<'a> {
    first: u8,
    body: &'a [u8],
}

/// The next whole packet (MQTT 5 §2.1.1) and what follows it.
fn split_packet(stream: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (&first, rest) = stream.split_first()?;
    let (mut remaining, mut length_bytes) = (0_usize, 0);
    loop {
        let byte = *rest.get(length_bytes)?;
        remaining |= usize::from(byte & 0x7f) << (7 * length_bytes);
        length_bytes += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (body, rest) = rest[length_bytes..].split_at_checked(remaining)?;
    Some((Packet { first, body }, rest))
}

pub(crate) fn streams() -> Vec<Vec<u8>> {
    let up = Topic { network: NETWORK, kid: key(1).kid(), kind: TopicKind::Up }.to_string();
    let ack = Topic { network: NETWORK, kid: key(1).kid(), kind: TopicKind::Ack }.to_string();
    let text = |text: &str| {
        let length = u16::try_from(text.len()).expect("a topic is short");
        [&length.to_be_bytes()[..], text.as_bytes()].concat()
    };
    let packet = |first: u8, body: &[u8]| {
        let length = u8::try_from(body.len()).expect("an example is short");
        assert!(length < 0x80);
        [&[first, length], body].concat()
    };
    let connect = |level: u8, id: &str, properties: &[u8]| {
        packet(0x10, &[&text("MQTT")[..], &[level, 2, 0, 30], properties, &text(id)].concat())
    };
    let publish = |topic: &str, after: &[u8]| packet(0x32, &[&text(topic)[..], &[0, 7], after].concat());
    let subscribe = packet(0x82, &[&[0, 1][..], &text(&ack), &[1]].concat());
    let ping = vec![0xc0, 0];
    let version_4 =
        [connect(4, "a", &[]), subscribe.clone(), publish(&up, b"reading"), ping.clone()].concat();
    // Session expiry on connecting; a topic alias, which the next message uses instead of the topic.
    let alias = [0x03, 0x23, 0x00, 0x05];
    let aliased =
        [publish(&up, &[&alias[..], b"reading"].concat()), publish("", &[&alias[..], b"more"].concat())];
    let version_5 = [connect(5, "b", &[0x05, 0x11, 0, 0, 0, 9]), aliased.concat(), ping].concat();
    vec![version_4, version_5, [connect(4, "c", &[]), publish(&ack, b"forged")].concat(), subscribe]
}
