//! What holds where several validators agree on blocks.

use ledger::replay::Trust;

use super::*;
use crate::node::agreed::Made;

/// Two validators that begin with the same ledger, in which one device is enrolled.
fn two() -> (World, World, SigningKey) {
    let mut one = World::new();
    let key = one.enrol(9);
    let mut other = World::new();
    other.state = one.state.clone();
    for world in [&mut one, &mut other] {
        world.node = Node::agreeing();
        world.seen.clear();
    }
    (one, other, key)
}

impl World {
    fn propose(&mut self) -> Made {
        let mut effects = Vec::new();
        let made = self.node.propose(&self.state, self.now, &mut effects);
        self.carry_out(effects);
        made
    }

    fn commit(&mut self, block: &Block) {
        let mut after = self.state.clone();
        let results = after.replay(block, Trust::Nothing).expect("it follows");
        self.state = after;
        let mut effects = Vec::new();
        self.node.commit(&self.state, self.now, block, &results, &mut effects);
        self.carry_out(effects);
        let effects = self.node.durable(&self.state);
        self.carry_out(effects);
    }

    fn answers(&self) -> Vec<(Ticket, bool)> {
        let answer = |effect: &Effect| match effect {
            Effect::Answer(ticket, answer) => Some((*ticket, answer.is_ok())),
            _ => None,
        };
        self.seen.iter().filter_map(answer).collect()
    }

    fn submit(&mut self, bytes: Vec<u8>, ticket: Ticket) {
        self.input(Input::Received(vec![Arrival { bytes, topic_kid: None, ticket: Some(ticket) }]));
    }
}

#[test]
fn what_is_proposed_waits_and_is_acknowledged_only_when_it_is_committed() {
    let (mut one, _, key) = two();
    one.arrive(reading(&key, NETWORK, 1, 1, TIME), key.kid());
    let first = one.propose();
    let again = one.propose();
    assert_eq!(first.block, again.block, "a proposal changes nothing");
    assert_eq!((one.node.batched(), one.acks().len()), (1, 0));
    assert_eq!(one.state.height() + 1, first.state.height());
    one.commit(&first.block);
    assert_eq!(one.node.batched(), 0);
    assert_eq!(one.acks()[0].1.highest, Sequence { boot: 1, count: 1 });
}

#[test]
fn a_block_of_another_settles_what_waits_here_and_only_that() {
    let (mut one, mut other, key) = two();
    for count in [1, 2] {
        one.submit(reading(&key, NETWORK, 1, count, TIME), count.into());
    }
    other.submit(reading(&key, NETWORK, 1, 1, TIME), 7);
    let block = other.propose().block;
    one.commit(&block);
    assert_eq!(one.answers(), [(1, true)]);
    assert_eq!(one.node.batched(), 1, "the second waits for its block");
    let next = one.propose();
    assert_eq!(next.block.entries.len(), 1);
}

#[test]
fn a_reading_that_came_twice_is_once_in_the_block_and_both_are_answered() {
    let (mut one, _, key) = two();
    let envelope = reading(&key, NETWORK, 1, 1, TIME);
    one.submit(envelope.clone(), 1);
    one.submit(envelope, 2);
    assert_eq!(one.node.batched(), 1);
    let block = one.propose().block;
    assert_eq!(block.entries.len(), 1);
    one.commit(&block);
    assert_eq!(one.answers(), [(1, true), (2, true)]);
    assert_eq!(one.refusals(), []);
}

#[test]
fn a_repeated_reading_is_acknowledged_at_once_from_what_is_durable() {
    let (mut one, _, key) = two();
    let envelope = reading(&key, NETWORK, 1, 1, TIME);
    one.arrive(envelope.clone(), key.kid());
    let block = one.propose().block;
    one.commit(&block);
    one.seen.clear();
    one.arrive(envelope, key.kid());
    assert_eq!((one.refusals(), one.acks().len()), (vec![Refusal::Replayed], 1));
    assert_eq!(one.node.batched(), 0);
}

#[test]
fn what_a_committed_block_makes_impossible_leaves_the_pool_with_an_answer() {
    let (mut one, mut other, key) = two();
    // Of one device and number, with different content: one of them only can be on the ledger.
    one.submit(reading(&key, NETWORK, 1, 1, TIME), 1);
    other.submit(reading(&key, NETWORK, 1, 1, TIME.map(|time| time - 1)), 2);
    let block = other.propose().block;
    one.commit(&block);
    assert_eq!(one.answers(), [(1, false)]);
    assert_eq!((one.refusals(), one.node.batched()), (vec![Refusal::Replayed], 0));
    assert_eq!(one.acks().len(), 1, "settled all the same");
}

#[test]
fn an_instruction_whose_counter_went_by_is_refused_and_not_kept_for_good() {
    let (mut one, mut other, _) = two();
    let instruction = |world: &World, counter: u64, seed: u8| {
        let public_key = SigningKey::from_seed([seed; 32]).public_key();
        let payload = Instruction::Enrol { public_key, owner: None, position: None }.encode();
        let mut bytes = vec![0; 512];
        let signed =
            devices::sign_instruction(&world.operator, NETWORK, counter, &payload, false, &mut bytes);
        bytes.truncate(signed.unwrap());
        bytes
    };
    let (early, late) = (instruction(&one, 50, 20), instruction(&one, 60, 21));
    one.submit(early, 1);
    other.submit(late, 2);
    let block = other.propose().block;
    assert_eq!(block.entries.len(), 1);
    one.commit(&block);
    assert_eq!((one.answers(), one.node.batched()), (vec![(1, false)], 0));
}

#[test]
fn refusals_are_told_in_one_seal_only() {
    let (mut one, mut other, key) = two();
    let mut forged = reading(&key, NETWORK, 1, 1, TIME);
    *forged.last_mut().unwrap() ^= 1;
    one.submit(forged.clone(), 1);
    one.input(Input::Received(vec![Arrival { bytes: forged.clone(), topic_kid: None, ticket: None }]));
    let told = |made: Made| made.block.seal.refused.iter().sum::<u64>();
    let block = one.propose().block;
    assert_eq!(block.seal.refused.iter().sum::<u64>(), 1, "what a gateway brought is told by nobody");
    assert_eq!(told(one.propose()), 1, "not decided yet, so told again");
    // Refused between the proposal and its decision.
    one.submit(forged.clone(), 2);
    one.commit(&block);
    assert_eq!(told(one.propose()), 1, "only what came since");
    // Another's block tells the other's counts, however like ours.
    other.commit(&block);
    other.submit(forged, 3);
    other.now = one.now + 1;
    let others = other.propose().block;
    assert_eq!(others.seal.refused, one.propose().block.seal.refused);
    one.commit(&others);
    assert_eq!(told(one.propose()), 1);
}

#[test]
fn a_batch_takes_each_once_until_it_is_given_back() {
    let (mut one, _, key) = two();
    for count in 0..5 {
        one.arrive(reading(&key, NETWORK, 1, count, TIME), key.kid());
    }
    let pool = one.node.pool_mut().unwrap();
    assert_eq!(pool.oldest_unsubmitted(), Some(NOW + limits::BLOCK_AGE_MAX_MILLISECONDS));
    let (first, bytes) = pool.take_for_batch(1_000_000, 3, <[u8]>::len);
    assert_eq!((first.len(), bytes.len()), (3, 3));
    let (second, _) = pool.take_for_batch(bytes[0].len() * 3 / 2, 3, <[u8]>::len);
    assert_eq!(second.len(), 1, "no more bytes than a batch holds");
    let (third, _) = pool.take_for_batch(1_000_000, 3, <[u8]>::len);
    assert_eq!(third.len(), 1);
    assert_eq!(pool.oldest_unsubmitted(), None);
    pool.unsubmit(&first);
    let (again, _) = pool.take_for_batch(1_000_000, 9, <[u8]>::len);
    assert_eq!(again, first);
}

#[test]
fn what_is_in_no_batch_is_counted_without_what_is() {
    let (mut one, _, key) = two();
    for count in 0..5 {
        one.arrive(reading(&key, NETWORK, 1, count, TIME), key.kid());
    }
    let pool = one.node.pool_mut().unwrap();
    let (ids, _) = pool.take_for_batch(1_000_000, 3, <[u8]>::len);
    assert_eq!((pool.len(), pool.unsubmitted()), (5, 2));
    pool.unsubmit(&ids[..1]);
    assert_eq!(pool.unsubmitted(), 3);
    pool.remove(&ids[1]);
    assert_eq!((pool.len(), pool.unsubmitted()), (4, 3));
}
