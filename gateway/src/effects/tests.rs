//! The order of effects and what becomes of them, with hands that only count.

use std::cell::RefCell;

use super::*;
use crate::verify::Verified;
use devices::{SignedInstruction, SigningKey};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::transaction::VerifiedTransaction;

const NOW: u64 = 1_800_000_000_000;

/// Hands on a disk that may be full.
#[derive(Default)]
struct Counting {
    has_room: bool,
    written: u64,
}

impl Hands for Counting {
    type Error = std::convert::Infallible;

    fn now_unix_milliseconds(&mut self) -> u64 {
        NOW
    }

    fn has_room(&mut self) -> Result<bool, Self::Error> {
        Ok(self.has_room)
    }

    fn verify(&mut self, _: Vec<Candidate>) {}

    fn write(&mut self, _: &Block) -> Result<Position, Self::Error> {
        self.written += 1;
        Ok(Position { segment: 1, offset: 0 })
    }

    fn derive(&mut self, _: &State, _: Position, _: Block, _: BlockResults) -> Result<(), Self::Error> {
        Ok(())
    }

    fn acknowledge(&mut self, _: Vec<(DeviceId, Ack)>) {}

    fn notify(&mut self, _: DeviceId, _: RefusedNotice) {}

    fn answer(&mut self, _: Ticket, _: Result<Submitted, SubmitError>) {}

    fn refused(&mut self, _: RefusedReading) {}

    fn withheld(&mut self) {}

    fn instruction_refused(&mut self) {}

    fn tell(&mut self, _: Event) {}
}

impl Kept for RefCell<State> {
    fn read(&self) -> impl Deref<Target = State> {
        self.borrow()
    }

    fn write(&self) -> impl DerefMut<Target = State> {
        self.borrow_mut()
    }
}

fn state() -> RefCell<State> {
    let key = |seed| SigningKey::from_seed([seed; 32]).public_key();
    let genesis = Genesis::devnet("devnet", "lamppost/devnet", key(1), key(2), key(3), 60, NOW).unwrap();
    RefCell::new(State::genesis(&genesis).0)
}

fn verified() -> Verified {
    let key = SigningKey::from_seed([5; 32]);
    let payload =
        Instruction::Transfer { to: AccountId::pool("devnet"), amount_microtokens: 1, memo: None }.encode();
    let mut bytes = vec![0; 512];
    let length = devices::sign_instruction(&key, "devnet", 1, &payload, true, &mut bytes).unwrap();
    bytes.truncate(length);
    let signed = SignedInstruction::decode(bytes).map_err(|(refusal, _)| refusal).unwrap();
    let verified = signed.verify(&key.public_key(), "devnet").map_err(|(refusal, _)| refusal).unwrap();
    Verified { transaction: VerifiedTransaction::Instruction(verified), ticket: None }
}

/// A node that was full when its last transaction came.
fn waiting() -> (Node, RefCell<State>, Counting) {
    let (mut node, state, mut hands) = (Node::default(), state(), Counting::default());
    let Ok(()) = step(&mut node, &state, &mut hands, Input::Verified(vec![Ok(verified())]));
    assert_eq!((node.batched(), hands.written), (1, 0));
    (node, state, hands)
}

#[test]
fn a_node_that_stops_writes_what_waited_for_room_once_there_is_some() {
    let (mut node, state, mut hands) = waiting();
    hands.has_room = true;
    let Ok(()) = flush(&mut node, &state, &mut hands);
    assert_eq!((node.batched(), hands.written), (0, 1));
}

#[test]
fn a_node_that_stops_without_room_ends_all_the_same() {
    let (mut node, state, mut hands) = waiting();
    let Ok(()) = flush(&mut node, &state, &mut hands);
    assert_eq!((node.batched(), hands.written), (1, 0));
}
