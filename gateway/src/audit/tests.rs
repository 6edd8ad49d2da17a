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

/// Four validators decide the blocks, and the first of them leaves when the first epoch ends.
mod several {
    use super::*;
    use devices::identity::PublicKey;
    use ledger::certificate::{Certificate, CertificateError};
    use ledger::genesis::Validator;
    use ledger::merkle::Hash;
    use ledger::note::VerifierKey;
    use ledger::vote::{VoteKind, vote_bytes};

    const NAMES: [&str; 4] = ["city", "utility", "university", "operator"];

    fn genesis() -> Genesis {
        let validator = |(name, seed): (&str, u8)| {
            let vkey = VerifierKey::new(name, key(seed).public_key()).unwrap().to_string();
            Validator { name: name.to_owned(), vkey }
        };
        let validators = NAMES.into_iter().zip(101..).map(validator).collect();
        let genesis = Genesis { validators, ..super::genesis() };
        genesis.validate().unwrap();
        genesis
    }

    fn leaves(counter: u64, signer: u8) -> VerifiedTransaction<Vec<u8>> {
        let instruction = Instruction::RemoveValidator { version: 0, name: "city".to_owned() };
        let mut bytes = vec![0; 512];
        let length = devices::sign_instruction(
            &key(signer),
            NETWORK,
            counter,
            &instruction.encode(),
            true,
            &mut bytes,
        );
        bytes.truncate(length.unwrap());
        let signed = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
        let verified = signed.verify(&key(signer).public_key(), NETWORK).map_err(|(refusal, _)| refusal);
        VerifiedTransaction::Instruction(verified.unwrap())
    }

    fn certificate(height: u64, block_id: Hash, signers: &[u8]) -> Vec<u8> {
        let message = vote_bytes(&genesis().hash(), VoteKind::Precommit, height, 0, Some(block_id));
        let signed =
            |seed: &u8| -> (PublicKey, [u8; 64]) { (key(*seed).public_key(), key(*seed).sign(&message)) };
        let signatures = signers.iter().map(signed).collect();
        Certificate { height, round: 0, block_id, signatures }.encode()
    }

    /// Blocks with their certificates, how the validators changed, and the checkpoint that those who stay signed.
    fn history() -> (Vec<Located>, Handovers, String) {
        let (mut state, first, _) = State::genesis(&genesis());
        let mut all = vec![Located { place: "block 0".to_owned(), block: first, certificate: None }];
        for number in 1..=6_u64 {
            // Whoever decides a block was there before it.
            let signers: &[u8] =
                if state.validators().version() == 0 { &[101, 102, 103] } else { &[102, 103, 104] };
            let mut builder = state.begin(NOW + number * 20_000);
            if number == 1 {
                for signer in [102, 103, 104] {
                    builder.execute(&leaves(1, signer)).unwrap();
                }
            }
            let block = builder.finish().0;
            let certificate = Some(certificate(number, block.seal.id(), signers));
            all.push(Located { place: format!("block {number}"), block, certificate });
        }
        assert_eq!(state.validators().version(), 1);
        let mut note = Note::unsigned(state.checkpoint().body());
        for (at, seed) in [(1, 102), (2, 103), (3, 104)] {
            note.sign(NAMES[at], &key(seed)).unwrap();
        }
        (all, state.handovers().clone(), note.to_string())
    }

    fn audited(
        blocks: Vec<Located>,
        handovers: &Handovers,
        checkpoint: &str,
    ) -> Result<Findings, AuditError> {
        let mut audit = Audit::new(genesis(), handovers, checkpoint)?.with_certificates();
        blocks.into_iter().try_for_each(|located| audit.take(located))?;
        audit.finish()
    }

    #[test]
    fn every_certificate_is_judged_by_the_validators_of_its_height() {
        let (blocks, handovers, checkpoint) = history();
        let findings = audited(blocks, &handovers, &checkpoint).unwrap();
        assert_eq!((findings.blocks, findings.certificates), (7, 6));
    }

    #[test]
    fn the_first_block_that_was_not_decided_is_named() {
        let (_, handovers, checkpoint) = history();
        let refused = |at: usize, certificate: &dyn Fn(&Block) -> Option<Vec<u8>>| {
            let (mut blocks, ..) = history();
            blocks[at].certificate = certificate(&blocks[at].block);
            match audited(blocks, &handovers, &checkpoint) {
                Err(AuditError::Certificate { place, height, fault }) => {
                    assert_eq!((place, height), (format!("block {at}"), at as u64));
                    fault
                }
                other => panic!("{other:?}"),
            }
        };
        let by = |signers: &'static [u8]| {
            move |block: &Block| Some(certificate(block.seal.height, block.seal.id(), signers))
        };
        let quorum = CertificateError::Quorum { good: 2, needed: 3 };
        assert_eq!(refused(2, &|_| None), CertificateFault::Missing);
        assert_eq!(refused(2, &by(&[101, 102])), CertificateFault::Certificate(quorum));
        assert_eq!(
            refused(2, &|block| Some(certificate(3, block.seal.id(), &[101, 102, 103]))),
            CertificateFault::Height { found: 3 }
        );
        assert_eq!(refused(2, &|_| Some(certificate(2, [7; 32], &[101, 102, 103]))), CertificateFault::Block);
        // Who left decides nothing any more.
        let stranger = CertificateError::Stranger(key(101).public_key());
        assert_eq!(refused(5, &by(&[101, 102, 103])), CertificateFault::Certificate(stranger));
        // And the block with which it left was still decided with it.
        let (blocks, ..) = history();
        let settles = blocks.iter().position(|located| located.block.seal.settled_epochs.is_some());
        assert_eq!(settles, Some(3));
    }

    #[test]
    fn a_checkpoint_of_a_later_day_needs_the_validators_changes() {
        let (blocks, _, checkpoint) = history();
        // Those who stay are more than two thirds of those of genesis as well; the newcomer alone would be a stranger.
        let of_genesis = Handovers::of_genesis(&genesis());
        assert!(audited(blocks, &of_genesis, &checkpoint).is_ok());
        let (blocks, handovers, checkpoint) = history();
        let body = checkpoint.split_once("\n\n").unwrap().0.to_owned() + "\n";
        let mut by_who_left = Note::unsigned(body);
        for (at, seed) in [(0, 101), (1, 102), (2, 103)] {
            by_who_left.sign(NAMES[at], &key(seed)).unwrap();
        }
        let refused = audited(blocks, &handovers, &by_who_left.to_string()).unwrap_err();
        assert!(refused.to_string().contains("\"city\" with a key that is no validator's"), "{refused}");
        // A document that keeps the change to itself does not help: the log says who left.
        let (blocks, ..) = history();
        let refused = audited(blocks, &of_genesis, &by_who_left.to_string()).unwrap_err();
        assert!(refused.to_string().contains("\"city\" with a key that is no validator's"), "{refused}");
    }
}
