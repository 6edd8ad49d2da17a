//! `lamppost firmware` against a broker of a page: what is signed, verified, published and withdrawn.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::JoinHandle;

/// What a broker was left, in the order in which it came.
type Left = Vec<(String, Vec<u8>)>;

/// Takes one client's messages until it says goodbye; they must be retained and of QoS 1.
fn broker() -> (u16, JoinHandle<Left>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, std::thread::spawn(move || serve(listener.accept().unwrap().0)))
}

fn serve(mut stream: TcpStream) -> Left {
    let mut left = Left::new();
    loop {
        let (first, body) = read_packet(&mut stream);
        match first >> 4 {
            1 => stream.write_all(&[0x20, 2, 0, 0]).unwrap(),
            3 => {
                assert_eq!(first & 0b0111, 0b0011, "retained, QoS 1");
                let topic_bytes = usize::from(u16::from_be_bytes([body[0], body[1]]));
                let (topic, rest) = body[2..].split_at(topic_bytes);
                left.push((String::from_utf8(topic.to_vec()).unwrap(), rest[2..].to_vec()));
                stream.write_all(&[0x40, 2, rest[0], rest[1]]).unwrap();
            }
            14 => return left,
            other => panic!("the client sends a packet of type {other}"),
        }
    }
}

fn read_packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    let first = byte[0];
    let (mut length, mut shift) = (0, 0);
    loop {
        stream.read_exact(&mut byte).unwrap();
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (first, body)
}

fn lamppost(directory: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lamppost"));
    command.args(words.split(' ')).current_dir(directory).output().unwrap()
}

fn succeeds(directory: &Path, words: &str) -> String {
    let output = lamppost(directory, words);
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(directory: &Path, words: &str) -> String {
    let output = lamppost(directory, words);
    assert_eq!(output.status.code(), Some(1), "{words}");
    String::from_utf8(output.stderr).unwrap()
}

const SIGN: &str =
    "firmware sign image.bin --board nucleo-f429zi --version 1.4.0 --key publisher.pem --out image.manifest";

/// A directory with a publisher's key, an image and its manifest; and the public key.
fn signed() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let image: Vec<u8> = (0..1_000_u32).map(|place| (place * 7 % 251) as u8).collect();
    std::fs::write(directory.path().join("image.bin"), image).unwrap();
    let key = succeeds(directory.path(), "key new publisher.pem --json");
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    succeeds(directory.path(), SIGN);
    (directory, key["public_key"].as_str().unwrap().to_owned())
}

#[test]
fn what_the_publisher_signed_verifies_and_nothing_else_does() {
    let (directory, publisher) = signed();
    let verify = format!("firmware verify image.bin --manifest image.manifest --publisher {publisher}");
    assert!(succeeds(directory.path(), &verify).starts_with("1.4.0 for nucleo-f429zi, 1000 bytes, SHA-256 "));
    assert!(fails(directory.path(), SIGN).contains("image.manifest"), "a manifest is not overwritten");

    let stranger = succeeds(directory.path(), "key new stranger.pem --json");
    let stranger: serde_json::Value = serde_json::from_str(&stranger).unwrap();
    let stranger = stranger["public_key"].as_str().unwrap();
    let by_stranger = format!("firmware verify image.bin --manifest image.manifest --publisher {stranger}");
    assert!(fails(directory.path(), &by_stranger).contains("not signed by the firmware's publisher"));

    std::fs::write(directory.path().join("image.bin"), b"another").unwrap();
    assert!(fails(directory.path(), &verify).contains("describes another image"));
    let publish = "firmware publish image.bin --manifest image.manifest --broker mqtt://127.0.0.1:1";
    assert!(fails(directory.path(), publish).contains("describes another image"));
    std::fs::write(directory.path().join("image.bin"), b"\x7fELF and more").unwrap();
    assert!(fails(directory.path(), &verify).contains("ELF file"));
}

#[test]
fn an_image_is_left_chunk_by_chunk_with_its_manifest_last_and_taken_away_with_it_first() {
    let (directory, _) = signed();
    let image = std::fs::read(directory.path().join("image.bin")).unwrap();
    let manifest = std::fs::read(directory.path().join("image.manifest")).unwrap();
    let (port, serving) = broker();
    let place = format!("--manifest image.manifest --broker mqtt://127.0.0.1:{port} --network devnet");
    let said = succeeds(directory.path(), &format!("firmware publish image.bin {place}"));
    assert!(said.starts_with("1.4.0 for nucleo-f429zi is published: 5 messages"), "{said}");
    let left = serving.join().unwrap();
    let base = "lamppost/1/devnet/firmware/nucleo-f429zi";
    let mut expected: Left = image
        .chunks(256)
        .enumerate()
        .map(|(index, chunk)| (format!("{base}/1.4.0/{index}"), chunk.to_vec()))
        .collect();
    expected.push((format!("{base}/manifest"), manifest));
    assert_eq!(left, expected);

    let (port, serving) = broker();
    let place = format!("--manifest image.manifest --broker mqtt://127.0.0.1:{port} --network devnet");
    succeeds(directory.path(), &format!("firmware withdraw {place}"));
    let taken = serving.join().unwrap();
    assert_eq!(taken[0].0, format!("{base}/manifest"));
    assert!(taken.iter().all(|(_, payload)| payload.is_empty()));
    let topics = |left: &Left| left.iter().cloned().map(|(topic, _)| (topic, ())).collect::<BTreeMap<_, _>>();
    assert_eq!(topics(&taken), topics(&left));
}

#[test]
fn a_broker_that_hangs_up_is_one_clear_sentence() {
    let (directory, _) = signed();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hanging_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let publish =
        format!("firmware publish image.bin --manifest image.manifest --broker mqtt://127.0.0.1:{port}");
    let sentence = fails(directory.path(), &publish);
    assert!(sentence.contains("took 0 of 5 messages") && sentence.contains("mosquitto"), "{sentence}");
    hanging_up.join().unwrap();
}
