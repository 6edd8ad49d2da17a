//! What gateways and validators say to each other: one encoding for each message, and no batch but those that were signed.

use crate::example::{NETWORK, key};
use gateway::link::batch::Batch;
use gateway::link::message::{Reason, ToGateway, ToValidator};

/// Whose batches these are.
const GATEWAY: u8 = 5;

/// A batch of some transactions, signed.
fn batch(sequence: u64, transactions: &[&[u8]]) -> Vec<u8> {
    let transactions: Vec<Vec<u8>> = transactions.iter().map(|bytes| bytes.to_vec()).collect();
    Batch::sign(&key(GATEWAY), NETWORK, sequence, &transactions).expect("it fits")
}

fn batches() -> Vec<Vec<u8>> {
    vec![batch(1, &[b"one"]), batch(u64::MAX, &[b"one", b"two", &[7; 300]]), batch(24, &[&[0; 24][..]; 40])]
}

/// One of each message, and batches by themselves.
pub fn messages() -> Vec<Vec<u8>> {
    let to_validator = [ToValidator::Follow { from_height: 500 }, ToValidator::Alive];
    let to_gateway = [
        ToGateway::Taken { sequence: 7 },
        ToGateway::Refused { sequence: 7, reason: Reason::OverQuota, retry_after_milliseconds: 250 },
        ToGateway::Block { height: 9, payload: vec![1; 40], certificate: vec![2; 30] },
        ToGateway::Absent { height: 9 },
        ToGateway::Checkpoint("lamppost/devnet\n116\n".to_owned()),
        ToGateway::Tip { height: u64::MAX },
    ];
    let submitted = batches().into_iter().map(ToValidator::Submit);
    let to_validator = to_validator.into_iter().chain(submitted).map(|message| message.encode());
    let to_gateway = to_gateway.into_iter().map(|message| message.encode());
    let messages = to_validator.chain(to_gateway).map(|bytes| bytes.expect("a vector takes it"));
    messages.chain(batches()).collect()
}

/// Reads the bytes as what either side says, and as a batch.
pub fn link(bytes: &[u8]) {
    if let Ok(message) = ToGateway::decode(bytes) {
        assert_eq!(message.encode().expect("a vector takes it"), bytes);
    }
    if let Ok(message) = ToValidator::decode(bytes) {
        assert_eq!(message.encode().expect("a vector takes it"), bytes);
        if let ToValidator::Submit(batch) = message {
            judged(&batch);
        }
    }
    judged(bytes);
}

fn judged(bytes: &[u8]) {
    let verified = Batch::decode(bytes).and_then(|batch| batch.verify(&key(GATEWAY).public_key(), NETWORK));
    let Ok(verified) = verified else { return };
    assert!(batches().iter().any(|signed| signed == bytes), "nobody signed batch {}", verified.sequence());
}
