//! Decided blocks on their way to a gateway: in order, each once, from whoever has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::ends::{QUOTA, Validator, Way, admitted, block, gateway, gateway_key, soon, until};
use crate::link::blocks::Certified;
use crate::link::client::Followed;

/// Takes the next blocks, which are to be those of `heights`.
async fn expect_blocks(followed: &mut mpsc::Receiver<Followed>, heights: impl IntoIterator<Item = u64>) {
    for expected in heights {
        match soon("a block", followed.recv()).await {
            Some(Followed::Block { height, payload, certificate }) => {
                assert_eq!(height, expected);
                assert_eq!(Certified { payload, certificate }, block(height));
            }
            other => panic!("{other:?} instead of block {expected}"),
        }
    }
}

#[tokio::test]
async fn blocks_come_in_order_across_cut_connections() {
    let validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    validator.durable.send_replace(40);
    // A block has 64 KiB: the first connections bring some and the half of another.
    let way = Way::to(validator.door.address(), [300_000, 1_000, 700_000]).await;
    let outbox = tempfile::tempdir().unwrap();
    let mut running = gateway(&gateway_key(), vec![validator.peer_by(way.address)], outbox.path());
    expect_blocks(&mut running.followed, 1..=40).await;
    assert_eq!(way.cuts_left(), 0);
    for height in 41..50 {
        validator.durable.send_replace(height);
        expect_blocks(&mut running.followed, [height]).await;
        if height % 3 == 0 {
            way.cut();
        }
    }
    assert_eq!(running.client.status().next_height, 50);
    assert!(running.client.figures().reconnects.get() >= 4);
}

#[tokio::test]
async fn a_checkpoint_comes_after_the_blocks_that_it_speaks_of() {
    let validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    validator.durable.send_replace(30);
    validator.checkpoint.send_replace(Arc::from("of 30"));
    let outbox = tempfile::tempdir().unwrap();
    let mut running = gateway(&gateway_key(), vec![validator.peer()], outbox.path());
    expect_blocks(&mut running.followed, 1..=30).await;
    let note = |text: &str| Some(Followed::Checkpoint(text.to_owned()));
    assert_eq!(soon("a checkpoint", running.followed.recv()).await, note("of 30"));
    validator.durable.send_replace(31);
    expect_blocks(&mut running.followed, [31]).await;
    validator.checkpoint.send_replace(Arc::from("of 31"));
    assert_eq!(soon("a checkpoint", running.followed.recv()).await, note("of 31"));
}

#[tokio::test]
async fn a_block_that_does_not_hold_is_asked_of_another_validator() {
    // Whoever is asked first for the fifth block gives one that nobody decided.
    let is_asked = Arc::new(AtomicBool::new(false));
    let mut validators = Vec::new();
    for number in 1..=4 {
        let is_asked = is_asked.clone();
        let read = move |height| match height == 5 && !is_asked.swap(true, Ordering::SeqCst) {
            true => Some(Certified { payload: b"another block".to_vec(), certificate: vec![] }),
            false => Some(block(height)),
        };
        let validator = Validator::with_blocks(number, vec![admitted(&gateway_key(), QUOTA)], 10, read).await;
        validator.durable.send_replace(60);
        validators.push(validator);
    }
    let outbox = tempfile::tempdir().unwrap();
    let mut running =
        gateway(&gateway_key(), validators.iter().map(Validator::peer).collect(), outbox.path());
    let (mut height, mut liar) = (1, None);
    while height <= 60 {
        match soon("a block", running.followed.recv()).await {
            Some(Followed::Block { height: came, payload, .. }) if came == height => {
                if payload == block(height).payload {
                    height += 1;
                } else {
                    assert_eq!((height, liar), (5, None));
                    liar = running.client.status().peers.iter().position(|peer| peer.is_followed);
                    running.client.refuse_block(height);
                }
            }
            Some(Followed::Block { height: came, .. }) => assert!(came > height, "what came behind it"),
            other => panic!("{other:?}"),
        }
    }
    let followed = running.client.status().peers.iter().position(|peer| peer.is_followed);
    assert!(liar.is_some() && followed.is_some() && followed != liar, "{followed:?} after {liar:?}");
    assert_eq!(running.client.figures().blocks_refused.get(), 1);
}

#[tokio::test]
async fn a_gateway_follows_another_validator_when_the_first_has_pruned_or_falls_behind() {
    let mut validators = Vec::new();
    for number in 1..=4 {
        let admitted = vec![admitted(&gateway_key(), QUOTA)];
        let from = if number == 2 { 1 } else { 10 };
        let read = move |height| (height >= from).then(|| block(height));
        validators.push(Validator::with_blocks(number, admitted, 10, read).await);
        validators[usize::from(number) - 1].durable.send_replace(20);
    }
    let outbox = tempfile::tempdir().unwrap();
    let mut running =
        gateway(&gateway_key(), validators.iter().map(Validator::peer).collect(), outbox.path());
    expect_blocks(&mut running.followed, 1..=20).await;
    let followed = || running.client.status().peers.iter().position(|peer| peer.is_followed);
    let first = until("one is followed", followed).await;
    for (number, validator) in validators.iter().enumerate().filter(|(number, _)| *number != first) {
        validator.durable.send_replace(20 + number as u64 + 1);
    }
    expect_blocks(&mut running.followed, [21]).await;
    assert_ne!(running.client.status().peers.iter().position(|peer| peer.is_followed), Some(first));
}

#[tokio::test]
async fn a_slow_host_makes_the_validator_wait_and_no_memory_grow() {
    let validator = Validator::open(1, vec![admitted(&gateway_key(), QUOTA)], 10).await;
    validator.durable.send_replace(500);
    let outbox = tempfile::tempdir().unwrap();
    let mut running = gateway(&gateway_key(), vec![validator.peer()], outbox.path());
    let given = || validator.door.figures().blocks_given.get();
    until("the queue is full", || (running.followed.len() == running.followed.max_capacity()).then_some(()))
        .await;
    assert!(given() < 250, "{} of 500 blocks of 64 KiB are in the sockets' buffers", given());
    expect_blocks(&mut running.followed, 1..=500).await;
}
