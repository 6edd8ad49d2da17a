//! The judge's claims, over blocks made by hand.

use devices::{Base, Decimal, Record, Sequence, SigningKey, Value};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;

use super::*;
use crate::verify::Verified;

const NOW: u64 = 1_800_000_000_000;

/// A validator with a device on its ledger.
struct Scene {
    node: Node,
    state: State,
    device: SigningKey,
    judge: Judge,
}

impl Scene {
    fn new() -> Scene {
        let key = |seed| SigningKey::from_seed([seed; 32]);
        let genesis = Genesis::devnet(
            "devnet",
            "lamppost/devnet",
            key(1).public_key(),
            key(2).public_key(),
            key(3).public_key(),
            60,
            NOW,
        );
        let (state, _, _) = State::genesis(&genesis.unwrap());
        let mut scene = Scene { node: Node::agreeing(), state, device: key(9), judge: Judge::default() };
        let owner = Some(AccountId::of(&key(4).public_key()));
        let public_key = scene.device.public_key();
        let payload = Instruction::Enrol { public_key, owner, position: None }.encode();
        let mut bytes = vec![0; 512];
        let length = devices::sign_instruction(&key(2), "devnet", 1, &payload, false, &mut bytes).unwrap();
        bytes.truncate(length);
        scene.offer(&bytes);
        let made = scene.node.propose(&scene.state, NOW, &mut Vec::new());
        assert_eq!(made.block.entries.len(), 1);
        scene.state = made.state;
        scene.node = Node::agreeing();
        scene
    }

    /// Puts a transaction into the pool, verified as it claims to be.
    fn offer(&mut self, bytes: &[u8]) {
        let candidate = candidate(&self.state, bytes).expect("of somebody known");
        let network = self.state.network().to_owned();
        let key = candidate.key;
        let transaction = match candidate.signed {
            Signed::Reading(reading) => {
                VerifiedTransaction::Reading(devices::VerifiedReading::from_own_log(reading, &key, &network))
            }
            Signed::Instruction(instruction) => VerifiedTransaction::Instruction(
                devices::VerifiedInstruction::from_own_log(instruction, &key, &network),
            ),
        };
        self.node.pool_mut().unwrap().push(NOW, Verified { transaction, ticket: None });
    }

    fn reading(&self, count: u32) -> Vec<u8> {
        let base = Base { version: None, name: Some("temp"), time: None, unit: Some("Cel") };
        let value = Value::Number(Decimal::new(2_150, -2).unwrap());
        let mut pack = [0; 128];
        let bytes = devices::encode_pack(&base, &[Record::of(value)], &mut pack).unwrap();
        let mut envelope = vec![0; 512];
        let sequence = Sequence { boot: 1, count };
        let length =
            devices::sign_reading(&self.device, "devnet", sequence, &pack[..bytes], &mut envelope).unwrap();
        envelope.truncate(length);
        envelope
    }

    /// A block of these readings, as a proposer makes it that verifies nothing.
    fn block(&mut self, readings: &[Vec<u8>], time: u64) -> Block {
        readings.iter().for_each(|reading| self.offer(reading));
        let block = self.node.propose(&self.state, time, &mut Vec::new()).block;
        self.node = Node::agreeing();
        block
    }

    fn judged(&self, block: &Block, now: Option<u64>) -> Judged {
        self.judge.judge(&self.node, &self.state, block.clone(), now)
    }
}

#[test]
fn a_right_block_is_executed_and_gives_the_state_behind_it() {
    let mut scene = Scene::new();
    let readings: Vec<_> = (0..200).map(|count| scene.reading(count)).collect();
    let block = scene.block(&readings[..60], NOW + 5);
    match scene.judged(&block, Some(NOW)) {
        Judged::Right(id, made) => {
            assert_eq!((id, &made.block), (BlockId(block.seal.id()), &block));
            assert_eq!(made.state.totals().envelopes, 60);
            assert_eq!(scene.state.totals().envelopes, 0, "nothing is decided yet");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_forged_reading_makes_the_block_wrong() {
    let mut scene = Scene::new();
    let mut forged = scene.reading(1);
    *forged.last_mut().unwrap() ^= 1;
    let block = scene.block(&[scene.reading(0), forged], NOW);
    assert_eq!(block.entries.len(), 2);
    assert!(
        matches!(scene.judged(&block, Some(NOW)), Judged::Wrong(_, fault) if matches!(*fault, Fault::Signature(_)))
    );
}

#[test]
fn a_forged_copy_of_what_waits_in_the_pool_is_not_taken_for_it() {
    let mut scene = Scene::new();
    let good = scene.reading(1);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let block = scene.block(&[forged], NOW);
    scene.offer(&good);
    assert!(matches!(scene.judged(&block, Some(NOW)), Judged::Wrong(..)));
}

#[test]
fn other_entries_under_a_right_seal_say_nothing_about_the_block() {
    let mut scene = Scene::new();
    let mut block = scene.block(&[scene.reading(0), scene.reading(1)], NOW);
    block.entries.swap(0, 1);
    assert!(matches!(scene.judged(&block, Some(NOW)), Judged::Garbage(_)));
}

#[test]
fn results_that_executing_does_not_give_make_the_block_wrong() {
    let mut scene = Scene::new();
    let mut block = scene.block(&[scene.reading(0)], NOW);
    block.seal.results_root[0] ^= 1;
    assert!(
        matches!(scene.judged(&block, Some(NOW)), Judged::Wrong(_, fault) if matches!(*fault, Fault::Diverged(_)))
    );
}

#[test]
fn a_replayed_reading_makes_the_block_wrong() {
    let mut scene = Scene::new();
    let reading = scene.reading(0);
    let first = scene.block(std::slice::from_ref(&reading), NOW);
    let Judged::Right(_, made) = scene.judged(&first, Some(NOW)) else { panic!("the first is right") };
    let mut again = first;
    scene.state = made.state;
    again.seal.height += 1;
    again.seal.log_root = scene.state.root_with(&again.entries);
    assert!(
        matches!(scene.judged(&again, Some(NOW)), Judged::Wrong(_, fault) if matches!(*fault, Fault::Diverged(_)))
    );
}

#[test]
fn a_block_from_the_future_is_wrong_until_it_is_decided() {
    let mut scene = Scene::new();
    let ahead = NOW + limits::BLOCK_AHEAD_MAX_MILLISECONDS;
    let block = scene.block(&[scene.reading(0)], ahead + 1);
    assert!(
        matches!(scene.judged(&block, Some(NOW)), Judged::Wrong(_, fault) if matches!(*fault, Fault::Ahead(_)))
    );
    assert!(matches!(scene.judged(&block, Some(NOW + 1)), Judged::Right(..)));
    assert!(matches!(scene.judged(&block, None), Judged::Right(..)), "the others have decided it");
}

#[test]
fn a_block_of_another_height_is_garbage() {
    let mut scene = Scene::new();
    let mut block = scene.block(&[scene.reading(0)], NOW);
    block.seal.height += 1;
    assert!(matches!(scene.judged(&block, Some(NOW)), Judged::Garbage(_)));
}

#[test]
fn what_waits_in_the_pool_is_not_verified_again() {
    let mut scene = Scene::new();
    let mut forged = scene.reading(0);
    *forged.last_mut().unwrap() ^= 1;
    let block = scene.block(std::slice::from_ref(&forged), NOW);
    // Said to be verified, and so believed: the signature would not hold.
    scene.offer(&forged);
    assert!(matches!(scene.judged(&block, Some(NOW)), Judged::Right(..)));
}
