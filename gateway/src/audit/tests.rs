//! The audit's claims about windows, which are small here: what is found does not depend on how much is verified ahead.

use devices::{Base, Decimal, Record, Sequence, SignedInstruction, SignedReading, SigningKey, Value};
use ledger::instruction::Instruction;
use ledger::transaction::VerifiedTransaction;

use super::*;
use crate::storage;

const NETWORK: &str = "devnet";
const NOW: u64 = 1_800_000_000_000;
/// From a window a block to all in one.
const WINDOWS: [usize; 4] = [1, 7, 20, 1_000];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn genesis() -> Genesis {
    let [validator, operator, treasury] = [1, 2, 3].map(|seed| key(seed).public_key());
    Genesis::devnet(NETWORK, "lamppost/devnet", validator, operator, treasury, 60, NOW).unwrap()
}

fn enrolment(seed: u8) -> VerifiedTransaction<Vec<u8>> {
    let instruction = Instruction::Enrol { public_key: key(seed).public_key(), owner: None, position: None };
    let mut bytes = vec![0; 512];
    let counter = u64::from(seed);
    let length =
        devices::sign_instruction(&key(2), NETWORK, counter, &instruction.encode(), false, &mut bytes);
    bytes.truncate(length.unwrap());
    let signed = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
    let verified = signed.verify(&key(2).public_key(), NETWORK).map_err(|(refusal, _)| refusal);
    VerifiedTransaction::Instruction(verified.unwrap())
}

fn reading(seed: u8, count: u32) -> VerifiedTransaction<Vec<u8>> {
    let base = Base { version: None, name: Some("temp"), time: None, unit: Some("Cel") };
    let mut pack = [0; 64];
    let record = Record::of(Value::Number(Decimal::from(count)));
    let length = devices::encode_pack(&base, &[record], &mut pack).unwrap();
    let mut bytes = vec![0; 256];
    let sequence = Sequence { boot: 1, count };
    let length = devices::sign_reading(&key(seed), NETWORK, sequence, &pack[..length], &mut bytes).unwrap();
    bytes.truncate(length);
    let signed = SignedReading::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
    let verified = signed.verify(&key(seed).public_key(), NETWORK).map_err(|(refusal, _)| refusal);
    VerifiedTransaction::Reading(verified.unwrap())
}

/// A log in which devices are enrolled while others send, over two epochs' ends; and its checkpoint.
fn history() -> (Vec<Block>, String) {
    let (mut state, first, _) = State::genesis(&genesis());
    let mut blocks = vec![first];
    for number in 0..12_u8 {
        let mut builder = state.begin(NOW + u64::from(number) * 11_000);
        let device = 10 + number;
        builder.execute(&enrolment(device)).unwrap();
        for sender in 10..=device {
            builder.execute(&reading(sender, number.into())).unwrap();
        }
        blocks.push(builder.finish().0);
    }
    let checkpoint = storage::sign(&state.checkpoint(), &key(1)).unwrap();
    (blocks, checkpoint)
}

fn audit(blocks: &[Block], checkpoint: &str, window_entries: usize) -> Result<Findings, AuditError> {
    let mut audit = Audit::new(genesis(), &Handovers::of_genesis(&genesis()), checkpoint)?;
    audit.window_entries = window_entries;
    for (number, block) in blocks.iter().enumerate() {
        audit.take(Located { place: format!("block {number}"), block: block.clone(), certificate: None })?;
    }
    audit.finish()
}

#[test]
fn what_is_found_does_not_depend_on_how_much_is_verified_ahead() {
    let (blocks, checkpoint) = history();
    for window in WINDOWS {
        let findings = audit(&blocks, &checkpoint, window).unwrap();
        assert_eq!((findings.blocks, findings.instructions, findings.readings), (13, 12, 78));
        assert_eq!(findings.settled_epochs, 2);
    }
}

#[test]
fn the_first_entry_that_differs_is_named_however_much_is_verified_ahead() {
    let (blocks, checkpoint) = history();
    for at in [1, 4, 7] {
        let mut altered = blocks.clone();
        // A signature that does not hold, and behind it whatever else can differ.
        *altered[at].entries[1].last_mut().unwrap() ^= 1;
        altered[at + 1].entries[0].truncate(20);
        altered[at + 2].entries.reverse();
        altered[at + 3].seal.results_root = [7; 32];
        let sentences = WINDOWS.map(|window| audit(&altered, &checkpoint, window).unwrap_err().to_string());
        for sentence in &sentences {
            assert!(sentence.starts_with(&format!("block {at}: ")), "{sentence}");
            assert_eq!(sentence, &sentences[0]);
        }
    }
}

#[test]
fn after_a_difference_nothing_that_was_taken_is_judged() {
    let (mut blocks, checkpoint) = history();
    *blocks[3].entries[0].last_mut().unwrap() ^= 1;
    let mut audit = Audit::new(genesis(), &Handovers::of_genesis(&genesis()), &checkpoint).unwrap();
    for block in blocks {
        audit.take(Located { place: String::new(), block, certificate: None }).unwrap();
    }
    assert!(audit.catch_up().is_err());
    assert!(audit.catch_up().is_ok(), "nothing waits any more");
    assert_eq!(audit.findings().blocks, 3);
}
