//! The node's claims, driven by hand: no clock, no thread, no disk.

use devices::{Base, Decimal, Record, SigningKey, Value};
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;

use super::*;
use crate::key_cache::KeyCache;
use crate::limits;
use crate::verify;

const NETWORK: &str = "devnet";
const NOW: u64 = 1_800_000_000_000;

struct World {
    node: Node,
    state: State,
    now: u64,
    operator: SigningKey,
    counter: u64,
    /// Blocks that were written, in order.
    written: Vec<Block>,
    /// Everything else that was asked for.
    seen: Vec<Effect>,
}

impl World {
    fn new() -> World {
        let key = |seed| SigningKey::from_seed([seed; 32]);
        let genesis = Genesis::devnet(
            NETWORK,
            "lamppost/devnet",
            key(1).public_key(),
            key(2).public_key(),
            key(3).public_key(),
            60,
            NOW,
        );
        let (state, block, _) = State::genesis(&genesis.unwrap());
        World {
            node: Node::default(),
            state,
            now: NOW,
            operator: key(2),
            counter: 0,
            written: vec![block],
            seen: Vec::new(),
        }
    }

    fn input(&mut self, input: Input) {
        let effects = self.node.step(&self.state, self.now, input);
        self.carry_out(effects);
        while self.node.is_due(&self.state, self.now) {
            let mut effects = Vec::new();
            let made = self.node.make_block(&mut self.state, self.now, &mut effects);
            self.carry_out(effects);
            let Some((block, _)) = made else { continue };
            assert!(!self.has_ack_beyond_the_log(), "nothing is acknowledged before it is written");
            self.written.push(block);
            let effects = self.node.durable(&self.state);
            self.carry_out(effects);
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Verify(candidates) => {
                    let verdicts = verify::verify(NETWORK, &KeyCache::new(8), candidates);
                    self.input(Input::Verified(verdicts));
                }
                other => self.seen.push(other),
            }
        }
    }

    fn has_ack_beyond_the_log(&self) -> bool {
        let size: u64 = self.written.iter().map(|block| block.entries.len() as u64 + 1).sum();
        self.acks().iter().any(|(_, ack)| ack.log_size > size)
    }

    fn arrive(&mut self, bytes: Vec<u8>, kid: DeviceId) {
        self.input(Input::Received(vec![Arrival { bytes, topic_kid: Some(kid), ticket: None }]));
    }

    /// Lets the batch grow old enough for a block.
    fn wait(&mut self) {
        self.now += limits::BLOCK_AGE_MAX_MILLISECONDS;
        self.input(Input::Tick);
    }

    fn enrol(&mut self, seed: u8) -> SigningKey {
        let key = SigningKey::from_seed([seed; 32]);
        let owner = AccountId::of(&SigningKey::from_seed([seed + 100; 32]).public_key());
        let instruction =
            Instruction::Enrol { public_key: key.public_key(), owner: Some(owner), position: None };
        self.counter += 1;
        let mut bytes = vec![0; 512];
        let length = devices::sign_instruction(
            &self.operator,
            NETWORK,
            self.counter,
            &instruction.encode(),
            false,
            &mut bytes,
        );
        bytes.truncate(length.unwrap());
        self.input(Input::Received(vec![Arrival { bytes, topic_kid: None, ticket: Some(self.counter) }]));
        self.wait();
        assert!(self.state.device(key.kid()).is_some());
        key
    }

    fn acks(&self) -> Vec<(DeviceId, Ack)> {
        let acks = |effect: &Effect| match effect {
            Effect::Acknowledge(acks) => acks.clone(),
            _ => Vec::new(),
        };
        self.seen.iter().flat_map(acks).collect()
    }

    fn refusals(&self) -> Vec<Refusal> {
        let reason = |effect: &Effect| match effect {
            Effect::Refused(refused) => Some(refused.reason),
            _ => None,
        };
        self.seen.iter().filter_map(reason).collect()
    }

    fn notices(&self) -> Vec<RefusedNotice> {
        let notice = |effect: &Effect| match effect {
            Effect::Notify(_, notice) => Some(*notice),
            _ => None,
        };
        self.seen.iter().filter_map(notice).collect()
    }
}

fn reading(key: &SigningKey, network: &str, boot: u32, count: u32, time: Option<u32>) -> Vec<u8> {
    let base = Base { version: None, name: Some("temp"), time, unit: Some("Cel") };
    let value = Value::Number(Decimal::new(2_150 + i128::from(count), -2).unwrap());
    let mut pack = [0; 128];
    let bytes = devices::encode_pack(&base, &[Record::of(value)], &mut pack).unwrap();
    let mut envelope = vec![0; 512];
    let sequence = Sequence { boot, count };
    let length = devices::sign_reading(key, network, sequence, &pack[..bytes], &mut envelope).unwrap();
    envelope.truncate(length);
    envelope
}

const TIME: Option<u32> = Some((NOW / 1_000) as u32);

#[test]
fn a_reading_is_acknowledged_after_its_block_is_written_and_not_before() {
    let mut world = World::new();
    let key = world.enrol(9);
    world.arrive(reading(&key, NETWORK, 1, 1, TIME), key.kid());
    assert!(world.acks().is_empty());
    world.wait();
    let acks = world.acks();
    assert_eq!(acks.len(), 1);
    assert_eq!(acks[0].1.highest, Sequence { boot: 1, count: 1 });
    assert_eq!(acks[0].1.log_size, world.state.log_size());
}

#[test]
fn many_readings_of_one_device_in_a_block_give_one_ack() {
    let mut world = World::new();
    let key = world.enrol(9);
    for count in 0..20 {
        world.arrive(reading(&key, NETWORK, 1, count, None), key.kid());
    }
    world.wait();
    let acks = world.acks();
    assert_eq!(acks.len(), 1);
    assert_eq!((acks[0].1.highest.count, acks[0].1.window), (19, (1 << 20) - 1));
}

#[test]
fn a_replayed_reading_is_acknowledged_again_and_makes_no_block() {
    let mut world = World::new();
    let key = world.enrol(9);
    let envelope = reading(&key, NETWORK, 1, 1, TIME);
    world.arrive(envelope.clone(), key.kid());
    world.wait();
    let (height, entries) = (world.state.height(), world.state.log_size());
    world.seen.clear();
    world.arrive(envelope, key.kid());
    world.wait();
    assert_eq!((world.state.height(), world.state.log_size()), (height, entries));
    assert_eq!(world.refusals(), [Refusal::Replayed]);
    assert_eq!(world.acks().len(), 1);
}

#[test]
fn the_same_reading_twice_in_one_batch_is_paid_once() {
    let mut world = World::new();
    let key = world.enrol(9);
    let envelope = reading(&key, NETWORK, 1, 1, TIME);
    world.arrive(envelope.clone(), key.kid());
    world.arrive(envelope, key.kid());
    world.wait();
    assert_eq!(world.state.device(key.kid()).unwrap().accepted_envelopes, 1);
    assert_eq!(world.refusals(), [Refusal::Replayed]);
    assert_eq!(world.acks().len(), 1, "both are settled by the one ack");
}

#[test]
fn a_bad_signature_settles_nothing() {
    let mut world = World::new();
    let key = world.enrol(9);
    let mut envelope = reading(&key, NETWORK, 1, 1, TIME);
    *envelope.last_mut().unwrap() ^= 1;
    world.arrive(envelope, key.kid());
    world.arrive(reading(&key, "othernet", 1, 2, TIME), key.kid());
    world.wait();
    assert_eq!(world.refusals(), [Refusal::Signature, Refusal::Signature]);
    assert!(world.acks().is_empty());
    assert_eq!(world.state.device(key.kid()).unwrap().window.highest(), None);
}

#[test]
fn a_forged_replay_is_a_bad_signature_and_settles_nothing() {
    let mut world = World::new();
    let key = world.enrol(9);
    world.arrive(reading(&key, NETWORK, 1, 1, TIME), key.kid());
    world.wait();
    world.seen.clear();
    let mut envelope = reading(&key, NETWORK, 1, 1, TIME);
    *envelope.last_mut().unwrap() ^= 1;
    world.arrive(envelope, key.kid());
    assert_eq!(world.refusals(), [Refusal::Signature]);
    assert!(world.acks().is_empty());
}

#[test]
fn a_wrong_time_is_refused_for_good_and_so_settled() {
    let mut world = World::new();
    let key = world.enrol(9);
    let seconds = (NOW / 1_000) as u32;
    world.arrive(reading(&key, NETWORK, 1, 1, TIME), key.kid());
    world.wait();
    world.seen.clear();
    world.arrive(reading(&key, NETWORK, 1, 2, Some(seconds + 400)), key.kid());
    world.arrive(reading(&key, NETWORK, 1, 3, Some(seconds - 31 * 86_400)), key.kid());
    world.wait();
    assert_eq!(world.refusals(), [Refusal::InFuture, Refusal::TooOld]);
    let (_, last) = world.acks().pop().unwrap();
    assert_eq!((last.highest.count, last.window), (3, 0b111));
    world.arrive(reading(&key, NETWORK, 1, 4, TIME), key.kid());
    world.wait();
    let (_, last) = world.acks().pop().unwrap();
    assert_eq!((last.highest.count, last.window), (4, 0b1111));
    assert_eq!(world.state.device(key.kid()).unwrap().accepted_envelopes, 2);
}

#[test]
fn garbage_and_strangers_get_a_notice_and_nothing_else() {
    let mut world = World::new();
    let key = world.enrol(9);
    let stranger = SigningKey::from_seed([77; 32]);
    world.arrive(b"garbage".to_vec(), key.kid());
    world.arrive(vec![0xd2; 5_000], key.kid());
    world.arrive(reading(&stranger, NETWORK, 4, 5, TIME), stranger.kid());
    assert_eq!(world.refusals(), [Refusal::Malformed, Refusal::Malformed, Refusal::UnknownDevice]);
    let notices = world.notices();
    assert_eq!(notices[0].sequence, Sequence::default(), "nothing was decodable");
    assert_eq!(notices[2].sequence, Sequence { boot: 4, count: 5 });
    assert!(world.acks().is_empty());
    world.arrive(reading(&key, NETWORK, 1, 1, TIME), key.kid());
    world.wait();
    assert_eq!(world.acks().len(), 1, "the next good one is accepted");
    assert_eq!(world.written.last().unwrap().seal.refused[Refusal::Malformed.index()], 2);
}

#[test]
fn an_instruction_does_not_come_by_mqtt() {
    let mut world = World::new();
    let key = world.enrol(9);
    let instruction =
        Instruction::Transfer { to: AccountId::pool(NETWORK), amount_microtokens: 1, memo: None };
    let mut bytes = vec![0; 512];
    let length =
        devices::sign_instruction(&world.operator, NETWORK, 99, &instruction.encode(), false, &mut bytes);
    bytes.truncate(length.unwrap());
    world.arrive(bytes, key.kid());
    assert_eq!(world.refusals(), [Refusal::Malformed]);
}

#[test]
fn a_reading_that_waits_behind_its_devices_revocation_is_refused_as_revoked() {
    let mut scene = World::new();
    let key = scene.enrol(11);
    let revoke = Instruction::RevokeDevice { kid: key.kid(), why: "stolen".to_owned() }.encode();
    scene.counter += 1;
    let mut bytes = vec![0; 512];
    let length =
        devices::sign_instruction(&scene.operator, NETWORK, scene.counter, &revoke, false, &mut bytes);
    bytes.truncate(length.unwrap());
    let arrival = |bytes, topic_kid| Arrival { bytes, topic_kid, ticket: None };
    // All three are admitted and verified while the device is in service, and wait for one block.
    scene.input(Input::Received(vec![
        arrival(reading(&key, NETWORK, 1, 1, None), Some(key.kid())),
        arrival(bytes, None),
        arrival(reading(&key, NETWORK, 1, 2, None), Some(key.kid())),
    ]));
    assert!(scene.refusals().is_empty());
    scene.wait();
    assert_eq!(scene.refusals(), [Refusal::Revoked]);
    assert_eq!(scene.state.device(key.kid()).unwrap().accepted_envelopes, 1);
    assert_eq!(scene.acks().last().unwrap().1.highest, Sequence { boot: 1, count: 1 });
    // And later ones are refused before their signature is looked at.
    scene.arrive(reading(&key, NETWORK, 1, 3, None), key.kid());
    assert_eq!(scene.refusals(), [Refusal::Revoked, Refusal::Revoked]);
}

#[test]
fn whoever_waits_is_answered_with_the_place_or_the_reason() {
    let mut world = World::new();
    let key = world.enrol(9);
    let good = Arrival { bytes: reading(&key, NETWORK, 1, 1, TIME), topic_kid: None, ticket: Some(500) };
    let bad = Arrival { bytes: b"garbage".to_vec(), topic_kid: None, ticket: Some(501) };
    world.input(Input::Received(vec![good, bad]));
    world.wait();
    let mut answers: Vec<_> = world
        .seen
        .iter()
        .filter_map(|effect| match effect {
            Effect::Answer(ticket, answer) if *ticket >= 500 => Some((*ticket, answer.clone())),
            _ => None,
        })
        .collect();
    answers.sort_by_key(|(ticket, _)| *ticket);
    assert_eq!(answers[0].1.as_ref().unwrap().height, world.state.height());
    assert_eq!(answers[1].1, Err(SubmitError::Reading(Refusal::Malformed)));
}

#[test]
fn an_epochs_end_makes_a_block_that_pays_the_owner() {
    let mut world = World::new();
    let key = world.enrol(9);
    world.arrive(reading(&key, NETWORK, 1, 1, TIME), key.kid());
    world.wait();
    assert_eq!(world.node.wake_at(&world.state), world.state.next_settlement_unix_milliseconds());
    world.now = world.node.wake_at(&world.state);
    world.input(Input::Tick);
    assert_eq!(world.written.last().unwrap().seal.settled_epochs, Some((0, 0)));
    assert!(world.state.device(key.kid()).unwrap().earned_microtokens > 0);
    assert!(
        world
            .seen
            .iter()
            .any(|effect| matches!(effect, Effect::Tell(Event::Settlement { statements: 1, .. })))
    );
}

#[test]
fn the_written_blocks_replay_to_the_same_state() {
    let mut world = World::new();
    let key = world.enrol(9);
    for count in 0..5 {
        world.arrive(reading(&key, NETWORK, 1, count, None), key.kid());
        world.wait();
    }
    let genesis_key = |seed| SigningKey::from_seed([seed; 32]).public_key();
    let genesis =
        Genesis::devnet(NETWORK, "lamppost/devnet", genesis_key(1), genesis_key(2), genesis_key(3), 60, NOW)
            .unwrap();
    let (mut state, _) = State::replay_genesis(&genesis, &world.written[0]).unwrap();
    for block in &world.written[1..] {
        state.replay(block, ledger::replay::Trust::Nothing).unwrap();
    }
    assert_eq!(state, world.state);
}

#[test]
fn without_room_on_the_disk_no_block_is_made_and_with_room_again_nothing_is_missing() {
    let mut world = World::new();
    let key = world.enrol(9);
    let (blocks, acks) = (world.written.len(), world.acks().len());
    world.input(Input::Room(false));
    world.arrive(reading(&key, NETWORK, 1, 1, None), key.kid());
    world.wait();
    world.now += 120_000;
    world.input(Input::Tick);
    assert_eq!((world.written.len(), world.acks().len()), (blocks, acks), "not even an epoch's end");
    assert_eq!(world.node.wake_at(&world.state), u64::MAX, "nothing is due");
    world.input(Input::Room(true));
    assert_eq!(world.written.last().unwrap().entries.len(), 1);
    assert!(world.written.last().unwrap().seal.settled_epochs.is_some());
    assert_eq!(world.acks().len(), acks + 1);
}

mod agreed;
