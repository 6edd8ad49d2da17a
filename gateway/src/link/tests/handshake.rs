//! Who comes in, and what is left of those who do not behave.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ends::{
    ByHand, NETWORK, QUOTA, Validator, admitted, gateway, gateway_key, is_connected, key, soon, transactions,
    until,
};
use crate::link::batch::Batch;
use crate::link::door::DoorError;
use crate::link::message::{ToGateway, ToValidator};

#[tokio::test]
async fn an_unknown_gateway_is_turned_away_in_the_handshake() {
    let validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    let outbox = tempfile::tempdir().unwrap();
    let running = gateway(&key(101), vec![validator.peer()], outbox.path());
    running.client.submit(&transactions(1, 1)).unwrap();
    until("it is turned away", || (validator.door.figures().turned_away.get() > 1).then_some(())).await;
    let status = running.client.status();
    assert!(!status.peers[0].is_connected && status.peers[0].last_error.is_some(), "{status:?}");
    assert_eq!(running.client.figures().batches_sent.get(), 0);
    assert!(validator.door.status().iter().all(|gateway| !gateway.is_connected));
}

#[tokio::test]
async fn a_validator_with_another_key_is_told_nothing() {
    let mut validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    let outbox = tempfile::tempdir().unwrap();
    let mut peer = validator.peer();
    peer.public_key = key(2).public_key();
    let running = gateway(&gateway_key(), vec![peer], outbox.path());
    running.client.submit(&transactions(1, 1)).unwrap();
    until("it is refused", || (running.client.figures().reconnects.get() > 1).then_some(())).await;
    assert!(!is_connected(&running.client, 0));
    assert!(validator.has_received_nothing_more());
    assert_eq!(running.client.unsettled(), [1], "the batch waits for the right one");
}

#[tokio::test]
async fn a_newer_connection_of_a_gateway_takes_the_place_of_the_older() {
    let validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    let mut older = ByHand::connect(&gateway_key(), &validator).await;
    let is_in = || validator.door.status()[0].is_connected.then_some(());
    until("the first is in", is_in).await;
    let mut newer = ByHand::connect(&gateway_key(), &validator).await;
    assert_eq!(soon("the older one ends", older.hear()).await, None);
    let bytes = Batch::sign(&gateway_key(), NETWORK, 5, &transactions(5, 1)).unwrap();
    newer.say(&ToValidator::Submit(bytes)).await;
    assert_eq!(soon("an answer", newer.hear()).await, Some(ToGateway::Taken { sequence: 5 }));
    assert!(validator.door.status()[0].is_connected);
    drop(newer);
    until("nobody is in", || (!validator.door.status()[0].is_connected).then_some(())).await;
}

#[tokio::test]
async fn a_flood_of_garbage_ends_the_connection_and_takes_no_memory() {
    let validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    let figures = validator.door.figures();
    let garbage: [&[u8]; 4] = [
        &[0xff; 65_536],
        &[0, 0, 0, 4, 1, 2, 3, 4],
        &[0, 0, 0, 0],
        b"\x00\x00\x00\x0b\x82\x66submit\x41\x00\x00",
    ];
    for (violations, bytes) in (1..).zip(garbage) {
        let mut stream = ByHand::connect(&gateway_key(), &validator).await;
        // The door may hang up in the middle of it.
        let _cut = stream.0.write_all(bytes).await;
        let _cut = stream.0.flush().await;
        assert_eq!(soon("it ends", stream.hear()).await, None, "{bytes:02x?}");
        until("it is counted", || (figures.violations.get() == violations).then_some(())).await;
    }
    let mut plain = TcpStream::connect(validator.door.address()).await.unwrap();
    let _cut = plain.write_all(&[0x16; 100_000]).await;
    let mut answer = Vec::new();
    let _cut = soon("it ends", plain.read_to_end(&mut answer)).await;
    until("it is turned away", || (figures.turned_away.get() == 1).then_some(())).await;
    // And whoever behaves is served.
    let mut good = ByHand::connect(&gateway_key(), &validator).await;
    let bytes = Batch::sign(&gateway_key(), NETWORK, 5, &transactions(5, 1)).unwrap();
    good.say(&ToValidator::Submit(bytes)).await;
    assert_eq!(soon("an answer", good.hear()).await, Some(ToGateway::Taken { sequence: 5 }));
}

#[tokio::test]
async fn two_gateways_with_one_key_are_a_mistake_in_the_settings() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let blocks = {
        let (_, durable) = tokio::sync::watch::channel(0);
        let (_, checkpoint) = tokio::sync::watch::channel("".into());
        crate::link::blocks::Blocks { read: std::sync::Arc::new(|_| None), durable, checkpoint }
    };
    let admitted = vec![admitted(&gateway_key(), 1), admitted(&gateway_key(), 2)];
    let settings = crate::link::door::Settings { key: key(1), network: NETWORK.to_owned(), admitted };
    let (intake, _receiver) = tokio::sync::mpsc::channel(1);
    let refused = crate::link::door::Door::open(listener, settings, blocks, &intake).unwrap_err();
    assert!(matches!(refused, DoorError::SameKey { .. }), "{refused}");
}
