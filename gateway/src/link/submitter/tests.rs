//! The submitter's choices, one by one and under anything that happens.

use super::*;
use proptest::prelude::*;

/// What is sent at `now`, when everything sent is taken.
fn sent(submitter: &mut Submitter, now: u64) -> Vec<(usize, u64)> {
    let mut sent = Vec::new();
    submitter.next(now, |validator, sequence| {
        sent.push((validator, sequence));
        true
    });
    sent
}

fn all_connected(validators: usize) -> Submitter {
    let mut submitter = Submitter::new(validators);
    (0..validators).for_each(|validator| submitter.connected(validator));
    submitter
}

#[test]
fn a_batch_goes_to_those_who_propose_next() {
    let mut submitter = all_connected(4);
    submitter.decided(9);
    submitter.offer(1);
    // Height 10 is the turn of 10 mod 4, height 11 that of the one after.
    assert_eq!(sent(&mut submitter, 0), [(2, 1), (3, 1)]);
    assert_eq!(sent(&mut submitter, 1), [], "it is in good hands");
    submitter.decided(11);
    submitter.offer(2);
    assert_eq!(sent(&mut submitter, 2), [(0, 2), (1, 2)]);
    let mut alone = all_connected(1);
    alone.offer(5);
    assert_eq!(sent(&mut alone, 0), [(0, 5)]);
    let mut seven = all_connected(7);
    seven.offer(5);
    assert_eq!(sent(&mut seven, 0).len(), 3, "f is 2 of 7");
}

#[test]
fn who_is_away_is_passed_over_and_a_lost_connection_makes_another_take_its_place() {
    let mut submitter = all_connected(4);
    submitter.disconnected(1);
    submitter.offer(1);
    assert_eq!(sent(&mut submitter, 0), [(2, 1), (3, 1)]);
    submitter.disconnected(2);
    assert_eq!(sent(&mut submitter, 1), [(0, 1)]);
    submitter.disconnected(0);
    submitter.disconnected(3);
    assert_eq!(sent(&mut submitter, 2), []);
    submitter.connected(3);
    assert_eq!(sent(&mut submitter, 3), [(3, 1)], "whoever had it and comes back is given it again");
}

#[test]
fn what_is_not_final_goes_to_more_and_then_to_all_again() {
    let mut submitter = all_connected(4);
    submitter.offer(1);
    assert_eq!(sent(&mut submitter, 0), [(1, 1), (2, 1)]);
    let patience = LINK_FINAL_PATIENCE_MILLISECONDS;
    assert_eq!(submitter.due_at(0), Some(patience));
    assert_eq!(sent(&mut submitter, patience - 1), []);
    assert_eq!(sent(&mut submitter, patience), [(3, 1), (0, 1)]);
    assert_eq!(submitter.due_at(patience), Some(3 * patience));
    let again = sent(&mut submitter, 3 * patience);
    assert_eq!(again, [(1, 1), (2, 1), (3, 1), (0, 1)]);
    submitter.settled(1);
    assert_eq!((sent(&mut submitter, u64::MAX), submitter.due_at(0)), (vec![], None));
}

#[test]
fn who_asks_for_a_pause_gets_it_and_others_take_over() {
    let mut submitter = all_connected(4);
    submitter.offer(1);
    assert_eq!(sent(&mut submitter, 0), [(1, 1), (2, 1)]);
    assert_eq!(submitter.refused(1, 1, Reason::OverQuota, 400, 10), Refused::GoesOn);
    assert_eq!(sent(&mut submitter, 10), [(3, 1)]);
    submitter.offer(2);
    assert_eq!(sent(&mut submitter, 11), [(2, 2), (3, 2)]);
    for validator in [0, 2, 3] {
        submitter.refused(validator, 2, Reason::Full, u64::MAX, 11);
    }
    assert_eq!(sent(&mut submitter, 409), []);
    assert_eq!(submitter.due_at(409), Some(410));
    assert_eq!(sent(&mut submitter, 410), [(1, 2)], "the pause is over");
    assert_eq!(sent(&mut submitter, 11 + LINK_PAUSE_MILLISECONDS_MAX).len(), 2 + 3, "nobody pauses for ever");
}

#[test]
fn only_more_than_f_voices_give_a_batch_up() {
    let mut submitter = all_connected(4);
    submitter.offer(1);
    sent(&mut submitter, 0);
    assert_eq!(submitter.refused(1, 1, Reason::Malformed, 0, 0), Refused::GoesOn);
    assert_eq!(submitter.refused(1, 1, Reason::Malformed, 0, 0), Refused::GoesOn, "one voice counts once");
    assert_eq!(submitter.refused(2, 1, Reason::NotAdmitted, 0, 0), Refused::GivenUp);
    assert_eq!((submitter.depth(), sent(&mut submitter, u64::MAX)), ((0, 0), vec![]));
}

#[test]
fn a_bounded_number_is_under_way_and_the_oldest_come_first() {
    let mut submitter = all_connected(4);
    let all = LINK_UNDER_WAY_MAX as u64 + 3;
    (0..all).rev().for_each(|sequence| submitter.offer(sequence));
    let first = sent(&mut submitter, 0);
    assert!(first.iter().all(|(_, sequence)| *sequence < LINK_UNDER_WAY_MAX as u64));
    assert_eq!(submitter.depth(), (LINK_UNDER_WAY_MAX, 3));
    submitter.settled(0);
    assert_eq!(sent(&mut submitter, 0).len(), 2);
    submitter.set_validators(7);
    assert_eq!(
        submitter.depth(),
        (0, LINK_UNDER_WAY_MAX + 2),
        "with other validators all of it begins again"
    );
}

#[test]
fn who_takes_no_message_is_left_alone_for_a_moment() {
    let mut submitter = all_connected(4);
    submitter.offer(1);
    let mut asked = Vec::new();
    submitter.next(0, |validator, _| {
        asked.push(validator);
        validator != 1
    });
    assert_eq!(asked, [1, 2, 3]);
    assert_eq!(sent(&mut submitter, LINK_REFUSED_PAUSE_MILLISECONDS - 1), []);
}

#[derive(Debug, Clone)]
enum Happening {
    Offer(u64),
    Settle(u64),
    Connect(usize),
    Disconnect(usize),
    Refuse(usize, u64, usize, u64),
    Decide(u64),
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..100_u64).prop_map(Happening::Offer),
        2 => (0..100_u64).prop_map(Happening::Settle),
        3 => (0..7_usize).prop_map(Happening::Connect),
        1 => (0..7_usize).prop_map(Happening::Disconnect),
        2 => (0..7_usize, 0..100_u64, 0..5_usize, 0..20_000_u64)
            .prop_map(|(validator, sequence, reason, pause)| Happening::Refuse(validator, sequence, reason, pause)),
        1 => (0..50_u64).prop_map(Happening::Decide),
        4 => (0..10_000_u64).prop_map(Happening::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_batches_stay_in_enough_connected_hands(
        count in 1..8_usize,
        happenings in prop::collection::vec(happening(), 0..200),
    ) {
        let mut submitter = Submitter::new(count);
        let (mut now, mut connected, mut offered) = (0_u64, BTreeSet::new(), BTreeSet::new());
        for happening in happenings {
            match happening {
                Happening::Offer(sequence) => {
                    offered.insert(sequence);
                    submitter.offer(sequence);
                }
                Happening::Settle(sequence) => {
                    offered.remove(&sequence);
                    submitter.settled(sequence);
                }
                Happening::Connect(validator) if validator < count => {
                    submitter.disconnected(validator);
                    connected.insert(validator);
                    submitter.connected(validator);
                }
                Happening::Disconnect(validator) => {
                    connected.remove(&validator);
                    submitter.disconnected(validator);
                }
                Happening::Refuse(validator, sequence, reason, pause) => {
                    let reason = Reason::ALL[reason];
                    if submitter.refused(validator, sequence, reason, pause, now) == Refused::GivenUp {
                        offered.remove(&sequence);
                    }
                }
                Happening::Decide(height) => submitter.decided(height),
                Happening::Pass(milliseconds) => now += milliseconds,
                Happening::Connect(_) => {}
            }
            let mut given = BTreeSet::new();
            submitter.next(now, |validator, sequence| {
                assert!(connected.contains(&validator), "nobody else can be told");
                assert!(offered.contains(&sequence), "what is settled is sent no more");
                assert!(given.insert((validator, sequence)), "nobody is told the same twice at once");
                true
            });
            prop_assert!(submitter.under_way.len() <= LINK_UNDER_WAY_MAX);
            prop_assert_eq!(submitter.under_way.len() + submitter.waiting.len(), offered.len());
            let ready = |validator: &&usize| submitter.validators[**validator].paused_until <= now;
            let ready = connected.iter().filter(ready).count();
            for batch in submitter.under_way.values() {
                let wanted = submitter.holders_wanted(batch.attempts);
                prop_assert!(batch.holders.is_subset(&connected));
                prop_assert!(batch.holders.len() >= wanted.min(ready), "{:?}", batch);
                prop_assert!(batch.holders.len() <= wanted.max(1));
            }
            if let Some(due) = submitter.due_at(now) {
                prop_assert!(due > now, "whatever is due has been done");
            }
        }
    }
}
