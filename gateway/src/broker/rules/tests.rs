//! The rules' claims, on packets written byte by byte.

use super::*;

const UP: &str = "lamppost/1/devnet/dev/0011223344556677/up";
const ACK: &str = "lamppost/1/devnet/dev/0011223344556677/ack";

fn variable(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first], &variable(body.len())[..], body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// QoS 1 and a payload of this length.
fn publish(first: u8, topic: &str, payload_bytes: usize) -> Vec<u8> {
    packet(first, &[&text(topic)[..], &[0, 7], &vec![0x30; payload_bytes]].concat())
}

struct Will<'a> {
    flags: u8,
    properties: &'a [u8],
    topic: &'a str,
}

fn connect(level: u8, properties: &[u8], client_id: &str, will: Option<Will>) -> Vec<u8> {
    let flags = will.as_ref().map_or(0x02, |will| 0x02 | WILL_FLAG | will.flags);
    let mut body = [&text("MQTT")[..], &[level, flags, 0, 30]].concat();
    let put_properties = |body: &mut Vec<u8>, properties: &[u8]| {
        if level == LEVEL_5 {
            body.extend(variable(properties.len()));
            body.extend(properties);
        }
    };
    put_properties(&mut body, properties);
    body.extend(text(client_id));
    if let Some(will) = will {
        put_properties(&mut body, will.properties);
        body.extend(text(will.topic));
        body.extend(text("last words"));
    }
    packet(0x10, &body)
}

fn rules(level: u8) -> Rules {
    let mut rules = Rules::new("devnet");
    let connect = connect(level, &[], "somebody", None);
    assert_eq!(rules.connect(&connect), Ok(Some(connect.len())));
    rules
}

/// What every client does in a session.
fn session() -> Vec<u8> {
    [
        packet(0x82, &[&[0, 1][..], &text(ACK), &[1]].concat()),
        publish(0x32, UP, 300),
        packet(0xc0, &[]),
        publish(0x3a, UP, 0),
        publish(0x30, UP, 9),
        packet(0x40, &[0, 1]),
        packet(0x50, &[0, 2]),
        packet(0x62, &[0, 2]),
        packet(0x70, &[0, 2]),
        packet(0xa2, &[&[0, 3][..], &text(ACK)].concat()),
        publish(0x34, UP, 120),
        packet(0xe0, &[]),
    ]
    .concat()
}

/// The verdict on `stream` handed over in two parts cut at each place, in single bytes and at once: always the same.
fn verdict(level: u8, stream: &[u8]) -> Result<(), Violation> {
    let fresh = rules(level);
    let whole = fresh.clone().pass(stream);
    for cut in 0..=stream.len() {
        let mut parts = fresh.clone();
        let verdict = parts.pass(&stream[..cut]).and_then(|()| parts.pass(&stream[cut..]));
        assert_eq!(verdict, whole, "cut after {cut} bytes");
    }
    let mut bytes = fresh.clone();
    assert_eq!(stream.chunks(1).try_for_each(|byte| bytes.pass(byte)), whole, "byte by byte");
    whole
}

#[test]
fn an_honest_session_passes_however_it_is_cut() {
    for level in [4, 5] {
        assert_eq!(verdict(level, &session()), Ok(()));
    }
}

#[test]
fn a_forged_ack_is_stopped_however_it_is_cut() {
    let other_topics = [
        ACK,
        "lamppost/1/devnet/dev/0011223344556677/refused",
        "lamppost/1/testnet/dev/0011223344556677/up",
        "lamppost/1/devnet/dev/001122334455667/up",
        "lamppost/1/devnet/dev/00112233445566GG/up",
        "lamppost/1/devnet/dev/0011223344556677/up/",
        "lamppost/1/devnet/dev/+/up",
        "/lamppost/1/devnet/dev/0011223344556677/up",
        "$share/x/lamppost/1/devnet/dev/0011223344556677/up",
        "weather",
        &"x".repeat(TOPIC_BYTES_MAX + 1),
    ];
    for topic in other_topics {
        for level in [4, 5] {
            let stream = [session(), publish(0x32, topic, 12), session()].concat();
            assert_eq!(verdict(level, &stream), Err(Violation::Topic), "{topic}");
        }
    }
}

#[test]
fn a_forbidden_packet_is_stopped_before_its_last_byte_even_without_payload() {
    let forged = packet(0x30, &text(ACK));
    let mut rules = rules(4);
    assert_eq!(rules.pass(&forged[..forged.len() - 1]), Ok(()));
    assert_eq!(rules.pass(&forged[forged.len() - 1..]), Err(Violation::Topic));
}

#[test]
fn nothing_is_retained_not_even_on_a_devices_own_topic() {
    for topic in [UP, ACK] {
        assert_eq!(verdict(4, &[session(), publish(0x33, topic, 12)].concat()), Err(Violation::Retained));
    }
}

#[test]
fn an_empty_topic_needs_an_alias_and_version_5() {
    let aliased = |first: u8, properties: &[u8]| {
        let packet_id = if first & QOS_FLAGS == 0 { &b""[..] } else { b"\0\x07" };
        let length = variable(properties.len());
        packet(first, &[&text("")[..], packet_id, &length, properties, b"payload"].concat())
    };
    let content_type = [&b"\x03"[..], &text("application/cose; cose-type=\"cose-sign1\"")].concat();
    let alias = b"\x23\0\x01";
    for first in [0x30, 0x32] {
        for properties in
            [&alias[..], &[&content_type[..], alias].concat(), &[alias, &content_type[..]].concat()]
        {
            let stream = [aliased(first, properties), session()].concat();
            assert_eq!(verdict(5, &stream), Ok(()));
            assert_eq!(verdict(4, &stream), Err(Violation::Topic));
        }
        let long = [&b"\x03"[..], &text(&"x".repeat(HELD_BYTES_MAX)), alias].concat();
        for properties in [&b""[..], &content_type, b"\x7f", &long, b"\x23\0"] {
            assert_eq!(verdict(5, &aliased(first, properties)), Err(Violation::Topic));
        }
    }
    assert_eq!(verdict(5, &packet(0x30, &text(""))), Err(Violation::Topic));
}

#[test]
fn the_longest_packet_passes_and_one_byte_more_does_not() {
    let longest = limits::MQTT_PAYLOAD_BYTES_MAX - text(UP).len() - 2;
    assert_eq!(rules(4).pass(&publish(0x32, UP, longest)), Ok(()));
    assert_eq!(rules(4).pass(&publish(0x32, UP, longest + 1)), Err(Violation::Oversized));
    assert_eq!(verdict(4, b"\x82\xff\xff\xff\x7f"), Err(Violation::Oversized), "a SUBSCRIBE too");
    assert_eq!(rules(4).connect(b"\x10\xff\xff\xff\x7f"), Err(Violation::Oversized));
}

#[test]
fn a_length_has_one_form() {
    for overlong in
        [&b"\xc0\x80\x00"[..], b"\xc0\x80\x80\x80\x00", b"\x32\x87\x80\x00", b"\xc0\x80\x80\x80\x80"]
    {
        assert_eq!(verdict(4, overlong), Err(Violation::Length));
        let as_connect = [b"\x10", &overlong[1..]].concat();
        assert_eq!(rules(4).connect(&as_connect), Err(Violation::Length));
    }
}

#[test]
fn a_topic_longer_than_its_packet_is_malformed() {
    for broken in [&b"\x30\x00"[..], b"\x30\x01\x00", b"\x30\x02\x00\x01", b"\x30\x04\x00\x03up"] {
        assert_eq!(verdict(4, broken), Err(Violation::Malformed));
    }
}

#[test]
fn what_only_a_broker_says_and_a_second_connect_are_refused() {
    for kind in [0, 1, 2, 9, 11, 13] {
        assert_eq!(verdict(4, &packet(kind << 4, &[0, 1])), Err(Violation::Type(kind)));
    }
}

#[test]
fn a_connect_is_judged_when_it_is_complete() {
    let properties = b"\x11\0\0\0\x3c\x21\0\x14\x27\0\0\x10\0\x26\0\x01a\0\x02bc";
    for (level, properties) in [(4, &b""[..]), (5, b""), (5, properties)] {
        let connect = connect(level, properties, "somebody", None);
        for cut in 0..connect.len() {
            assert_eq!(Rules::new("devnet").connect(&connect[..cut]), Ok(None), "{cut} bytes");
        }
        let more = [&connect[..], &session()].concat();
        assert_eq!(Rules::new("devnet").connect(&more), Ok(Some(connect.len())));
    }
}

#[test]
fn a_will_obeys_the_rules_of_a_message() {
    let judge = |level, flags, topic| {
        let properties = &b"\x18\0\0\0\x05\x01\x01\x03\0\x01t"[..];
        let connect = connect(level, b"\x21\0\x14", "somebody", Some(Will { flags, properties, topic }));
        Rules::new("devnet").connect(&connect).map(drop)
    };
    for level in [4, 5] {
        assert_eq!(judge(level, 0x08, UP), Ok(()));
        assert_eq!(judge(level, 0x08, ACK), Err(Violation::Topic));
        assert_eq!(judge(level, 0x08, ""), Err(Violation::Topic));
        assert_eq!(judge(level, 0x28, UP), Err(Violation::Retained));
    }
}

#[test]
fn properties_that_overrun_their_length_cannot_hide_a_wills_topic() {
    // The length says two bytes; the property named there takes five.
    let overrun = connect(5, b"\x11\0", "somebody", Some(Will { flags: 0, properties: b"", topic: UP }));
    assert_eq!(Rules::new("devnet").connect(&overrun), Err(Violation::Malformed));
    let unknown = connect(5, b"\x7f\0", "somebody", None);
    assert_eq!(Rules::new("devnet").connect(&unknown), Err(Violation::Malformed));
}

#[test]
fn nobody_takes_the_gateways_name() {
    for level in [4, 5] {
        let connect = connect(level, b"", GATEWAY_CLIENT_ID, None);
        assert_eq!(Rules::new("devnet").connect(&connect), Err(Violation::ClientId));
    }
}
